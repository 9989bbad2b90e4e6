//! Requests that wait: for what was sent before them, or for another worker's session to give way;
//! and the sessions here that give way to those of other workers.

use std::net::{IpAddr, SocketAddr};

use tftp_core::Instant;

use super::{Known, Sessions, turns::enqueue};
use crate::{
    server::{
        giving_way::News,
        session::{Waiting, Way},
    },
    socket::Arrival,
};

/// A request that is handled once more.
pub(crate) struct Parked {
    pub(crate) index: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: IpAddr,
    pub(crate) datagram: Box<[u8]>,
    /// Answers of other workers that it waits for.
    answers: usize,
}

impl Parked {
    fn new(&Arrival { index, from, to, datagram }: &Arrival<'_>, answers: usize) -> Self {
        Self { index, from, to, datagram: datagram.into(), answers }
    }
}

/// Requests that may wait for room at a time.
const MOST_PARKED: usize = 64;

impl Sessions {
    /// Has a request handled once more when the socket of its peer's transfer has been read, if
    /// something waits there: it may have been sent before, and end the transfer. Returns whether
    /// that is so.
    pub(crate) fn put_off(&mut self, arrival: &Arrival<'_>, known: Known) -> bool {
        let (Known::Same(key) | Known::Begun(key) | Known::Unanswered(key)) = known else {
            return false;
        };
        let Some(session) = self.slots.get_mut(key) else { return false };
        let overtakes = matches!(&session.way, Way::Own(own) if own.socket.has_waiting());
        if overtakes {
            self.overtaking.push(Parked::new(arrival, 0));
            session.waiting = Waiting::Likely;
            enqueue(&mut self.queue, key, session);
        }
        overtakes
    }

    /// The requests that were put off before the sockets of transfers were read.
    pub(crate) fn take_overtaking(&mut self) -> Vec<Parked> {
        std::mem::take(&mut self.overtaking)
    }

    /// Has a request handled once more when other workers may have made room: one that was told to,
    /// or all of them with what has come for them by now. Returns whether it may wait.
    pub(crate) fn park(&mut self, arrival: &Arrival<'_>, told: bool) -> bool {
        if self.parked.len() >= MOST_PARKED {
            return false;
        }
        let answers = if told { 1 } else { self.giving_way.ask_others() };
        if answers > 0 {
            self.parked.push_back(Parked::new(arrival, answers));
        }
        answers > 0
    }

    /// Drops the sessions that give way to requests at other workers. Returns the requests of ours
    /// that have waited enough.
    pub(crate) fn exchange_news(&mut self, now: Instant) -> Vec<Parked> {
        let News { chosen, mut answers, .. } = self.giving_way.take_news();
        for chosen in chosen {
            // Its peer may have answered meanwhile, or it may be gone.
            if self.slots.get(chosen.key).is_some_and(|found| found.permit.is_chosen()) {
                self.evict(now, chosen.key);
            }
            // What rests here is missed elsewhere.
            if let Some(ports) = &mut self.ports {
                ports.close_idle();
            }
            self.giving_way.gave_way(chosen);
        }
        let mut ready = Vec::new();
        while answers > 0
            && let Some(first) = self.parked.front_mut()
        {
            let taken = answers.min(first.answers);
            answers -= taken;
            first.answers -= taken;
            if first.answers == 0 {
                ready.extend(self.parked.pop_front());
            }
        }
        ready
    }
}
