//! All transfers of a loop: found by token, by peer and by deadline, and carried on by whatever
//! comes in for them.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use mio::{Interest, Registry, Token};
use slab::Slab;
use tftp_core::{ErrorCode, Instant, Status, UNKNOWN_TID, Verdict};

use super::{
    giving_way::{GivingWay, News, Room},
    helpers::{Done, Helpers, Outcome},
    judge::Carrier,
    limits::{Admission, Full, Place},
    listeners::Listeners,
    own_addresses::OwnAddresses,
    ports::{NoPort, Ports},
    report::Reporter,
    session::{About, Session, Way},
};
use crate::{
    socket::{Arrival, BATCH, Inbox, Route, Socket},
    storage::Sink,
    timers::Timers,
    transfer::{Outbox, Pumped, Transfer},
};

/// A request that comes again so soon after the answer to the first was acknowledged is the same one:
/// doubled on the way, or sent again when the answer was late. Later it is from a client that begins
/// anew.
const DUPLICATE: Duration = Duration::from_secs(1);

pub(crate) struct Sessions {
    registry: Registry,
    pub(crate) listeners: Listeners,
    /// Sockets of transfers; `None` where those go through the listening sockets.
    ports: Option<Ports>,
    slots: Slab<Session>,
    /// The latest session of each peer.
    by_peer: HashMap<SocketAddr, usize>,
    admission: Arc<Admission>,
    giving_way: GivingWay,
    /// Sessions that have been reported, and only linger.
    lingering: usize,
    reporter: Reporter,
    own: Arc<OwnAddresses>,
    timers: Timers,
    /// Sessions that have more to receive or to send than their turn allowed.
    queue: VecDeque<(usize, u64)>,
    helpers: Helpers,
    /// Requests that wait for another worker's session to give way.
    parked: VecDeque<Parked>,
    outbox: Outbox,
}

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

/// What is known of a peer that sends a request.
pub(crate) enum Known {
    /// It has no transfer whose answer is still open.
    No,
    /// It has sent the very same request, and not acknowledged the answer.
    Same(usize),
    /// It has sent the very same request a moment ago, and the transfer has begun.
    Begun,
    /// It has sent another request, and not acknowledged the answer.
    Unanswered(usize),
}

impl Sessions {
    pub(crate) fn new(
        registry: Registry,
        listeners: Listeners,
        ports: Option<Ports>,
        helpers: Helpers,
        admission: Arc<Admission>,
        giving_way: GivingWay,
        own: Arc<OwnAddresses>,
    ) -> Self {
        Self {
            registry,
            listeners,
            ports,
            slots: Slab::new(),
            by_peer: HashMap::new(),
            reporter: Reporter::new(admission.counters()),
            admission,
            giving_way,
            lingering: 0,
            own,
            timers: Timers::default(),
            queue: VecDeque::new(),
            helpers,
            parked: VecDeque::new(),
            outbox: Outbox::new(),
        }
    }

    pub(crate) fn known(&self, now: Instant, peer: SocketAddr, fingerprint: u64) -> Known {
        let Some(&key) = self.by_peer.get(&peer) else { return Known::No };
        let Some(session) = self.slots.get(key) else { return Known::No };
        let same = session.about.fingerprint == fingerprint;
        match (session.transfer.is_proved(), same) {
            (false, true) => Known::Same(key),
            (false, false) => Known::Unanswered(key),
            (true, true) if now < session.about.proved_at + DUPLICATE => Known::Begun,
            (true, _) => Known::No,
        }
    }

    pub(crate) fn reporter(&mut self) -> &mut Reporter {
        &mut self.reporter
    }

    /// A place for one more transfer of `client`. Where there is none, the oldest transfer whose peer
    /// has proved nothing gives its own.
    pub(crate) fn admit(&mut self, now: Instant, client: IpAddr) -> Result<Place, Full> {
        loop {
            let full = match self.admission.admit(client) {
                Ok(place) => return Ok(place),
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

    /// A way for one more transfer, asked for by `arrival`. Where no socket is left, uploads that only linger make room, then the oldest transfer whose peer
    /// has proved nothing.
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
        way: &'a Way,
        peer: SocketAddr,
    ) -> impl Carrier + use<'a> {
        WayTo { now, way, peer, listeners: &self.listeners, outbox: &mut self.outbox }
    }

    /// Answers a request with an ERROR by a way that was opened for it, and closes the way.
    pub(crate) fn refuse(&mut self, mut way: Way, peer: SocketAddr, error: &[u8]) {
        if let Some((socket, from)) = socket_of(&mut way, &mut self.listeners)
            && let Err(error) = socket.send(Route { to: peer, from }, error)
        {
            tracing::debug!(%peer, %error, "an ERROR could not be sent");
        }
        self.close(way);
    }

    /// Closes a way that no transfer took.
    pub(crate) fn close(&mut self, way: Way) {
        if let (Way::Own(own), Some(ports)) = (way, &mut self.ports) {
            ports.close(own);
        }
    }

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
            let found = self.slots.get(chosen.key).filter(|found| found.serial == chosen.serial);
            // Its peer may have answered meanwhile.
            if found.is_some_and(|found| found.reported || !found.transfer.is_proved()) {
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

    /// Opens a session and sends its first packet.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        transfer: Transfer,
        mut way: Way,
        about: About,
        place: Place,
    ) {
        let peer = transfer.peer();
        // Its packets could not be told from those of an earlier transfer.
        if self.ports.is_none()
            && let Some(&earlier) = self.by_peer.get(&peer)
        {
            self.drop_replaced(now, earlier);
        }
        let slot = self.slots.vacant_entry();
        let key = slot.key();
        if let Way::Own(own) = &mut way {
            let (socket, token) = (own.socket.source(), Token(key));
            let watched = if own.watched {
                self.registry.reregister(socket, token, Interest::READABLE)
            } else {
                self.registry.register(socket, token, Interest::READABLE)
            };
            if let Err(error) = watched {
                tracing::error!(%peer, %error, "a transfer's socket cannot be watched");
                return;
            }
            own.watched = true;
        }
        let serial = self.giving_way.began(key, peer.ip());
        self.reporter.transfer_began(about.operation);
        slot.insert(Session {
            transfer,
            way,
            serial,
            about,
            place,
            armed: Instant::NEVER,
            blocked: false,
            queued: false,
            reported: false,
        });
        self.by_peer.insert(peer, key);
        self.carry_on(now, key);
    }

    pub(crate) fn handle_repeated_request(&mut self, now: Instant, key: usize) {
        if let Some(session) = self.slots.get_mut(key) {
            session.transfer.handle_repeated_request(now);
            self.carry_on(now, key);
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

    /// Takes what came to a listening socket for a session that goes through it. Returns whether
    /// there is one.
    pub(crate) fn handle_datagrams<'d>(
        &mut self,
        now: Instant,
        index: usize,
        from: SocketAddr,
        datagrams: impl Iterator<Item = &'d [u8]>,
    ) -> bool {
        let Some(&key) = self.by_peer.get(&from) else { return false };
        let Some(session) = self.slots.get_mut(key) else { return false };
        match session.way {
            Way::Listener { index: its, .. } if its == index => {}
            Way::Own(_) | Way::Listener { .. } => return false,
        }
        let whole = deliver(now, session, from, datagrams, &self.own);
        self.store(key, whole);
        self.carry_on(now, key);
        true
    }

    /// Takes one batch of what has come to a session's own socket.
    pub(crate) fn handle_ready(&mut self, now: Instant, key: usize, inbox: &mut Inbox) {
        let Some(session) = self.slots.get_mut(key) else { return };
        if let Way::Own(own) = &session.way {
            // What comes in for a file that goes out is an ACK now and then.
            let most = if session.transfer.is_sending() { 2 } else { BATCH };
            match own.socket.receive(inbox, most) {
                Ok(batch) => {
                    let mut whole = None;
                    for run in batch.runs() {
                        let datagrams = run.datagrams();
                        whole = whole.or(deliver(now, session, run.from, datagrams, &self.own));
                    }
                    if !batch.drained {
                        enqueue(&mut self.queue, key, session);
                    }
                    self.store(key, whole);
                }
                Err(error) => {
                    // ICMP told that a packet did not arrive. The timer decides what that means.
                    tracing::debug!(peer = %session.transfer.peer(), %error, "receive failed");
                    enqueue(&mut self.queue, key, session);
                }
            }
        }
        // It may have been writable that it was woken for.
        self.carry_on(now, key);
    }

    /// A listening socket has room again for those that found it full.
    pub(crate) fn handle_room(&mut self, now: Instant, index: usize) {
        for (key, serial) in self.listeners.take_blocked(&self.registry, index) {
            if let Some(session) = self.slots.get_mut(key).filter(|found| found.serial == serial) {
                session.blocked = false;
                self.carry_on(now, key);
            }
        }
    }

    /// Gives every session that waits for it another turn.
    pub(crate) fn work_off(&mut self, now: Instant, inbox: &mut Inbox) {
        for _ in 0..self.queue.len() {
            let Some((key, serial)) = self.queue.pop_front() else { return };
            if let Some(session) = self.slots.get_mut(key).filter(|found| found.serial == serial) {
                session.queued = false;
                self.handle_ready(now, key, inbox);
            }
        }
    }

    /// Hands a whole upload to who makes it durable.
    fn store(&mut self, key: usize, whole: Option<Box<dyn Sink>>) {
        if let (Some(sink), Some(session)) = (whole, self.slots.get_mut(key))
            && let Err(error) = self.helpers.finish(key, session.serial, sink)
        {
            session.transfer.finished(Err(error));
        }
    }

    /// Takes what the helpers have done.
    pub(crate) fn handle_done(&mut self, now: Instant) {
        while let Some(done) = self.helpers.poll() {
            self.handle_outcome(now, done);
        }
    }

    fn handle_outcome(&mut self, now: Instant, done: Done) {
        let key = done.session;
        let current = |session: &&mut Session| session.serial == done.serial;
        if let Some(session) = self.slots.get_mut(key).filter(current) {
            match done.outcome {
                Outcome::Finished(result) => session.transfer.finished(result),
                Outcome::Fetched => session.transfer.fetched(Ok(())),
            }
            self.carry_on(now, key);
        }
    }

    /// Lets the time pass for every session whose deadline has come.
    pub(crate) fn handle_timeouts(&mut self, now: Instant) {
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(session) = self.slots.get_mut(key) {
                session.armed = Instant::NEVER;
                session.transfer.handle_timeout(now);
            }
            self.carry_on(now, key);
        }
    }

    /// How long the loop may sleep.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        if self.queue.is_empty() { self.timers.sleep(now) } else { Some(Duration::ZERO) }
    }

    /// Whether any transfer still moves; lingering is none.
    pub(crate) fn any_running(&self) -> bool {
        self.slots.len() > self.lingering
    }

    /// Ends every transfer that still moves with an ERROR. An upload that is whole is stored all the
    /// same, and its client told so.
    pub(crate) fn abort_all(&mut self, now: Instant, text: &'static str) {
        let running: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in running {
            if let Some(session) = self.slots.get_mut(key) {
                session.transfer.abort(ErrorCode::NOT_DEFINED, text);
            }
            self.carry_on(now, key);
        }
        while let Some(done) = self.helpers.wait() {
            self.handle_outcome(now, done);
        }
    }

    /// Drops the session that has lingered longest, or else the oldest unproved one. Returns whether
    /// that is done, or will be by another worker; `None` where there is none.
    pub(crate) fn make_room(&mut self, now: Instant) -> Option<bool> {
        match self.giving_way.choose() {
            Room::Own(key) => {
                self.evict(now, key);
                Some(true)
            }
            Room::Elsewhere => Some(false),
            Room::None => None,
        }
    }

    /// Drops a session that gives way, if it is there. A peer that has proved nothing is told: its
    /// answer may be on its way, and it would wait for ours in vain.
    fn evict(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        if !session.reported {
            self.reporter.transfer_ended(now, session);
            session.transfer.abort(ErrorCode::NOT_DEFINED, "server is busy, try again");
            if let Some((socket, from)) = socket_of(&mut session.way, &mut self.listeners) {
                session.transfer.pump(now, socket, from, &mut self.outbox);
            }
        }
        self.remove(key);
    }

    /// After any input: sends, reports, arms the timer, or drops the session.
    fn carry_on(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        session.transfer.let_go_if_failed();
        // Known to all workers before the peer sees what follows.
        if session.transfer.is_proved() && session.place.proved() {
            session.about.proved_at = now;
            self.giving_way.proved(session.serial);
        }
        if let Some((socket, from)) = socket_of(&mut session.way, &mut self.listeners) {
            let pumped = session.transfer.pump(now, socket, from, &mut self.outbox);
            match pumped {
                Pumped::Idle | Pumped::Blocked => {}
                Pumped::More => enqueue(&mut self.queue, key, session),
                Pumped::Starved => {
                    let fetching = match session.transfer.fetch() {
                        Some(fetch) => self.helpers.fetch(key, session.serial, fetch),
                        None => Err(io::ErrorKind::WouldBlock.into()),
                    };
                    if let Err(error) = fetching {
                        session.transfer.fetched(Err(error));
                        enqueue(&mut self.queue, key, session);
                    }
                }
            }
            self.watch_for_room(key, pumped == Pumped::Blocked);
        }
        self.settle(now, key);
    }

    /// Has the loop woken once a full socket has room, or no longer.
    fn watch_for_room(&mut self, key: usize, blocked: bool) {
        let Some(session) = self.slots.get_mut(key) else { return };
        if std::mem::replace(&mut session.blocked, blocked) == blocked {
            return;
        }
        let watched = match &mut session.way {
            Way::Own(own) => {
                let interest = if blocked {
                    Interest::READABLE | Interest::WRITABLE
                } else {
                    Interest::READABLE
                };
                self.registry.reregister(own.socket.source(), Token(key), interest)
            }
            Way::Listener { index, .. } if blocked => {
                self.listeners.add_blocked(&self.registry, *index, (key, session.serial))
            }
            Way::Listener { .. } => Ok(()),
        };
        if let Err(error) = watched {
            tracing::error!(peer = %session.transfer.peer(), %error, "socket cannot be watched");
        }
    }

    /// Reports what has ended, arms the timer, and finds the session's place, or drops it.
    fn settle(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        let transfer = &mut session.transfer;
        if let Some(error) = transfer.take_send_error() {
            tracing::debug!(peer = %transfer.peer(), %error, "a datagram could not be sent");
        }
        let timeout = transfer.poll_timeout();
        let over = timeout.is_none() || matches!(transfer.status(), Status::Lingering(_));
        if over && !session.reported {
            session.reported = true;
            session.place.over();
            self.lingering += 1;
            self.giving_way.lingers(session.serial, key, session.transfer.peer().ip());
            self.reporter.transfer_ended(now, session);
        }
        match timeout {
            Some(deadline) => self.timers.arm(key, &mut session.armed, deadline),
            None => self.remove(key),
        }
    }

    fn remove(&mut self, key: usize) {
        let mut session = self.slots.remove(key);
        self.timers.disarm(key, &mut session.armed);
        self.giving_way.gone(session.serial);
        self.lingering -= usize::from(session.reported);
        let peer = session.transfer.peer();
        if self.by_peer.get(&peer) == Some(&key) {
            self.by_peer.remove(&peer);
        }
        self.close(session.way);
    }
}

/// A way, and whom it leads to.
struct WayTo<'a> {
    now: Instant,
    way: &'a Way,
    peer: SocketAddr,
    listeners: &'a Listeners,
    outbox: &'a mut Outbox,
}

impl Carrier for WayTo<'_> {
    /// Enlarged where it is for one transfer only.
    fn receive_buffer(&mut self) -> io::Result<usize> {
        match self.way {
            Way::Own(own) => {
                own.socket.enlarge_receive_buffer();
                own.socket.receive_buffer()
            }
            Way::Listener { index, .. } => self.listeners.receive_buffer(*index),
        }
    }

    fn longest_datagram(&mut self) -> usize {
        self.outbox.paths().longest_datagram(self.now, self.peer)
    }
}

/// The socket behind a way, and the address of ours to send from where it has several.
fn socket_of<'a>(
    way: &'a mut Way,
    listeners: &'a mut Listeners,
) -> Option<(&'a mut Socket, Option<IpAddr>)> {
    match way {
        Way::Own(own) => Some((&mut own.socket, None)),
        Way::Listener { index, from } => Some((listeners.get_mut(*index)?, Some(*from))),
    }
}

/// Has the session wait for another turn, once.
fn enqueue(queue: &mut VecDeque<(usize, u64)>, key: usize, session: &mut Session) {
    if !std::mem::replace(&mut session.queued, true) {
        queue.push_back((key, session.serial));
    }
}

/// Gives datagrams to their session, and answers strangers. A sink that is returned is to be
/// finished.
fn deliver<'d>(
    now: Instant,
    session: &mut Session,
    from: SocketAddr,
    datagrams: impl Iterator<Item = &'d [u8]>,
    own_addresses: &OwnAddresses,
) -> Option<Box<dyn Sink>> {
    let Session { transfer, way, about, .. } = session;
    let peer = transfer.peer();
    transfer.handle_datagrams(now, from, datagrams, |verdict| match verdict {
        Verdict::Accepted => {}
        Verdict::Ignored(why) => tracing::trace!(%from, ?why, "packet ignored"),
        Verdict::Stray if own_addresses.contains(from) => {
            tracing::debug!(%from, "packet from ourselves");
        }
        Verdict::Stray => {
            tracing::debug!(%from, %peer, "packet from a stranger");
            if let Way::Own(own) = way
                && let Err(error) = own.socket.send(Route { to: from, from: None }, UNKNOWN_TID)
            {
                tracing::debug!(%from, %error, "an ERROR could not be sent");
            }
        }
        Verdict::PeerError { code, message } => {
            about.peer_error = Some(Box::new((code, message.into())));
        }
    })
}
