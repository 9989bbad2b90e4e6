//! All transfers of a loop: found by token, by peer and by deadline, and carried on by whatever
//! comes in for them.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use mio::{Interest, Registry, Token, Waker, net::UdpSocket};
use slab::Slab;
use tftp_core::{ErrorCode, Instant, Status, UNKNOWN_TID, Verdict};

use super::{
    finisher::{Finished, Finisher},
    giving_way::GivingWay,
    limits::{Admission, Full, Place},
    own_addresses::OwnAddresses,
    ports::{NoPort, Ports},
    report::Reporter,
    session::{About, Session},
};
use crate::{
    socket::DATAGRAM,
    storage::Sink,
    timers::Timers,
    transfer::{Scratch, Transfer},
};

/// Datagrams that one transfer may take before the others have their turn.
const TURN: usize = 64;

/// A request that comes again this soon is the same one, sent twice or doubled on the way, even if
/// its transfer has begun meanwhile. Later it is from a client that begins anew.
const DUPLICATE: Duration = Duration::from_secs(1);

pub(crate) struct Sessions {
    registry: Registry,
    ports: Ports,
    slots: Slab<Session>,
    /// The latest session of each peer.
    by_peer: HashMap<SocketAddr, usize>,
    admission: Arc<Admission>,
    giving_way: GivingWay,
    reporter: Reporter,
    own: Arc<OwnAddresses>,
    timers: Timers,
    /// Sessions whose sockets may hold more than their turn allowed.
    backlog: VecDeque<(usize, u64)>,
    finisher: Finisher,
    serial: u64,
    scratch: Scratch,
    inbox: Box<[u8]>,
}

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
        ports: Ports,
        waker: Arc<Waker>,
        admission: Arc<Admission>,
        own: Arc<OwnAddresses>,
    ) -> Self {
        Self {
            registry,
            ports,
            slots: Slab::new(),
            by_peer: HashMap::new(),
            reporter: Reporter::new(admission.counters()),
            admission,
            giving_way: GivingWay::default(),
            own,
            timers: Timers::default(),
            backlog: VecDeque::new(),
            finisher: Finisher::new(waker),
            serial: 0,
            scratch: Scratch::new(),
            inbox: vec![0; DATAGRAM].into(),
        }
    }

    pub(crate) fn known(&self, now: Instant, peer: SocketAddr, fingerprint: u64) -> Known {
        let Some(&key) = self.by_peer.get(&peer) else { return Known::No };
        let Some(session) = self.slots.get(key) else { return Known::No };
        let same = session.about.fingerprint == fingerprint;
        match (session.transfer.is_proved(), same) {
            (false, true) => Known::Same(key),
            (false, false) => Known::Unanswered(key),
            (true, true) if now < session.about.began + DUPLICATE => Known::Begun,
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
            if !self.drop_unproved(now, of) {
                return match full {
                    Full::HalfOpen => Ok(self.admission.admit_half_open(client)),
                    Full::Transfers | Full::Client => Err(full),
                };
            }
        }
    }

    /// A socket for one more transfer. Where there is none, uploads that only linger make room, then
    /// the oldest transfer whose peer has proved nothing.
    pub(crate) fn open_port(
        &mut self,
        now: Instant,
        local: IpAddr,
        peer: SocketAddr,
    ) -> Result<(UdpSocket, u16), NoPort> {
        loop {
            match self.ports.open(local, peer) {
                Err(_) if self.make_room(now) => {}
                result => return result,
            }
        }
    }

    pub(crate) fn close_port(&mut self, port: u16) {
        self.ports.close(port);
    }

    /// Opens a session and sends its first packet.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        transfer: Transfer,
        mut socket: UdpSocket,
        port: u16,
        about: About,
        place: Place,
    ) {
        let peer = about.peer;
        let slot = self.slots.vacant_entry();
        let key = slot.key();
        if let Err(error) = self.registry.register(&mut socket, Token(key), Interest::READABLE) {
            tracing::error!(%peer, %error, "a transfer's socket cannot be watched");
            self.ports.close(port);
            return;
        }
        self.serial += 1;
        self.giving_way.began(self.serial, key);
        self.reporter.transfer_began(about.operation);
        slot.insert(Session {
            transfer,
            socket,
            port,
            serial: self.serial,
            about,
            place,
            armed: Instant::NEVER,
            blocked: false,
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
            self.reporter.transfer_ended(now, session);
            self.remove(key);
        }
    }

    /// Takes what has come for a session, up to its turn.
    pub(crate) fn handle_ready(&mut self, now: Instant, key: usize) {
        for _ in 0..TURN {
            let Some(session) = self.slots.get_mut(key) else { return };
            match session.socket.recv_from(&mut self.inbox) {
                Ok((len, from)) => {
                    let whole = deliver(now, session, from, &self.inbox[..len], &self.own);
                    if let Some(sink) = whole
                        && let Err(error) = self.finisher.finish(key, session.serial, sink)
                    {
                        session.transfer.finished(Err(error));
                    }
                    self.carry_on(now, key);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // It may have been writable that it was woken for.
                    return self.carry_on(now, key);
                }
                Err(error) => {
                    // ICMP told that a packet did not arrive. The timer decides what that means.
                    tracing::debug!(peer = %session.about.peer, %error, "receive failed");
                }
            }
        }
        if let Some(session) = self.slots.get(key) {
            self.backlog.push_back((key, session.serial));
        }
    }

    /// Gives every session with more to take another turn.
    pub(crate) fn work_off(&mut self, now: Instant) {
        for _ in 0..self.backlog.len() {
            let Some((key, serial)) = self.backlog.pop_front() else { return };
            if self.slots.get(key).is_some_and(|session| session.serial == serial) {
                self.handle_ready(now, key);
            }
        }
    }

    /// Takes the results of uploads that were made durable.
    pub(crate) fn handle_finished(&mut self, now: Instant) {
        while let Some(finished) = self.finisher.poll() {
            self.handle_result(now, finished);
        }
    }

    fn handle_result(&mut self, now: Instant, finished: Finished) {
        let key = finished.session;
        let current = |session: &&mut Session| session.serial == finished.serial;
        if let Some(session) = self.slots.get_mut(key).filter(current) {
            session.transfer.finished(finished.result);
            self.carry_on(now, key);
        }
    }

    /// Lets the time pass for every session whose deadline has come.
    pub(crate) fn handle_timeouts(&mut self, now: Instant) {
        while let Some(key) = self.timers.due(now) {
            if let Some(session) = self.slots.get_mut(key) {
                session.transfer.handle_timeout(now);
            }
            self.carry_on(now, key);
        }
    }

    /// How long the loop may sleep.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        if self.backlog.is_empty() { self.timers.sleep(now) } else { Some(Duration::ZERO) }
    }

    /// Whether any transfer still moves; lingering is none.
    pub(crate) fn any_running(&self) -> bool {
        self.slots.iter().any(|(_, session)| !session.reported)
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
        while self.slots.iter().any(|(_, session)| session.transfer.is_finishing()) {
            let Some(finished) = self.finisher.wait() else { return };
            self.handle_result(now, finished);
        }
    }

    /// Drops the session that has lingered longest, or else the oldest unproved one, if any.
    pub(crate) fn make_room(&mut self, now: Instant) -> bool {
        match self.giving_way.lingering() {
            Some(key) => {
                self.remove(key);
                true
            }
            None => self.drop_unproved(now, None),
        }
    }

    /// Drops the oldest session whose peer has proved nothing, of one client or of all, if any.
    fn drop_unproved(&mut self, now: Instant, of: Option<IpAddr>) -> bool {
        let whose = |key: &usize| self.slots.get(*key).map(|session| session.about.peer.ip());
        let first = self.giving_way.unproved().find(|key| of.is_none() || whose(key) == of);
        if let Some(key) = first {
            self.drop_replaced(now, key);
        }
        first.is_some()
    }

    /// After any input: sends, reports, arms the timer, or drops the session.
    fn carry_on(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        let was_blocked = session.blocked;
        session.pump(now, &mut self.scratch);
        if session.blocked != was_blocked {
            let interest = if session.blocked {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            if let Err(error) = self.registry.reregister(&mut session.socket, Token(key), interest)
            {
                tracing::error!(peer = %session.about.peer, %error, "socket cannot be watched");
            }
        }
        let timeout = session.transfer.poll_timeout();
        let over = timeout.is_none();
        if !session.reported && (over || matches!(session.transfer.status(), Status::Lingering(_)))
        {
            session.reported = true;
            session.place.over();
            self.giving_way.lingers(session.serial, key);
            self.reporter.transfer_ended(now, session);
        } else if session.transfer.is_proved() && session.place.proved() {
            self.giving_way.proved(session.serial);
        }
        let deadline = timeout.unwrap_or(Instant::NEVER);
        self.timers.rearm(key, session.armed, deadline);
        session.armed = deadline;
        if over {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: usize) {
        let mut session = self.slots.remove(key);
        self.timers.rearm(key, session.armed, Instant::NEVER);
        self.giving_way.gone(session.serial);
        if self.by_peer.get(&session.about.peer) == Some(&key) {
            self.by_peer.remove(&session.about.peer);
        }
        if let Err(error) = self.registry.deregister(&mut session.socket) {
            tracing::debug!(%error, "deregister failed");
        }
        self.ports.close(session.port);
    }
}

/// Gives a datagram to its session, and answers strangers. A sink that is returned is to be
/// finished.
fn deliver(
    now: Instant,
    session: &mut Session,
    from: SocketAddr,
    datagram: &[u8],
    own: &OwnAddresses,
) -> Option<Box<dyn Sink>> {
    let (verdict, whole) = session.transfer.handle_datagram(now, from, datagram);
    match verdict {
        Verdict::Accepted => {}
        Verdict::Ignored(why) => tracing::trace!(%from, ?why, "packet ignored"),
        Verdict::Stray if own.contains(from) => tracing::debug!(%from, "packet from ourselves"),
        Verdict::Stray => {
            tracing::debug!(%from, peer = %session.about.peer, "packet from a stranger");
            if let Err(error) = session.socket.send_to(UNKNOWN_TID, from) {
                tracing::debug!(%from, %error, "an ERROR could not be sent");
            }
        }
        Verdict::PeerError { code, message } => {
            session.about.peer_error = Some((code, message.into()));
        }
    }
    whole
}
