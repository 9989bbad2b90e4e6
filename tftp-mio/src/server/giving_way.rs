//! Which sessions may give way to others, and in which order. All workers share the order: what one
//! needs, a session of another may have.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use mio::Waker;

/// One worker's view of the order.
pub(crate) struct GivingWay {
    shared: Arc<Shared>,
    worker: usize,
}

struct Shared {
    order: Mutex<Order>,
    next_serial: AtomicU64,
    wakers: Arc<[Arc<Waker>]>,
}

/// Candidates by their serial numbers, so the oldest comes first.
#[derive(Default)]
struct Order {
    unproved: BTreeMap<u64, Candidate>,
    /// The unproved ones again, by client.
    of_clients: BTreeSet<(IpAddr, u64)>,
    lingering: BTreeMap<u64, Candidate>,
    /// For each worker, what the others have for it.
    news: Vec<News>,
}

/// What other workers have for one.
#[derive(Default)]
pub(crate) struct News {
    /// Sessions that give way to requests over there.
    pub(crate) chosen: Vec<Chosen>,
    /// Workers that wait until this one has handled what had come for it.
    asked_by: Vec<usize>,
    /// How often others have done what they were asked for.
    pub(crate) answers: usize,
}

#[derive(Clone, Copy)]
struct Candidate {
    worker: usize,
    key: usize,
    client: IpAddr,
}

/// A session that gives way to a request at another worker.
#[derive(Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) key: usize,
    pub(crate) serial: u64,
    /// Who waits for it, if anybody does.
    for_worker: Option<usize>,
}

/// What room there is for one more session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// This session of our own gives way.
    Own(usize),
    /// Another worker's session gives way; this one is woken then.
    Elsewhere,
    /// Nobody gives way.
    None,
}

impl GivingWay {
    /// The views of so many workers as there are wakers.
    pub(crate) fn of_workers(wakers: &Arc<[Arc<Waker>]>) -> impl Iterator<Item = Self> + use<> {
        let workers = wakers.len();
        let news = (0..workers).map(|_| News::default()).collect();
        let order = Order { news, ..Order::default() };
        let (order, next_serial, wakers) = (Mutex::new(order), AtomicU64::new(0), wakers.clone());
        let shared = Arc::new(Shared { order, next_serial, wakers });
        (0..workers).map(move |worker| Self { shared: Arc::clone(&shared), worker })
    }

    /// A session has begun; its peer has proved nothing. Returns its serial number.
    pub(crate) fn began(&self, key: usize, client: IpAddr) -> u64 {
        let serial = self.shared.next_serial.fetch_add(1, Ordering::Relaxed);
        let mut order = self.order();
        order.unproved.insert(serial, Candidate { worker: self.worker, key, client });
        order.of_clients.insert((client, serial));
        serial
    }

    /// A session's peer has answered: it stays.
    pub(crate) fn proved(&self, serial: u64) {
        self.order().forget_unproved(serial);
    }

    /// A session has done its work, and is only there to repeat its last ACK.
    pub(crate) fn lingers(&self, serial: u64, key: usize, client: IpAddr) {
        let mut order = self.order();
        order.forget_unproved(serial);
        order.lingering.insert(serial, Candidate { worker: self.worker, key, client });
    }

    /// A session is gone.
    pub(crate) fn gone(&self, serial: u64) {
        let mut order = self.order();
        order.forget_unproved(serial);
        order.lingering.remove(&serial);
    }

    /// Chooses the session that has lingered longest, or else the oldest unproved one. One that is
    /// elsewhere is waited for: an answer follows.
    pub(crate) fn choose(&self) -> Room {
        let mut order = self.order();
        let lingering = order.lingering.pop_first();
        let first = lingering.or_else(|| order.oldest_unproved(None));
        self.settle(&mut order, first, Some(self.worker))
    }

    /// Chooses the oldest session whose peer has proved nothing, of one client or of all. One that
    /// is elsewhere is not waited for.
    pub(crate) fn choose_unproved(&self, client: Option<IpAddr>) -> Room {
        let mut order = self.order();
        let first = order.oldest_unproved(client);
        self.settle(&mut order, first, None)
    }

    /// Asks all others to handle what has come for them: it may make room. Returns how many answers
    /// follow.
    pub(crate) fn ask_others(&self) -> usize {
        let mut order = self.order();
        for worker in (0..order.news.len()).filter(|&worker| worker != self.worker) {
            order.news[worker].asked_by.push(self.worker);
            self.wake(worker);
        }
        order.news.len() - 1
    }

    /// What has come for us since the last call. Who asked is answered: call it when what came
    /// before is handled.
    pub(crate) fn take_news(&self) -> News {
        let mut order = self.order();
        let news = mem::take(&mut order.news[self.worker]);
        for &worker in &news.asked_by {
            self.answer(&mut order, worker);
        }
        news
    }

    /// A session that another worker has chosen is gone.
    pub(crate) fn gave_way(&self, chosen: Chosen) {
        if let Some(worker) = chosen.for_worker {
            self.answer(&mut self.order(), worker);
        }
    }

    fn answer(&self, order: &mut Order, worker: usize) {
        order.news[worker].answers += 1;
        self.wake(worker);
    }

    fn settle(
        &self,
        order: &mut Order,
        first: Option<(u64, Candidate)>,
        for_worker: Option<usize>,
    ) -> Room {
        match first {
            None => Room::None,
            Some((_, candidate)) if candidate.worker == self.worker => Room::Own(candidate.key),
            Some((serial, Candidate { worker, key, .. })) => {
                let chosen = Chosen { key, serial, for_worker };
                order.news[worker].chosen.push(chosen);
                self.wake(worker);
                Room::Elsewhere
            }
        }
    }

    fn wake(&self, worker: usize) {
        if let Err(error) = self.shared.wakers[worker].wake() {
            tracing::error!(error = %crate::of_the_system(&error), "cannot wake another worker");
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.shared.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Order {
    /// Takes the oldest unproved session out of the order.
    fn oldest_unproved(&mut self, client: Option<IpAddr>) -> Option<(u64, Candidate)> {
        let serial = match client {
            Some(client) => {
                self.of_clients.range((client, 0)..=(client, u64::MAX)).next().map(|&(_, at)| at)?
            }
            None => *self.unproved.keys().next()?,
        };
        self.forget_unproved(serial).map(|candidate| (serial, candidate))
    }

    fn forget_unproved(&mut self, serial: u64) -> Option<Candidate> {
        let candidate = self.unproved.remove(&serial)?;
        self.of_clients.remove(&(candidate.client, serial));
        Some(candidate)
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn workers() -> (Vec<Poll>, Vec<GivingWay>) {
        let polls: Vec<Poll> = (0..2).map(|_| Poll::new().unwrap()).collect();
        let waker = |poll: &Poll| Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let wakers: Arc<[_]> = polls.iter().map(waker).collect();
        (polls, GivingWay::of_workers(&wakers).collect())
    }

    #[test]
    fn who_lingers_goes_before_who_is_unproved_and_the_older_first_whose_ever_it_is() {
        let (_polls, workers) = workers();
        let [one, other] = &workers[..] else { panic!("two workers") };
        one.began(10, A);
        let lingering = other.began(20, A);
        other.began(21, B);
        other.lingers(lingering, 20, A);
        assert_eq!(one.choose(), Room::Elsewhere);
        assert_eq!(one.choose(), Room::Own(10));
        assert_eq!(one.choose(), Room::Elsewhere);
        assert_eq!(one.choose(), Room::None);
        let chosen: Vec<usize> = other.take_news().chosen.iter().map(|chosen| chosen.key).collect();
        assert_eq!(chosen, [20, 21]);
        assert!(one.take_news().chosen.is_empty());
    }

    #[test]
    fn who_waits_is_answered_by_each_that_it_asked() {
        let (_polls, workers) = workers();
        let [one, other] = &workers[..] else { panic!("two workers") };
        other.began(20, A);
        other.began(21, A);
        assert_eq!(one.choose_unproved(None), Room::Elsewhere);
        assert_eq!(one.choose(), Room::Elsewhere);
        assert_eq!(one.ask_others(), 1);
        assert_eq!(one.take_news().answers, 0);
        for chosen in other.take_news().chosen {
            other.gave_way(chosen);
        }
        assert_eq!(one.take_news().answers, 2, "nobody waited for the first");
    }

    #[test]
    fn a_client_is_only_asked_for_its_own() {
        let (_polls, workers) = workers();
        let serials = [A, B, A].map(|client| workers[0].began(7, client));
        workers[0].proved(serials[0]);
        assert_eq!(workers[1].choose_unproved(Some(A)), Room::Elsewhere);
        assert_eq!(workers[0].take_news().chosen[0].serial, serials[2]);
        assert_eq!(workers[1].choose_unproved(Some(A)), Room::None);
        workers[0].gone(serials[1]);
        assert_eq!(workers[1].choose_unproved(None), Room::None);
    }
}
