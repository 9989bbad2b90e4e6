//! A socket of one client, or of many that have a loopback address each.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Buffers offered to one receive: fewer filled than offered means that the socket is drained.
const BATCH: usize = 8;

/// The most that one receive yields in one buffer.
const DATAGRAMS: usize = 65_535;

/// Room for a storm of answers; the system grants what its limits allow.
const BUFFER: usize = 4 << 20;

/// The address of the first simulated client, 127.1.0.0; the others follow.
const FIRST_ADDRESS: u32 = 0x7F01_0000;

/// The address of a simulated client.
pub(crate) fn address(client: u32) -> IpAddr {
    Ipv4Addr::from_bits(FIRST_ADDRESS + client).into()
}

/// The simulated client that has this address.
pub(crate) fn client_at(address: IpAddr) -> Option<u32> {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().checked_sub(FIRST_ADDRESS),
        IpAddr::V6(_) => None,
    }
}

pub(crate) struct Endpoint {
    pub(crate) socket: UdpSocket,
    state: UdpSocketState,
}

/// One datagram of a batch.
pub(crate) struct Arrival {
    pub(crate) from: SocketAddr,
    /// The address of ours that it was sent to.
    pub(crate) to: Option<IpAddr>,
    pub(crate) buffer: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Buffers for one batch of datagrams.
pub(crate) struct Buffers([Box<[u8]>; BATCH]);

impl Buffers {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| vec![0; DATAGRAMS].into()))
    }

    pub(crate) fn bytes(&self, buffer: usize, start: usize, end: usize) -> &[u8] {
        &self.0[buffer][start..end]
    }
}

impl Endpoint {
    /// A socket that reaches `server`, on a port that the system chooses.
    pub(crate) fn open(server: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = Socket::new(Domain::for_address(server), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Beyond the system's limit where we may.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            socket.set_recv_buffer_size(BUFFER)?;
        }
        socket.set_send_buffer_size(BUFFER)?;
        socket.bind(&SocketAddr::new(any, 0).into())?;
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { socket, state })
    }

    /// Takes one batch. Returns whether there may be more.
    pub(crate) fn receive(
        &self,
        buffers: &mut Buffers,
        arrivals: &mut Vec<Arrival>,
    ) -> io::Result<bool> {
        let mut meta = [RecvMeta::default(); BATCH];
        let mut slices = buffers.0.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let filled = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta) {
            Ok(filled) => filled,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        for (buffer, meta) in meta.iter().take(filled).enumerate() {
            for start in (0..meta.len).step_by(meta.stride.max(1)) {
                let end = (start + meta.stride).min(meta.len);
                arrivals.push(Arrival { from: meta.addr, to: meta.dst_ip, buffer, start, end });
            }
        }
        Ok(filled == BATCH)
    }

    /// Sends datagrams of `segment` bytes each, the last one may be shorter, with one call.
    pub(crate) fn send(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        datagrams: &[u8],
        segment: Option<usize>,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: datagrams,
            segment_size: segment,
            src_ip: from,
        };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }

    /// Packets that one call takes at most.
    pub(crate) fn most_segments(&self) -> usize {
        self.state.max_gso_segments()
    }
}
