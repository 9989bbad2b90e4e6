//! What is known of the ways to peers: how long a packet may be before it is fragmented, and
//! whether the system cuts a long send into packets on that way.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tftp_core::Instant;

use crate::recent::Recent;

/// Peers that are remembered at least, those of the latest packets.
const MOST: usize = 4096;

/// Routes change.
const GOOD_FOR: Duration = Duration::from_mins(10);

/// Where the system does not tell: the least that every IPv6 path carries.
const LEAST_MTU: u32 = 1280;

/// The ways to all peers of a loop.
#[derive(Debug)]
pub(crate) struct Paths {
    known: Recent<(IpAddr, u32), Path>,
}

#[derive(Debug)]
struct Path {
    mtu: u32,
    /// The system has refused to cut a send for this way.
    refused: bool,
}

impl Paths {
    /// Whether one send to `peer` may carry several packets of `stride` bytes: none of them may
    /// need to be fragmented.
    pub(crate) fn takes_segments(&mut self, now: Instant, peer: SocketAddr, stride: usize) -> bool {
        let path = self.path(now, peer);
        !path.refused && stride + headers(peer.ip()) <= path.mtu as usize
    }

    /// The longest datagram that reaches `peer` unfragmented.
    pub(crate) fn longest_datagram(&mut self, now: Instant, peer: SocketAddr) -> usize {
        (self.path(now, peer).mtu as usize).saturating_sub(headers(peer.ip()))
    }

    /// The system would not cut a send to `peer` into packets.
    pub(crate) fn refuse_segments(&mut self, now: Instant, peer: SocketAddr) {
        self.path(now, peer).refused = true;
    }

    fn path(&mut self, now: Instant, peer: SocketAddr) -> &mut Path {
        let scope = match peer {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        let ask = || Path { mtu: mtu_to(peer).unwrap_or(LEAST_MTU), refused: false };
        self.known.get(now, (peer.ip(), scope), ask)
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self { known: Recent::new(MOST, GOOD_FOR) }
    }
}

/// Bytes that IP and UDP put before a datagram.
fn headers(ip: IpAddr) -> usize {
    const UDP: usize = 8;
    match ip {
        IpAddr::V4(_) => 20 + UDP,
        IpAddr::V6(_) => 40 + UDP,
    }
}

/// The longest packet on the way to `peer`, as far as the system knows by its routes and by what
/// ICMP has told it.
#[cfg(target_os = "linux")]
fn mtu_to(peer: SocketAddr) -> io::Result<u32> {
    use rustix::net::sockopt::{ip_mtu, ipv6_mtu};
    // Only a connected socket is told. Nothing is sent.
    let socket = super::open::unbound(peer)?;
    socket.connect(&peer.into())?;
    Ok(if peer.is_ipv4() { ip_mtu(&socket)? } else { ipv6_mtu(&socket)? })
}

#[cfg(not(target_os = "linux"))]
fn mtu_to(_: SocketAddr) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
