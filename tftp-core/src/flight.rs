//! What a sender has on its way since it last began a window, and what an ACK tells of it.

use core::time::Duration;

use crate::time::Instant;

/// The blocks between `base` and `next` of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    /// Blocks that may be on their way behind `base`.
    pub(crate) window: u16,
    /// When the first of them was committed; never before that.
    began: Instant,
    /// The first block among them that had not been sent before. Only an ACK from there on
    /// measures a round trip (Karn's rule).
    fresh: u64,
    cause: Cause,
    /// Blocks of earlier flights that may still arrive, and draw one repeated ACK each.
    stale: u16,
    /// Blocks up to this one may come twice, because the flight before was begun by a time-out.
    twice: u64,
}

/// What has made a flight begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The answer to the opening, or an ACK of new blocks.
    Progress,
    /// The receiver may have any part of it already.
    TimeOut,
    /// A window begins again for that reason once.
    RepeatedAck,
}

impl Flight {
    /// One that has not begun yet, while so many blocks of earlier ones may still arrive.
    pub(crate) fn new(cause: Cause, window: u16, stale: u64) -> Self {
        Self { window, began: Instant::NEVER, fresh: 0, cause, stale: narrow(stale), twice: 0 }
    }

    /// Whether this is what has made it begin.
    pub(crate) fn is_by(&self, cause: Cause) -> bool {
        self.cause == cause
    }

    /// The flight behind one that a time-out had made begin: it had sent all blocks up to `sent`, of
    /// which those from `first` on may come twice.
    pub(crate) fn behind_repeated(self, first: u64, sent: u64) -> Self {
        Self { twice: sent, stale: narrow(sent.saturating_sub(first)), ..self }
    }

    /// Blocks of it leave; before, none above `high` had ever left.
    pub(crate) fn leaves(&mut self, now: Instant, high: u64) {
        if self.began == Instant::NEVER {
            self.began = now;
            self.fresh = high.saturating_add(1);
        }
    }

    /// The round trip that an ACK of `block` measures, if it does.
    pub(crate) fn round_trip(&self, now: Instant, block: u64) -> Option<Duration> {
        (block >= self.fresh && self.began < Instant::NEVER)
            .then(|| now.saturating_duration_since(self.began))
    }

    /// Whether `block` may have come twice, and have drawn an ACK each time.
    pub(crate) fn may_repeat(&self, block: u64) -> bool {
        block <= self.twice
    }

    /// It goes on behind a block that came twice: no ACK of it measures a round trip any more.
    pub(crate) fn goes_on(self, window: u16) -> Self {
        Self { window, fresh: u64::MAX, ..self }
    }

    /// Whether an ACK of `base` can only be about this flight: nothing older is on its way.
    pub(crate) fn is_alone(&self) -> bool {
        self.stale == 0
    }

    /// An ACK of `base` came, drawn by an older block if there was any.
    pub(crate) fn one_less_stale(self) -> Self {
        Self { stale: self.stale.saturating_sub(1), ..self }
    }

    /// Whether so much time has passed since it began.
    pub(crate) fn is_older_than(&self, now: Instant, age: Duration) -> bool {
        now >= self.began + age
    }

    /// Moves the times to another clock.
    pub(crate) fn rebase(&mut self, from: Instant, to: Instant) {
        self.began = self.began.rebased(from, to);
    }
}

fn narrow(blocks: u64) -> u16 {
    u16::try_from(blocks).unwrap_or(u16::MAX)
}
