//! The window: which blocks may be sent, and what an ACK does to that.
//!
//! Three block numbers say it all: every block up to `base` is acknowledged, `next` is planned next,
//! and nothing above `high` was ever sent. An ACK moves `base` and puts `next` right behind it; a
//! time-out puts `next` back behind `base`. A plan is whatever lies between `next` and the window's
//! end.

use super::{Phase, Sender};
use crate::{
    burst::Burst,
    flight::{Cause, Flight},
    link::End,
    session::{Ignored, Params, Verdict},
    time::Instant,
    values::MsftWindow,
};

impl Sender {
    /// The size of the next window, after one of `window` blocks: with `msftwindow` an ACK that
    /// counts tells it.
    pub(super) fn next_window(&self, told: Option<u8>, window: u16) -> u16 {
        match (self.link.options.msft_window(), told) {
            (Some(MsftWindow::Granted { most }), Some(told @ 1..)) => told.min(most).into(),
            _ => window,
        }
    }

    /// Takes an ACK of `block`: the first number at or above `base` that the wire's 16 bits can
    /// mean. One above `high` is an old ACK or nonsense.
    pub(super) fn acknowledge<'d>(
        &mut self,
        now: Instant,
        flight: Flight,
        block: u64,
        next_window: Option<u8>,
    ) -> Verdict<'d> {
        if block > self.high {
            return Verdict::Ignored(Ignored::Unexpected);
        }
        if block == self.base {
            return self.acknowledge_again(now, flight, next_window);
        }
        if let Some(trip) = flight.round_trip(now, block) {
            let whole_flight = block.saturating_add(1) == self.next;
            let retransmission = &mut self.link.retransmission;
            if whole_flight {
                retransmission.measured_window(trip);
            } else {
                retransmission.measured_blocks(trip);
            }
        }
        self.link.retransmission.progress();
        let window = self.next_window(next_window, flight.window);
        let before = core::mem::replace(&mut self.base, block);
        if self.covers_file(block) {
            self.end(End::Done);
        } else if flight.may_repeat(block) {
            // Drawn by a block that came twice (EDK2, U-Boot): the blocks behind it are on their
            // way. Were they sent again, they would come twice as well, and so on to the end.
            self.next = self.next.max(block.saturating_add(1));
            self.phase = Phase::Sending(flight.goes_on(window));
            // Whether it makes room for more, or the answer to what is on its way is awaited anew.
            if self.plan().is_some() {
                self.link.overdue_at = Instant::NEVER;
            } else {
                self.link.await_answer(now);
            }
        } else {
            // RFC 7440 section 4: an ACK inside the window means that the blocks behind it are
            // missing; the next window begins right after it. In lock-step there is no inside.
            let sent = self.next.saturating_sub(1);
            self.begin_window(Cause::Progress, window);
            if flight.is_by(Cause::TimeOut)
                && let Phase::Sending(next) = &mut self.phase
            {
                *next = next.behind_repeated(before.saturating_add(1), sent);
            }
        }
        Verdict::Accepted
    }

    /// Takes an ACK that was seen before.
    ///
    /// RFC 1123 section 4.2.3.1 forbids to answer one with DATA, which would double every packet
    /// for the rest of the transfer. In lock-step this is absolute. With windows the receiver has
    /// no other way to say that the first block of a window is missing: there a repeated ACK begins
    /// the window again, once, and only when it comes so late that it can be about this window.
    fn acknowledge_again<'d>(
        &mut self,
        now: Instant,
        flight: Flight,
        next_window: Option<u8>,
    ) -> Verdict<'d> {
        self.link.count_duplicate();
        let windowed = flight.window > 1;
        // The opening's round trip is shorter than a window's: it stands in only where nothing
        // else can have drawn this ACK.
        let opening = self.link.retransmission.smoothed().filter(|_| flight.is_alone());
        let trip = self.link.retransmission.smallest_window().or(opening);
        let late = trip.is_some_and(|trip| flight.is_older_than(now, trip));
        if !(windowed && late) || flight.is_by(Cause::RepeatedAck) {
            self.phase = Phase::Sending(flight.one_less_stale());
            return Verdict::Ignored(Ignored::Duplicate);
        }
        let window = self.next_window(next_window, flight.window);
        self.begin_window(Cause::RepeatedAck, window);
        Verdict::Accepted
    }

    /// Plans from right behind `base` again.
    pub(super) fn begin_window(&mut self, cause: Cause, window: u16) {
        self.next = self.base.saturating_add(1);
        self.link.overdue_at = Instant::NEVER;
        let stale = self.high.saturating_sub(self.base);
        self.phase = Phase::Sending(Flight::new(cause, window, stale));
    }

    /// The blocks that may be sent now.
    pub(super) fn plan(&self) -> Option<Burst> {
        let Phase::Sending(Flight { window, .. }) = self.phase else { return None };
        let window_end = self.base.saturating_add(window.into());
        let Params { block_size, rollover, .. } = self.link.params();
        let block_size = block_size.get();
        // The file's last block is the one that is not full, and empty if need be.
        let (end, last_len) = match self.len.get() {
            Some(len) if self.covers_file(window_end) => {
                let last = (len / u64::from(block_size)).saturating_add(1);
                (last, u16::try_from(len % u64::from(block_size)).unwrap_or(0))
            }
            _ => (window_end, block_size),
        };
        let count = end.saturating_add(1).checked_sub(self.next).filter(|&count| count > 0)?;
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        Some(Burst { first: self.next, count, block_size, rollover, last_len, file_len: None })
    }

    /// Whether the file ends with this block, or before.
    fn covers_file(&self, block: u64) -> bool {
        self.len.get().is_some_and(|len| block.saturating_mul(self.block_size()) > len)
    }

    pub(super) fn all_sent(&self) -> bool {
        self.covers_file(self.high)
    }
}
