//! One datagram by one plain call, as every block of a lock-step transfer needs two.
//!
//! Those of the C library are points where a thread can be cancelled. On Unix it is therefore passed
//! over: what it does about that costs a fortieth of such a block.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;

/// Takes one datagram: its length, and who sent it.
#[cfg(unix)]
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    use rustix::{
        io::Errno,
        net::{RecvFlags, recvfrom},
    };
    let (len, _, from) = recvfrom(socket, &mut *buffer, RecvFlags::empty())?;
    Ok((len, from.ok_or(Errno::INVAL)?.try_into()?))
}

#[cfg(not(unix))]
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    socket.recv_from(buffer)
}

/// Sends one datagram.
#[cfg(unix)]
pub(super) fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
    use rustix::net::{SendFlags, sendto};
    sendto(socket, datagram, SendFlags::empty(), &to)?;
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
    socket.send_to(datagram, to).map(drop)
}
