//! Files that have arrived whole: one thread repeats the last ACK of all of them.
//!
//! The server may have missed that ACK, and then sends its last DATA again. Whoever asked for the
//! file has it by then and does not wait (RFC 1350, section 6: "the host sending the final ACK will
//! wait for a while before terminating in order to retransmit the final ACK if it has been lost").

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant as StdInstant},
};

use mio::{Events, Interest, Poll, Token, Waker};
use tftp_core::Instant;

use crate::{
    clock::Clock,
    socket::{BATCH, Inbox, Socket},
    transfer::{Outbox, Transfer},
};

/// Transfers that linger at the same time; each has a socket.
const MOST: usize = 64;

/// Transfers on their way to the thread.
const QUEUE: usize = 16;

/// How long those that are left may linger once they are to finish.
const PATIENCE: Duration = Duration::from_millis(500);

const WAKE: Token = Token(usize::MAX);

/// A transfer that only repeats its last ACK.
pub(super) struct Lingerer {
    pub(super) clock: Clock,
    pub(super) socket: Socket,
    pub(super) transfer: Transfer,
}

/// The door to the thread, which starts with the first transfer.
#[derive(Debug, Default)]
pub(super) struct Lingering(Option<Thread>);

#[derive(Debug)]
struct Thread {
    queue: SyncSender<Lingerer>,
    waker: Arc<Waker>,
    handle: JoinHandle<()>,
}

impl Lingering {
    /// Lets a transfer linger. Where the system has no thread to do it, the last ACK is not
    /// repeated; the file is complete all the same.
    pub(super) fn take(&mut self, lingerer: Lingerer) {
        if self.0.is_none() {
            match Thread::start() {
                Ok(thread) => self.0 = Some(thread),
                Err(error) => tracing::debug!(%error, "the last ACK will not be repeated"),
            }
        }
        if let Some(thread) = &self.0 {
            // A thread that has failed has said so.
            let _ = thread.queue.send(lingerer);
            let _ = thread.waker.wake();
        }
    }

    /// Waits for those that linger, [`PATIENCE`] at most, and closes their sockets.
    pub(super) fn finish(&mut self) {
        if let Some(Thread { queue, waker, handle }) = self.0.take() {
            drop(queue);
            let _ = waker.wake();
            // A panic there has been printed, and the files are complete all the same.
            let _ = handle.join();
        }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Thread {
    fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (queue, arrivals) = sync_channel(QUEUE);
        let handle = thread::Builder::new().name("tftp-linger".into()).spawn(move || {
            if let Err(error) = Loop::new(poll, arrivals).run() {
                tracing::debug!(%error, "lingering ended early");
            }
        })?;
        Ok(Self { queue, waker, handle })
    }
}

/// What the thread has.
struct Loop {
    poll: Poll,
    arrivals: Receiver<Lingerer>,
    /// The oldest first.
    present: VecDeque<(Token, Lingerer)>,
    next_token: usize,
    /// When to leave whatever lingers then; known once they are to finish.
    leave: Option<StdInstant>,
    outbox: Outbox,
    inbox: Inbox,
}

impl Loop {
    fn new(poll: Poll, arrivals: Receiver<Lingerer>) -> Self {
        Self {
            poll,
            arrivals,
            present: VecDeque::with_capacity(MOST),
            next_token: 0,
            leave: None,
            outbox: Outbox::new(),
            inbox: Inbox::new(),
        }
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(MOST + 1);
        loop {
            self.take_arrivals();
            for (_, lingerer) in &mut self.present {
                lingerer.expire();
            }
            self.present.retain(|(_, lingerer)| !lingerer.is_over());
            if let Some(leave) = self.leave
                && (self.present.is_empty() || leave <= StdInstant::now())
            {
                return Ok(());
            }
            match self.poll.poll(&mut events, self.sleep()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                let found = self.present.iter_mut().find(|(token, _)| *token == event.token());
                if let Some((_, lingerer)) = found {
                    lingerer.receive(&mut self.inbox, &mut self.outbox);
                }
            }
        }
    }

    /// Takes in who waits at the door; the oldest make room.
    fn take_arrivals(&mut self) {
        while self.leave.is_none() {
            let mut lingerer = match self.arrivals.try_recv() {
                Ok(lingerer) => lingerer,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.leave = Some(StdInstant::now() + PATIENCE);
                    break;
                }
            };
            let token = Token(self.next_token);
            // No two that are here together share a number, even after it has come round.
            self.next_token = (self.next_token + 1) % WAKE.0;
            let registry = self.poll.registry();
            if let Err(error) = lingerer.socket.watch(registry, token, Interest::READABLE) {
                tracing::debug!(%error, "the last ACK will not be repeated");
                continue;
            }
            if self.present.len() == MOST {
                self.present.pop_front();
            }
            self.present.push_back((token, lingerer));
        }
    }

    /// How long nothing happens by itself; `None` for ever.
    fn sleep(&self) -> Option<Duration> {
        let leave = self.leave.map(|leave| leave.saturating_duration_since(StdInstant::now()));
        let expiries = self.present.iter().filter_map(|(_, lingerer)| lingerer.sleep());
        expiries.chain(leave).min()
    }
}

impl Lingerer {
    /// Takes everything that waits in the socket.
    fn receive(&mut self, inbox: &mut Inbox, outbox: &mut Outbox) {
        // A server that never stops sending is heard no longer than any other.
        while !self.is_over()
            && let Ok(batch) = self.socket.receive(inbox, BATCH)
        {
            let now = self.clock.now();
            for run in batch.runs() {
                // The file is complete: there is nothing to write, and nobody to tell of an ERROR.
                let _ = self.transfer.handle_datagrams(now, run.from, run.datagrams(), |_| ());
            }
            // An ACK that finds the socket full is repeated with the next DATA.
            let _ = self.transfer.pump(now, &self.socket, None, outbox, |_| ());
            self.expire();
            if batch.drained {
                break;
            }
        }
    }

    fn expire(&mut self) {
        self.transfer.handle_timeout(self.clock.now());
    }

    fn is_over(&self) -> bool {
        self.transfer.poll_timeout().is_none()
    }

    fn sleep(&self) -> Option<Duration> {
        let until = self.transfer.poll_timeout().filter(|&at| at < Instant::NEVER)?;
        Some(until.saturating_duration_since(self.clock.now()))
    }
}
