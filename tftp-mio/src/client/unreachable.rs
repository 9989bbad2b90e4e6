//! What the system says of packets that do not arrive: that nothing listens there, or that there is
//! no way.
//!
//! A transfer's socket is not connected, for it has to see strangers (RFC 1350 section 4), and of
//! such a socket Linux keeps ICMP's word to itself unless it is asked for an error queue. Of a
//! request that nobody has answered it is believed at once, as TCP believes it of a connection that
//! is being made. Later a word is only a word, for ICMP can be forged and ways come back: the
//! server is given up when it has been refused for [`PATIENCE`] without a sign of life.

use std::{io, net::SocketAddr, time::Duration};

use mio::net::UdpSocket;
use tftp_core::Instant;

/// How long a server's port has to be refused before it is believed to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was said since the server was last heard.
#[derive(Debug, Default)]
pub(super) struct Unreachable {
    latest: Option<io::Error>,
    /// When its port was first refused.
    refused: Option<Instant>,
}

impl Unreachable {
    /// The server has been heard.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A packet to the server did not arrive, or was not sent. Returns whether waiting is of no use:
    /// for an answer to the request, or else for a server that has gone.
    pub(super) fn hear(&mut self, now: Instant, error: io::Error, is_request: bool) -> bool {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};

        let kind = error.kind();
        self.latest = Some(error);
        if is_request {
            return matches!(kind, ConnectionRefused | HostUnreachable | NetworkUnreachable);
        }
        kind == ConnectionRefused
            && now.saturating_duration_since(*self.refused.get_or_insert(now)) >= PATIENCE
    }

    /// What was said last.
    pub(super) fn take(&mut self) -> Option<io::Error> {
        self.latest.take()
    }
}

/// Asks for the error queue; where the system has none, silence is silence.
pub(super) fn listen(socket: &UdpSocket) {
    #[cfg(target_os = "linux")]
    linux::listen(socket);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Empties the error queue, and returns what it says of packets to `server`.
pub(super) fn heard(socket: &UdpSocket, server: SocketAddr) -> Option<io::Error> {
    #[cfg(target_os = "linux")]
    return linux::heard(socket, server);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (socket, server);
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io::{self, IoSliceMut},
        net::SocketAddr,
        os::fd::AsRawFd as _,
    };

    use mio::net::UdpSocket;
    use nix::{
        cmsg_space,
        libc::sock_extended_err,
        sys::socket::{
            ControlMessageOwned, MsgFlags, SockaddrIn6, SockaddrStorage, recvmsg, setsockopt,
            sockopt::{Ipv4RecvErr, Ipv6RecvErr},
        },
    };

    /// Errors read in a row; whoever sends more of them is not listened to.
    const MOST: usize = 64;

    pub(super) fn listen(socket: &UdpSocket) {
        let asked = match socket.local_addr() {
            Ok(SocketAddr::V4(_)) => setsockopt(socket, Ipv4RecvErr, &true),
            Ok(SocketAddr::V6(_)) => setsockopt(socket, Ipv6RecvErr, &true),
            Err(_) => Ok(()),
        };
        if let Err(error) = asked {
            tracing::debug!(%error, "no error queue");
        }
    }

    pub(super) fn heard(socket: &UdpSocket, server: SocketAddr) -> Option<io::Error> {
        // All of them are read: one that stays would fail the next send.
        (0..MOST).map_while(|_| next(socket)).fold(None, |said, (destination, errno)| {
            let ours = destination.is_none_or(|destination| destination == server);
            said.or(ours.then(|| io::Error::from_raw_os_error(errno)))
        })
    }

    /// The destination of a packet that did not arrive, and why.
    fn next(socket: &UdpSocket) -> Option<(Option<SocketAddr>, i32)> {
        // The last is for what the socket is told of every packet.
        let mut space = cmsg_space!(sock_extended_err, SockaddrIn6, [u8; 128]);
        let mut packet = [0; 64];
        let mut packet = [IoSliceMut::new(&mut packet)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut packet, Some(&mut space), flags)
                .ok()?;
        let destination = message.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|&v4| SocketAddr::V4(v4.into()));
            v4.or_else(|| address.as_sockaddr_in6().map(|&v6| SocketAddr::V6(v6.into())))
        });
        let errno = message.cmsgs().ok()?.find_map(|said| match said {
            ControlMessageOwned::Ipv4RecvErr(error, _)
            | ControlMessageOwned::Ipv6RecvErr(error, _) => Some(error.ee_errno),
            _ => None,
        })?;
        Some((destination, i32::try_from(errno).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use tftp_core::Instant;

    use super::{PATIENCE, Unreachable};

    fn at(tenths: u32) -> Instant {
        Instant::ZERO + PATIENCE / 10 * tenths
    }

    /// Whether `kind`, heard then, makes waiting useless.
    fn ends(heard: &mut Unreachable, tenths: u32, kind: ErrorKind, is_request: bool) -> bool {
        heard.hear(at(tenths), kind.into(), is_request)
    }

    #[test]
    fn of_a_request_what_will_not_get_better_is_believed_at_once() {
        for (kind, is_final) in [
            (ErrorKind::ConnectionRefused, true),
            (ErrorKind::HostUnreachable, true),
            (ErrorKind::NetworkUnreachable, true),
            (ErrorKind::OutOfMemory, false),
        ] {
            assert_eq!(ends(&mut Unreachable::default(), 0, kind, true), is_final, "{kind}");
        }
    }

    #[test]
    fn a_refused_port_ends_a_transfer_when_nothing_was_heard_for_a_second() {
        let mut heard = Unreachable::default();
        for tenths in [1, 5, 10] {
            assert!(!ends(&mut heard, tenths, ErrorKind::ConnectionRefused, false));
        }
        heard.forget();
        for tenths in [11, 20] {
            assert!(!ends(&mut heard, tenths, ErrorKind::ConnectionRefused, false));
        }
        assert!(ends(&mut heard, 21, ErrorKind::ConnectionRefused, false));
    }

    #[test]
    fn a_way_that_is_gone_ends_no_transfer_and_is_told_of_when_silence_does() {
        let mut heard = Unreachable::default();
        for tenths in [0, 900] {
            assert!(!ends(&mut heard, tenths, ErrorKind::HostUnreachable, false));
        }
        let told = heard.take().map(|error: io::Error| error.kind());
        assert_eq!(told, Some(ErrorKind::HostUnreachable));
    }
}
