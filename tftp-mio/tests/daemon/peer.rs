//! A TFTP peer that is nothing but a socket: it sends the bytes it is told to, and says which came.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

use crate::server::Server;

/// Far above what an answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// One socket of ours, and the server that it talks to.
pub(crate) struct Peer {
    socket: UdpSocket,
    server: SocketAddr,
    /// Where the latest answer to a request came from.
    tid: Option<SocketAddr>,
    /// Hashes of what has come since the latest request.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Peer {
    pub(crate) fn of(server: &Server) -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), server.address())
    }

    /// A peer with that address of its own.
    pub(crate) fn at(local: IpAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((local, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out above zero");
        Self { socket, server, tid: None, seen: HashSet::new(), hasher: RandomState::new() }
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket")
    }

    /// The server's TID: where the answer to the latest request came from.
    #[track_caller]
    pub(crate) fn tid(&self) -> SocketAddr {
        self.tid.expect("an answer before")
    }

    /// Sends to the listening port.
    pub(crate) fn ask(&mut self, datagram: impl AsRef<[u8]>) {
        self.tid = None;
        self.seen.clear();
        self.send_to(datagram, self.server);
    }

    /// Sends to where the answer came from.
    #[track_caller]
    pub(crate) fn send(&self, datagram: impl AsRef<[u8]>) {
        self.send_to(datagram, self.tid());
    }

    pub(crate) fn send_to(&self, datagram: impl AsRef<[u8]>, to: SocketAddr) {
        let datagram = datagram.as_ref();
        let sent = self.socket.send_to(datagram, to).expect("loopback takes datagrams");
        assert_eq!(sent, datagram.len());
    }

    /// Has the system cut what is sent from now on into datagrams of that length, and hand them on
    /// together.
    #[track_caller]
    pub(crate) fn cut_sends(&self, length: usize) {
        let length = length.try_into().expect("the length of a datagram");
        setsockopt(&self.socket, UdpGsoSegment, &length).expect("a system that cuts");
    }

    /// Expects exactly this datagram next.
    ///
    /// One that was seen before is passed over: on a busy machine the server's timer may go off
    /// before our answer is there. Where that matters the tests negotiate a long `timeout`, and
    /// use [`expect_next`](Self::expect_next).
    #[track_caller]
    pub(crate) fn expect(&mut self, datagram: impl AsRef<[u8]>) {
        let expected = datagram.as_ref();
        loop {
            let before = self.seen.len();
            let got = self.receive();
            if got == expected {
                return;
            }
            let again = self.seen.len() == before;
            assert!(again, "expected {}\n     got {}", shown(expected), shown(&got));
        }
    }

    /// Expects exactly this datagram next, whatever was seen before.
    #[track_caller]
    pub(crate) fn expect_next(&mut self, datagram: impl AsRef<[u8]>) {
        let expected = datagram.as_ref();
        let got = self.receive();
        assert!(got == expected, "expected {}\n     got {}", shown(expected), shown(&got));
    }

    /// Expects the ACK of this block. One of an earlier block is passed over: on a busy machine the
    /// server may take a pause of ours for the end of the flight.
    #[track_caller]
    pub(crate) fn expect_ack(&mut self, block: u16) {
        loop {
            let got = self.receive();
            match got[..] {
                [0, 4, high, low] if u16::from_be_bytes([high, low]) == block => return,
                [0, 4, high, low] if u16::from_be_bytes([high, low]) < block => {}
                _ => panic!("expected ACK {block}, got {}", shown(&got)),
            }
        }
    }

    /// Expects an ERROR with this code and a text as F21 has it, and returns the text.
    #[track_caller]
    pub(crate) fn expect_error(&mut self, code: u8) -> String {
        let got = self.receive_unseen();
        let [0, 5, 0, got_code, text @ .., 0] = got.as_slice() else {
            panic!("expected ERROR {code}, got {}", shown(&got))
        };
        let printable = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        assert!(printable && (1..=511).contains(&text.len()), "text of {}", shown(&got));
        assert_eq!(*got_code, code, "{}", shown(&got));
        String::from_utf8_lossy(text).into_owned()
    }

    /// The next datagram from the server. After the first, all must come from the same port.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let (datagram, from) = self.receive_from();
        let tid = *self.tid.get_or_insert(from);
        assert_eq!(from, tid, "{} came from another port", shown(&datagram));
        self.seen.insert(self.hasher.hash_one(&datagram));
        datagram
    }

    /// The next datagram that was not seen before.
    #[track_caller]
    pub(crate) fn receive_unseen(&mut self) -> Vec<u8> {
        loop {
            let before = self.seen.len();
            let got = self.receive();
            if self.seen.len() > before {
                return got;
            }
        }
    }

    /// The next datagram from anywhere.
    #[track_caller]
    pub(crate) fn receive_from(&self) -> (Vec<u8>, SocketAddr) {
        self.try_receive().expect("an answer in time")
    }

    /// The next datagram, if one comes within `time`.
    pub(crate) fn receive_within(&mut self, time: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(time)).expect("a time-out above zero");
        let received = self.try_receive();
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a time-out above zero");
        let (datagram, from) = received?;
        self.tid.get_or_insert(from);
        Some(datagram)
    }

    fn try_receive(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 65_535];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => {
                    buffer.truncate(len);
                    return Some((buffer, from));
                }
                // A child of another test has ended.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => panic!("receive: {error}"),
            }
        }
    }

    /// Expects that nothing that was sent to us before is still on its way: asks for a file that is
    /// not there, and its refusal is the next datagram. The server takes requests one by one.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        let before = self.tid;
        self.ask(rrq("nothing-else", &[]));
        self.expect_next(error(1, "file not found"));
        self.tid = before;
    }

    /// Reads the rest of a file, from block `next` on, in order and with an ACK after each window.
    #[track_caller]
    pub(crate) fn read_blocks(&mut self, mut next: u16, blksize: usize, window: usize) -> Vec<u8> {
        let mut content = Vec::new();
        let mut in_window = 0;
        loop {
            let packet = self.receive();
            let [0, 3, high, low, payload @ ..] = packet.as_slice() else {
                panic!("expected DATA {next}, got {}", shown(&packet))
            };
            if u16::from_be_bytes([*high, *low]) != next {
                continue;
            }
            assert!(payload.len() <= blksize, "{} bytes in DATA {next}", payload.len());
            content.extend_from_slice(payload);
            in_window += 1;
            let last = payload.len() < blksize;
            if last || in_window == window {
                self.send(ack(next));
                in_window = 0;
            }
            if last {
                return content;
            }
            next = next.wrapping_add(1);
        }
    }
}

/// A read request in octet mode.
pub(crate) fn rrq(name: impl AsRef<[u8]>, options: &[(&str, &str)]) -> Vec<u8> {
    request(1, name.as_ref(), "octet", options)
}

/// A write request in octet mode.
pub(crate) fn wrq(name: impl AsRef<[u8]>, options: &[(&str, &str)]) -> Vec<u8> {
    request(2, name.as_ref(), "octet", options)
}

pub(crate) fn request(opcode: u8, name: &[u8], mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut packet = vec![0, opcode];
    packet.extend_from_slice(name);
    packet.push(0);
    packet.extend_from_slice(mode.as_bytes());
    packet.push(0);
    packet.extend(pairs(options));
    packet
}

pub(crate) fn oack(options: &[(&str, &str)]) -> Vec<u8> {
    [vec![0, 6], pairs(options)].concat()
}

pub(crate) fn data(block: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 3], &block.to_be_bytes()[..], payload.as_ref()].concat()
}

pub(crate) fn ack(block: u16) -> Vec<u8> {
    [&[0, 4], &block.to_be_bytes()[..]].concat()
}

pub(crate) fn error(code: u8, text: &str) -> Vec<u8> {
    [&[0, 5, 0, code], text.as_bytes(), &[0]].concat()
}

fn pairs(options: &[(&str, &str)]) -> Vec<u8> {
    let texts = options.iter().flat_map(|(name, value)| [name, value]);
    texts.flat_map(|text| [text.as_bytes(), &[0]].concat()).collect()
}

/// Bytes that differ from block to block, whatever the block size.
pub(crate) fn content(len: usize) -> Vec<u8> {
    let rows = (0..=u8::MAX).cycle().flat_map(|row| (0..251).map(move |at| at ^ row));
    rows.take(len).collect()
}

/// A packet as the tests write it, cut after its beginning.
fn shown(packet: &[u8]) -> String {
    let start = &packet[..packet.len().min(80)];
    let more = if packet.len() > start.len() { "..." } else { "" };
    format!("{} bytes: {}{more}", packet.len(), start.escape_ascii())
}
