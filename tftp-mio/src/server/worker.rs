//! The poll loop: waits, and hands what happened to whom it concerns.

use std::{io, iter, sync::Arc, thread, time::Duration};

use mio::{Events, Poll, Token};
use tftp_core::{Instant, Packet};

use super::{
    Stopper, alarm::Alarm, listeners::Listeners, pulse::Rounds, reception::Reception,
    sessions::Sessions,
};
use crate::{
    clock::Clock,
    socket::{Arrival, BATCH, Inbox},
};

/// The token of the waker; those of the listening sockets are below it, those of the sessions begin
/// at 0.
pub(crate) const WAKE: Token = Token(usize::MAX);

pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) poll: Poll,
    pub(crate) reception: Reception,
    pub(crate) sessions: Sessions,
    pub(crate) stopper: Stopper,
    pub(crate) rounds: Rounds,
    /// Transfers go through the listening sockets.
    pub(crate) single_port: bool,
    /// How long to poll before sleeping while transfers are active.
    pub(crate) busy_poll: Duration,
}

/// A worker at work.
struct Running {
    worker: Worker,
    clock: Clock,
    inbox: Inbox,
    /// Which listening sockets may hold more than one turn took.
    waiting: Vec<bool>,
    /// How often it has been asked to stop.
    asked_to_stop: u8,
    /// Set once the server is asked to stop: when running transfers are ended.
    stop_at: Option<Instant>,
    /// When, before that, those are ended whose peers have not answered: anybody may have asked in
    /// their names.
    prove_by: Option<Instant>,
}

/// How long a peer may take to answer its first packet while the server stops.
const PROOF: Duration = Duration::from_secs(1);

/// How often the latest transfer is looked at before all others are.
const LOOKS: usize = 8;

const FAREWELL: &str = "server is shutting down";

impl Worker {
    /// Serves until the stopper says so and the transfers have ended. Returns its listening
    /// sockets: as long as other workers have transfers, none may close, because the system would
    /// then give their peers to another worker.
    pub(crate) fn run(mut self) -> io::Result<Listeners> {
        self.sessions.listeners.register(self.poll.registry())?;
        let waiting = vec![true; self.sessions.listeners.len()];
        let (clock, inbox) = (self.alarm.clock(), Inbox::new());
        Running {
            worker: self,
            clock,
            inbox,
            waiting,
            asked_to_stop: 0,
            stop_at: None,
            prove_by: None,
        }
        .run()
    }
}

impl Running {
    fn run(mut self) -> io::Result<Listeners> {
        let mut events = Events::with_capacity(1024);
        let mut now = self.clock.now();
        loop {
            // What came before the server was asked to stop is still handled.
            let asked_to_stop = self.worker.stopper.requests();
            let news = std::mem::replace(&mut self.asked_to_stop, asked_to_stop) != asked_to_stop;
            let sleeps = !news && self.may_sleep(now);
            self.wait(&mut events, sleeps)?;
            self.worker.rounds.count();
            now = self.clock.now();
            let sessions = &mut self.worker.sessions;
            for event in &events {
                if event.token() == WAKE {
                    sessions.handle_done(now);
                    for parked in sessions.exchange_news(now) {
                        self.worker.reception.handle_parked(now, &parked, sessions);
                    }
                } else if let Some(index) = sessions.listeners.index(event.token()) {
                    self.waiting[index] |= event.is_readable();
                    if event.is_writable() {
                        sessions.handle_room(now, index);
                    }
                } else {
                    sessions.handle_ready(now, event.token().0, &mut self.inbox);
                }
            }
            sessions.work_off(now, &mut self.inbox);
            for parked in sessions.take_overtaking() {
                self.worker.reception.handle_overtaking(now, &parked, sessions);
            }
            for index in 0..self.waiting.len() {
                if self.waiting[index] {
                    self.waiting[index] = self.receive(now, index);
                    // What has come meanwhile came before the answers.
                    if self.worker.sessions.any_new() {
                        self.waiting[index] = self.receive(now, index);
                    }
                }
            }
            self.worker.sessions.answer_new(now);
            self.worker.sessions.handle_timeouts(now);
            if self.stop(now) {
                return Ok(self.worker.sessions.listeners);
            }
        }
    }

    /// Waits for events, or takes those that are there.
    fn wait(&mut self, events: &mut Events, sleeps: bool) -> io::Result<()> {
        if sleeps && self.look_around(events)? {
            return Ok(());
        }
        poll_uninterrupted(&mut self.worker.poll, events, (!sleeps).then_some(Duration::ZERO))
    }

    /// Polls for a while, if that was asked for and transfers are active. Returns whether anything
    /// came, of which events may tell or not.
    fn look_around(&mut self, events: &mut Events) -> io::Result<bool> {
        let Worker { poll, sessions, busy_poll, .. } = &mut self.worker;
        if busy_poll.is_zero() || !sessions.any_running() {
            return Ok(false);
        }
        let until = self.clock.now() + *busy_poll;
        loop {
            poll_uninterrupted(poll, events, Some(Duration::ZERO))?;
            if !events.is_empty() {
                return Ok(true);
            }
            for _ in 0..LOOKS {
                let now = self.clock.now();
                if now >= until {
                    return Ok(false);
                }
                if sessions.handle_latest(now, &mut self.inbox) {
                    return Ok(true);
                }
            }
            // The peer may be a program that this core could run meanwhile.
            thread::yield_now();
        }
    }

    /// Whether there is nothing to do before something comes in, or the alarm rings, which is set
    /// for that.
    fn may_sleep(&self, now: Instant) -> bool {
        let Worker { sessions, alarm, number, .. } = &self.worker;
        if self.waiting.contains(&true) || sessions.any_queued() {
            return false;
        }
        let stop = self.prove_by.or(self.stop_at).unwrap_or(Instant::NEVER);
        let deadline = sessions.next_deadline().min(stop);
        alarm.set(*number, deadline);
        deadline > now
    }

    /// Takes one batch from a listening socket. Returns whether there may be more.
    fn receive(&mut self, now: Instant, index: usize) -> bool {
        let Worker { reception, sessions, single_port, .. } = &mut self.worker;
        reception.refresh();
        let Some(listener) = sessions.listeners.get(index) else { return false };
        let batch = match listener.receive(&mut self.inbox, BATCH) {
            Ok(batch) => batch,
            Err(error) => {
                // What ICMP said of an answer of ours. The socket itself is as good as before.
                tracing::debug!(%error, "receive failed");
                return true;
            }
        };
        let local = sessions.listeners.address(index).ip();
        let stopping = self.stop_at.is_some();
        for run in batch.runs() {
            let (from, to) = (run.from, run.to().unwrap_or(local));
            // Buffers are handled in their order, of one buffer the request last: a packet may end the
            // transfer before the request that begins the next, or come behind one that repeats its own.
            if *single_port
                && !run.datagrams().any(is_request)
                && sessions.handle_datagrams(now, index, from, run.datagrams())
            {
                continue;
            }
            for together in run.buffers() {
                let mut latest = None;
                for datagram in together {
                    let served = *single_port
                        && !is_request(datagram)
                        && sessions.handle_datagrams(now, index, from, iter::once(datagram));
                    if !served && (latest.is_none() || is_whole_request(datagram)) {
                        latest = Some(datagram);
                    }
                }
                // Of what one peer has sent at once, and that may be much, this would replace the
                // other requests before they are answered; and no ERROR says which one it refuses.
                if let Some(datagram) = latest.filter(|_| !stopping) {
                    let arrival = Arrival { index, from, to, datagram };
                    reception.handle(now, arrival, sessions);
                }
            }
        }
        !batch.drained
    }

    /// Goes through the stages of stopping. Returns whether the worker is done.
    fn stop(&mut self, now: Instant) -> bool {
        let requests = self.asked_to_stop;
        if requests == 0 {
            return false;
        }
        let grace = self.worker.reception.refresh().grace;
        if self.stop_at.is_none() {
            // With a single port they carry the transfers that still run.
            if !self.worker.single_port {
                self.worker.sessions.listeners.close();
                self.waiting.clear();
            }
            if self.worker.stopper.stopped_listening() {
                tracing::info!(grace_seconds = grace.as_secs_f64(), "stopping");
            }
            self.prove_by = Some(now + grace.min(PROOF));
        }
        let stop_at = *self.stop_at.get_or_insert(now + grace);
        if requests > 1 || now >= stop_at {
            self.worker.sessions.abort_all(now, FAREWELL);
            return true;
        }
        if self.prove_by.is_some_and(|at| now >= at) {
            self.prove_by = None;
            self.worker.sessions.abort_unproved(now, FAREWELL);
        }
        !self.worker.sessions.any_running()
    }
}

/// Waits, at most for that long. A signal, as by a stop of the process, ends no wait: what has come
/// meanwhile counts before a time-out.
fn poll_uninterrupted(
    poll: &mut Poll,
    events: &mut Events,
    at_most: Option<Duration>,
) -> io::Result<()> {
    loop {
        match poll.poll(events, at_most) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether a datagram is a request that can be read.
fn is_whole_request(datagram: &[u8]) -> bool {
    matches!(Packet::parse(datagram), Ok(Packet::Request(_)))
}

/// Whether a datagram is a request, whatever its content (RFC 1350 section 5).
fn is_request(datagram: &[u8]) -> bool {
    matches!(datagram, [0, 1 | 2, ..])
}
