//! Opening: a permit and a way for a transfer that a request asks for, and its session.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use mio::{Interest, Token};
use tftp_core::Instant;

use super::{Sessions, socket_of};
use crate::{
    server::{
        giving_way::Room,
        judge::Carrier,
        limits::{Full, Permit},
        listeners::Listeners,
        ports::NoPort,
        session::{About, Session, Waiting, Way},
    },
    socket::{Arrival, Route},
    transfer::{Outbox, Transfer},
};

impl Sessions {
    /// A permit for one more transfer of `client`. Where there is none, the oldest transfer whose peer
    /// has proved nothing gives its own.
    pub(crate) fn admit(&mut self, now: Instant, client: IpAddr) -> Result<Permit, Full> {
        loop {
            let full = match self.admission.admit(client) {
                Ok(permit) => return Ok(permit),
                Err(full) => full,
            };
            // A client that asks again from another port has given its first request up.
            let of = (full == Full::Client).then_some(client);
            match (self.giving_way.choose_unproved(of), full) {
                (Room::Own(key), _) => self.evict(now, key),
                // There is one too many until the other worker has heard of it.
                (Room::Elsewhere, _) | (Room::None, Full::HalfOpen) => {
                    return Ok(self.admission.admit_half_open(client));
                }
                (Room::None, Full::Transfers | Full::Client) => return Err(full),
            }
        }
    }

    /// A way for one more transfer, asked for by `arrival`. Where no socket is left, uploads that only
    /// linger make room, then the oldest transfer whose peer has proved nothing.
    ///
    /// # Errors
    /// When there is none, and whether another worker makes room.
    pub(crate) fn open_way(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
    ) -> Result<Way, (NoPort, bool)> {
        loop {
            let Some(ports) = &mut self.ports else {
                return Ok(Way::Listener { index: arrival.index, from: arrival.to });
            };
            let why = match ports.open(arrival.to, arrival.from) {
                Ok(own) => return Ok(Way::Own(own)),
                Err(why) => why,
            };
            match self.make_room(now) {
                Some(true) => {}
                Some(false) => return Err((why, true)),
                None => return Err((why, false)),
            }
        }
    }

    /// What a way carries to `peer`.
    pub(crate) fn carrier<'a>(
        &'a mut self,
        now: Instant,
        way: &'a mut Way,
        peer: SocketAddr,
    ) -> impl Carrier + use<'a> {
        WayTo { now, way, peer, listeners: &self.listeners, outbox: &mut self.outbox }
    }

    /// Answers a request with an ERROR by a way that was opened for it, and closes the way.
    pub(crate) fn refuse(&mut self, way: Way, peer: SocketAddr, error: &[u8]) {
        if let Some((socket, from)) = socket_of(&way, &self.listeners)
            && let Err(error) = socket.send(Route { to: peer, from }, error)
        {
            tracing::debug!(%peer, %error, "an ERROR could not be sent");
        }
        self.close(way);
    }

    /// Opens a session. Its first packet leaves when the [new ones are answered](Self::answer_new).
    pub(crate) fn open(
        &mut self,
        now: Instant,
        transfer: Transfer,
        mut way: Way,
        about: About,
        mut permit: Permit,
    ) {
        let peer = transfer.peer();
        // Its packets could not be told from those of an earlier transfer.
        if self.ports.is_none()
            && let Some(earlier) = self.by_peer.get(&self.slots, peer)
        {
            self.drop_replaced(now, earlier);
        }
        let slot = self.slots.vacant_entry();
        let key = slot.key();
        if let Way::Own(own) = &mut way {
            let watched = own.socket.watch(&self.registry, Token(key), Interest::READABLE);
            if let Err(error) = watched {
                tracing::error!(
                    %peer,
                    error = %crate::of_the_system(&error),
                    "a transfer's socket cannot be watched"
                );
                return;
            }
        }
        self.giving_way.began(key, &mut permit);
        self.next_serial += 1;
        self.reporter.transfer_began(about.operation);
        slot.insert(Session {
            transfer,
            way,
            serial: self.next_serial,
            about,
            permit,
            waiting: Waiting::No,
            blocked: false,
            queued: false,
            reported: false,
        });
        self.by_peer.insert(&self.slots, key);
        self.unanswered.push((key, self.next_serial));
    }

    /// Sends the first packets of the sessions that were opened since the last call. Requests that
    /// came before are handled first: one that was doubled on its way is known as such only as long
    /// as its peer cannot have answered.
    pub(crate) fn answer_new(&mut self, now: Instant) {
        for (key, serial) in std::mem::take(&mut self.unanswered) {
            if self.slots.get(key).is_some_and(|found| found.serial == serial) {
                self.carry_on(now, key);
            }
        }
    }

    /// Whether a session has been opened since.
    pub(crate) fn any_new(&self) -> bool {
        !self.unanswered.is_empty()
    }
}

/// A way, and whom it leads to.
struct WayTo<'a> {
    now: Instant,
    way: &'a mut Way,
    peer: SocketAddr,
    listeners: &'a Listeners,
    outbox: &'a mut Outbox,
}

impl Carrier for WayTo<'_> {
    /// Enlarged where it is for one transfer only.
    fn receive_buffer(&mut self) -> io::Result<usize> {
        match self.way {
            Way::Own(own) => {
                own.socket.prepare_to_receive()?;
                own.socket.receive_buffer()
            }
            Way::Listener { index, .. } => self.listeners.receive_buffer(*index),
        }
    }

    fn longest_datagram(&mut self) -> usize {
        self.outbox.paths().longest_datagram(self.now, self.peer)
    }
}
