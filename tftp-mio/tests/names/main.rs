//! Which file a name means to whom: rules, clients' folders, and case.

mod asking;
mod case;
mod client_folders;
mod documented;
mod map;
