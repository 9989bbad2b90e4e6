//! TFTP on a mio poll loop: a server to run or embed, and a client engine.

pub mod client;
