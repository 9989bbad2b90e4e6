//! TFTP on a mio poll loop: a server to run or embed, and a client engine.
//!
//! The way of a datagram through the server: the [listening socket](server) takes a request, a
//! session with a socket of its own is opened for it, the session gives each datagram to a state
//! machine of [`tftp_core`], and the machine's plans and chunks are read from and written to the
//! [storage].
//!
//! The values of the protocol, such as block sizes and ERROR codes, are those of [`tftp_core`], which
//! comes with this crate.

pub use tftp_core;

pub mod client;
mod clock;
mod observe;
mod recent;
pub mod server;
mod slots;
mod socket;
pub mod storage;
mod timers;
mod transfer;
mod words;

pub use words::of_the_system;
