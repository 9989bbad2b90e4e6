//! When a receiver owes an ACK: at the end of a window and of the file, and when something seems
//! lost: a gap that more than three later blocks did not close, or a flight that ended early.
//!
//! A flight is what comes for one ACK. Nothing in it says where it ends, so it counts as over when it
//! has paused for longer than it should.

use core::time::Duration;

use crate::{rto::Micros, time::Instant};

/// Which ACK is owed, and what of the present flight may lead to one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Acks {
    owed: Owed,
    /// The block of the last ACK that was polled; a window begins behind it.
    acknowledged: u64,
    /// When the ACK that opened this window left, while that still measures a round trip.
    opened_at: Instant,
    gap: Gap,
    /// When the flight's newest block came; never before its first.
    newest_at: Instant,
    /// The smoothed time between two blocks of a flight.
    spacing: Micros,
    /// When the flight counts as over; never where no answer would help.
    over_at: Instant,
}

/// Whether an ACK is to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owed {
    Nothing,
    /// One that tells the sender nothing new, or only that something is missing.
    Repeat,
    /// One that opens the next window, or ends the transfer.
    Progress,
}

/// What is known of the hole right behind the blocks in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Gap {
    /// Later blocks that have come since.
    later: u8,
    /// It has been answered; from now on only the retransmission timer asks for it.
    answered: bool,
}

impl Gap {
    const NONE: Self = Self { later: 0, answered: false };
}

/// A gap is answered when more later blocks than this have come: reordering displaces less.
const REORDERING: u8 = 3;

/// A flight that stops without a gap has lost its tail, or its sender is busy: it is given this
/// many pauses.
const TAIL_PAUSES: u32 = 8;

/// A flight whose blocks come slowly, over a slow link or because each of them is written slowly, is
/// not over before so many times their spacing.
const SPACINGS: u32 = 4;

impl Acks {
    pub(crate) fn new(owed: Owed) -> Self {
        Self {
            owed,
            acknowledged: 0,
            opened_at: Instant::NEVER,
            gap: Gap::NONE,
            newest_at: Instant::NEVER,
            spacing: Micros::LEAST,
            over_at: Instant::NEVER,
        }
    }

    /// Owes an ACK, unless a weightier one is owed already.
    pub(crate) fn owe(&mut self, owed: Owed) {
        if self.owed == Owed::Nothing {
            self.owed = owed;
        }
    }

    /// Owes the ACK of a whole window or file.
    pub(crate) fn owe_progress(&mut self) {
        self.owed = Owed::Progress;
        self.gap = Gap::NONE;
        self.over_at = Instant::NEVER;
    }

    /// The last block of the window that may be on its way.
    pub(crate) fn window_end(&self, window_size: u64) -> u64 {
        self.acknowledged.saturating_add(window_size)
    }

    /// The round trip from the ACK that opened this window to its first block that came in order;
    /// only once.
    pub(crate) fn round_trip(&mut self, now: Instant) -> Option<Duration> {
        let opened_at = core::mem::replace(&mut self.opened_at, Instant::NEVER);
        (opened_at < Instant::NEVER).then(|| now.saturating_duration_since(opened_at))
    }

    /// A block of the present flight came.
    pub(crate) fn block_came(&mut self, now: Instant) {
        if self.newest_at < Instant::NEVER {
            let spacing = now.saturating_duration_since(self.newest_at);
            self.spacing = self.spacing.towards(spacing.into(), 8);
        }
        self.newest_at = now;
    }

    /// The run of blocks has become longer, and the window is not full yet.
    pub(crate) fn run_grew(&mut self, now: Instant, has_gap: bool, round_trip: Option<Duration>) {
        self.gap = Gap::NONE;
        self.await_more(now, if has_gap { 1 } else { TAIL_PAUSES }, round_trip);
    }

    /// A block came that cannot close the hole behind the run.
    ///
    /// It is answered once, with an ACK of the last block before it, as soon as reordering cannot
    /// explain it any more, or when the flight is over.
    pub(crate) fn block_behind_gap(&mut self, now: Instant, round_trip: Option<Duration>) {
        if self.gap.answered {
            return;
        }
        self.gap.later = self.gap.later.saturating_add(1);
        if self.gap.later > REORDERING {
            self.gap.answered = true;
            self.over_at = Instant::NEVER;
            self.owe(Owed::Repeat);
        } else {
            self.await_more(now, 1, round_trip);
        }
    }

    /// A block of an earlier window came: that flight is answered as a whole, when it is over.
    pub(crate) fn block_repeated(&mut self, now: Instant, round_trip: Option<Duration>) {
        if self.owed == Owed::Nothing {
            self.await_more(now, 1, round_trip);
        }
    }

    /// Whether the flight is over; then it is answered.
    pub(crate) fn handle_timeout(&mut self, now: Instant, has_gap: bool) {
        if now >= self.over_at {
            self.over_at = Instant::NEVER;
            self.gap.answered = has_gap;
            self.owe(Owed::Repeat);
        }
    }

    /// When the flight counts as over.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.over_at
    }

    /// Nothing is to be answered any more.
    pub(crate) fn close(&mut self) {
        self.over_at = Instant::NEVER;
    }

    /// Whether an ACK is owed; if so it leaves now and acknowledges all blocks up to `block`.
    pub(crate) fn poll(&mut self, now: Instant, block: u64) -> bool {
        self.opened_at = match core::mem::replace(&mut self.owed, Owed::Nothing) {
            Owed::Nothing => return false,
            Owed::Repeat => Instant::NEVER,
            Owed::Progress => now,
        };
        self.acknowledged = block;
        self.newest_at = Instant::NEVER;
        self.over_at = Instant::NEVER;
        true
    }

    /// Moves the times to another clock.
    pub(crate) fn rebase(&mut self, from: Instant, to: Instant) {
        self.opened_at = self.opened_at.rebased(from, to);
        self.newest_at = self.newest_at.rebased(from, to);
        self.over_at = self.over_at.rebased(from, to);
    }

    /// The flight is over when no block has come for so many pauses.
    fn await_more(&mut self, now: Instant, pauses: u32, round_trip: Option<Duration>) {
        let pause = (round_trip.unwrap_or_default() / 4).max(Duration::from_millis(1));
        let slow = Duration::from(self.spacing) * SPACINGS;
        self.over_at = now + (pause * pauses).max(slow);
    }
}
