//! One transfer of the server: its socket, its state machine, and what will be said of it.

use std::net::SocketAddr;

use mio::net::UdpSocket;
use tftp_core::{ErrorCode, Instant, Mode, Operation, Request};

use super::limits::Place;
use crate::transfer::{Scratch, Transfer};

/// A transfer with the socket that belongs to it alone.
pub(crate) struct Session {
    pub(crate) transfer: Transfer,
    pub(crate) socket: UdpSocket,
    /// Our TID.
    pub(crate) port: u16,
    /// Tells this session from earlier ones in the same slot.
    pub(crate) serial: u64,
    pub(crate) about: About,
    /// What it takes of the server's capacity.
    pub(crate) place: Place,
    /// The deadline that is armed for it.
    pub(crate) armed: Instant,
    /// The socket was full; it is watched for room.
    pub(crate) blocked: bool,
    /// The finished transfer has been reported; what remains is lingering.
    pub(crate) reported: bool,
}

/// What a transfer is about, for the log.
pub(crate) struct About {
    pub(crate) peer: SocketAddr,
    pub(crate) operation: Operation,
    pub(crate) name: Box<[u8]>,
    pub(crate) mode: Mode,
    /// The client asked for the size: if it then refuses, that is all it wanted.
    pub(crate) asked_size: bool,
    pub(crate) began: Instant,
    /// What the peer's ERROR said.
    pub(crate) peer_error: Option<(ErrorCode, Box<[u8]>)>,
    /// The request, to know it when it comes again.
    pub(crate) fingerprint: u64,
}

impl About {
    pub(crate) fn new(
        now: Instant,
        peer: SocketAddr,
        request: &Request<'_>,
        fingerprint: u64,
    ) -> Self {
        Self {
            peer,
            operation: request.operation,
            name: request.filename.into(),
            mode: request.mode,
            asked_size: request.options.transfer_size().is_some(),
            began: now,
            peer_error: None,
            fingerprint,
        }
    }
}

impl Session {
    /// Sends what there is to send; remembers whether the socket was full.
    pub(crate) fn pump(&mut self, now: Instant, scratch: &mut Scratch) {
        use crate::transfer::Pumped;
        self.transfer.let_go_if_failed();
        self.blocked = self.transfer.pump(now, &self.socket, scratch) == Pumped::Blocked;
        if let Some(error) = self.transfer.take_send_error() {
            tracing::debug!(peer = %self.about.peer, %error, "a datagram could not be sent");
        }
    }
}
