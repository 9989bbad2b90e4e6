//! Turns: what comes in for a session, be it datagrams, time, room in a socket or what a helper has
//! done, is handled, and then the session is carried on.

use std::{collections::VecDeque, io, iter, net::SocketAddr, time::Duration};

use mio::{Interest, Token};
use tftp_core::{ErrorCode, Instant, UNKNOWN_TID, Verdict};

use super::{Sessions, socket_of};
use crate::{
    server::{
        helpers::{Done, Outcome},
        listeners::Listeners,
        report::Reporter,
        session::{Session, Waiting, Way},
        strangers::{Stranger, Strangers},
    },
    socket::{BATCH, Inbox, Route},
    storage::Sink,
    transfer::{Outbox, Pumped},
};

/// When to look at the latest for what is [unlikely](Waiting::Unlikely) to wait.
const LOOK: Duration = Duration::from_secs(1);

impl Sessions {
    pub(crate) fn handle_repeated_request(&mut self, now: Instant, key: usize) {
        if let Some(session) = self.slots.get_mut(key) {
            session.transfer.handle_repeated_request(now);
            self.carry_on(now, key);
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
        let Some(key) = self.by_peer.get(&self.slots, from) else { return false };
        let Some(session) = self.slots.get_mut(key) else { return false };
        match session.way {
            Way::Listener { index: its, .. } if its == index => {}
            Way::Own(_) | Way::Listener { .. } => return false,
        }
        let whole = deliver(now, session, from, datagrams, &mut self.strangers, &mut self.reporter);
        self.store(key, whole);
        self.carry_on(now, key);
        true
    }

    /// Takes a turn's worth of what has come to a session's own socket, and carries it on: it may
    /// have been writable that it was woken for.
    pub(crate) fn handle_ready(&mut self, now: Instant, key: usize, inbox: &mut Inbox) {
        self.latest = key;
        self.receive(now, key, inbox);
        self.carry_on(now, key);
    }

    /// Looks whether the peer whose turn was the latest has answered, which in lock-step comes next,
    /// without asking the loop. Carries that session on if so, and returns whether it was.
    pub(crate) fn handle_latest(&mut self, now: Instant, inbox: &mut Inbox) -> bool {
        let came = self.receive(now, self.latest, inbox);
        if came {
            self.carry_on(now, self.latest);
        }
        came
    }

    /// Takes a turn's worth of what has come. Returns whether anything has.
    fn receive(&mut self, now: Instant, key: usize, inbox: &mut Inbox) -> bool {
        let Some(session) = self.slots.get_mut(key) else { return false };
        let (strangers, reporter) = (&mut self.strangers, &mut self.reporter);
        let (came, whole) = if session.transfer.is_lock_step() {
            (receive_answer(now, session, inbox, strangers, reporter), None)
        } else {
            receive_batches(now, session, inbox, strangers, reporter)
        };
        if session.waiting == Waiting::Likely {
            enqueue(&mut self.queue, key, session);
        }
        self.store(key, whole);
        came
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

    /// Takes what the helpers have done.
    pub(crate) fn handle_done(&mut self, now: Instant) {
        while let Some(done) = self.helpers.poll() {
            self.handle_outcome(now, done);
        }
    }

    /// Lets the time pass for every session whose deadline has come. What may have come before that
    /// has its turn first.
    pub(crate) fn handle_timeouts(&mut self, now: Instant) {
        while let Some(key) = self.timers.pop_due(now) {
            let Some(session) = self.slots.get_mut(key) else { continue };
            if session.waiting == Waiting::Unlikely {
                enqueue(&mut self.queue, key, session);
                continue;
            }
            session.transfer.handle_timeout(now);
            self.carry_on(now, key);
        }
    }

    /// Ends every transfer that still moves with an ERROR. An upload that is whole is stored all the
    /// same, and its client told so.
    pub(crate) fn abort_all(&mut self, now: Instant, text: &'static str) {
        self.abort_where(now, text, |_| true);
        while let Some(done) = self.helpers.wait() {
            self.handle_outcome(now, done);
        }
    }

    /// The same for those only whose peers have not answered anything.
    pub(crate) fn abort_unproved(&mut self, now: Instant, text: &'static str) {
        self.abort_where(now, text, |session| !session.transfer.is_proved());
    }

    fn abort_where(&mut self, now: Instant, text: &'static str, fits: impl Fn(&Session) -> bool) {
        let fitting = self.slots.iter().filter(|(_, session)| fits(session)).map(|(key, _)| key);
        for key in fitting.collect::<Vec<_>>() {
            if let Some(session) = self.slots.get_mut(key) {
                session.transfer.abort(ErrorCode::NOT_DEFINED, text);
            }
            self.carry_on(now, key);
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

    /// After any input: sends, reports, arms the timer, or drops the session.
    pub(super) fn carry_on(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        session.transfer.let_go_if_failed();
        // Known to all workers before the peer sees what follows.
        if session.transfer.is_proved() && session.permit.proved() {
            session.about.proved_at = now;
        }
        if let Some(pumped) = pump(now, session, &self.listeners, &mut self.outbox) {
            match pumped {
                Pumped::Idle | Pumped::Blocked => {}
                Pumped::More => enqueue(&mut self.queue, key, session),
                Pumped::Starved { offset } => {
                    let fetching = match session.transfer.fetch(offset) {
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
                own.socket.watch(&self.registry, Token(key), interest)
            }
            Way::Listener { index, .. } if blocked => {
                self.listeners.add_blocked(&self.registry, *index, (key, session.serial))
            }
            Way::Listener { .. } => Ok(()),
        };
        if let Err(error) = watched {
            tracing::error!(
                peer = %session.transfer.peer(),
                error = %crate::of_the_system(&error),
                "socket cannot be watched"
            );
        }
    }

    /// Reports what has ended, arms the timer, and finds the session's place, or drops it.
    fn settle(&mut self, now: Instant, key: usize) {
        let Some(session) = self.slots.get_mut(key) else { return };
        let timeout = session.transfer.poll_timeout();
        let over = timeout.is_none() || session.transfer.is_lingering();
        if over && !session.reported {
            session.reported = true;
            self.lingering += 1;
            if timeout.is_some() {
                self.giving_way.lingers(key, &mut session.permit);
            } else {
                session.permit.over();
            }
            self.reporter.transfer_ended(now, session);
        }
        match timeout {
            Some(deadline) if session.waiting == Waiting::Unlikely => {
                self.timers.arm(key, deadline.min(now + LOOK));
            }
            Some(deadline) => self.timers.arm(key, deadline),
            None => self.remove(key),
        }
    }
}

/// Sends what a session has to send; `None` where the listening socket that it goes through is
/// closed.
pub(super) fn pump(
    now: Instant,
    session: &mut Session,
    listeners: &Listeners,
    outbox: &mut Outbox,
) -> Option<Pumped> {
    let Session { transfer, way, .. } = session;
    let (socket, from) = socket_of(way, listeners)?;
    let peer = transfer.peer();
    Some(transfer.pump(now, socket, from, outbox, |error| {
        tracing::debug!(%peer, %error, "a datagram could not be sent");
    }))
}

/// Has the session wait for another turn, once.
pub(super) fn enqueue(queue: &mut VecDeque<(usize, u64)>, key: usize, session: &mut Session) {
    if !std::mem::replace(&mut session.queued, true) {
        queue.push_back((key, session.serial));
    }
}

/// Takes what has come for a file that goes out in lock-step: the ACK of its block, mostly, and then
/// nothing else is looked for. Otherwise all of it counts before anything is sent: an ACK must not
/// answer a block that left after it came. Returns whether anything came.
fn receive_answer(
    now: Instant,
    session: &mut Session,
    inbox: &mut Inbox,
    strangers: &mut Strangers,
    reporter: &mut Reporter,
) -> bool {
    let all = session.waiting == Waiting::Likely;
    for taken in 0..BATCH {
        let Way::Own(own) = &session.way else { return false };
        match own.socket.receive_one(inbox) {
            Ok(Some((from, datagram))) => {
                deliver(now, session, from, iter::once(datagram), strangers, reporter);
            }
            Ok(None) => {
                session.waiting = Waiting::No;
                return taken > 0;
            }
            Err(error) => {
                session.receive_failed(&error);
                return true;
            }
        }
        if session.transfer.is_answered() && !all {
            session.waiting = Waiting::Unlikely;
            return true;
        }
    }
    session.waiting = Waiting::Likely;
    true
}

/// Takes what has come in batches. Returns whether anything came, and a sink that is to be finished.
fn receive_batches(
    now: Instant,
    session: &mut Session,
    inbox: &mut Inbox,
    strangers: &mut Strangers,
    reporter: &mut Reporter,
) -> (bool, Option<Box<dyn Sink>>) {
    // What comes in for a file that goes out is an ACK now and then. If it is more, all of it counts
    // before anything is sent.
    let (most, batches) = if session.transfer.is_sending() { (2, BATCH / 2) } else { (BATCH, 1) };
    let (mut came, mut whole) = (false, None);
    for _ in 0..batches {
        let Way::Own(own) = &session.way else { break };
        let batch = match own.socket.receive(inbox, most) {
            Ok(batch) => batch,
            Err(error) => {
                session.receive_failed(&error);
                return (true, whole);
            }
        };
        session.waiting = if batch.drained { Waiting::No } else { Waiting::Likely };
        for run in batch.runs() {
            came = true;
            whole = whole.or(deliver(now, session, run.from, run.datagrams(), strangers, reporter));
        }
        if session.waiting == Waiting::No {
            break;
        }
    }
    (came, whole)
}

/// Gives datagrams to their session, and answers strangers. A sink that is returned is to be
/// finished.
fn deliver<'d>(
    now: Instant,
    session: &mut Session,
    from: SocketAddr,
    datagrams: impl Iterator<Item = &'d [u8]>,
    strangers: &mut Strangers,
    reporter: &mut Reporter,
) -> Option<Box<dyn Sink>> {
    let Session { transfer, way, about, .. } = session;
    let peer = transfer.peer();
    transfer.handle_datagrams(now, from, datagrams, |verdict| match verdict {
        Verdict::Accepted => {}
        Verdict::Ignored(why) => tracing::trace!(%from, ?why, "packet ignored"),
        Verdict::Stray => match strangers.who_is(from) {
            Stranger::Ourselves => tracing::debug!(%from, "packet from ourselves"),
            Stranger::Denied => reporter.sender_refused(now, from),
            Stranger::Other => {
                tracing::debug!(%from, %peer, "packet from a stranger");
                if let Way::Own(own) = way
                    && let Err(error) = own.socket.send(Route { to: from, from: None }, UNKNOWN_TID)
                {
                    tracing::debug!(%from, %error, "an ERROR could not be sent");
                }
            }
        },
        Verdict::PeerError { code, message } => {
            about.handle_peer_error(code, message);
        }
    })
}
