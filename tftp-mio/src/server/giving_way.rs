//! Which sessions may give way to others, and in which order.

use std::collections::BTreeMap;

/// Keys of sessions by their serial numbers, so the oldest comes first.
#[derive(Debug, Default)]
pub(crate) struct GivingWay {
    unproved: BTreeMap<u64, usize>,
    lingering: BTreeMap<u64, usize>,
}

impl GivingWay {
    /// A session has begun; its peer has proved nothing.
    pub(crate) fn began(&mut self, serial: u64, key: usize) {
        self.unproved.insert(serial, key);
    }

    /// A session's peer has answered: it stays.
    pub(crate) fn proved(&mut self, serial: u64) {
        self.unproved.remove(&serial);
    }

    /// A session has done its work, and is only there to repeat its last ACK.
    pub(crate) fn lingers(&mut self, serial: u64, key: usize) {
        self.unproved.remove(&serial);
        self.lingering.insert(serial, key);
    }

    /// A session is gone.
    pub(crate) fn gone(&mut self, serial: u64) {
        self.unproved.remove(&serial);
        self.lingering.remove(&serial);
    }

    /// The sessions whose peers have proved nothing, the oldest first.
    pub(crate) fn unproved(&self) -> impl Iterator<Item = usize> {
        self.unproved.values().copied()
    }

    /// The session that has lingered longest.
    pub(crate) fn lingering(&self) -> Option<usize> {
        self.lingering.values().next().copied()
    }
}
