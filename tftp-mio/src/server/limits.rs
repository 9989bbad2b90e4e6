//! How many transfers there may be, and who has how many: a request is admitted with a [`Permit`],
//! which is free again when it is dropped.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::counters::Counters;

/// Unanswered transfers of one address whose first packet is repeated. The packets to an address
/// that has more than that, and has answered none, may be meant to hurt it: the others are sent
/// once.
const REPEATED: usize = 32;

/// As many transfers as so many ports and the descriptors of this process can serve at best; where
/// they run out sooner, that is found out then.
pub(crate) fn most_transfers(ports: usize) -> usize {
    /// A socket and a file.
    const EACH: usize = 2;
    ports.min(descriptors() / EACH)
}

#[cfg(unix)]
fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

#[cfg(not(unix))]
fn descriptors() -> usize {
    usize::MAX
}

/// How many transfers there may be at a time. Those that have ended, and only linger to repeat
/// their last ACK, do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// In all; `None` for as many as ports and descriptors allow.
    pub transfers: Option<NonZeroUsize>,
    /// For each address; `None` for no limit of its own.
    pub per_client: Option<NonZeroUsize>,
    /// Whose clients have answered nothing yet; `None` for three quarters of all. Beyond it the
    /// oldest of them gives way.
    pub half_open: Option<NonZeroUsize>,
}

/// Admits transfers; the workers of a server share one.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    counters: Arc<Counters>,
    occupied: Mutex<Occupied>,
}

#[derive(Debug)]
struct Occupied {
    bounds: Bounds,
    all: Tally,
    clients: HashMap<IpAddr, Tally>,
}

/// A capacity in numbers.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    transfers: usize,
    per_client: usize,
    half_open: usize,
}

impl Bounds {
    fn new(capacity: &Capacity, most: usize) -> Self {
        let transfers = capacity.transfers.map_or(most.max(1), NonZeroUsize::get);
        Self {
            transfers,
            per_client: capacity.per_client.map_or(usize::MAX, NonZeroUsize::get),
            half_open: capacity.half_open.map_or(transfers - transfers / 4, NonZeroUsize::get),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    active: usize,
    half_open: usize,
}

/// Why a transfer is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many transfers as there may be.
    Transfers,
    /// The client has as many as one may have.
    Client,
    /// There are as many half-open ones as there may be.
    HalfOpen,
}

impl Admission {
    /// `most` is what ports and descriptors allow, where nothing else is configured.
    pub(crate) fn new(capacity: &Capacity, most: usize, counters: Arc<Counters>) -> Arc<Self> {
        let bounds = Bounds::new(capacity, most);
        let occupied = Occupied { bounds, all: Tally::default(), clients: HashMap::new() };
        Arc::new(Self { most, counters, occupied: Mutex::new(occupied) })
    }

    /// Admits by these numbers from now on. Who has a permit keeps it.
    pub(crate) fn set_capacity(&self, capacity: &Capacity) {
        self.lock().bounds = Bounds::new(capacity, self.most);
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// A permit for a transfer whose client has answered nothing yet.
    ///
    /// # Errors
    /// When there is none; a transfer that gives way may change that.
    pub(crate) fn admit(self: &Arc<Self>, client: IpAddr) -> Result<Permit, Full> {
        let mut occupied = self.lock();
        let bounds = occupied.bounds;
        let own = occupied.clients.get(&client).copied().unwrap_or_default();
        if own.active >= bounds.per_client {
            return Err(Full::Client);
        }
        if occupied.all.active >= bounds.transfers {
            return Err(Full::Transfers);
        }
        if occupied.all.half_open >= bounds.half_open {
            return Err(Full::HalfOpen);
        }
        Ok(self.occupy(&mut occupied, client))
    }

    /// The same although there are too many half-open ones, when a worker has none of them that
    /// could give way: it exceeds the limit by one, once.
    pub(crate) fn admit_half_open(self: &Arc<Self>, client: IpAddr) -> Permit {
        let mut occupied = self.lock();
        self.occupy(&mut occupied, client)
    }

    fn occupy(self: &Arc<Self>, occupied: &mut Occupied, client: IpAddr) -> Permit {
        let own = occupied.clients.entry(client).or_default();
        let repeats = own.half_open < REPEATED;
        for tally in [own, &mut occupied.all] {
            tally.active += 1;
            tally.half_open += 1;
        }
        self.publish(occupied);
        Permit { admission: Arc::clone(self), client, stage: Stage::HalfOpen, repeats }
    }

    fn change(&self, client: IpAddr, from: Stage, to: Stage) {
        let mut occupied = self.lock();
        let Occupied { all, clients, .. } = &mut *occupied;
        let Some(own) = clients.get_mut(&client) else { return };
        for tally in [&mut *own, all] {
            tally.active = tally.active + to.active() - from.active();
            tally.half_open = tally.half_open + to.half_open() - from.half_open();
        }
        if own.active == 0 {
            clients.remove(&client);
        }
        self.publish(&occupied);
    }

    fn publish(&self, occupied: &Occupied) {
        self.counters.set_occupancy(occupied.all.active, occupied.all.half_open);
    }

    fn lock(&self) -> MutexGuard<'_, Occupied> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one transfer takes of the capacity, as long as it exists.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    client: IpAddr,
    stage: Stage,
    repeats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    HalfOpen,
    Running,
    Over,
}

impl Stage {
    fn active(self) -> usize {
        usize::from(self != Self::Over)
    }

    fn half_open(self) -> usize {
        usize::from(self == Self::HalfOpen)
    }
}

impl Permit {
    /// Whether the first packet may be sent again while it is not answered.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }

    /// The client has answered. Returns whether that is new.
    pub(crate) fn proved(&mut self) -> bool {
        let new = self.stage == Stage::HalfOpen;
        if new {
            self.enter(Stage::Running);
        }
        new
    }

    /// The transfer has ended; what remains of it needs no permit.
    pub(crate) fn over(&mut self) {
        self.enter(Stage::Over);
    }

    fn enter(&mut self, stage: Stage) {
        if self.stage != stage {
            self.admission.change(self.client, self.stage, stage);
            self.stage = stage;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.over();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn admission(transfers: usize, per_client: usize, half_open: usize) -> Arc<Admission> {
        let [transfers, per_client, half_open] =
            [transfers, per_client, half_open].map(NonZeroUsize::new);
        Admission::new(&Capacity { transfers, per_client, half_open }, 100, Arc::default())
    }

    fn occupancy(admission: &Admission) -> (u64, u64) {
        (admission.counters.active(), admission.counters.half_open())
    }

    #[test]
    fn three_quarters_of_all_may_be_half_open_by_default() {
        for (transfers, half_open) in [(100, 75), (4, 3), (3, 3), (1, 1)] {
            assert_eq!(admission(transfers, 0, 0).lock().bounds.half_open, half_open);
        }
        assert_eq!(admission(0, 0, 0).lock().bounds.transfers, 100);
    }

    #[test]
    fn each_limit_is_reached_by_what_it_counts() {
        let admission = admission(4, 2, 3);
        let mut first = admission.admit(A).unwrap();
        let second = admission.admit(A).unwrap();
        assert_eq!(admission.admit(A).unwrap_err(), Full::Client);
        let mut third = admission.admit(B).unwrap();
        assert_eq!(admission.admit(B).unwrap_err(), Full::HalfOpen);
        assert!(first.proved() && !first.proved());
        third.proved();
        let _fourth = admission.admit(B).unwrap();
        assert_eq!(occupancy(&admission), (4, 2));
        let other = IpAddr::from([192, 0, 2, 3]);
        assert_eq!(admission.admit(other).unwrap_err(), Full::Transfers);
        drop(second);
        assert_eq!(occupancy(&admission), (3, 1));
        admission.admit(A).unwrap();
    }

    #[test]
    fn what_lingers_takes_no_place_and_gives_it_back_once() {
        let admission = admission(1, 1, 1);
        let mut permit = admission.admit(A).unwrap();
        permit.proved();
        permit.over();
        let other = admission.admit(A).unwrap();
        assert_eq!(occupancy(&admission), (1, 1));
        drop(permit);
        assert_eq!(occupancy(&admission), (1, 1));
        drop(other);
        assert_eq!(occupancy(&admission), (0, 0));
        assert!(admission.lock().clients.is_empty());
    }

    #[test]
    fn the_answers_to_an_address_that_owes_many_are_not_repeated() {
        let admission = admission(0, 0, 0);
        let mut permits: Vec<Permit> =
            (0..=REPEATED).map(|_| admission.admit(A).unwrap()).collect();
        let repeated = permits.iter().filter(|permit| permit.repeats()).count();
        assert_eq!(repeated, REPEATED);
        assert!(admission.admit(B).unwrap().repeats());
        permits.drain(..2);
        assert!(admission.admit(A).unwrap().repeats());
    }
}
