//! What the clients are to do.

use std::{net::SocketAddr, time::Duration};

use tftp_core::{Operation, Options};

/// What to do.
pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    pub(crate) operation: Operation,
    pub(crate) ending: Ending,
    pub(crate) name: String,
    pub(crate) files: u32,
    pub(crate) size: u64,
    pub(crate) clients: u32,
    pub(crate) transfers: u32,
    pub(crate) options: Options,
    pub(crate) per_socket: u32,
    pub(crate) waiting: u32,
    pub(crate) patience: Duration,
    /// Never sleep.
    pub(crate) busy_poll: bool,
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All transfers have been carried through.
    Moved,
    /// All have begun and stalled, and standard input has ended.
    Stalled,
    /// All have been answered, none has acknowledged anything, and standard input has ended.
    HalfOpen,
}
