//! Wakes the poll loops when their deadlines come.
//!
//! A loop that sleeps until a deadline has the system set a timer, and take it back when a packet
//! comes first, which it nearly always does: on a virtual machine that costs a tenth of a block in
//! lock-step. So the loops sleep without one, and one thread minds the time for all of them. It
//! sleeps until the earliest deadline that it has heard of. Deadlines mostly move away: it then finds
//! a later one, and sleeps on.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, Scope, Thread},
};

use mio::Waker;
use tftp_core::Instant;

use crate::clock::Clock;

/// The time of all loops, and who minds it.
#[derive(Debug)]
pub(crate) struct Alarm {
    clock: Clock,
    bells: Box<[Bell]>,
    /// Until when the thread sleeps at the latest.
    sleeps_until: AtomicU64,
    thread: OnceLock<Thread>,
    over: AtomicBool,
}

/// The time is minded as long as this is kept.
pub(crate) struct Minded<'s>(&'s Alarm);

/// How one loop is woken, and when. Each is in cache lines of its own, as its loop writes to it before
/// it sleeps.
#[derive(Debug)]
#[repr(align(128))]
struct Bell {
    waker: Arc<Waker>,
    /// On the alarm's clock, in nanoseconds.
    due: AtomicU64,
}

impl Alarm {
    pub(crate) fn new(wakers: &[Arc<Waker>]) -> Arc<Self> {
        let bell = |waker: &Arc<Waker>| Bell { waker: Arc::clone(waker), due: never() };
        Arc::new(Self {
            clock: Clock::start(),
            bells: wakers.iter().map(bell).collect(),
            sleeps_until: never(),
            thread: OnceLock::new(),
            over: AtomicBool::new(false),
        })
    }

    /// The clock that deadlines are on.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Has the loop with this number woken at this time, and not at the one it gave before.
    pub(crate) fn set(&self, index: usize, at: Instant) {
        let Some(bell) = self.bells.get(index) else { return };
        bell.due.store(at.as_nanos(), SeqCst);
        // Either this sees until when the thread sleeps, or the thread sees what was just stored.
        if at.as_nanos() < self.sleeps_until.load(SeqCst) {
            self.rouse();
        }
    }

    /// Starts the thread. It runs until what is returned is dropped.
    pub(crate) fn start<'s>(&'s self, scope: &'s Scope<'s, '_>) -> io::Result<Minded<'s>> {
        let minded = Minded(self);
        let thread = thread::Builder::new().name("tftpd-alarm".into());
        let started = thread.spawn_scoped(scope, || self.run())?;
        let _ = self.thread.set(started.thread().clone());
        // It may have begun to sleep before anybody could rouse it.
        self.rouse();
        Ok(minded)
    }

    fn rouse(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn run(&self) {
        while !self.over.load(SeqCst) {
            let now = self.clock.now();
            for bell in &self.bells {
                bell.ring_if_due(now);
            }
            match self.set_sleep() {
                Instant::NEVER => thread::park(),
                until => thread::park_timeout(until.saturating_duration_since(now)),
            }
        }
    }

    /// Tells everybody until when the thread is going to sleep.
    fn set_sleep(&self) -> Instant {
        let earliest = || self.bells.iter().map(|bell| bell.due.load(SeqCst)).min();
        let until = earliest().unwrap_or(u64::MAX);
        self.sleeps_until.store(until, SeqCst);
        // Who stored an earlier one before it could see that did not rouse this thread.
        Instant::from_nanos(earliest().unwrap_or(u64::MAX).min(until))
    }
}

impl Drop for Minded<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, SeqCst);
        self.0.rouse();
    }
}

impl Bell {
    /// Wakes the loop, once for each time that it has set.
    fn ring_if_due(&self, now: Instant) {
        let due = self.due.load(SeqCst);
        if due <= now.as_nanos()
            && self.due.compare_exchange(due, u64::MAX, SeqCst, SeqCst).is_ok()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(error = %crate::of_the_system(&error), "a poll loop cannot be woken");
        }
    }
}

fn never() -> AtomicU64 {
    AtomicU64::new(Instant::NEVER.as_nanos())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    /// Far above what anything takes on a busy machine.
    const LONG: Duration = Duration::from_secs(30);

    fn loop_with_waker() -> (Poll, Arc<Waker>) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        (poll, waker)
    }

    /// When the loop is woken.
    fn woken(alarm: &Alarm, poll: &mut Poll) -> Instant {
        let mut events = Events::with_capacity(1);
        poll.poll(&mut events, Some(LONG)).unwrap();
        assert!(!events.is_empty(), "it was not woken");
        alarm.clock().now()
    }

    #[test]
    fn each_loop_is_woken_at_its_time() {
        let ((mut early, of_early), (mut late, of_late)) = (loop_with_waker(), loop_with_waker());
        let alarm = Alarm::new(&[of_early, of_late]);
        let now = alarm.clock().now();
        let (first, second) = (now + Duration::from_millis(50), now + Duration::from_millis(100));
        alarm.set(1, second);
        alarm.set(0, first);
        thread::scope(|scope| {
            let _minded = alarm.start(scope).unwrap();
            assert!(woken(&alarm, &mut early) >= first);
            assert!(woken(&alarm, &mut late) >= second);
        });
    }

    #[test]
    fn an_earlier_time_counts_though_the_thread_sleeps_until_a_later_one() {
        let (mut poll, waker) = loop_with_waker();
        let alarm = Alarm::new(&[waker]);
        thread::scope(|scope| {
            let _minded = alarm.start(scope).unwrap();
            let far = alarm.clock().now() + 10 * LONG;
            alarm.set(0, far);
            while alarm.sleeps_until.load(SeqCst) != far.as_nanos() {
                thread::yield_now();
            }
            let soon = alarm.clock().now() + Duration::from_millis(20);
            alarm.set(0, soon);
            assert!(woken(&alarm, &mut poll) >= soon);
        });
    }

    #[test]
    fn a_time_that_has_moved_away_does_not_count() {
        let (mut poll, waker) = loop_with_waker();
        let alarm = Alarm::new(&[waker]);
        thread::scope(|scope| {
            let _minded = alarm.start(scope).unwrap();
            let now = alarm.clock().now();
            alarm.set(0, now + Duration::from_millis(200));
            alarm.set(0, now + Duration::from_millis(400));
            assert!(woken(&alarm, &mut poll) >= now + Duration::from_millis(400));
        });
    }
}
