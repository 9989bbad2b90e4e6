//! Addresses of ours that others have too: a request to one of them is none to us alone.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tftp_core::Instant;

use crate::{recent::Recent, socket::is_broadcast};

/// What is known of our addresses.
pub(crate) struct Groups {
    broadcast: Recent<Ipv4Addr, bool>,
}

impl Groups {
    pub(crate) fn new() -> Self {
        /// More than most machines have.
        const MOST: usize = 64;
        /// Networks change; and the system is asked by a socket, which every datagram would wait
        /// for.
        const GOOD_FOR: Duration = Duration::from_secs(1);
        Self { broadcast: Recent::new(MOST, GOOD_FOR) }
    }

    /// Whether `to`, which a socket that listens on `listening` has got something for, is one.
    pub(crate) fn contain(&mut self, now: Instant, listening: SocketAddr, to: IpAddr) -> bool {
        match to {
            // Only a wildcard takes what was sent to another address than its own.
            IpAddr::V4(ip) => {
                let any = listening.ip().is_unspecified();
                ip.is_multicast() || (any && *self.broadcast.get(now, ip, || is_broadcast(ip)))
            }
            IpAddr::V6(ip) => ip.is_multicast(),
        }
    }
}
