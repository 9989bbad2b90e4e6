//! A sender and a receiver over a link that loses, doubles, delays and reorders as the input says.
//!
//! Where the input ends the link is good, so both halves must come to an end, and agree about it as
//! far as they can.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tftp_core::{
    ErrorCode, Instant, Options, Order, Params, Received, Receiver, SMALL_PACKET, Sender, Status,
    Timing, Transmit, Verdict,
};

use super::script::{PEER as CLIENT, Script};

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 20_000);
const TRIP: Duration = Duration::from_millis(1);

/// The byte that makes a receiver give up after a chunk; to the link it is a good one.
const ABORT: u8 = 0xF8;

/// Events on top of what the input can cause: a bound on livelock.
const PATIENCE: usize = 4000;

pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let options = script.options();
    let flags = script.byte();
    let file = (0..u16::from(script.byte()) * 4 + u16::from(flags >> 4)).map(u16::to_be_bytes);
    let file: Vec<u8> = file.flatten().skip(usize::from(flags & 4 > 0)).collect();
    let order = if flags & 1 == 0 { Order::Any } else { Order::Strict };
    let len = (flags & 8 == 0).then_some(file.len() as u64);
    let reads = flags & 2 == 0;
    let now = Instant::ZERO;
    let mut pair = Pair {
        script,
        sender: (!reads).then(|| Sender::request(now, SERVER, options, len, Timing::CLIENT)),
        receiver: reads.then(|| Receiver::request(now, SERVER, options, order, Timing::CLIENT)),
        options,
        order,
        len,
        copy: vec![None; file.len()],
        file,
        link: Vec::new(),
        now,
        whole: false,
        is_good: true,
        only_lost: Some(0),
        blocks: 0,
    };
    let patience = PATIENCE + 64 * input.len();
    assert!((0..patience).any(|_| !pair.step()), "livelock at {:?}", pair.now);
    pair.check_end();
}

struct Pair<'a> {
    script: Script<'a>,
    /// The server's half comes with the request.
    sender: Option<Sender>,
    receiver: Option<Receiver>,
    options: Options,
    order: Order,
    len: Option<u64>,
    file: Vec<u8>,
    /// What has arrived of it, byte by byte.
    copy: Vec<Option<u8>>,
    link: Vec<Underway>,
    now: Instant,
    whole: bool,
    /// Nothing was lost, doubled, delayed, or given up so far.
    is_good: bool,
    /// Packets that were lost, as long as nothing else went wrong.
    only_lost: Option<u32>,
    /// DATA packets that were sent.
    blocks: usize,
}

struct Underway {
    arrival: Instant,
    to_sender: bool,
    /// None: the request, which no half needs to see.
    datagram: Option<Vec<u8>>,
}

impl Pair<'_> {
    /// Goes on to the next event; false when both halves are over.
    fn step(&mut self) -> bool {
        self.poll_sender();
        self.poll_receiver();
        let next = (0..self.link.len()).min_by_key(|&at| self.link[at].arrival);
        let timers = [
            self.sender.as_ref().and_then(Sender::poll_timeout),
            self.receiver.as_ref().and_then(Receiver::poll_timeout),
        ];
        let due = timers.into_iter().flatten().min();
        assert_ne!(due, Some(Instant::NEVER), "both wait, nobody has a timer");
        match (next, due) {
            (Some(at), due) if due.is_none_or(|due| self.link[at].arrival <= due) => {
                let underway = self.link.remove(at);
                self.now = underway.arrival.max(self.now);
                self.arrive(underway);
            }
            (_, Some(due)) => {
                self.now = due.max(self.now);
                self.sender.iter_mut().for_each(|half| half.handle_timeout(self.now));
                self.receiver.iter_mut().for_each(|half| half.handle_timeout(self.now));
            }
            (_, None) => return false,
        }
        true
    }

    fn poll_sender(&mut self) {
        let mut out = [0; SMALL_PACKET];
        while let Some(sender) = &mut self.sender
            && let Some(transmit) = sender.poll_transmit(self.now, &mut out)
        {
            match transmit {
                Transmit::Request => self.send(false, None),
                Transmit::Packet(len) => self.send(false, Some(&out[..len])),
                Transmit::Burst(burst) => {
                    let params = sender.params();
                    assert!(burst.packets() <= params.window_size.get(), "more than a window");
                    let rest = &self.file[usize::try_from(burst.offset()).expect("short")..];
                    let burst = match self.len {
                        None => burst.end_after(rest.len()),
                        Some(_) => burst,
                    };
                    let most = match self.script.byte() {
                        0 => u16::MAX,
                        most => u16::from(most % 8) + 1,
                    };
                    let burst = burst.first(most).expect("at least one");
                    let mut framed = vec![0; burst.framed_len()];
                    let mut rest = rest.iter();
                    burst
                        .frame(&mut framed)
                        .flatten()
                        .zip(&mut rest)
                        .for_each(|(to, from)| *to = *from);
                    sender.commit(self.now, burst);
                    for packet in framed.chunks(burst.stride()) {
                        self.blocks += 1;
                        self.send(false, Some(packet));
                    }
                }
            }
        }
    }

    fn poll_receiver(&mut self) {
        let mut out = [0; SMALL_PACKET];
        while let Some(receiver) = &mut self.receiver
            && let Some(transmit) = receiver.poll_transmit(self.now, &mut out)
        {
            match transmit {
                Transmit::Request => self.send(true, None),
                Transmit::Packet(len) => self.send(true, Some(&out[..len])),
                Transmit::Burst(_) => panic!("a receiver has no bursts"),
            }
        }
    }

    /// Puts a packet on the link, or not, or twice.
    fn send(&mut self, to_sender: bool, datagram: Option<&[u8]>) {
        let fate = self.script.byte();
        let soon = self.now + TRIP;
        let late = |script: &mut Script<'_>| soon + TRIP * script.byte().into();
        let (first, second) = match fate % 8 {
            5 => (None, None),
            6 => (Some(soon), Some(late(&mut self.script))),
            7 => (Some(late(&mut self.script)), None),
            _ => (Some(soon), None),
        };
        self.is_good &= fate % 8 < 5;
        self.only_lost =
            self.only_lost.filter(|_| fate % 8 < 6).map(|n| n + u32::from(fate % 8 == 5));
        for arrival in first.into_iter().chain(second) {
            self.link.push(Underway { arrival, to_sender, datagram: datagram.map(<[u8]>::to_vec) });
        }
    }

    fn arrive(&mut self, Underway { to_sender, datagram, .. }: Underway) {
        let now = self.now;
        match (datagram, to_sender) {
            (None, true) => {
                let (options, len) = (self.options, self.len);
                let begin = || Sender::reply(now, CLIENT, options, len, Timing::SERVER);
                self.sender.get_or_insert_with(begin).handle_repeated_request(now);
            }
            (None, false) => {
                let (options, order) = (self.options, self.order);
                let begin = || Receiver::reply(now, CLIENT, options, order, Timing::SERVER);
                self.receiver.get_or_insert_with(begin).handle_repeated_request(now);
            }
            (Some(datagram), true) => {
                let sender = self.sender.as_mut().expect("it has sent something");
                let from = if sender.peer() == CLIENT { CLIENT } else { SERVER };
                assert_ne!(sender.handle_datagram(now, from, &datagram), Verdict::Stray);
            }
            (Some(datagram), false) => self.arrive_at_receiver(&datagram),
        }
    }

    fn arrive_at_receiver(&mut self, datagram: &[u8]) {
        let receiver = self.receiver.as_mut().expect("it has sent something");
        let from = if receiver.peer() == CLIENT { CLIENT } else { SERVER };
        match receiver.handle_datagram(self.now, from, datagram) {
            Received::Data(chunk) => {
                let at = usize::try_from(chunk.offset).expect("short");
                assert_eq!(chunk.bytes, &self.file[at..][..chunk.bytes.len()], "other bytes");
                for (place, &byte) in self.copy[at..].iter_mut().zip(chunk.bytes) {
                    assert_eq!(place.replace(byte), None, "bytes delivered twice");
                }
                self.whole |= chunk.last;
                assert!(!self.whole || self.copy.iter().all(Option::is_some), "a file with a hole");
                if self.script.byte() == ABORT {
                    (self.is_good, self.only_lost) = (false, None);
                    receiver.abort(ErrorCode::DISK_FULL, "disk full");
                }
            }
            Received::Other(verdict) => assert_ne!(verdict, Verdict::Stray),
        }
    }

    fn check_end(&self) {
        let sent = self.sender.as_ref().map(Sender::status);
        let got = self.receiver.as_ref().map(Receiver::status);
        let is_done = |status| matches!(status, Some(Status::Done(_)));
        assert!(!is_done(got) || self.whole, "{got:?} without the end of the file");
        assert!(!is_done(sent) || is_done(got), "the sender says {sent:?}, the receiver {got:?}");
        for status in [sent, got].into_iter().flatten() {
            match status {
                Status::Done(summary) => assert_eq!(summary.bytes, self.file.len() as u64),
                Status::Unconfirmed(_) | Status::Failed(_) => {}
                Status::Opening | Status::Active(_) | Status::Lingering(_) => {
                    panic!("over, yet {status:?}")
                }
            }
        }
        let params = Params::from(self.options);
        let blocks = self.file.len() / usize::from(params.block_size.get()) + 1;
        // The only block of a file is repeated after a second, when a client no longer lingers.
        if self.only_lost == Some(1) && blocks > 1 {
            assert!(is_done(sent) && is_done(got), "one packet was lost: {sent:?}, {got:?}");
        }
        if self.is_good {
            assert!(is_done(sent) && is_done(got), "a good link: {sent:?}, {got:?}");
            assert_eq!(self.blocks, blocks, "a good link, yet blocks were sent twice");
        }
    }
}
