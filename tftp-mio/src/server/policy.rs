//! What requests are decided by. A running server takes another one as a whole.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tftp_core::Timing;

use super::{Access, Config, judge::Judge, limits::Admission};
use crate::storage::Storage;

/// The part of the configuration that can change while transfers run: those that have begun keep
/// what they began with.
pub(crate) struct Policy {
    pub(crate) judge: Judge,
    pub(crate) timing: Timing,
    pub(crate) access: Access,
    pub(crate) broadcast: bool,
    pub(crate) grace: Duration,
}

impl Policy {
    fn new(config: &Config, storage: Arc<dyn Storage>) -> Self {
        Self {
            judge: Judge::new(config, storage),
            timing: config.timing,
            access: config.access.clone(),
            broadcast: config.broadcast,
            grace: config.grace,
        }
    }
}

/// The policy that holds now; the workers of a server share one of these.
pub(crate) struct Published {
    /// Counts the policies, so that nobody takes the lock to see that nothing has changed.
    edition: AtomicU64,
    latest: Mutex<Arc<Policy>>,
}

impl Published {
    pub(crate) fn new(config: &Config, storage: Arc<dyn Storage>) -> Arc<Self> {
        let policy = Arc::new(Policy::new(config, storage));
        Arc::new(Self { edition: AtomicU64::new(0), latest: Mutex::new(policy) })
    }

    fn publish(&self, policy: Policy) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        self.edition.fetch_add(1, Ordering::Release);
    }

    fn latest(&self) -> Arc<Policy> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One worker's copy.
pub(crate) struct Subscription {
    published: Arc<Published>,
    edition: u64,
    policy: Arc<Policy>,
}

impl Subscription {
    pub(crate) fn new(published: Arc<Published>) -> Self {
        let edition = published.edition.load(Ordering::Acquire);
        let policy = published.latest();
        Self { published, edition, policy }
    }

    /// Takes the latest policy, where there is another one.
    pub(crate) fn refresh(&mut self) {
        let edition = self.published.edition.load(Ordering::Acquire);
        if edition != self.edition {
            self.edition = edition;
            self.policy = self.published.latest();
        }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Changes what a running server decides by, from another thread.
#[derive(Clone)]
pub struct Reloader {
    published: Arc<Published>,
    admission: Arc<Admission>,
}

impl Reloader {
    pub(super) fn new(published: Arc<Published>, admission: Arc<Admission>) -> Self {
        Self { published, admission }
    }

    /// Decides requests from now on by this storage and, of this configuration, by its limits,
    /// timing, access, capacity, grace and answer to broadcasts. The rest of it is ignored, and
    /// transfers that run are not disturbed.
    pub fn reload(&self, config: &Config, storage: Arc<dyn Storage>) {
        self.admission.set_capacity(&config.capacity);
        self.published.publish(Policy::new(config, storage));
    }
}
