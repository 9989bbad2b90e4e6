//! Transfer ports (TIDs), handed out in turn: each is used by one transfer at a time, and as long as
//! possible not used again, so that a late packet of an old transfer meets nobody.

use std::{
    io,
    net::{IpAddr, SocketAddr, SocketAddrV6},
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
    cursor: usize,
}

/// No port of the range is free.
#[derive(Debug)]
pub(crate) struct NoPort;

impl Ports {
    pub(crate) fn new(range: &RangeInclusive<u16>) -> Self {
        Self { first: *range.start(), used: vec![false; range.len()], cursor: 0 }
    }

    /// Binds the next free port on the address of ours that `peer` has asked.
    ///
    /// # Errors
    /// [`NoPort`] inside of `Ok` when all ports are taken; an error of the system otherwise.
    pub(crate) fn open(
        &mut self,
        local: IpAddr,
        peer: SocketAddr,
    ) -> io::Result<Result<(UdpSocket, u16), NoPort>> {
        for _ in 0..self.used.len() {
            let index = self.cursor;
            self.cursor = (index + 1) % self.used.len();
            if self.used[index] {
                continue;
            }
            let port = self.first + u16::try_from(index).unwrap_or(0);
            match bind_transfer(local_address(local, port, peer)) {
                Ok(socket) => {
                    self.used[index] = true;
                    return Ok(Ok((socket, port)));
                }
                // Another program has it.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Err(NoPort))
    }

    /// Gives a port back.
    pub(crate) fn close(&mut self, port: u16) {
        if let Some(used) = self.used.get_mut(usize::from(port.wrapping_sub(self.first))) {
            *used = false;
        }
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
    use std::net::Ipv4Addr;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const PEER: SocketAddr = SocketAddr::new(LOCAL, 1);

    #[test]
    fn a_port_comes_back_only_after_all_others_had_their_turn() {
        let mut ports = Ports::new(&(20_000..=29_999));
        let (socket, first) = ports.open(LOCAL, PEER).unwrap().unwrap();
        drop(socket);
        ports.close(first);
        let (_socket, second) = ports.open(LOCAL, PEER).unwrap().unwrap();
        assert!(second > first, "{second} after {first}");
    }

    #[test]
    fn a_range_that_is_used_up_is_said_to_be() {
        let (_held, port) = Ports::new(&(20_000..=29_999)).open(LOCAL, PEER).unwrap().unwrap();
        let mut ports = Ports::new(&(port..=port));
        assert!(ports.open(LOCAL, PEER).unwrap().is_err());
    }
}
