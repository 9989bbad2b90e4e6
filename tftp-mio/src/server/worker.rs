//! The poll loop: waits, and hands what happened to whom it concerns.

use std::{io, sync::Arc, time::Duration};

use mio::{Events, Interest, Poll, Token};
use tftp_core::Instant;

use super::{
    Config, Stopper, limits::Admission, own_addresses::OwnAddresses, policy::Published,
    ports::Ports, reception::Reception, sessions::Sessions,
};
use crate::{
    clock::Clock,
    socket::{Buffers, Listener},
};

/// The token of the waker; those of the listening sockets are below it, those of the sessions begin
/// at 0.
pub(crate) const WAKE: Token = Token(usize::MAX);

pub(crate) struct Worker {
    poll: Poll,
    clock: Clock,
    listeners: Vec<Listener>,
    buffers: Buffers,
    reception: Reception,
    sessions: Sessions,
    stopper: Stopper,
    /// Set once the server is asked to stop: when running transfers are ended.
    stop_at: Option<Instant>,
}

impl Worker {
    pub(crate) fn new(
        poll: Poll,
        mut listeners: Vec<Listener>,
        config: &Config,
        policy: Arc<Published>,
        stopper: Stopper,
        admission: Arc<Admission>,
        own: Arc<OwnAddresses>,
    ) -> io::Result<Self> {
        for (index, listener) in listeners.iter_mut().enumerate() {
            let token = Token(WAKE.0 - 1 - index);
            poll.registry().register(&mut listener.socket, token, Interest::READABLE)?;
        }
        let sessions = Sessions::new(
            poll.registry().try_clone()?,
            Ports::new(&config.ports),
            stopper.waker(),
            admission,
            Arc::clone(&own),
        );
        Ok(Self {
            poll,
            clock: Clock::start(),
            listeners,
            buffers: Buffers::new(),
            reception: Reception::new(policy, own),
            sessions,
            stopper,
            stop_at: None,
        })
    }

    /// Serves until the stopper says so and the transfers have ended.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        // Listening sockets that may hold more than one turn took.
        let mut waiting = Vec::new();
        loop {
            let sleep = if waiting.is_empty() { self.sleep() } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, sleep) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
            self.stopper.rounds.count();
            let now = self.clock.now();
            for event in &events {
                let token = event.token();
                let from_top = WAKE.0 - token.0;
                if token == WAKE {
                    self.sessions.handle_finished(now);
                } else if from_top <= self.listeners.len() {
                    if !waiting.contains(&(from_top - 1)) {
                        waiting.push(from_top - 1);
                    }
                } else {
                    self.sessions.handle_ready(now, token.0);
                }
            }
            self.sessions.work_off(now);
            waiting.retain(|&index| self.receive(now, index));
            self.sessions.handle_timeouts(now);
            if self.stop(now) {
                return Ok(());
            }
        }
    }

    fn sleep(&self) -> Option<Duration> {
        let now = self.clock.now();
        let stop = self.stop_at.map(|at| at.saturating_duration_since(now));
        [self.sessions.sleep(now), stop].into_iter().flatten().min()
    }

    /// Takes one batch from a listening socket. Returns whether there may be more.
    fn receive(&mut self, now: Instant, index: usize) -> bool {
        let Some(listener) = self.listeners.get(index) else { return false };
        self.reception.refresh();
        let (reception, sessions) = (&self.reception, &mut self.sessions);
        let result = listener.receive(&mut self.buffers, |arrival| {
            reception.handle(now, listener, arrival, sessions);
        });
        result.unwrap_or_else(|error| {
            // What ICMP said of an answer of ours. The socket itself is as good as before.
            tracing::debug!(address = %listener.address(), %error, "receive failed");
            true
        })
    }

    /// Goes through the stages of stopping. Returns whether the server is done.
    fn stop(&mut self, now: Instant) -> bool {
        let requests = self.stopper.requests();
        if requests == 0 {
            return false;
        }
        let grace = self.reception.refresh().grace;
        if self.stop_at.is_none() {
            for mut listener in self.listeners.drain(..) {
                if let Err(error) = self.poll.registry().deregister(&mut listener.socket) {
                    tracing::debug!(%error, "deregister failed");
                }
            }
            // Said when nobody listens any more.
            tracing::info!(grace_seconds = grace.as_secs_f64(), "stopping");
        }
        let stop_at = *self.stop_at.get_or_insert(now + grace);
        if requests > 1 || now >= stop_at {
            self.sessions.abort_all(now, "server is shutting down");
            return true;
        }
        !self.sessions.any_running()
    }
}
