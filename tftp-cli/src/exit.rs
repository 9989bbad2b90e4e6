//! The exit status: what a script that runs `tftp` can tell apart.

use std::process::ExitCode;

/// How the program ended; the numbers are what users rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// Everything that was asked for has been done.
    Done = 0,
    /// The server refused, does not have the file, or broke the protocol.
    Refused = 1,
    /// The command line or a command made no sense; nothing was sent.
    Usage = 2,
    /// Nobody answered, or not to the end, or the host has no address.
    NoAnswer = 3,
    /// A local file could not be read or written, or the system gave no socket.
    Local = 4,
    /// SIGHUP: 128 and the number of the signal, as shells report it.
    HungUp = 129,
    /// Ctrl-C: 128 and the number of SIGINT.
    Interrupted = 130,
    /// SIGTERM: 128 and the number of the signal.
    Terminated = 143,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
