//! Datagrams on their way in: taken from a socket many at a time, and handed on by their sender.

use std::{
    net::{IpAddr, SocketAddr},
    slice::Chunks,
};

use quinn_udp::RecvMeta;

/// Buffers that one receive can fill.
pub(crate) const BATCH: usize = 32;

/// Room for one datagram, whatever its size, or for several of one sender that the system has put
/// together: a receive does not report that it cut something off.
const BUFFER: usize = 65_535;

/// Buffers for one receive. One set serves all sockets of a loop; memory is taken as it is filled.
pub(crate) struct Inbox {
    pub(super) buffers: [Box<[u8]>; BATCH],
    pub(super) meta: [RecvMeta; BATCH],
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            buffers: std::array::from_fn(|_| vec![0; BUFFER].into()),
            meta: [RecvMeta::default(); BATCH],
        }
    }
}

/// What one receive has brought.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'b> {
    pub(super) buffers: &'b [Box<[u8]>],
    pub(super) meta: &'b [RecvMeta],
    /// Nothing was left in the socket.
    pub(crate) drained: bool,
}

/// Datagrams that came from one sender, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Run<'b> {
    buffers: &'b [Box<[u8]>],
    meta: &'b [RecvMeta],
    pub(crate) from: SocketAddr,
}

/// One datagram that came to a listening socket.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'b> {
    /// The number of that socket.
    pub(crate) index: usize,
    pub(crate) from: SocketAddr,
    /// The address of ours that it was sent to; that of the socket where the system does not tell.
    pub(crate) to: IpAddr,
    pub(crate) datagram: &'b [u8],
}

impl<'b> Batch<'b> {
    pub(crate) fn runs(self) -> impl Iterator<Item = Run<'b>> {
        let mut buffers = self.buffers;
        let same =
            |one: &RecvMeta, next: &RecvMeta| (one.addr, one.dst_ip) == (next.addr, next.dst_ip);
        self.meta.chunk_by(same).map(move |meta| {
            let (of_run, behind) = buffers.split_at(meta.len());
            buffers = behind;
            let from = meta.first().map_or_else(|| RecvMeta::default().addr, |meta| meta.addr);
            Run { buffers: of_run, meta, from: canonical(from) }
        })
    }
}

impl<'b> Run<'b> {
    /// The address of ours that they were sent to, where the system tells.
    pub(crate) fn to(&self) -> Option<IpAddr> {
        self.meta.first()?.dst_ip.map(|ip| ip.to_canonical())
    }

    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        self.buffers().flatten()
    }

    /// The same by buffers: several that were sent at once may share one.
    pub(crate) fn buffers(&self) -> impl Iterator<Item = Chunks<'b, u8>> + use<'b> {
        self.meta.iter().zip(self.buffers).map(|(meta, buffer)| {
            // One every `stride` bytes.
            buffer.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1))
        })
    }
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
