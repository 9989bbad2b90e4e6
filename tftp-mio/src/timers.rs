//! One deadline a session, in an ordered set: no system call to arm one, O(log n) to move one.

use std::{collections::BTreeSet, time::Duration};

use tftp_core::Instant;

/// The deadlines of all sessions of a loop.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeSet<(Instant, usize)>,
}

impl Timers {
    /// Moves a session's deadline from `old` to `new`; an instant that never comes is none.
    pub(crate) fn rearm(&mut self, session: usize, old: Instant, new: Instant) {
        if old == new {
            return;
        }
        if old < Instant::NEVER {
            self.deadlines.remove(&(old, session));
        }
        if new < Instant::NEVER {
            self.deadlines.insert((new, session));
        }
    }

    /// How long the loop may sleep; `None` without any deadline.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| at.saturating_duration_since(now))
    }

    /// A session whose deadline has come. Moving its deadline takes it out of the way.
    pub(crate) fn due(&self, now: Instant) -> Option<usize> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|&(_, session)| session)
    }
}
