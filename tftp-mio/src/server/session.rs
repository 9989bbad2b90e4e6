//! One transfer of the server: its way to the peer, its state machine, and what will be said of it.

use std::net::IpAddr;

use tftp_core::{ErrorCode, Instant, Mode, Operation, Request};

use super::{limits::Permit, ports::OwnSocket};
use crate::transfer::Transfer;

/// A transfer and all that belongs to it alone.
pub(crate) struct Session {
    pub(crate) transfer: Transfer,
    pub(crate) way: Way,
    /// Tells this session from earlier ones in the same slot.
    pub(crate) serial: u64,
    pub(crate) about: About,
    /// What it takes of the server's capacity.
    pub(crate) permit: Permit,
    /// The socket was full; it is watched for room.
    pub(crate) blocked: bool,
    /// It waits for another turn.
    pub(crate) queued: bool,
    /// The finished transfer has been reported; what remains is lingering.
    pub(crate) reported: bool,
}

/// The socket that a transfer goes through.
pub(crate) enum Way {
    /// One of its own, whose port is our TID.
    Own(OwnSocket),
    /// The listening socket with this index, from the address of ours that was asked.
    Listener { index: usize, from: IpAddr },
}

/// What a transfer is about, for the log.
pub(crate) struct About {
    pub(crate) operation: Operation,
    pub(crate) name: Box<[u8]>,
    /// What that has led to, if it is another file. Few have one.
    pub(crate) file: Option<Box<Box<[u8]>>>,
    pub(crate) mode: Mode,
    /// The client asked for the size: if it then refuses, that is all it wanted.
    pub(crate) asked_size: bool,
    pub(crate) began: Instant,
    /// When the peer first answered; before that, the same.
    pub(crate) proved_at: Instant,
    /// What the peer's ERROR said. Few have one.
    pub(crate) peer_error: Option<Box<(ErrorCode, Box<[u8]>)>>,
    /// The request, to know it when it comes again.
    pub(crate) fingerprint: u64,
}

impl About {
    pub(crate) fn new(
        now: Instant,
        request: &Request<'_>,
        file: Option<Box<[u8]>>,
        fingerprint: u64,
    ) -> Self {
        Self {
            operation: request.operation,
            name: request.filename.into(),
            file: file.map(Box::new),
            mode: request.mode,
            asked_size: request.options.transfer_size().is_some(),
            began: now,
            proved_at: now,
            peer_error: None,
            fingerprint,
        }
    }
}
