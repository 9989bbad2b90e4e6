//! Giving way: sessions that are dropped before their time, for requests or by what their own peer
//! sends instead of an answer.

use tftp_core::{ErrorCode, Instant};

use super::{Sessions, turns::pump};
use crate::server::{giving_way::Room, ports::Ports};

impl Sessions {
    /// Closes the sockets that rest, or where there are none drops the session that has lingered
    /// longest, or else the oldest unproved one; its socket then rests, as room may be wanted for
    /// that or for a file. Returns whether it is done, or will be by another worker; `None` where
    /// there is nothing to drop.
    pub(crate) fn make_room(&mut self, now: Instant) -> Option<bool> {
        if self.ports.as_mut().is_some_and(Ports::close_idle) {
            return Some(true);
        }
        match self.giving_way.choose() {
            Room::Own(key) => {
                self.evict(now, key);
                Some(true)
            }
            Room::Elsewhere => Some(false),
            Room::None => None,
        }
    }

    /// Drops a session whose peer has sent another request instead of an answer.
    pub(crate) fn drop_replaced(&mut self, now: Instant, key: usize) {
        if let Some(session) = self.slots.get_mut(key) {
            if !session.reported {
                self.reporter.transfer_ended(now, session);
            }
            self.remove(key);
        }
    }

    /// Drops a session that gives way, if it is there. A peer that has proved nothing is told: its
    /// answer may be on its way, and it would wait for ours in vain.
    pub(super) fn evict(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        if !session.reported {
            self.reporter.transfer_ended(now, session);
            session.transfer.abort(ErrorCode::NOT_DEFINED, "server is busy, try again");
            pump(now, session, &self.listeners, &mut self.outbox);
        }
        self.remove(key);
    }
}
