//! Blocks that come: which of them are new, and what each does to the ACK that is owed.

use core::net::SocketAddr;

use super::{Phase, Receiver, Role, ignored};
use crate::{
    acks::Owed,
    arrivals::Place,
    error::Misconduct,
    numbers::Rollover,
    options::Options,
    session::{Chunk, Ignored, Order, Params, Received},
    time::Instant,
    values::WindowSize,
};

/// Numbers that the wire's 16 bits can tell apart.
const NUMBERS: u64 = 1 << u16::BITS;

impl Receiver {
    pub(super) fn handle_data<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        wire: u16,
        payload: &'d [u8],
    ) -> Received<'d> {
        let options = match self.phase {
            // RFC 2347: a server that does not know options answers as if there were none.
            Phase::Requesting => Options::NONE,
            Phase::Granting | Phase::Receiving => self.link.options,
            Phase::Lingering { .. } => return self.handle_repeated_data(now, wire),
            Phase::Over(_) => return ignored(Ignored::Over),
        };
        let Params { block_size, window_size, .. } = options.into();
        let (block_size, window_size) = (block_size.get(), u64::from(window_size.get()));
        // In lock-step only: with windows it cannot be told from a lost block 65,536.
        if wire == 1
            && window_size == 1
            && self.arrivals.base() == u16::MAX.into()
            && !self.arrivals.is_whole()
        {
            self.rollover = Rollover::ToOne;
        }
        let block = self.rollover.block_at(wire, self.arrivals.base().saturating_add(1));
        // Not one of this window, so one that came before; if the numbers have not rolled over yet
        // there was none: DATA 0.
        let before = block > self.arrivals.base().saturating_add(window_size);
        if before && block <= NUMBERS {
            return ignored(Ignored::Unexpected);
        }
        if matches!(self.phase, Phase::Requesting | Phase::Granting) {
            self.opened(now, from, options);
        } else if !self.link.is_proved() {
            self.link.answered(now);
        }
        let Some(len) = u16::try_from(payload.len()).ok().filter(|&len| len <= block_size) else {
            // Cut off, it would be a wrong file (RFC 2348 leaves no room for it).
            return Received::Other(self.misconduct(Misconduct::OverlongData));
        };
        let is_last = len < block_size;
        self.acks.block_came(now);
        match (self.arrivals.place(block, is_last), self.order) {
            _ if before || self.arrivals.is_whole() => return self.handle_repeated_data(now, wire),
            (Place::Seen, _) => return self.handle_repeated_data(now, wire),
            (Place::Nowhere, _) | (Place::Ahead, Order::Strict) => {
                self.notice_gap(now);
                return ignored(Ignored::OutOfOrder);
            }
            (Place::Ahead, Order::Any) => {
                self.arrivals.insert(block, is_last);
                self.notice_gap(now);
            }
            (Place::Next, _) => {
                self.arrivals.insert(block, is_last);
                self.advanced(now);
            }
        }
        self.link.count_blocks(1);
        self.bytes = self.bytes.saturating_add(len.into());
        let offset = block.saturating_sub(1).saturating_mul(block_size.into());
        Received::Data(Chunk { offset, bytes: payload, last: self.arrivals.is_whole() })
    }

    /// The run of blocks has become longer: decides on the ACK.
    fn advanced(&mut self, now: Instant) {
        let window_size = self.link.params().window_size;
        if let Some(trip) = self.acks.round_trip(now) {
            self.link.retransmission.measured(trip);
            // Not in lock-step, and not as a server: see `CAUTIOUS_FLOOR`.
            if self.role == Role::Client && window_size > WindowSize::LOCK_STEP {
                self.link.retransmission.follow_sender();
            }
        }
        self.link.retransmission.progress();
        let window_end = self.acks.window_end(window_size.get().into());
        if self.arrivals.is_whole() || self.arrivals.base() >= window_end {
            self.acks.owe_progress();
            self.link.overdue_at = Instant::NEVER;
        } else {
            self.link.await_answer(now);
            let round_trip = self.link.retransmission.smoothed();
            self.acks.run_grew(now, self.arrivals.has_gap(), round_trip);
        }
    }

    /// A block came that cannot close the hole behind `base`.
    fn notice_gap(&mut self, now: Instant) {
        self.acks.block_behind_gap(now, self.link.retransmission.smoothed());
    }

    /// A block came again: the sender has not got our ACK, or the network doubles packets.
    fn handle_repeated_data<'d>(&mut self, now: Instant, wire: u16) -> Received<'d> {
        self.link.count_duplicate();
        let newest = wire == self.rollover.on_wire(self.arrivals.base());
        let lock_step = self.link.params().window_size == WindowSize::LOCK_STEP;
        match self.phase {
            Phase::Lingering { .. } if newest => self.acks.owe(Owed::Repeat),
            Phase::Receiving if lock_step => self.acks.owe(Owed::Repeat),
            Phase::Receiving => self.acks.block_repeated(now, self.link.retransmission.smoothed()),
            Phase::Requesting | Phase::Granting | Phase::Lingering { .. } | Phase::Over(_) => {}
        }
        ignored(Ignored::Duplicate)
    }
}
