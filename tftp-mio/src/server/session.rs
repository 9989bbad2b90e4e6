//! One transfer of the server: its way to the peer, its state machine, and what will be said of it.

use std::{io, net::IpAddr};

use smallvec::SmallVec;
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
    /// Whether something is left in its own socket, of which the loop is not told again.
    pub(crate) waiting: Waiting,
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

/// Whether something waits in a session's own socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The loop is told of what comes.
    No,
    /// What was expected has come, and it was not looked whether more has: an ERROR, say. The timer
    /// looks, if nothing else comes before.
    Unlikely,
    /// There was more than a turn takes: it has another.
    Likely,
}

/// What a transfer is about, for the log.
pub(crate) struct About {
    pub(crate) operation: Operation,
    /// As many bytes as a pointer to them would take are kept here.
    pub(crate) name: SmallVec<[u8; 16]>,
    pub(crate) mode: Mode,
    /// The client asked for the size: if it then refuses, that is all it wanted.
    pub(crate) asked_size: bool,
    pub(crate) began: Instant,
    /// When the peer first answered; before that, the same.
    pub(crate) proved_at: Instant,
    /// The request, to know it when it comes again.
    pub(crate) fingerprint: u32,
    rare: Option<Box<Rare>>,
}

/// What is to be said of few transfers.
#[derive(Default)]
struct Rare {
    file: Option<Box<[u8]>>,
    peer_error: Option<(ErrorCode, Box<[u8]>)>,
}

impl Session {
    /// ICMP told that a packet did not arrive. The timer decides what that means.
    pub(crate) fn receive_failed(&mut self, error: &io::Error) {
        tracing::debug!(peer = %self.transfer.peer(), %error, "receive failed");
        self.waiting = Waiting::Likely;
    }
}

impl About {
    pub(crate) fn new(
        now: Instant,
        request: &Request<'_>,
        file: Option<Box<[u8]>>,
        fingerprint: u32,
    ) -> Self {
        let rare = file.map(|file| Box::new(Rare { file: Some(file), peer_error: None }));
        Self {
            operation: request.operation,
            name: request.filename.into(),
            mode: request.mode,
            asked_size: request.options.transfer_size().is_some(),
            began: now,
            proved_at: now,
            fingerprint,
            rare,
        }
    }

    /// What the name has led to, if that is another file.
    pub(crate) fn file(&self) -> Option<&[u8]> {
        self.rare.as_ref()?.file.as_deref()
    }

    /// The peer has sent an ERROR.
    pub(crate) fn handle_peer_error(&mut self, code: ErrorCode, message: &[u8]) {
        self.rare.get_or_insert_default().peer_error = Some((code, message.into()));
    }

    /// What the peer's ERROR said.
    pub(crate) fn peer_error(&self) -> Option<(ErrorCode, &[u8])> {
        let (code, message) = self.rare.as_ref()?.peer_error.as_ref()?;
        Some((*code, message))
    }
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small_as_anybody_may_open_one_and_say_no_more() {
        // Where it is checked that one poll loop has a socket, the socket remembers which.
        const CHECKED: usize = if cfg!(debug_assertions) { 8 } else { 0 };
        assert!(size_of::<Session>() <= 336 + CHECKED, "{}", size_of::<Session>());
    }
}
