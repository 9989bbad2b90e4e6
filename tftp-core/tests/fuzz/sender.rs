//! A sender under any sequence of datagrams, time-outs, polls, partial and stale commits,
//! aborts and a peer that cannot be reached.

use std::time::Duration;

use tftp_core::{
    Burst, ErrorCode, Ignored, Instant, Options, SMALL_PACKET, Sender, Status, Timing, Transmit,
    Verdict,
};

use super::script::{PEER, STRANGER, Script, oack};

/// The opcode of what an abort sends; it is not counted as an attempt.
const ERROR: u8 = 5;

pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let options = script.options();
    let flags = script.byte();
    let file_len = u64::from(script.byte()) * 16 + u64::from(flags >> 4);
    let len = (flags & 1 == 0).then_some(file_len);
    let sender = if flags & 2 == 0 {
        Sender::reply(Instant::ZERO, PEER, options, len, Timing::SERVER)
    } else {
        Sender::request(Instant::ZERO, PEER, options, len, Timing::CLIENT)
    };
    let mut driver = Driver {
        sender,
        options,
        file_len,
        now: Instant::ZERO,
        highest: 0,
        acknowledged: 0,
        stale: None,
        before_proof: 0,
    };
    while !script.is_over() {
        driver.step(&mut script);
        driver.check();
    }
}

struct Driver {
    sender: Sender,
    options: Options,
    file_len: u64,
    now: Instant,
    /// The highest block sent.
    highest: u64,
    acknowledged: u64,
    /// One that was sent and committed: it can only come a second time.
    stale: Option<Burst>,
    /// Packets sent before the peer has proved its address.
    before_proof: u32,
}

impl Driver {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 12 {
            0 => self.now = self.now + Duration::from_millis(u64::from(script.byte())),
            1 => {
                self.now = self
                    .sender
                    .poll_timeout()
                    .filter(|&due| due < Instant::NEVER)
                    .map_or(self.now, |due| due.max(self.now));
                self.sender.handle_timeout(self.now);
            }
            2 => self.handle(PEER, &[0, 4, 0, 0]),
            // An ACK near the end of what was sent.
            3 | 4 => {
                let [.., high, low] = self
                    .highest
                    .wrapping_sub(u64::from(script.byte() % 72))
                    .wrapping_add(1)
                    .to_be_bytes();
                self.handle(PEER, &[0, 4, high, low]);
            }
            5 => {
                let [.., high, low] = self.highest.to_be_bytes();
                self.handle(PEER, &[0, 4, high, low]);
            }
            6 => self.handle(PEER, &oack(&self.options)),
            7 => {
                let from = if script.byte().is_multiple_of(2) { PEER } else { STRANGER };
                let most = script.byte().into();
                self.handle(from, script.bytes(most));
            }
            8 => {
                if let Some(stale) = self.stale {
                    self.commit(stale);
                }
            }
            9 => self.sender.handle_repeated_request(self.now),
            10 => {
                match script.byte() {
                    0 => self.sender.abort(ErrorCode::NOT_DEFINED, "stopped"),
                    1 => self.sender.handle_unreachable(),
                    _ => {}
                }
                self.poll(u16::from(script.byte()));
            }
            _ => self.poll(u16::MAX),
        }
    }

    fn handle(&mut self, from: std::net::SocketAddr, datagram: &[u8]) {
        let before = self.sender.clone();
        match self.sender.handle_datagram(self.now, from, datagram) {
            Verdict::Accepted => {}
            Verdict::PeerError { .. } => assert_eq!(self.sender.poll_timeout(), None),
            Verdict::Stray => assert_eq!(from, STRANGER),
            // It is remembered which ACKs are still to be expected twice; nothing is sent for it.
            Verdict::Ignored(Ignored::Duplicate) => {
                assert_eq!(self.sender.poll_timeout(), before.poll_timeout());
                assert_eq!(self.sender.acknowledged(), before.acknowledged());
            }
            Verdict::Ignored(why) => {
                assert_eq!(self.sender, before, "ignored as {why:?}, yet something changed");
                assert!(
                    why != Ignored::Over
                        || before.poll_timeout().is_none_or(|due| due == Instant::NEVER)
                );
            }
        }
        if from == STRANGER {
            assert_eq!(self.sender, before, "a stranger changed something");
        }
    }

    /// Sends until there is nothing left, or until so many DATA packets have gone.
    fn poll(&mut self, mut room: u16) {
        let mut out = [0; SMALL_PACKET];
        while let Some(transmit) = self.sender.poll_transmit(self.now, &mut out) {
            match transmit {
                Transmit::Request => self.before_proof += 1,
                Transmit::Packet(len) => {
                    assert!((4..=SMALL_PACKET).contains(&len));
                    if !self.sender.is_proved() && out[1] != ERROR {
                        self.before_proof += 1;
                    }
                }
                Transmit::Burst(burst) => {
                    self.check_burst(burst);
                    let left = self.file_len - burst.offset();
                    let ended = match usize::try_from(left) {
                        Ok(left) if burst.payload_len() > left => burst.end_after(left),
                        _ => burst,
                    };
                    let Some(first) = ended.first(room) else { return };
                    room -= first.packets();
                    self.commit(first);
                    self.stale = Some(first);
                }
            }
        }
        // Nothing to send: there is a timer, or it is over.
        assert_ne!(self.sender.poll_timeout(), Some(Instant::NEVER), "deadlock");
    }

    fn commit(&mut self, burst: Burst) {
        let before = self.sender.clone();
        self.sender.commit(self.now, burst);
        if self.sender != before {
            let block_size = (burst.stride() - 4) as u64;
            let last = burst.offset() / block_size + u64::from(burst.packets());
            self.highest = self.highest.max(last);
            if !self.sender.is_proved() {
                self.before_proof += u32::from(burst.packets());
            }
        }
    }

    fn check_burst(&self, burst: Burst) {
        let params = self.sender.params();
        let window = u64::from(params.block_size.get()) * u64::from(params.window_size.get());
        let end = burst.offset() + burst.payload_len() as u64;
        assert!(burst.packets() > 0 && burst.packets() <= params.window_size.get());
        assert!(burst.offset() >= self.sender.acknowledged(), "acknowledged bytes again");
        assert!(end <= self.sender.acknowledged() + window, "more than a window");
        assert!(burst.offset() <= self.file_len, "a plan behind the end");
        let mut framed = vec![0; burst.framed_len()];
        assert_eq!(burst.frame(&mut framed).count(), usize::from(burst.packets()));
    }

    fn check(&mut self) {
        let acknowledged = self.sender.acknowledged();
        assert!(acknowledged >= self.acknowledged, "an acknowledgement was forgotten");
        self.acknowledged = acknowledged;
        assert!(self.before_proof <= 6, "{} packets to nobody knows whom", self.before_proof);
        match self.sender.status() {
            Status::Opening | Status::Active(_) => assert!(self.sender.poll_timeout().is_some()),
            Status::Done(summary) => assert_eq!(summary.bytes, self.file_len),
            Status::Lingering(_) => panic!("a sender does not linger"),
            Status::Unconfirmed(_) | Status::Failed(_) => {}
        }
        if let Some(due) = self.sender.poll_timeout().filter(|&due| self.now < due) {
            let before = self.sender.clone();
            self.sender.handle_timeout(self.now);
            assert_eq!(self.sender, before, "something happened before {due:?}");
        }
    }
}
