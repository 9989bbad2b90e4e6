//! Sessions that give way to others, also to those of other workers: what one needs, a session of
//! another may have.

use std::{
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mio::Waker;

use super::{
    limits::{Admission, Permit},
    order::Candidate,
};

/// One worker's view of who gives way.
pub(crate) struct GivingWay {
    shared: Arc<Shared>,
    worker: usize,
}

struct Shared {
    admission: Arc<Admission>,
    /// For each worker, what the others have for it.
    news: Mutex<Vec<News>>,
    wakers: Arc<[Arc<Waker>]>,
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

/// A session that gives way to a request at another worker, if its
/// [permit](Permit::is_chosen) says so still.
#[derive(Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) key: usize,
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
    pub(crate) fn of_workers(
        admission: &Arc<Admission>,
        wakers: &Arc<[Arc<Waker>]>,
    ) -> impl Iterator<Item = Self> + use<> {
        let workers = wakers.len();
        let news = Mutex::new((0..workers).map(|_| News::default()).collect());
        let shared = Shared { admission: Arc::clone(admission), news, wakers: wakers.clone() };
        let shared = Arc::new(shared);
        (0..workers).map(move |worker| Self { shared: Arc::clone(&shared), worker })
    }

    /// A session has begun; its peer has proved nothing.
    pub(crate) fn began(&self, key: usize, permit: &mut Permit) {
        permit.begin(Candidate::new(self.worker, key));
    }

    /// A session has done its work, and is only there to repeat its last ACK.
    pub(crate) fn lingers(&self, key: usize, permit: &mut Permit) {
        permit.linger(Candidate::new(self.worker, key));
    }

    /// Chooses the session that has lingered longest, or else the oldest unproved one. One that is
    /// elsewhere is waited for: an answer follows.
    pub(crate) fn choose(&self) -> Room {
        self.settle(self.shared.admission.choose(), Some(self.worker))
    }

    /// Chooses the oldest session whose peer has proved nothing, of one client or of all. One that
    /// is elsewhere is not waited for.
    pub(crate) fn choose_unproved(&self, client: Option<IpAddr>) -> Room {
        self.settle(self.shared.admission.choose_unproved(client), None)
    }

    /// Asks all others to handle what has come for them: it may make room. Returns how many answers
    /// follow.
    pub(crate) fn ask_others(&self) -> usize {
        let mut news = self.news();
        for worker in (0..news.len()).filter(|&worker| worker != self.worker) {
            news[worker].asked_by.push(self.worker);
            self.wake(worker);
        }
        news.len() - 1
    }

    /// What has come for us since the last call. Who asked is answered: call it when what came
    /// before is handled.
    pub(crate) fn take_news(&self) -> News {
        let mut news = self.news();
        let ours = mem::take(&mut news[self.worker]);
        for &worker in &ours.asked_by {
            self.answer(&mut news, worker);
        }
        ours
    }

    /// A session that another worker has chosen is gone.
    pub(crate) fn gave_way(&self, chosen: Chosen) {
        if let Some(worker) = chosen.for_worker {
            self.answer(&mut self.news(), worker);
        }
    }

    fn answer(&self, news: &mut [News], worker: usize) {
        news[worker].answers += 1;
        self.wake(worker);
    }

    fn settle(&self, candidate: Option<Candidate>, for_worker: Option<usize>) -> Room {
        let Some(candidate) = candidate else { return Room::None };
        let (worker, key) = (candidate.worker(), candidate.key());
        if worker == self.worker {
            return Room::Own(key);
        }
        self.news()[worker].chosen.push(Chosen { key, for_worker });
        self.wake(worker);
        Room::Elsewhere
    }

    fn wake(&self, worker: usize) {
        if let Err(error) = self.shared.wakers[worker].wake() {
            tracing::error!(error = %crate::of_the_system(&error), "cannot wake another worker");
        }
    }

    fn news(&self) -> MutexGuard<'_, Vec<News>> {
        self.shared.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::{super::limits::Capacity, *};

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Polls that keep the wakers working, and the views of two workers.
    fn workers() -> (Vec<Poll>, Vec<GivingWay>) {
        let polls: Vec<Poll> = (0..2).map(|_| Poll::new().unwrap()).collect();
        let waker = |poll: &Poll| Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let wakers: Arc<[_]> = polls.iter().map(waker).collect();
        let admission = Admission::new(&Capacity::default(), 100, Arc::default());
        (polls, GivingWay::of_workers(&admission, &wakers).collect())
    }

    #[must_use]
    fn begin(worker: &GivingWay, key: usize, client: IpAddr) -> Permit {
        let mut permit = worker.shared.admission.admit(client).unwrap();
        worker.began(key, &mut permit);
        permit
    }

    fn chosen(worker: &GivingWay) -> Vec<usize> {
        worker.take_news().chosen.iter().map(|chosen| chosen.key).collect()
    }

    #[test]
    fn who_lingers_goes_before_who_is_unproved_and_the_older_first_whose_ever_it_is() {
        let (_polls, workers) = workers();
        let [one, other] = &workers[..] else { panic!("two workers") };
        let _first = begin(one, 10, A);
        let mut lingering = begin(other, 20, A);
        let _third = begin(other, 21, B);
        other.lingers(20, &mut lingering);
        assert_eq!(one.choose(), Room::Elsewhere);
        assert_eq!(one.choose(), Room::Own(10));
        assert_eq!(one.choose(), Room::Elsewhere);
        assert_eq!(one.choose(), Room::None);
        assert_eq!(chosen(other), [20, 21]);
        assert!(chosen(one).is_empty());
    }

    #[test]
    fn who_waits_is_answered_by_each_that_it_asked() {
        let (_polls, workers) = workers();
        let [one, other] = &workers[..] else { panic!("two workers") };
        let _permits = [20, 21].map(|key| begin(other, key, A));
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
        let [mut first, second, _third] =
            [(7, A), (8, B), (9, A)].map(|(key, client)| begin(&workers[0], key, client));
        first.proved();
        assert_eq!(workers[1].choose_unproved(Some(A)), Room::Elsewhere);
        assert_eq!(chosen(&workers[0]), [9]);
        assert_eq!(workers[1].choose_unproved(Some(A)), Room::None);
        drop(second);
        assert_eq!(workers[1].choose_unproved(None), Room::None);
    }

    #[test]
    fn who_is_gone_is_not_chosen() {
        let (_polls, workers) = workers();
        let unproved = begin(&workers[0], 7, A);
        let mut lingering = begin(&workers[0], 8, A);
        workers[0].lingers(8, &mut lingering);
        drop((unproved, lingering));
        assert_eq!(workers[0].choose(), Room::None);
    }

    #[test]
    fn who_has_answered_since_it_was_chosen_stays_and_so_does_who_has_its_slot_now() {
        let (_polls, workers) = workers();
        let [one, other] = &workers[..] else { panic!("two workers") };
        let mut answers = begin(other, 20, A);
        let ends = begin(other, 21, A);
        assert_eq!([one.choose(), one.choose()], [Room::Elsewhere; 2]);
        assert!(answers.is_chosen() && ends.is_chosen());
        assert!(answers.proved());
        drop(ends);
        let next = begin(other, 21, A);
        assert!(!answers.is_chosen() && !next.is_chosen());
    }
}
