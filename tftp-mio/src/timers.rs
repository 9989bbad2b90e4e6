//! One deadline a session, in a heap: no system call to arm one, O(log n) to move one, mostly nothing
//! to do, and 16 bytes for each.

use tftp_core::Instant;

use crate::slots::number;

/// The deadlines of all sessions of a loop.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// No timer goes off before the one above it: that of index `n` is above those of `2 n + 1` and
    /// `2 n + 2`.
    heap: Vec<Timer>,
    /// Where in the heap each session's timer is, or [`NOWHERE`].
    places: Vec<u32>,
}

/// In 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
struct Timer {
    at: Instant,
    session: u32,
}

const NOWHERE: u32 = u32::MAX;

impl Timers {
    /// Sees to it that the session is [due](Self::pop_due) at `deadline` at the latest; an instant
    /// that never comes is nothing.
    ///
    /// Deadlines mostly move away from the present, with every packet. The timer then stays where
    /// it is, goes off early, and is armed anew.
    pub(crate) fn arm(&mut self, session: usize, deadline: Instant) {
        let place = self.place(session);
        let armed = place.map_or(Instant::NEVER, |place| self.heap[place].at);
        if deadline >= armed {
            return;
        }
        let timer = Timer { at: deadline, session: number(session) };
        let place = place.unwrap_or(self.heap.len());
        if place == self.heap.len() {
            self.heap.push(timer);
        }
        if self.places.len() <= session {
            self.places.resize(session + 1, NOWHERE);
        }
        self.rise(place, timer);
    }

    /// Takes back what is armed for the session.
    pub(crate) fn disarm(&mut self, session: usize) {
        if let Some(place) = self.place(session) {
            self.remove(place);
        }
    }

    /// The earliest deadline; an instant that never comes without any.
    pub(crate) fn next(&self) -> Instant {
        self.heap.first().map_or(Instant::NEVER, |timer| timer.at)
    }

    /// A session whose deadline may have come. It has nothing armed any more.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let &Timer { at, session } = self.heap.first()?;
        if at > now {
            return None;
        }
        self.remove(0);
        Some(session as usize)
    }

    fn place(&self, session: usize) -> Option<usize> {
        let place = *self.places.get(session)?;
        (place != NOWHERE).then_some(place as usize)
    }

    fn remove(&mut self, place: usize) {
        self.places[self.heap[place].session as usize] = NOWHERE;
        if let Some(last) = self.heap.pop()
            && place < self.heap.len()
        {
            let place = self.sink(place);
            self.rise(place, last);
        }
    }

    /// Puts a timer at a free place, or above it as far as it belongs there.
    fn rise(&mut self, mut place: usize, timer: Timer) {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.heap[above] <= timer {
                break;
            }
            self.put(place, self.heap[above]);
            place = above;
        }
        self.put(place, timer);
    }

    /// Moves a free place to the bottom. Returns where it is then.
    fn sink(&mut self, mut place: usize) -> usize {
        loop {
            let below = 2 * place + 1..self.heap.len().min(2 * place + 3);
            let Some(first) = below.min_by_key(|&below| self.heap[below]) else { return place };
            self.put(place, self.heap[first]);
            place = first;
        }
    }

    fn put(&mut self, place: usize, timer: Timer) {
        self.heap[place] = timer;
        self.places[timer.session as usize] = number(place);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
        iter,
        time::Duration,
    };

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_deadline_that_moves_away_stays_armed_where_it_was() {
        let mut timers = Timers::default();
        timers.arm(7, at(20));
        timers.arm(7, at(30));
        assert_eq!(timers.next(), at(20));
        assert_eq!(timers.pop_due(at(19)), None);
        assert_eq!(timers.pop_due(at(20)), Some(7));
        assert_eq!(timers.pop_due(at(99)), None);
    }

    #[test]
    fn a_deadline_that_comes_closer_is_kept() {
        let mut timers = Timers::default();
        timers.arm(7, at(30));
        timers.arm(7, at(20));
        assert_eq!(timers.next(), at(20));
        timers.disarm(7);
        assert_eq!(timers.next(), Instant::NEVER);
    }

    #[test]
    fn a_deadline_that_never_comes_is_none() {
        let mut timers = Timers::default();
        timers.arm(7, Instant::NEVER);
        assert_eq!(timers.pop_due(Instant::NEVER), None);
    }

    #[test]
    fn the_earliest_of_all_sessions_comes_first_whatever_was_done_before() {
        let (mut timers, mut expected) = (Timers::default(), BTreeSet::new());
        let random = BuildHasherDefault::<DefaultHasher>::default();
        for step in 0..10_000_u64 {
            let number = random.hash_one(step);
            let session = usize::try_from(number % 100).unwrap();
            let deadline = at(number >> 32 & 0xFFF);
            let armed = expected.iter().find(|(_, armed)| *armed == session).copied();
            match number >> 60 {
                0..8 if armed.is_none_or(|(armed, _)| deadline < armed) => {
                    timers.arm(session, deadline);
                    armed.map(|armed| expected.remove(&armed));
                    expected.insert((deadline, session));
                }
                8..12 => {
                    timers.disarm(session);
                    armed.map(|armed| expected.remove(&armed));
                }
                12..15 => {
                    let first = timers.pop_due(Instant::NEVER);
                    assert_eq!(first, expected.pop_first().map(|(_, session)| session));
                }
                _ => {
                    let armed = armed.map_or(Instant::NEVER, |(armed, _)| armed);
                    timers.arm(session, deadline.max(armed));
                }
            }
            assert_eq!(timers.next(), expected.first().map_or(Instant::NEVER, |first| first.0));
        }
        let rest: Vec<usize> = iter::from_fn(|| timers.pop_due(Instant::NEVER)).collect();
        assert_eq!(rest, expected.iter().map(|&(_, session)| session).collect::<Vec<_>>());
    }
}
