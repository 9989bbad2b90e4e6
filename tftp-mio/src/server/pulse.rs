//! Whether the poll loops still go round.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::Stopper;

/// How often a loop has gone round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Arc<Count>);

/// In cache lines of its own, as the loop writes to it whenever it goes round.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicU64);

impl Rounds {
    /// Counts one.
    pub(crate) fn count(&self) {
        // Only its own loop writes to it.
        let count = &self.0.0;
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

/// Feels a running server's pulse, for a watchdog.
#[derive(Debug)]
pub struct Pulse {
    stopper: Stopper,
    /// How often each loop had gone round.
    felt: Vec<u64>,
}

impl Pulse {
    pub(super) fn new(stopper: Stopper) -> Self {
        let felt = vec![0; stopper.rounds.len()];
        Self { stopper, felt }
    }

    /// Whether every poll loop has gone round since the last call. Wakes them, so that they do so
    /// before the next one: leave them some time.
    pub fn feel(&mut self) -> bool {
        let mut alive = true;
        for (felt, rounds) in self.felt.iter_mut().zip(&*self.stopper.rounds) {
            let before = std::mem::replace(felt, rounds.read());
            alive &= before != *felt;
        }
        self.stopper.wake();
        alive
    }
}
