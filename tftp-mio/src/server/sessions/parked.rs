//! Requests that wait for another worker's session to give way, and the sessions here that give
//! way to those of other workers.

use std::net::{IpAddr, SocketAddr};

use tftp_core::Instant;

use super::Sessions;
use crate::{server::giving_way::News, socket::Arrival};

/// A request that is handled once more when there is room.
pub(crate) struct Parked {
    pub(crate) index: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: IpAddr,
    pub(crate) datagram: Box<[u8]>,
    /// Answers of other workers that it waits for.
    answers: usize,
}

/// Requests that may wait at a time.
const MOST_PARKED: usize = 64;

impl Sessions {
    /// Has a request handled once more when other workers may have made room: one that was told to,
    /// or all of them with what has come for them by now. Returns whether it may wait.
    pub(crate) fn park(&mut self, arrival: &Arrival<'_>, told: bool) -> bool {
        if self.parked.len() >= MOST_PARKED {
            return false;
        }
        let answers = if told { 1 } else { self.giving_way.ask_others() };
        if answers > 0 {
            let Arrival { index, from, to, datagram } = *arrival;
            self.parked.push_back(Parked { index, from, to, datagram: datagram.into(), answers });
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
