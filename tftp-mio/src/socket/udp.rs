//! A UDP socket with its offloads: many datagrams in by one call, many out by one call.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use arrayvec::ArrayVec;
use mio::{Interest, Registry, Token, net::UdpSocket};
use quinn_udp::{Transmit, UdpSockRef};
use tftp_core::Instant;

use super::{BATCH, Batch, Inbox, Paths, offloads::Offloads, plain};

/// A socket to listen on, or for transfers. It does not block.
pub(crate) struct Socket {
    pub(super) io: UdpSocket,
    /// IPv4 peers are reached by their mapped addresses.
    pub(super) ipv6: bool,
    /// A poll loop knows it.
    pub(super) watched: bool,
    /// Datagrams of one sender may come together.
    pub(super) batched: bool,
}

/// The most bytes that leave with one call: the longest datagram of IPv4.
const LONGEST: usize = 65_507;

/// Whom to send to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) to: SocketAddr,
    /// The address of ours to send from, on a socket that is not bound to one.
    pub(crate) from: Option<IpAddr>,
}

impl Socket {
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Has a poll loop wake for this from now on.
    pub(crate) fn watch(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        if self.watched {
            return registry.reregister(&mut self.io, token, interest);
        }
        registry.register(&mut self.io, token, interest)?;
        self.watched = true;
        Ok(())
    }

    /// The poll loop forgets it, so that another may watch it.
    pub(crate) fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        self.watched = false;
        registry.deregister(&mut self.io)
    }

    pub(crate) fn io(&self) -> &UdpSocket {
        &self.io
    }

    /// Takes datagrams that wait into the first `most` buffers of the inbox, two at least: one left
    /// empty shows that no more waited.
    pub(crate) fn receive<'b>(&self, inbox: &'b mut Inbox, most: usize) -> io::Result<Batch<'b>> {
        let Inbox { buffers, meta } = inbox;
        let mut slices = ArrayVec::<_, BATCH>::new();
        slices.extend(buffers.iter_mut().take(most).map(|buffer| IoSliceMut::new(buffer)));
        let most = slices.len();
        let offloads = Offloads::known()?;
        let receive = || offloads.state.recv(UdpSockRef::from(&self.io), &mut slices, meta);
        let filled = match self.io.try_io(receive) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            filled => filled?,
        };
        // Whose fields the batch needs.
        drop(slices);
        Ok(Batch { buffers: &buffers[..filled], meta: &meta[..filled], drained: filled < most })
    }

    /// Takes one datagram, if any waits: with less work where there is seldom more. Not for sockets
    /// on which several [come together](Self::take_together).
    pub(crate) fn receive_one<'b>(
        &self,
        inbox: &'b mut Inbox,
    ) -> io::Result<Option<(SocketAddr, &'b [u8])>> {
        let [buffer, ..] = &mut inbox.buffers;
        match plain::receive(&self.io, buffer) {
            Ok((len, from)) => Ok(Some((from, &buffer[..len]))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a datagram waits.
    pub(crate) fn has_waiting(&self) -> bool {
        self.io.peek_from(&mut []).is_ok()
    }

    /// Throws away what waits. Returns whether nothing is left.
    pub(crate) fn discard_waiting(&self) -> bool {
        /// More than a buffer of the usual size holds.
        const MOST: usize = 1024;
        (0..MOST).any(|_| match self.io.recv_from(&mut []) {
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        })
    }

    /// Sends one datagram.
    pub(crate) fn send(&self, route: Route, datagram: &[u8]) -> io::Result<()> {
        self.send_segments(route, datagram, None)
    }

    /// Sends `packets`, one every `stride` bytes, with as few calls as may be. Returns how many
    /// have left; what the network refused counts as lost on the way.
    ///
    /// # Errors
    /// Beside that number: `WouldBlock` where the socket is full, otherwise what the system said of
    /// the latest packet that it refused.
    pub(crate) fn send_packets(
        &self,
        now: Instant,
        route: Route,
        packets: &[u8],
        stride: usize,
        paths: &mut Paths,
    ) -> (usize, io::Result<()>) {
        let mut trouble = Ok(());
        let mut sent = 0;
        let mut left = packets;
        while !left.is_empty() {
            let together = packets_at_once(now, route, left, stride, paths);
            let (batch, behind) = left.split_at(left.len().min(together * stride));
            let segment = (together > 1).then_some(stride);
            match self.send_segments(route, batch, segment) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (sent, Err(error));
                }
                // Nothing has left, and what is remembered sends the same packets one by one.
                Err(error) if together > 1 && refuses_segments(&error) => {
                    tracing::debug!(peer = %route.to, %error, "segmentation refused");
                    paths.refuse_segments(now, route.to);
                    continue;
                }
                Err(error) => trouble = Err(error),
                Ok(()) => {}
            }
            sent += batch.len().div_ceil(stride);
            left = behind;
        }
        (sent, trouble)
    }

    fn send_segments(
        &self,
        Route { to, from }: Route,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> io::Result<()> {
        let destination = if self.ipv6 { map_to_v6(to) } else { to };
        let src_ip = from.filter(|ip| !ip.is_unspecified());
        // What needs no more of the system than this costs it less.
        if segment_size.is_none() && src_ip.is_none() {
            return plain::send(&self.io, contents, destination);
        }
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
        let offloads = Offloads::known()?;
        self.io.try_io(|| offloads.state.try_send(UdpSockRef::from(&self.io), &transmit))
    }
}

/// How many of `packets` may leave with one call.
fn packets_at_once(
    now: Instant,
    route: Route,
    packets: &[u8],
    stride: usize,
    paths: &mut Paths,
) -> usize {
    // A single packet needs no knowledge of its path.
    if packets.len() <= stride {
        return 1;
    }
    let segments = Offloads::known().map_or(1, |offloads| offloads.most_segments);
    let most = segments.min(LONGEST / stride);
    if most > 1 && paths.takes_segments(now, route.to, stride) { most } else { 1 }
}

/// Whether a send failed because the system will not cut it into packets: the device cannot, the
/// path is narrower than it was, or the system never does.
fn refuses_segments(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        matches!(
            Errno::from_io_error(error),
            Some(Errno::IO | Errno::INVAL | Errno::MSGSIZE | Errno::OPNOTSUPP)
        )
    }
    #[cfg(not(unix))]
    {
        quinn_udp::is_msg_size_err(error)
    }
}

fn map_to_v6(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => address,
    }
}
