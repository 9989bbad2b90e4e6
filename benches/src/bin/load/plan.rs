//! What the clients are to do, and the descriptors that it takes.

use std::{io, net::SocketAddr, time::Duration};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
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
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All transfers have been carried through.
    AllMoved,
    /// All have begun and stalled, and standard input has ended.
    AllStalled,
}

/// A descriptor for every socket, beyond the hard limit where we may.
pub(crate) fn raise_descriptor_limit(sockets: u64) -> io::Result<()> {
    const OTHERS: u64 = 64;
    let needed = sockets + OTHERS;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < needed {
        setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed))?;
    }
    Ok(())
}
