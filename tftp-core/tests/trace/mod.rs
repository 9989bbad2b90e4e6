//! One session, played packet by packet: what it gets, what it sends, and when it wakes. Times are
//! milliseconds on a virtual clock, packets are raw bytes.
#![expect(unreachable_pub, reason = "a test's module is public to that test")]
#![allow(dead_code, reason = "every test file takes its share of these helpers")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tftp_core::{
    BlockSize, Burst, Ignored, Instant, Limits, Operation, Options, Order, Packet, Received,
    Receiver, Refusal, SMALL_PACKET, Sender, Status, Timeout, Timing, Transmit, Verdict,
    WindowSize,
};

/// Where the session's peer lives: its host and its TID.
pub const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000);
/// The peer's host at the port that requests go to.
pub const ASKED: SocketAddr = SocketAddr::new(PEER.ip(), 69);
/// Stands for the request that the driver encoded and sends again.
pub const REQUEST: &[u8] = b"the request";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Half {
    Sender(Sender),
    Receiver(Receiver),
}

pub struct Trace {
    pub half: Half,
    /// What the sender sends, or what the receiver's driver has written.
    pub file: Vec<u8>,
    pub peer: SocketAddr,
    /// The sender's driver finds the end of the file only by reading.
    pub unknown_len: bool,
}

/// A server answers a read request for `file`.
pub fn serve_read(answer: Options, file: &[u8]) -> Trace {
    let len = Some(file.len() as u64);
    let sender = Sender::reply(Instant::ZERO, PEER, answer, len, Timing::SERVER);
    Trace::new(Half::Sender(sender), file)
}

/// A server answers a write request.
pub fn serve_write(answer: Options) -> Trace {
    let receiver = Receiver::reply(Instant::ZERO, PEER, answer, Order::Any, Timing::SERVER);
    Trace::new(Half::Receiver(receiver), b"")
}

/// A server answers a write request and can take blocks only in their order.
pub fn serve_write_strictly(answer: Options) -> Trace {
    let receiver = Receiver::reply(Instant::ZERO, PEER, answer, Order::Strict, Timing::SERVER);
    Trace::new(Half::Receiver(receiver), b"")
}

/// A client asks to read.
pub fn read(asked: Options) -> Trace {
    let receiver = Receiver::request(Instant::ZERO, ASKED, asked, Order::Any, Timing::CLIENT);
    Trace::new(Half::Receiver(receiver), b"")
}

/// A client asks to write `file`.
pub fn write(asked: Options, file: &[u8]) -> Trace {
    let len = Some(file.len() as u64);
    let sender = Sender::request(Instant::ZERO, ASKED, asked, len, Timing::CLIENT);
    Trace::new(Half::Sender(sender), file)
}

impl Trace {
    pub fn new(half: Half, file: &[u8]) -> Self {
        Self { half, file: file.to_vec(), peer: PEER, unknown_len: false }
    }

    /// At this time the session sends exactly these packets.
    #[track_caller]
    pub fn sends<P: AsRef<[u8]>>(&mut self, ms: u64, packets: &[P]) -> &mut Self {
        let sent = self.poll(ms);
        let expected: Vec<_> = packets.iter().map(|packet| packet.as_ref().to_vec()).collect();
        assert!(sent == expected, "at {ms} ms sent {} not {}", show(&sent), show(&expected));
        self
    }

    /// At this time the session has nothing to send.
    #[track_caller]
    pub fn is_silent(&mut self, ms: u64) -> &mut Self {
        self.sends::<&[u8]>(ms, &[])
    }

    /// The peer's packet arrives and is the session's business.
    #[track_caller]
    pub fn gets(&mut self, ms: u64, packet: impl AsRef<[u8]>) -> &mut Self {
        let verdict = self.hear(ms, self.peer, packet.as_ref());
        assert_eq!(verdict, Verdict::Accepted, "at {ms} ms");
        self
    }

    /// The peer's packet arrives and changes nothing, not even a timer.
    #[track_caller]
    pub fn ignores(&mut self, ms: u64, packet: impl AsRef<[u8]>, why: Ignored) -> &mut Self {
        let before = self.half.clone();
        let verdict = self.hear(ms, self.peer, packet.as_ref());
        assert_eq!(verdict, Verdict::Ignored(why), "at {ms} ms");
        assert_eq!(self.half, before, "ignored at {ms} ms, yet something changed");
        self
    }

    /// The peer's packet arrives and brings nothing new, but may draw an answer.
    #[track_caller]
    pub fn gets_again(&mut self, ms: u64, packet: impl AsRef<[u8]>) -> &mut Self {
        let verdict = self.hear(ms, self.peer, packet.as_ref());
        assert!(matches!(verdict, Verdict::Ignored(_)), "at {ms} ms {verdict:?}");
        self
    }

    /// The timer stands at this time, does nothing a nanosecond before it, and goes off.
    #[track_caller]
    pub fn wakes(&mut self, ms: u64) -> &mut Self {
        let due = self.timer().expect("the session is over");
        assert_eq!(due, at(ms), "{} ms", due.as_nanos() / 1_000_000);
        let before = self.half.clone();
        self.handle_timeout(Instant::from_nanos(at(ms).as_nanos() - 1));
        assert_eq!(self.half, before, "something happened before the timer was due");
        self.handle_timeout(at(ms));
        self
    }

    /// The session is over and stands so.
    #[track_caller]
    pub fn is_over(&mut self, status: Status) {
        assert_eq!(self.status(), status);
        assert_eq!(self.timer(), None, "the session is not over");
    }

    /// The session is over, and the whole file was moved.
    #[track_caller]
    pub fn is_done(&mut self) {
        assert!(matches!(self.status(), Status::Done(_)), "{:?}", self.status());
        assert_eq!(self.timer(), None, "the session is not over");
    }

    /// A datagram from anybody.
    pub fn hear<'d>(&mut self, ms: u64, from: SocketAddr, packet: &'d [u8]) -> Verdict<'d> {
        match &mut self.half {
            Half::Sender(sender) => sender.handle_datagram(at(ms), from, packet),
            Half::Receiver(receiver) => match receiver.handle_datagram(at(ms), from, packet) {
                Received::Data(chunk) => {
                    let start = usize::try_from(chunk.offset).unwrap();
                    let end = start + chunk.bytes.len();
                    self.file.resize(end.max(self.file.len()), b'?');
                    self.file[start..end].copy_from_slice(chunk.bytes);
                    Verdict::Accepted
                }
                Received::Other(verdict) => verdict,
            },
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.half {
            Half::Sender(sender) => sender.handle_timeout(now),
            Half::Receiver(receiver) => receiver.handle_timeout(now),
        }
    }

    pub fn handle_repeated_request(&mut self, ms: u64) -> &mut Self {
        match &mut self.half {
            Half::Sender(sender) => sender.handle_repeated_request(at(ms)),
            Half::Receiver(receiver) => receiver.handle_repeated_request(at(ms)),
        }
        self
    }

    /// The driver's clock is set from one time to the other.
    pub fn rebase(&mut self, from: u64, to: u64) -> &mut Self {
        match &mut self.half {
            Half::Sender(sender) => sender.rebase(at(from), at(to)),
            Half::Receiver(receiver) => receiver.rebase(at(from), at(to)),
        }
        self
    }

    pub fn abort(&mut self, code: tftp_core::ErrorCode, text: &'static str) -> &mut Self {
        match &mut self.half {
            Half::Sender(sender) => sender.abort(code, text),
            Half::Receiver(receiver) => receiver.abort(code, text),
        }
        self
    }

    pub fn handle_unreachable(&mut self) -> &mut Self {
        match &mut self.half {
            Half::Sender(sender) => sender.handle_unreachable(),
            Half::Receiver(receiver) => receiver.handle_unreachable(),
        }
        self
    }

    pub fn timer(&self) -> Option<Instant> {
        match &self.half {
            Half::Sender(sender) => sender.poll_timeout(),
            Half::Receiver(receiver) => receiver.poll_timeout(),
        }
    }

    pub fn status(&self) -> Status {
        match &self.half {
            Half::Sender(sender) => sender.status(),
            Half::Receiver(receiver) => receiver.status(),
        }
    }

    /// Everything the session wants sent now; bursts are sent whole.
    pub fn poll(&mut self, ms: u64) -> Vec<Vec<u8>> {
        let mut out = [0; SMALL_PACKET];
        let mut sent = Vec::new();
        while let Some(transmit) = self.poll_once(ms, &mut out) {
            match transmit {
                Transmit::Request => sent.push(REQUEST.to_vec()),
                Transmit::Packet(len) => sent.push(out[..len].to_vec()),
                Transmit::Burst(burst) => sent.extend(self.send(ms, burst)),
            }
        }
        sent
    }

    pub fn poll_once(&mut self, ms: u64, out: &mut [u8]) -> Option<Transmit> {
        match &mut self.half {
            Half::Sender(sender) => sender.poll_transmit(at(ms), out),
            Half::Receiver(receiver) => receiver.poll_transmit(at(ms), out),
        }
    }

    /// Frames and commits a burst.
    pub fn send(&mut self, ms: u64, mut burst: Burst) -> Vec<Vec<u8>> {
        let start = usize::try_from(burst.offset()).unwrap();
        let left = &self.file[start..];
        if self.unknown_len && burst.payload_len() > left.len() {
            burst = burst.end_after(left.len());
        }
        let mut left = left.iter();
        let mut framed = vec![0; burst.framed_len()];
        for payload in burst.frame(&mut framed) {
            payload.fill_with(|| *left.next().expect("a plan beyond the file"));
        }
        let Half::Sender(sender) = &mut self.half else { panic!("a receiver has no bursts") };
        sender.commit(at(ms), burst);
        framed.chunks(burst.stride()).map(<[u8]>::to_vec).collect()
    }
}

pub fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

pub fn data(block: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 3], &block.to_be_bytes()[..], payload.as_ref()].concat()
}

pub fn ack(block: u16) -> Vec<u8> {
    [[0, 4], block.to_be_bytes()].concat()
}

pub fn error(code: u16, text: &str) -> Vec<u8> {
    [&[0, 5], &code.to_be_bytes()[..], text.as_bytes(), &[0]].concat()
}

/// An OACK, from `blksize=8 tsize=100`.
pub fn oack(options: &str) -> Vec<u8> {
    let mut packet = vec![0, 6];
    for option in options.split_whitespace() {
        packet.extend(option.replace('=', "\0").bytes());
        packet.push(0);
    }
    packet
}

/// The DATA packets of these blocks of a file, numbered from 1.
pub fn blocks(file: &[u8], size: usize, numbers: std::ops::RangeInclusive<u16>) -> Vec<Vec<u8>> {
    let of = |number: u16| {
        let start = usize::from(number - 1) * size;
        data(number, &file[start..file.len().min(start + size)])
    };
    numbers.map(of).collect()
}

/// A file whose bytes tell their place.
pub fn file(len: usize) -> Vec<u8> {
    (0..len).map(|place| u8::try_from((place ^ (place >> 8)) & 0xFF).unwrap()).collect()
}

pub fn blksize(bytes: u16) -> Options {
    Options::NONE.with_block_size(BlockSize::new(bytes).unwrap())
}

/// Blocks of 8 bytes, in windows.
pub fn windows_of(blocks: u16) -> Options {
    blksize(8).with_window_size(WindowSize::new(blocks).unwrap())
}

pub fn timeout(seconds: u8) -> Options {
    Options::NONE.with_timeout(Timeout::new(seconds).unwrap())
}

fn show(packets: &[Vec<u8>]) -> String {
    let one = |packet: &Vec<u8>| match Packet::parse(packet) {
        Ok(packet) => format!("{packet:?}"),
        Err(_) => format!("{:?}", packet.escape_ascii().to_string()),
    };
    format!("{:#?}", packets.iter().map(one).collect::<Vec<_>>())
}

/// What a client may ask for when it wants both sizes.
pub fn asking(block_size: u16, window_size: u16) -> Options {
    blksize(block_size).with_window_size(WindowSize::new(window_size).unwrap())
}

/// The first packet with which a server answers a request of these bytes; its file is `abc`.
pub fn answer(
    opcode: u8,
    mode: &[u8],
    options: &[u8],
    limits: &Limits,
    size: Option<u64>,
) -> Result<Vec<u8>, Refusal> {
    let datagram = [&[0, opcode], &b"name\0"[..], mode, b"\0", options].concat();
    let Ok(Packet::Request(request)) = Packet::parse(&datagram) else {
        panic!("no request: {}", datagram.escape_ascii());
    };
    let granted = limits.answer(&request, size)?;
    let mut session = match request.operation {
        Operation::Read => serve_read(granted, &b"abc"[..usize::from(size != Some(0)) * 3]),
        Operation::Write => serve_write(granted),
    };
    let mut first = session.poll(0);
    assert_eq!(first.len(), 1, "one packet is the answer");
    Ok(first.remove(0))
}
