//! How many transfers there may be, and who has how many: a request is admitted with a [`Permit`],
//! which is free again when it is dropped. Which of them [may give way](super::order) is kept with
//! that.

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    clients::{Clients, Tally},
    counters::Counters,
    order::{Candidate, Order},
};

/// Unanswered transfers of one address whose first packet is repeated. The packets to an address
/// that has more than that, and has answered none, may be meant to hurt it: the others are sent
/// once.
const REPEATED: u32 = 32;

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

/// Admits transfers, and knows which of them may give way to others; the workers of a server share
/// one.
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
    clients: Clients,
    order: Order,
}

/// A capacity in numbers.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    transfers: u32,
    per_client: u32,
    half_open: u32,
}

impl Bounds {
    fn new(capacity: &Capacity, most: usize) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let configured = |count: Option<NonZeroUsize>| count.map(|count| number(count.get()));
        let transfers = configured(capacity.transfers).unwrap_or(number(most.max(1)));
        Self {
            transfers,
            per_client: configured(capacity.per_client).unwrap_or(u32::MAX),
            half_open: configured(capacity.half_open).unwrap_or(transfers - transfers / 4),
        }
    }
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
        let occupied = Occupied {
            bounds: Bounds::new(capacity, most),
            all: Tally::default(),
            clients: Clients::default(),
            order: Order::default(),
        };
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
        let Occupied { bounds, all, clients, .. } = &*occupied;
        let own = clients.find(client).map_or(0, |client| clients.get(client).tally.active);
        if own >= bounds.per_client {
            return Err(Full::Client);
        }
        if all.active >= bounds.transfers {
            return Err(Full::Transfers);
        }
        if all.half_open >= bounds.half_open {
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
        let client = occupied.clients.find_or_insert(client);
        let repeats = occupied.clients.get(client).tally.half_open < REPEATED;
        for tally in occupied.tallies(client) {
            tally.active += 1;
            tally.half_open += 1;
        }
        self.publish(occupied);
        Permit { admission: Arc::clone(self), stage: Stage::Admitted { client, repeats } }
    }

    /// Chooses the transfer that has lingered longest to give way, or else the oldest one whose
    /// peer has proved nothing.
    pub(crate) fn choose(&self) -> Option<Candidate> {
        let Occupied { order, clients, .. } = &mut *self.lock();
        let lingering = order.choose_lingering(clients);
        lingering.or_else(|| order.choose_unproved(None, clients))
    }

    /// Chooses the oldest transfer whose peer has proved nothing, of one client or of all. None
    /// where the others alone are as many as there may be, as after a limit was lowered: then
    /// nobody's going makes room.
    pub(crate) fn choose_unproved(&self, client: Option<IpAddr>) -> Option<Candidate> {
        let Occupied { bounds, all, clients, order } = &mut *self.lock();
        let (client, tally, most) = match client {
            Some(address) => {
                let client = clients.find(address)?;
                (Some(client), clients.get(client).tally, bounds.per_client)
            }
            None => (None, *all, bounds.transfers),
        };
        if tally.active - tally.half_open >= most {
            return None;
        }
        order.choose_unproved(client, clients)
    }

    fn publish(&self, occupied: &Occupied) {
        self.counters.set_occupancy(occupied.all.active, occupied.all.half_open);
    }

    fn lock(&self) -> MutexGuard<'_, Occupied> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Occupied {
    /// Takes a transfer out of the order. Returns its client, if it counts.
    fn withdraw(&mut self, stage: &Stage) -> Option<u32> {
        match *stage {
            Stage::Admitted { client, .. } | Stage::Running { client } => Some(client),
            Stage::HalfOpen { ticket } => Some(self.order.leave(ticket, &mut self.clients)),
            Stage::Lingering { ticket } => {
                self.order.leave(ticket, &mut self.clients);
                None
            }
            Stage::Over => None,
        }
    }

    fn end(&mut self, stage: &Stage) {
        let Some(client) = self.withdraw(stage) else { return };
        for tally in self.tallies(client) {
            tally.active -= 1;
            tally.half_open -= u32::from(stage.is_half_open());
        }
        if self.clients.get(client).tally.active == 0 {
            self.clients.forget(client);
        }
    }

    fn tallies(&mut self, client: u32) -> [&mut Tally; 2] {
        [&mut self.all, &mut self.clients.get_mut(client).tally]
    }
}

/// What one transfer takes of the capacity, as long as it exists, and its place among those that
/// may give way.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    stage: Stage,
}

/// Where a transfer is on its way. Its ticket tells the client, too.
#[derive(Debug)]
enum Stage {
    Admitted { client: u32, repeats: bool },
    HalfOpen { ticket: u32 },
    Running { client: u32 },
    Lingering { ticket: u32 },
    Over,
}

impl Stage {
    fn is_half_open(&self) -> bool {
        matches!(self, Self::Admitted { .. } | Self::HalfOpen { .. })
    }
}

impl Permit {
    /// Whether the first packet may be sent again while it is not answered. Asked before the
    /// transfer [begins](Self::begin).
    pub(crate) fn repeats(&self) -> bool {
        matches!(self.stage, Stage::Admitted { repeats: true, .. })
    }

    /// The transfer has begun; it may have to give way until its client has answered.
    pub(crate) fn begin(&mut self, candidate: Candidate) {
        if let Stage::Admitted { client, .. } = self.stage {
            let Occupied { order, clients, .. } = &mut *self.admission.lock();
            let ticket = order.enter_unproved(candidate, client, clients);
            self.stage = Stage::HalfOpen { ticket };
        }
    }

    /// The client has answered: the transfer stays. Returns whether that is new.
    pub(crate) fn proved(&mut self) -> bool {
        if !self.stage.is_half_open() {
            return false;
        }
        let mut occupied = self.admission.lock();
        let Some(client) = occupied.withdraw(&self.stage) else { return false };
        for tally in occupied.tallies(client) {
            tally.half_open -= 1;
        }
        self.admission.publish(&occupied);
        self.stage = Stage::Running { client };
        true
    }

    /// The transfer has done its work, and is only there to repeat its last ACK. It does not count
    /// any more, and may have to give way.
    pub(crate) fn linger(&mut self, candidate: Candidate) {
        self.leave(|order| Stage::Lingering { ticket: order.enter_lingering(candidate) });
    }

    /// The transfer has ended.
    pub(crate) fn over(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            self.leave(|_| Stage::Over);
        }
    }

    /// Whether it was chosen to give way, and nothing has come of it since.
    pub(crate) fn is_chosen(&self) -> bool {
        match self.stage {
            Stage::HalfOpen { ticket } | Stage::Lingering { ticket } => {
                self.admission.lock().order.is_chosen(ticket)
            }
            Stage::Admitted { .. } | Stage::Running { .. } | Stage::Over => false,
        }
    }

    fn leave(&mut self, next: impl FnOnce(&mut Order) -> Stage) {
        let mut occupied = self.admission.lock();
        occupied.end(&self.stage);
        self.stage = next(&mut occupied.order);
        self.admission.publish(&occupied);
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
    fn nobody_gives_way_where_the_proved_ones_alone_are_too_many() {
        let admission = admission(4, 0, 4);
        let mut permits: Vec<Permit> = (0..4).map(|_| admission.admit(A).unwrap()).collect();
        for (key, permit) in permits.iter_mut().enumerate() {
            permit.begin(Candidate::new(0, key));
        }
        permits[0].proved();
        permits[1].proved();
        for (transfers, chosen) in [(2, None), (3, Some(2))] {
            let transfers = NonZeroUsize::new(transfers);
            admission.set_capacity(&Capacity { transfers, ..Capacity::default() });
            assert_eq!(admission.admit(B).unwrap_err(), Full::Transfers);
            assert_eq!(admission.choose_unproved(None).map(Candidate::key), chosen);
        }
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
        let repeated: Vec<bool> = permits.iter().map(Permit::repeats).collect();
        assert_eq!(repeated, (0..=REPEATED).map(|earlier| earlier < REPEATED).collect::<Vec<_>>());
        assert!(admission.admit(B).unwrap().repeats());
        permits.drain(..2);
        assert!(admission.admit(A).unwrap().repeats());
    }
}
