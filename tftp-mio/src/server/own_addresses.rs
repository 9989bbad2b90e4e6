//! Which addresses are the server's own: nothing is ever sent there, or it would talk to itself.

use std::net::SocketAddr;

use crate::socket::is_local;

/// The addresses that the server listens on.
#[derive(Debug)]
pub(crate) struct OwnAddresses(Vec<SocketAddr>);

impl OwnAddresses {
    pub(crate) fn new(listening: &[SocketAddr]) -> Self {
        Self(listening.to_vec())
    }

    /// Whether a datagram from there claims to come from one of our listening sockets.
    pub(crate) fn contains(&self, from: SocketAddr) -> bool {
        let mut same_port = self.0.iter().filter(|own| own.port() == from.port());
        same_port.any(|own| own.ip() == from.ip() || (own.ip().is_unspecified() && is_local(from)))
    }
}
