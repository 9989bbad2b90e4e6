//! A receiver under any sequence of datagrams, time-outs, polls, aborts and
//! a peer that cannot be reached.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tftp_core::{
    Chunk, ErrorCode, Ignored, Instant, Options, Order, Packet, Received, Receiver, SMALL_PACKET,
    Status, Timing, Transmit, Verdict,
};

use super::script::{PEER, STRANGER, Script, oack};

/// The opcode of what an abort sends; it is not counted as an attempt.
const ERROR: u8 = 5;

pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let options = script.options();
    let flags = script.byte();
    let order = if flags & 1 == 0 { Order::Any } else { Order::Strict };
    let receiver = if flags & 2 == 0 {
        Receiver::reply(Instant::ZERO, PEER, options, order, Timing::SERVER)
    } else {
        Receiver::request(Instant::ZERO, PEER, options, order, Timing::CLIENT)
    };
    let mut driver = Driver {
        receiver,
        options,
        order,
        now: Instant::ZERO,
        written: BTreeMap::new(),
        whole: false,
        finished: false,
        before_proof: 0,
    };
    while !script.is_over() {
        driver.step(&mut script);
        driver.check();
    }
}

struct Driver {
    receiver: Receiver,
    options: Options,
    order: Order,
    now: Instant,
    /// The lengths of the chunks written, by their offset.
    written: BTreeMap<u64, usize>,
    whole: bool,
    /// The last ACK has left.
    finished: bool,
    /// Packets sent before the peer has proved its address.
    before_proof: u32,
}

impl Driver {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 11 {
            0 => self.now = self.now + Duration::from_millis(u64::from(script.byte())),
            1 => {
                self.now = self
                    .receiver
                    .poll_timeout()
                    .filter(|&due| due < Instant::NEVER)
                    .map_or(self.now, |due| due.max(self.now));
                self.receiver.handle_timeout(self.now);
            }
            // The next block, and one nearby.
            2 | 3 => self.handle_data(1, usize::MAX),
            4 | 5 => self.handle_data(i64::from(script.byte() % 80) - 8, usize::MAX),
            6 => self.handle_data(i64::from(script.byte() % 4), usize::from(script.byte() % 64)),
            7 => self.handle(PEER, &oack(&self.options)),
            8 => {
                let from = if script.byte().is_multiple_of(2) { PEER } else { STRANGER };
                let most = script.byte().into();
                self.handle(from, script.bytes(most));
            }
            9 => {
                match script.byte() {
                    0 => self.receiver.abort(ErrorCode::DISK_FULL, "disk full"),
                    1 => self.receiver.handle_unreachable(),
                    _ => {}
                }
                self.receiver.handle_repeated_request(self.now);
            }
            _ => self.poll(),
        }
    }

    /// A block so many behind the last one in order, full or of this length.
    fn handle_data(&mut self, behind: i64, len: usize) {
        let block_size = usize::from(self.receiver.params().block_size.get());
        let block = self.in_order().wrapping_add_signed(behind);
        let [.., high, low] = block.to_be_bytes();
        let mut packet = vec![0, 3, high, low];
        packet.resize(4 + len.min(block_size + usize::from(len < usize::MAX)), b'x');
        self.handle(PEER, &packet);
    }

    fn handle(&mut self, from: SocketAddr, datagram: &[u8]) {
        let before = self.receiver.clone();
        match self.receiver.handle_datagram(self.now, from, datagram) {
            Received::Data(chunk) => self.write(chunk),
            Received::Other(Verdict::PeerError { .. }) => {
                assert_eq!(self.receiver.poll_timeout(), None);
            }
            Received::Other(Verdict::Stray) => assert_eq!(from, STRANGER),
            // What is ignored for these reasons may draw an answer all the same.
            Received::Other(
                Verdict::Accepted | Verdict::Ignored(Ignored::Duplicate | Ignored::OutOfOrder),
            ) => {}
            Received::Other(Verdict::Ignored(why)) => {
                assert_eq!(self.receiver, before, "ignored as {why:?}, yet something changed");
            }
        }
        if from == STRANGER {
            assert_eq!(self.receiver, before, "a stranger changed something");
        }
    }

    fn write(&mut self, chunk: Chunk<'_>) {
        let block_size = u64::from(self.receiver.params().block_size.get());
        assert!(!self.whole, "a chunk behind the end");
        assert!(chunk.offset.is_multiple_of(block_size) && chunk.bytes.len() as u64 <= block_size);
        if self.order == Order::Strict {
            assert_eq!(chunk.offset, self.in_order() * block_size, "out of order");
        }
        let twice = self.written.insert(chunk.offset, chunk.bytes.len());
        assert_eq!(twice, None, "bytes delivered twice");
        if chunk.last {
            self.whole = true;
            let blocks = self.written.len() as u64;
            assert_eq!(
                self.in_order(),
                blocks,
                "a file with a hole, or one that goes on behind its end"
            );
            let last = self.written.values().next_back().copied();
            assert!(last.is_some_and(|len| (len as u64) < block_size));
            assert!(self.written.values().rev().skip(1).all(|&len| len as u64 == block_size));
        }
    }

    /// Blocks written without a hole from the start of the file.
    fn in_order(&self) -> u64 {
        let block_size = u64::from(self.receiver.params().block_size.get());
        let run =
            self.written.keys().zip(0..).take_while(|&(&offset, at)| offset == at * block_size);
        run.count() as u64
    }

    fn poll(&mut self) {
        let mut out = [0; SMALL_PACKET];
        while let Some(transmit) = self.receiver.poll_transmit(self.now, &mut out) {
            match transmit {
                Transmit::Request => {}
                Transmit::Packet(len) => {
                    if let Ok(Packet::Ack { block, .. }) = Packet::parse(&out[..len]) {
                        let [.., high, low] = self.in_order().to_be_bytes();
                        assert_eq!(block, u16::from_be_bytes([high, low]), "not what was written");
                    }
                }
                Transmit::Burst(_) => panic!("a receiver has no bursts"),
            }
            if !self.receiver.is_proved() && out[1] != ERROR {
                self.before_proof += 1;
            }
        }
        // Nothing to send: there is a timer, or it is over.
        assert_ne!(self.receiver.poll_timeout(), Some(Instant::NEVER), "deadlock");
    }

    fn check(&mut self) {
        assert!(self.before_proof <= 6, "{} packets to nobody knows whom", self.before_proof);
        match self.receiver.status() {
            Status::Opening | Status::Active(_) => assert!(self.receiver.poll_timeout().is_some()),
            Status::Lingering(summary) | Status::Done(summary) => {
                assert!(self.whole);
                self.finished = true;
                assert_eq!(summary.bytes, self.written.values().sum::<usize>() as u64);
            }
            Status::Unconfirmed(_) => panic!("a receiver is never in doubt"),
            Status::Failed(why) => assert!(!self.finished, "{why} undoes a whole file"),
        }
        if let Some(due) = self.receiver.poll_timeout().filter(|&due| self.now < due) {
            let before = self.receiver.clone();
            self.receiver.handle_timeout(self.now);
            assert_eq!(self.receiver, before, "something happened before {due:?}");
        }
    }
}
