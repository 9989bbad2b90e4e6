//! One deadline a session, in an ordered set: no system call to arm one, O(log n) to move one, and
//! mostly nothing to do.

use std::collections::BTreeSet;

use tftp_core::Instant;

/// The deadlines of all sessions of a loop.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeSet<(Instant, usize)>,
}

impl Timers {
    /// Sees to it that the session is [due](Self::pop_due) at `deadline` at the latest. `armed` is
    /// what the session has armed so far; an instant that never comes is nothing.
    ///
    /// Deadlines mostly move away from the present, with every packet. The timer then stays where
    /// it is, goes off early, and is armed anew.
    pub(crate) fn arm(&mut self, session: usize, armed: &mut Instant, deadline: Instant) {
        if deadline < *armed {
            self.disarm(session, armed);
            self.deadlines.insert((deadline, session));
            *armed = deadline;
        }
    }

    /// Takes back what the session has armed.
    pub(crate) fn disarm(&mut self, session: usize, armed: &mut Instant) {
        if *armed < Instant::NEVER {
            self.deadlines.remove(&(*armed, session));
            *armed = Instant::NEVER;
        }
    }

    /// The earliest deadline; an instant that never comes without any.
    pub(crate) fn next(&self) -> Instant {
        self.deadlines.first().map_or(Instant::NEVER, |(at, _)| *at)
    }

    /// A session whose deadline may have come. It has nothing armed any more.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let &(at, session) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.deadlines.remove(&(at, session));
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_deadline_that_moves_away_stays_armed_where_it_was() {
        let (mut timers, mut armed) = (Timers::default(), Instant::NEVER);
        timers.arm(7, &mut armed, at(20));
        timers.arm(7, &mut armed, at(30));
        assert_eq!(armed, at(20));
        assert_eq!(timers.pop_due(at(19)), None);
        assert_eq!(timers.pop_due(at(20)), Some(7));
        assert_eq!(timers.pop_due(at(99)), None);
    }

    #[test]
    fn a_deadline_that_comes_closer_is_kept() {
        let (mut timers, mut armed) = (Timers::default(), Instant::NEVER);
        timers.arm(7, &mut armed, at(30));
        timers.arm(7, &mut armed, at(20));
        assert_eq!(timers.next(), at(20));
        timers.disarm(7, &mut armed);
        assert_eq!((armed, timers.next()), (Instant::NEVER, Instant::NEVER));
    }

    #[test]
    fn the_earliest_of_all_sessions_comes_first() {
        let mut timers = Timers::default();
        let mut armed = [Instant::NEVER; 3];
        for (session, millis) in [30, 10, 20].into_iter().enumerate() {
            timers.arm(session, &mut armed[session], at(millis));
        }
        let order: Vec<usize> = std::iter::from_fn(|| timers.pop_due(at(30))).collect();
        assert_eq!(order, [1, 2, 0]);
    }
}
