//! Sockets: a listening one that knows which of our addresses a request was sent to, and one for
//! each transfer.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Receive buffer of a listening socket: it holds the requests of a rack that is switched on.
const LISTEN_BUFFER: usize = 4 * 1024 * 1024;

/// Receive buffer of a transfer that receives a file: it holds a window.
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// Datagrams taken from a listening socket with one system call.
const BATCH: usize = 8;

/// Room for one datagram, whatever its size: a receive does not report that it cut something off.
pub(crate) const DATAGRAM: usize = 65_535;

/// A socket that requests are sent to.
pub(crate) struct Listener {
    pub(crate) socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
}

/// A datagram that came to a listening socket.
pub(crate) struct Arrival<'b> {
    pub(crate) from: SocketAddr,
    /// The address of ours that it was sent to, where the system tells.
    pub(crate) to: IpAddr,
    pub(crate) datagram: &'b [u8],
}

impl Listener {
    /// Listens on `address`. The wildcard `[::]` takes IPv4 as well.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let (address, socket) = match unbound(address) {
            // The system knows no IPv6: the wildcard then stands for IPv4 alone.
            Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
                let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                (address, unbound(address)?)
            }
            socket => (address, socket?),
        };
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // An address that comes with its interface, after us at the start of the machine.
        #[cfg(target_os = "linux")]
        if address.is_ipv6() {
            socket.set_freebind_v6(true)
        } else {
            socket.set_freebind_v4(true)
        }?;
        socket.bind(&address.into())?;
        Self::adopt(socket.into())
    }

    /// Listens on a socket that is bound.
    pub(crate) fn adopt(socket: std::net::UdpSocket) -> io::Result<Self> {
        // The system grants what its limits allow; a smaller buffer still works.
        let _ = SockRef::from(&socket).set_recv_buffer_size(LISTEN_BUFFER);
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let address = socket.local_addr()?;
        Ok(Self { socket, state, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes some of the datagrams that wait, and gives each to `handle`. Returns whether there may
    /// be more.
    pub(crate) fn receive(
        &self,
        buffers: &mut Buffers,
        mut handle: impl FnMut(Arrival<'_>),
    ) -> io::Result<bool> {
        let mut meta = [RecvMeta::default(); BATCH];
        let mut slices: Vec<IoSliceMut<'_>> =
            buffers.0.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let received = self
            .socket
            .try_io(|| self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta));
        let filled = match received {
            Ok(filled) => filled,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        for (meta, buffer) in meta.iter().zip(&buffers.0).take(filled) {
            let to = meta.dst_ip.unwrap_or(self.address.ip());
            // Several datagrams of one sender may share a buffer, one every `stride` bytes.
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                handle(Arrival { from: canonical(meta.addr), to: to.to_canonical(), datagram });
            }
            if meta.len == 0 {
                handle(Arrival {
                    from: canonical(meta.addr),
                    to: to.to_canonical(),
                    datagram: &[],
                });
            }
        }
        Ok(true)
    }

    /// Sends one datagram from the address that the one it answers was sent to.
    pub(crate) fn answer(&self, from: IpAddr, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let mapped = self.address.is_ipv6();
        let destination = if mapped { map_to_v6(to) } else { to };
        let src_ip = (!from.is_unspecified()).then_some(from);
        self.state.try_send(
            UdpSockRef::from(&self.socket),
            &Transmit { destination, ecn: None, contents: datagram, segment_size: None, src_ip },
        )
    }
}

/// Whether `address` is the broadcast address of one of our networks. The system knows, and lets
/// nobody send there who has not asked for the right to.
pub(crate) fn is_broadcast(address: Ipv4Addr) -> bool {
    /// Any port will do: nothing is sent.
    const DISCARD: u16 = 9;
    let probe = SocketAddr::from((address, DISCARD));
    // Of this one the system knows only where it has a route for it.
    address.is_broadcast()
        || unbound(probe)
            .and_then(|socket| socket.connect(&probe.into()))
            .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Whether `address` is one of this machine's: nobody else could bind it.
pub(crate) fn is_local(address: SocketAddr) -> bool {
    let mut any_port = address;
    any_port.set_port(0);
    unbound(any_port).and_then(|socket| socket.bind(&any_port.into())).is_ok()
}

/// The address of ours from which `peer` is reached.
pub(crate) fn address_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let socket = unbound(peer)?;
    // Chooses the route; nothing is sent.
    socket.connect(&peer.into())?;
    let local = socket.local_addr()?.as_socket();
    local.map(|local| local.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Buffers for one batch of datagrams.
pub(crate) struct Buffers([Box<[u8]>; BATCH]);

impl Buffers {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| vec![0; DATAGRAM].into()))
    }
}

/// A socket for one transfer, bound to one address and port.
pub(crate) fn bind_transfer(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = unbound(local)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&local.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Asks for a receive buffer that holds a large window, and returns what was granted, in the
/// system's way of counting.
pub(crate) fn enlarge_receive_buffer(socket: &UdpSocket) -> io::Result<usize> {
    let socket = socket2::SockRef::from(socket);
    // The system grants what its limits allow; what that is, is read back.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.recv_buffer_size()
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An IPv4 peer of a dual-stack socket, as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

fn map_to_v6(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => address,
    }
}
