//! Sockets as they are opened: their addresses, buffers, and leave to fragment.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, SockRef, Socket as Unbound, Type};

use super::{
    Socket,
    offloads::{self, Offloads},
};

/// Receive buffer of a listening socket: it holds the requests of a rack that is switched on.
const LISTEN_BUFFER: usize = 4 * 1024 * 1024;

/// Receive buffer of a transfer that receives a file: it holds a window.
const RECEIVE_BUFFER: usize = 1024 * 1024;

impl Socket {
    /// Listens on `address`. The wildcard `[::]` takes IPv4 as well.
    pub(crate) fn listen(address: SocketAddr) -> io::Result<Self> {
        let (address, socket) = match unbound(address) {
            // The system knows no IPv6: the wildcard then stands for IPv4 alone.
            Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
                let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                (address, unbound(address)?)
            }
            socket => (address, socket?),
        };
        Self::bind_listener(&socket, address)?;
        Self::listening(socket.into())
    }

    /// Listens on a socket that is bound.
    pub(crate) fn adopt(socket: std::net::UdpSocket) -> io::Result<Self> {
        enlarge(&SockRef::from(&socket), LISTEN_BUFFER);
        socket.set_nonblocking(true)?;
        Self::listening(socket)
    }

    /// Shares the address of this listening socket with more of them, each for another worker: the
    /// system gives every peer to one of them, the same each time.
    ///
    /// This one was bound alone, so that a second server on the same address fails.
    pub(crate) fn listen_too(&self, others: usize) -> io::Result<Vec<Self>> {
        if others == 0 {
            return Ok(Vec::new());
        }
        let address = self.address()?;
        share_port(&SockRef::from(self.io()))?;
        let another = |_| {
            let socket = unbound(address)?;
            share_port(&socket)?;
            Self::bind_listener(&socket, address)?;
            Self::listening(socket.into())
        };
        (0..others).map(another).collect()
    }

    fn bind_listener(socket: &Unbound, address: SocketAddr) -> io::Result<()> {
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
        enlarge(socket, LISTEN_BUFFER);
        socket.bind(&address.into())
    }

    /// A socket for transfers, bound to one address and port.
    pub(crate) fn bind(local: SocketAddr) -> io::Result<Self> {
        let socket = unbound(local)?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&local.into())?;
        Self::new(socket.into())
    }

    fn listening(socket: std::net::UdpSocket) -> io::Result<Self> {
        let mut listening = Self::new(socket)?;
        listening.take_together()?;
        Ok(listening)
    }

    fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let io = UdpSocket::from_std(socket);
        let ipv6 = io.local_addr()?.is_ipv6();
        offloads::let_fragment(&io, ipv6)?;
        Ok(Self { io, ipv6, watched: false, batched: false })
    }

    /// Has the system put datagrams together that come from one sender.
    fn take_together(&mut self) -> io::Result<()> {
        Offloads::set_up(&self.io, self.ipv6)?;
        self.batched = true;
        Ok(())
    }

    /// Prepares it to [receive](Self::receive) a file: its buffer holds a large window, if the
    /// system lets it, and blocks come together.
    pub(crate) fn prepare_to_receive(&mut self) -> io::Result<()> {
        enlarge(&SockRef::from(self.io()), RECEIVE_BUFFER);
        if self.batched { Ok(()) } else { self.take_together() }
    }

    /// Whether datagrams may come together, as they do for who receives a file.
    pub(crate) fn is_batched(&self) -> bool {
        self.batched
    }

    /// The receive buffer in bytes, in the system's way of counting.
    pub(crate) fn receive_buffer(&self) -> io::Result<usize> {
        SockRef::from(self.io()).recv_buffer_size()
    }
}

/// Asks for a buffer. The system grants what its limits allow; a smaller one still works.
fn enlarge(socket: &Unbound, bytes: usize) {
    #[cfg(target_os = "linux")]
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, bytes).is_ok() {
        return;
    }
    let _ = socket.set_recv_buffer_size(bytes);
}

#[cfg(unix)]
fn share_port(socket: &Unbound) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn share_port(_: &Unbound) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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

pub(super) fn unbound(address: SocketAddr) -> io::Result<Unbound> {
    let domain = Domain::for_address(address);
    // Where it is one call to make a socket that does not block, that saves another.
    #[cfg(target_os = "linux")]
    return Unbound::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP));
    #[cfg(not(target_os = "linux"))]
    {
        let socket = Unbound::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}
