//! How much of a flood the log takes: lines that anybody can cause with a single forged datagram
//! are written up to a rate, and what is withheld is said in numbers.

use std::time::Duration;

use tftp_core::Instant;

/// Lines that may be written at once: a rack that boots asks for many files that are not there.
const BURST: u32 = 1000;

/// One more line after each of these: 2 MB an hour in the end.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often it is said how many were withheld.
const SUMMARY: Duration = Duration::from_secs(10);

/// A bucket of lines.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// When the bucket is full again.
    full_at: Instant,
    withheld: u64,
    said_at: Option<Instant>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self { full_at: Instant::from_nanos(0), withheld: 0, said_at: None }
    }

    /// Whether one more line may be written. One that may not is counted as withheld.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + INTERVAL;
        let admitted = full_at.saturating_duration_since(now) <= INTERVAL * BURST;
        if admitted {
            self.full_at = full_at;
        } else {
            self.withheld += 1;
        }
        admitted
    }

    /// How many lines were withheld since it was last said, if it is time to say so: at once when it
    /// begins, then now and then as long as it is called.
    pub(crate) fn poll_withheld(&mut self, now: Instant) -> Option<u64> {
        let due = self.said_at.is_none_or(|at| now >= at + SUMMARY);
        (due && self.withheld > 0).then(|| {
            self.said_at = Some(now);
            self.take_withheld()
        })
    }

    /// The same at the end, when there will be no other time.
    pub(crate) fn take_withheld(&mut self) -> u64 {
        std::mem::take(&mut self.withheld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_burst_is_written_and_then_one_line_an_interval() {
        let mut throttle = Throttle::new();
        let start = 5000;
        for _ in 0..BURST {
            assert!(throttle.admit(at(start)));
        }
        assert!(!throttle.admit(at(start)));
        assert!(!throttle.admit(at(start + 249)));
        assert!(throttle.admit(at(start + 250)));
        assert!(!throttle.admit(at(start + 250)));
        // Quiet fills it again.
        let later = start + 250 * (u64::from(BURST) + 10);
        assert_eq!((0..2 * BURST).filter(|_| throttle.admit(at(later))).count(), 1000);
    }

    #[test]
    fn what_is_withheld_is_said_at_once_and_then_every_ten_seconds() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.poll_withheld(at(0)), None);
        while throttle.admit(at(0)) {}
        assert_eq!(throttle.poll_withheld(at(0)), Some(1));
        for _ in 0..7 {
            assert!(!throttle.admit(at(100)));
            assert_eq!(throttle.poll_withheld(at(100)), None);
        }
        assert_eq!(throttle.poll_withheld(at(9_999)), None);
        assert_eq!(throttle.poll_withheld(at(10_000)), Some(7));
        assert_eq!(throttle.poll_withheld(at(30_000)), None);
        assert_eq!(throttle.take_withheld(), 0);
    }
}
