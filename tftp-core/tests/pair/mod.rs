//! Two halves, a virtual clock, and a link between them that a test may break packet by packet.
#![allow(dead_code, reason = "every test file takes its share of these helpers")]
#![expect(unreachable_pub, reason = "a test's module is public to that test")]

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tftp_core::{
    Burst, Instant, Options, Order, Packet, Received, Receiver, SMALL_PACKET, Sender, Status,
    Timing, Transmit, Verdict,
};

/// Who opened the transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// RRQ: the receiver is the client.
    Receiver,
    /// WRQ: the sender is the client.
    Sender,
}

/// Which half sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Sender,
    Receiver,
}

/// What the link does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    Lose,
    Double,
    /// Deliver after this many of the packets that follow.
    Displace(u64),
    /// Deliver this much later than the link's latency.
    Delay(Duration),
}

struct Flying {
    at: Instant,
    order: u64,
    to: From,
    bytes: Vec<u8>,
}

pub struct Pair<'a> {
    pub sender: Sender,
    pub receiver: Receiver,
    pub now: Instant,
    /// DATA packets sent, repeated ones included.
    pub data_sent: u64,
    /// ACK packets sent, repeated ones included.
    pub acks_sent: u64,
    /// The file as the receiver's driver has it.
    pub received: Vec<u8>,
    /// Which bytes of the file it has got; none may come twice.
    delivered: Vec<bool>,
    file: &'a [u8],
    known_len: bool,
    opener: Opener,
    agreed: Options,
    latency: Duration,
    flying: VecDeque<Flying>,
    packets: u64,
    #[expect(clippy::type_complexity, reason = "a test's closure, named nowhere else")]
    fate: Box<dyn FnMut(From, u64, &[u8]) -> Fate + 'a>,
}

pub const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
pub const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 20_000);

const REQUEST: &[u8] = b"\0\x01name\0octet\0";

impl<'a> Pair<'a> {
    /// A transfer of `file` with these options agreed, over a link of 5 ms each way.
    pub fn new(opener: Opener, file: &'a [u8], agreed: Options) -> Self {
        let now = Instant::ZERO;
        let len = Some(file.len() as u64);
        let asked = SocketAddr::new(SERVER.ip(), 69);
        let (sender, receiver) = match opener {
            Opener::Receiver => (
                Sender::reply(now, CLIENT, agreed, len, Timing::SERVER),
                Receiver::request(now, asked, agreed, Order::Any, Timing::CLIENT),
            ),
            Opener::Sender => (
                Sender::request(now, asked, agreed, len, Timing::CLIENT),
                Receiver::reply(now, CLIENT, agreed, Order::Any, Timing::SERVER),
            ),
        };
        Self {
            sender,
            receiver,
            now,
            data_sent: 0,
            acks_sent: 0,
            received: Vec::new(),
            delivered: vec![false; file.len()],
            file,
            known_len: true,
            opener,
            agreed,
            latency: Duration::from_millis(5),
            flying: VecDeque::new(),
            packets: 0,
            fate: Box::new(|_, _, _| Fate::Deliver),
        }
    }

    /// Decides each packet's fate from its sender, its number on the link, and its bytes.
    pub fn with_fate(mut self, fate: impl FnMut(From, u64, &[u8]) -> Fate + 'a) -> Self {
        self.fate = Box::new(fate);
        self
    }

    /// The sender's driver does not know the length before it has read to the end.
    pub fn with_unknown_length(mut self) -> Self {
        self.known_len = false;
        self.sender = match self.opener {
            Opener::Receiver => Sender::reply(self.now, CLIENT, self.agreed, None, Timing::SERVER),
            Opener::Sender => Sender::request(
                self.now,
                SocketAddr::new(SERVER.ip(), 69),
                self.agreed,
                None,
                Timing::CLIENT,
            ),
        };
        self
    }

    /// Takes blocks in their order only.
    pub fn with_strict_order(mut self) -> Self {
        self.receiver = match self.opener {
            Opener::Receiver => Receiver::request(
                self.now,
                SocketAddr::new(SERVER.ip(), 69),
                self.agreed,
                Order::Strict,
                Timing::CLIENT,
            ),
            Opener::Sender => {
                Receiver::reply(self.now, CLIENT, self.agreed, Order::Strict, Timing::SERVER)
            }
        };
        self
    }

    /// Runs until both halves are over, and panics if that takes too many steps.
    pub fn run(&mut self) {
        self.run_within(2_000_000);
    }

    /// The same with a bound on the steps: packets delivered and timers gone off.
    pub fn run_within(&mut self, steps: u64) {
        for _ in 0..steps {
            self.transmit();
            let Some(next) = self.next_event() else {
                return;
            };
            self.now = self.now.max(next);
            if self.flying.front().is_some_and(|packet| packet.at <= self.now) {
                self.deliver();
            } else {
                self.sender.handle_timeout(self.now);
                self.receiver.handle_timeout(self.now);
            }
        }
        panic!("livelock: {:?} / {:?}", self.sender, self.receiver);
    }

    /// The whole file arrived and both halves know it.
    #[track_caller]
    pub fn assert_complete(&self) {
        assert!(self.received == self.file, "the file is wrong");
        assert!(matches!(self.sender.status(), Status::Done(_)), "{:?}", self.sender.status());
        assert!(matches!(self.receiver.status(), Status::Done(_)), "{:?}", self.receiver.status());
    }

    fn next_event(&self) -> Option<Instant> {
        let timers = [self.sender.poll_timeout(), self.receiver.poll_timeout()];
        let packet = self.flying.front().map(|packet| packet.at);
        let next = timers.into_iter().chain([packet]).flatten().min()?;
        assert!(next < Instant::NEVER, "deadlock: {:?} / {:?}", self.sender, self.receiver);
        Some(next)
    }

    fn deliver(&mut self) {
        let Some(packet) = self.flying.pop_front() else {
            return;
        };
        let (client, server) = (CLIENT, SERVER);
        let sender_address = if self.opener == Opener::Sender { client } else { server };
        let receiver_address = if self.opener == Opener::Sender { server } else { client };
        match packet.to {
            From::Sender if packet.bytes == REQUEST => {
                self.sender.handle_repeated_request(self.now);
            }
            From::Receiver if packet.bytes == REQUEST => {
                self.receiver.handle_repeated_request(self.now);
            }
            From::Sender => {
                let verdict =
                    self.sender.handle_datagram(self.now, receiver_address, &packet.bytes);
                assert_ne!(verdict, Verdict::Stray, "the peer was taken for a stranger");
            }
            From::Receiver => {
                let received =
                    self.receiver.handle_datagram(self.now, sender_address, &packet.bytes);
                if let Received::Data(chunk) = received {
                    let start = usize::try_from(chunk.offset).unwrap();
                    let end = start + chunk.bytes.len();
                    if self.received.len() < end {
                        self.received.resize(end, 0xAA);
                    }
                    self.received[start..end].copy_from_slice(chunk.bytes);
                    for byte in &mut self.delivered[start..end] {
                        assert!(!std::mem::replace(byte, true), "a byte came twice");
                    }
                }
            }
        }
    }

    fn transmit(&mut self) {
        let mut out = [0; SMALL_PACKET];
        while let Some(transmit) = self.sender.poll_transmit(self.now, &mut out) {
            match transmit {
                Transmit::Request => self.send_request(From::Sender),
                Transmit::Packet(len) => self.send(From::Sender, &out[..len]),
                Transmit::Burst(burst) => {
                    let burst = self.send_burst(burst);
                    self.sender.commit(self.now, burst);
                }
            }
        }
        while let Some(transmit) = self.receiver.poll_transmit(self.now, &mut out) {
            match transmit {
                Transmit::Request => self.send_request(From::Receiver),
                Transmit::Packet(len) => self.send(From::Receiver, &out[..len]),
                Transmit::Burst(_) => panic!("a receiver has no bursts"),
            }
        }
    }

    /// The first request has arrived already: the server's half exists from the start.
    fn send_request(&mut self, from: From) {
        if self.now > Instant::ZERO {
            self.send(from, REQUEST);
        }
    }

    fn send_burst(&mut self, mut burst: Burst) -> Burst {
        let start = usize::try_from(burst.offset()).unwrap();
        if !self.known_len && start + burst.payload_len() > self.file.len() {
            burst = burst.end_after(self.file.len() - start);
        }
        let params = self.sender.params();
        let window = usize::from(params.block_size.get()) * usize::from(params.window_size.get());
        let acknowledged = usize::try_from(self.sender.acknowledged()).unwrap();
        assert!(start + burst.payload_len() <= acknowledged + window, "more than a window");
        let mut bytes = self.file[start..].iter();
        let mut framed = vec![0; burst.framed_len()];
        for payload in burst.frame(&mut framed) {
            payload.fill_with(|| *bytes.next().expect("the plan is inside the file"));
        }
        for packet in framed.chunks(burst.stride()) {
            self.send(From::Sender, packet);
        }
        burst
    }

    fn send(&mut self, from: From, bytes: &[u8]) {
        match Packet::parse(bytes).expect("what we send is well-formed") {
            Packet::Data { .. } => self.data_sent += 1,
            Packet::Ack { .. } => self.acks_sent += 1,
            _ => {}
        }
        self.packets += 1;
        let (copies, places, delay) = match (self.fate)(from, self.packets, bytes) {
            Fate::Lose => (0, 0, Duration::ZERO),
            Fate::Deliver => (1, 0, Duration::ZERO),
            Fate::Double => (2, 0, Duration::ZERO),
            Fate::Displace(places) => (1, 2 * places + 1, Duration::ZERO),
            Fate::Delay(delay) => (1, 0, delay),
        };
        let to = match from {
            From::Sender => From::Receiver,
            From::Receiver => From::Sender,
        };
        for _ in 0..copies {
            let at = self.now + self.latency + delay;
            let order = 2 * self.packets + places;
            let packet = Flying { at, order, to, bytes: bytes.to_vec() };
            let place = self.flying.partition_point(|other| (other.at, other.order) <= (at, order));
            self.flying.insert(place, packet);
        }
    }
}

/// A file whose bytes tell their place.
pub fn file(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xFF).unwrap()).collect()
}
