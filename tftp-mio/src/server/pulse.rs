//! Whether the poll loop still goes round.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::Stopper;

/// How often a loop has gone round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Arc<AtomicU64>);

impl Rounds {
    /// Counts one.
    pub(crate) fn count(&self) {
        // Only its own loop writes to it.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Feels a running server's pulse, for a watchdog.
#[derive(Debug)]
pub struct Pulse {
    stopper: Stopper,
    felt: u64,
}

impl Pulse {
    pub(super) fn new(stopper: Stopper) -> Self {
        Self { stopper, felt: 0 }
    }

    /// Whether the poll loop has gone round since the last call. Wakes it, so that it does so
    /// before the next one: leave it some time.
    pub fn feel(&mut self) -> bool {
        let before = std::mem::replace(&mut self.felt, self.stopper.rounds.read());
        self.stopper.wake();
        before != self.felt
    }
}
