//! Transfer ports (TIDs), handed out in turn: each is used by one transfer at a time, and as long as
//! possible not used again, so that a late packet of an old transfer meets nobody.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    ops::RangeInclusive,
};

use mio::net::UdpSocket;

use crate::socket::bind_transfer;

/// The ports of the range, and whose turn it is.
#[derive(Debug)]
pub(crate) struct Ports {
    first: u16,
    /// Whether our own transfers use the port, by its distance from the first.
    used: Vec<bool>,
    /// How many of them our own transfers do not use.
    free: usize,
    cursor: usize,
}

/// Why there is no socket for another transfer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPort {
    /// All of the range are taken, by us or by others.
    #[error("no port is free")]
    InUse,
    /// The system gives no socket.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Ports that are tried for one request when other programs sit in the range; the next request goes
/// on behind them.
const TRIES: usize = 256;

impl Ports {
    pub(crate) fn new(range: &RangeInclusive<u16>) -> Self {
        let used = vec![false; range.len()];
        Self { first: *range.start(), free: used.len(), used, cursor: 0 }
    }

    /// Binds the next free port on the address of ours that `peer` has asked.
    ///
    /// # Errors
    /// When no port is free, or the system gives no socket.
    pub(crate) fn open(
        &mut self,
        local: IpAddr,
        peer: SocketAddr,
    ) -> Result<(UdpSocket, u16), NoPort> {
        for _ in 0..self.free.min(TRIES) {
            let index = self.next_unused();
            let port = self.first + u16::try_from(index).unwrap_or(0);
            match bind_transfer(local_address(local, port, peer)) {
                Ok(socket) => {
                    self.used[index] = true;
                    self.free -= 1;
                    return Ok((socket, port));
                }
                // Another program has it.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NoPort::InUse)
    }

    /// Gives a port back.
    pub(crate) fn close(&mut self, port: u16) {
        if let Some(used) = self.used.get_mut(usize::from(port.wrapping_sub(self.first)))
            && *used
        {
            *used = false;
            self.free += 1;
        }
    }

    /// Moves the cursor over the next port that our own transfers do not use; there is one.
    fn next_unused(&mut self) -> usize {
        loop {
            let index = self.cursor;
            self.cursor = (index + 1) % self.used.len();
            if !self.used[index] {
                return index;
            }
        }
    }
}

/// Whether ports like this one may be used at all.
///
/// # Errors
/// When the system forbids it. That somebody else has the port is no error.
pub(crate) fn probe(port: u16) -> io::Result<()> {
    match bind_transfer(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// A link-local address of ours has the scope of the peer that reached it.
fn local_address(local: IpAddr, port: u16, peer: SocketAddr) -> SocketAddr {
    match (local, peer) {
        (IpAddr::V6(ip), SocketAddr::V6(peer)) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, port, 0, peer.scope_id()).into()
        }
        (ip, _) => SocketAddr::new(ip, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const PEER: SocketAddr = SocketAddr::new(LOCAL, 1);

    #[test]
    fn a_port_comes_back_only_after_all_others_had_their_turn() {
        let mut ports = Ports::new(&(20_000..=29_999));
        let (socket, first) = ports.open(LOCAL, PEER).unwrap();
        drop(socket);
        ports.close(first);
        let (_socket, second) = ports.open(LOCAL, PEER).unwrap();
        assert!(second > first, "{second} after {first}");
    }

    #[test]
    fn a_port_that_another_program_has_is_passed_over() {
        let (_held, port) = Ports::new(&(20_000..=29_998)).open(LOCAL, PEER).unwrap();
        let mut ports = Ports::new(&(port..=29_999));
        let (_socket, next) = ports.open(LOCAL, PEER).unwrap();
        assert!(next > port, "{next} after {port}");
    }

    #[test]
    fn a_range_that_others_use_up_is_said_to_be() {
        let (_held, port) = Ports::new(&(20_000..=29_999)).open(LOCAL, PEER).unwrap();
        let mut ports = Ports::new(&(port..=port));
        assert!(matches!(ports.open(LOCAL, PEER), Err(NoPort::InUse)));
    }

    #[test]
    fn a_range_that_we_use_up_is_said_to_be_until_a_port_comes_back() {
        let (held, port) = Ports::new(&(20_000..=29_999)).open(LOCAL, PEER).unwrap();
        drop(held);
        let mut ports = Ports::new(&(port..=port));
        let (socket, _) = ports.open(LOCAL, PEER).unwrap();
        assert!(matches!(ports.open(LOCAL, PEER), Err(NoPort::InUse)));
        drop(socket);
        ports.close(port);
        ports.close(port);
        let (_socket, again) = ports.open(LOCAL, PEER).unwrap();
        assert_eq!(again, port);
        assert!(matches!(ports.open(LOCAL, PEER), Err(NoPort::InUse)));
    }
}
