//! The two real halves with their drivers: what goes in, and what they send because of it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tftp_core::{
    FLOOR, Instant, Options, Order, Packet, Received, Receiver, SMALL_PACKET, Sender, Status,
    Timing, Transmit,
};

pub(crate) const BLOCK_SIZE: u16 = 8;

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000);
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 20_000);
const ASKED: SocketAddr = SocketAddr::new(SERVER.ip(), 69);
/// Stands for the request that the client's driver sends again.
const REQUEST: &[u8] = b"\0\x01name\0octet\0";

/// Who opened the transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Opener {
    /// RRQ: the receiver is the client.
    Receiver,
    /// WRQ: the sender is the client.
    Sender,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Half {
    Sender,
    Receiver,
}

/// What can be wrong at the moment when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A chunk is not what the file has at its place.
    WrongBytes,
    /// A block was returned twice.
    ReturnedTwice,
    /// `last` was said of a chunk that left the file unfinished, or not of the one that did.
    WrongEnd,
    /// A block was acknowledged before it was returned.
    AcknowledgedEarly,
    /// A plan reached beyond the window.
    BeyondTheWindow,
    /// A plan began with a block that was acknowledged, or behind one that was never sent.
    NotFromTheBase,
    /// A stranger was seen where there is none.
    Stray,
    /// A packet was sent that no half of a sound transfer sends.
    WrongPacket,
}

/// A file whose blocks say their own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct File {
    pub(crate) len: u64,
}

impl File {
    pub(crate) fn last_block(self) -> u64 {
        self.len / u64::from(BLOCK_SIZE) + 1
    }

    pub(crate) fn block(self, number: u64) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        if number == self.last_block() {
            bytes.truncate(usize::try_from(self.len % u64::from(BLOCK_SIZE)).unwrap());
        }
        bytes
    }
}

/// How a transfer is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) opener: Opener,
    pub(crate) options: Options,
    pub(crate) order: Order,
    pub(crate) file: File,
}

/// Both halves, each on a clock of its own that stands still unless its timer is awaited. The
/// network takes as long as it likes, so that nothing relates the two clocks.
///
/// The sender alone tells early ACKs from late ones: `late` says that a moment has passed since its
/// window left. Whenever a half sends, its clock is set back to zero; so are there finitely many
/// states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Halves {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) late: bool,
    /// All blocks up to this one were returned by the receiver...
    pub(crate) stored: u64,
    /// ...and bit `i` says that block `stored + 1 + i` was as well.
    stored_ahead: u64,
    pub(crate) fault: Option<Fault>,
    /// The highest block that was ever sent.
    sent_up_to: u64,
    /// How often the window behind the acknowledged blocks was begun since the last time-out.
    pub(crate) begun: u8,
}

/// What a half has sent, as it is on the wire.
pub(crate) type Sent = Vec<Vec<u8>>;

impl Halves {
    pub(crate) fn new(setup: &Setup) -> Self {
        let Setup { opener, options, order, file } = *setup;
        let timing = Timing::SERVER.with_retries(1);
        let now = Instant::ZERO;
        let len = Some(file.len);
        let (sender, receiver) = match opener {
            Opener::Receiver => (
                Sender::reply(now, CLIENT, options, len, timing),
                Receiver::request(now, ASKED, options, order, timing),
            ),
            Opener::Sender => (
                Sender::request(now, ASKED, options, len, timing),
                Receiver::reply(now, CLIENT, options, order, timing),
            ),
        };
        let (late, stored, stored_ahead, fault, sent_up_to, begun) = (false, 0, 0, None, 0, 0);
        Self { sender, receiver, late, stored, stored_ahead, fault, sent_up_to, begun }
    }

    /// Lets a moment pass for the sender.
    pub(crate) fn let_pass(&mut self) {
        self.late = true;
    }

    /// A datagram arrives at a half.
    pub(crate) fn deliver(&mut self, setup: &Setup, to: Half, datagram: &[u8]) -> Sent {
        if datagram == REQUEST {
            // By then it is old enough to be worth an answer.
            match to {
                Half::Sender => self.sender.handle_repeated_request(Instant::ZERO + FLOOR),
                Half::Receiver => self.receiver.handle_repeated_request(Instant::ZERO + FLOOR),
            }
            return self.poll(setup, to, Instant::ZERO + FLOOR);
        }
        let (sender_address, receiver_address) = match setup.opener {
            Opener::Receiver => (SERVER, CLIENT),
            Opener::Sender => (CLIENT, SERVER),
        };
        match to {
            Half::Sender => {
                let now = self.sender_now();
                let before = self.sender.acknowledged();
                let verdict = self.sender.handle_datagram(now, receiver_address, datagram);
                self.accuse(verdict == tftp_core::Verdict::Stray, Fault::Stray);
                if self.sender.acknowledged() > before {
                    self.begun = 0;
                }
                self.poll(setup, to, now)
            }
            Half::Receiver => {
                match self.receiver.handle_datagram(Instant::ZERO, sender_address, datagram) {
                    Received::Data(chunk) => {
                        let number = chunk.offset / u64::from(BLOCK_SIZE) + 1;
                        self.store(setup.file, number, chunk.bytes, chunk.last);
                    }
                    Received::Other(verdict) => {
                        self.accuse(verdict == tftp_core::Verdict::Stray, Fault::Stray);
                    }
                }
                self.poll(setup, to, Instant::ZERO)
            }
        }
    }

    /// The half's timer goes off.
    pub(crate) fn expire(&mut self, setup: &Setup, half: Half) -> Sent {
        let Some(due) = self.timer(half) else { return Sent::new() };
        match half {
            Half::Sender => {
                self.begun = 0;
                self.sender.handle_timeout(due);
            }
            Half::Receiver => self.receiver.handle_timeout(due),
        }
        self.poll(setup, half, due)
    }

    pub(crate) fn timer(&self, half: Half) -> Option<Instant> {
        match half {
            Half::Sender => self.sender.poll_timeout(),
            Half::Receiver => self.receiver.poll_timeout(),
        }
    }

    pub(crate) fn is_over(&self, half: Half) -> bool {
        self.timer(half).is_none()
    }

    /// Whether the receiver is about to take a flight for over.
    pub(crate) fn pauses(&self) -> bool {
        self.receiver.poll_timeout().is_some_and(|due| due < Instant::ZERO + PAUSE)
    }

    pub(crate) fn is_complete(&self, file: File) -> bool {
        self.stored == file.last_block()
    }

    pub(crate) fn receiver_is_content(&self) -> bool {
        matches!(self.receiver.status(), Status::Lingering(_) | Status::Done(_))
    }

    /// Polls a half until it has no more to send.
    pub(crate) fn poll(&mut self, setup: &Setup, half: Half, now: Instant) -> Sent {
        let mut out = [0; SMALL_PACKET];
        let mut sent = Sent::new();
        loop {
            let transmit = match half {
                Half::Sender => self.sender.poll_transmit(now, &mut out),
                Half::Receiver => self.receiver.poll_transmit(now, &mut out),
            };
            match transmit {
                None => break,
                Some(Transmit::Request) => sent.push(REQUEST.to_vec()),
                Some(Transmit::Packet(len)) => sent.push(out[..len].to_vec()),
                Some(Transmit::Burst(burst)) => {
                    let window = u64::from(self.sender.params().window_size.get());
                    let first = burst.offset() / u64::from(BLOCK_SIZE) + 1;
                    let acknowledged = self.sender.acknowledged() / u64::from(BLOCK_SIZE);
                    let end = first + u64::from(burst.packets()) - 1;
                    let known = self.sent_up_to.max(acknowledged);
                    let from_the_base = (acknowledged + 1..=known + 1).contains(&first);
                    self.sent_up_to = known.max(end);
                    self.accuse(!from_the_base, Fault::NotFromTheBase);
                    self.accuse(end > acknowledged + window, Fault::BeyondTheWindow);
                    if first == acknowledged + 1 {
                        self.begun = self.begun.saturating_add(1);
                    }
                    let mut framed = vec![0; burst.framed_len()];
                    for (number, payload) in (first..).zip(burst.frame(&mut framed)) {
                        let block = setup.file.block(number);
                        self.accuse(block.len() != payload.len(), Fault::WrongEnd);
                        payload.copy_from_slice(&block[..payload.len().min(block.len())]);
                    }
                    sent.extend(framed.chunks(burst.stride()).map(<[u8]>::to_vec));
                    self.sender.commit(now, burst);
                }
            }
        }
        if !sent.is_empty() {
            self.set_back(half, now);
        }
        if half == Half::Receiver {
            for packet in &sent {
                self.check_ack(packet);
            }
        }
        sent
    }

    fn sender_now(&self) -> Instant {
        if self.late { Instant::ZERO + MOMENT } else { Instant::ZERO }
    }

    /// The half's clock shows zero again. The milliseconds after which a receiver takes a flight for
    /// over count as no time: they would leave the timer behind them at ever new values.
    fn set_back(&mut self, half: Half, now: Instant) {
        match half {
            Half::Sender => {
                self.late = false;
                self.sender.rebase(now, Instant::ZERO);
            }
            Half::Receiver if now < Instant::ZERO + PAUSE => {}
            Half::Receiver => self.receiver.rebase(now, Instant::ZERO),
        }
    }

    fn store(&mut self, file: File, number: u64, bytes: &[u8], last: bool) {
        let inside = (1..=file.last_block()).contains(&number);
        self.accuse(!inside || bytes != file.block(number), Fault::WrongBytes);
        match number.checked_sub(self.stored + 1) {
            Some(ahead) if ahead < 64 && self.stored_ahead & (1 << ahead) == 0 => {
                self.stored_ahead |= 1 << ahead;
            }
            _ => self.accuse(true, Fault::ReturnedTwice),
        }
        let run = self.stored_ahead.trailing_ones();
        self.stored += u64::from(run);
        self.stored_ahead = self.stored_ahead.checked_shr(run).unwrap_or(0);
        self.accuse(last != self.is_complete(file), Fault::WrongEnd);
    }

    /// What is acknowledged must have been returned; the wire's numbers are compared near `stored`.
    fn check_ack(&mut self, packet: &[u8]) {
        if let Ok(Packet::Ack { block, .. }) = Packet::parse(packet) {
            let behind = number_on_wire(self.stored).wrapping_sub(block);
            self.accuse(behind > u16::MAX / 2, Fault::AcknowledgedEarly);
        }
    }

    pub(crate) fn accuse(&mut self, guilty: bool, fault: Fault) {
        if guilty && self.fault.is_none() {
            self.fault = Some(fault);
        }
    }
}

/// The sender measures microseconds: the least time that it can tell from none.
const MOMENT: Duration = Duration::from_micros(1);

/// Longer than any pause in a flight, shorter than any other timer.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn is_request(packet: &[u8]) -> bool {
    packet == REQUEST
}

pub(crate) fn request() -> Vec<u8> {
    REQUEST.to_vec()
}

pub(crate) fn number_on_wire(block: u64) -> u16 {
    u16::try_from(block % (1 << 16)).unwrap()
}
