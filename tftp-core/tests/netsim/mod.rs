//! A network of two hosts on a virtual clock. All chance comes from seeds: a run can be repeated to
//! the nanosecond. `NETSIM_TRACE=1` prints every datagram.
#![allow(dead_code, reason = "every test file takes its share of these helpers")]
#![allow(unused_imports, reason = "every test file takes its share of these helpers")]
#![expect(unreachable_pub, reason = "a test's module is public to that test")]

mod host;
mod link;
mod models;

use std::{collections::VecDeque, time::Duration};

use tftp_core::{BlockSize, Instant, Options, Packet, Status, WindowSize};

pub use host::{Host, Job, Opener, Receiving, Sending, file};
pub use link::{Checksum, End, Fate, Harm, Path, Random, Weather};
pub use models::{PlainReceiver, PlainSender, Style};

/// How a host's driver does its work.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// It handles at most so many datagrams before it polls.
    pub most_batch: u64,
    /// It comes to its socket at most so late.
    pub lag: Duration,
    /// In a thousand sends, its socket is full so often before all was sent.
    pub full: u64,
}

impl Habits {
    pub const PROMPT: Self = Self { most_batch: 1, lag: Duration::ZERO, full: 0 };
}

/// A run that exceeds these is a livelock.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Datagrams that arrive, and times that a host does something.
    pub steps: u64,
    pub time: Duration,
}

pub struct Sim<'a, S, R> {
    pub sender: S,
    pub receiver: R,
    pub now: Instant,
    /// When the transfer had ended for both.
    pub finished_at: Option<Instant>,
    pub habits: Habits,
    /// What each datagram costs the sender and the receiver to handle.
    pub costs: [Duration; 2],
    pub bounds: Bounds,
    link: link::Link<'a>,
    desks: [Desk; 2],
    random: Random,
    trace: bool,
}

/// What waits in front of a host.
#[derive(Default)]
struct Desk {
    inbox: VecDeque<Vec<u8>>,
    /// When the inbox is looked at.
    ready_at: Instant,
    /// When a socket that was full takes more.
    writable_at: Option<Instant>,
}

impl<'a> Sim<'a, Sending<'a>, Receiving<'a>> {
    /// Our two halves.
    pub fn ours(job: Job<'a>) -> Self {
        Self::new(Sending::new(job), Receiving::new(job))
    }

    /// The whole file arrived; the last ACK may have been lost as often as it was sent.
    #[track_caller]
    pub fn assert_received(&self, file: &[u8]) {
        assert!(self.receiver.received == file, "the file is wrong");
        let ends = (self.sender.status(), self.receiver.status());
        let known = matches!(ends.0, Some(Status::Done(_) | Status::Unconfirmed(_)));
        assert!(known && matches!(ends.1, Some(Status::Done(_))), "{ends:?}");
    }

    /// The whole file arrived and both halves know it.
    #[track_caller]
    pub fn assert_complete(&self, file: &[u8]) {
        assert!(self.receiver.received == file, "the file is wrong");
        let ends = (self.sender.status(), self.receiver.status());
        assert!(matches!(ends, (Some(Status::Done(_)), Some(Status::Done(_)))), "{ends:?}");
    }
}

impl<'a, S: Host, R: Host> Sim<'a, S, R> {
    pub fn new(sender: S, receiver: R) -> Self {
        Self {
            sender,
            receiver,
            now: Instant::ZERO,
            finished_at: None,
            habits: Habits::PROMPT,
            costs: [Duration::ZERO; 2],
            bounds: Bounds { steps: 2_000_000, time: Duration::from_hours(2) },
            link: link::Link::new(Path::PLAIN, Box::new(|_, _, _| Fate::Deliver)),
            desks: [Desk::default(), Desk::default()],
            random: Random::new(0),
            trace: std::env::var_os("NETSIM_TRACE").is_some(),
        }
    }

    /// Over this path; `script` decides what becomes of each datagram, from its origin, its number
    /// on the link, and its bytes.
    pub fn over(mut self, path: Path, script: impl FnMut(End, u64, &[u8]) -> Fate + 'a) -> Self {
        self.link = link::Link::new(path, Box::new(script));
        self
    }

    pub fn with_habits(mut self, habits: Habits, seed: u64) -> Self {
        self.habits = habits;
        self.random = Random::new(seed);
        self
    }

    /// Datagrams sent by both.
    pub fn packets(&self) -> u64 {
        self.link.sent
    }

    pub fn harm(&self) -> Harm {
        self.link.harm
    }

    /// How long the transfer took, lingering not included.
    pub fn time(&self) -> Duration {
        self.finished_at.expect("it is over").saturating_duration_since(Instant::ZERO)
    }

    /// Runs until both hosts wait for nothing more. Panics on a livelock (the bounds) and on a
    /// deadlock (a session that waits although nothing can come).
    pub fn run(mut self) -> Self {
        self.transmit(End::Sender);
        self.transmit(End::Receiver);
        for _ in 0..self.bounds.steps {
            let (sender, receiver) = (self.wakes_at(End::Sender), self.wakes_at(End::Receiver));
            let link = self.link.next();
            let Some(next) = sooner(link, sooner(sender, receiver)) else {
                return self;
            };
            assert!(next < Instant::NEVER, "deadlock");
            self.now = self.now.max(next);
            let time = self.now.saturating_duration_since(Instant::ZERO);
            assert!(time <= self.bounds.time, "livelock: {time:?}");
            if link.is_some_and(|at| at <= self.now) {
                self.arrive();
            } else if sender.is_some_and(|at| at <= self.now) {
                self.act(End::Sender);
            } else {
                self.act(End::Receiver);
            }
        }
        panic!("livelock: {} steps, {:?}", self.bounds.steps, self.now);
    }

    fn wakes_at(&self, end: End) -> Option<Instant> {
        let desk = &self.desks[end as usize];
        let inbox = (!desk.inbox.is_empty()).then_some(desk.ready_at);
        sooner(self.host(end).due(), sooner(inbox, desk.writable_at))
    }

    fn arrive(&mut self) {
        if let Some((to, bytes)) = self.link.arrive() {
            self.print(to, "gets", &bytes);
            let ready_at =
                self.now + self.costs[to as usize] + self.random.duration(self.habits.lag);
            let desk = &mut self.desks[to as usize];
            if desk.inbox.is_empty() {
                desk.ready_at = ready_at;
            }
            desk.inbox.push_back(bytes);
        }
    }

    /// One turn of a host's loop.
    fn act(&mut self, end: End) {
        let now = self.now;
        if self.host(end).due().is_some_and(|due| due <= now) {
            self.host_mut(end).timeout(now);
        } else if self.desks[end as usize].ready_at <= now {
            for _ in 0..=self.random.below(self.habits.most_batch) {
                let Some(datagram) = self.desks[end as usize].inbox.pop_front() else { break };
                self.host_mut(end).handle(now, &datagram);
            }
            let pause = self.costs[end as usize] + self.random.duration(self.habits.lag);
            self.desks[end as usize].ready_at = now + pause;
        }
        if self.desks[end as usize].writable_at.is_none_or(|at| at <= now) {
            self.transmit(end);
        }
        if self.finished_at.is_none() && self.sender.is_finished() && self.receiver.is_finished() {
            self.finished_at = Some(now);
        }
    }

    fn transmit(&mut self, end: End) {
        let now = self.now;
        let full = self.random.below(1000) < self.habits.full;
        let room = if full { u16::try_from(self.random.below(5)).unwrap() } else { u16::MAX };
        let mut out = Vec::new();
        let all = self.host_mut(end).transmit(now, room, &mut out);
        for bytes in out {
            self.print(end, "sends", &bytes);
            let fate = self.link.send(now, end, bytes);
            if self.trace && fate != Fate::Deliver {
                println!("{:>12} {fate:?}", "");
            }
        }
        let pause = Duration::from_micros(1) + self.random.duration(self.habits.lag);
        self.desks[end as usize].writable_at = (!all).then_some(now + pause);
        let deaf = all && self.host(end).due() == Some(Instant::NEVER);
        assert!(!deaf, "deadlock: the {end:?} has nothing to send and no timer");
    }

    fn host(&self, end: End) -> &dyn Host {
        match end {
            End::Sender => &self.sender,
            End::Receiver => &self.receiver,
        }
    }

    fn host_mut(&mut self, end: End) -> &mut dyn Host {
        match end {
            End::Sender => &mut self.sender,
            End::Receiver => &mut self.receiver,
        }
    }

    fn print(&self, end: End, verb: &str, bytes: &[u8]) {
        if !self.trace {
            return;
        }
        let micros = self.now.as_nanos() / 1000;
        let packet = match Packet::parse(bytes) {
            Ok(Packet::Data { block, payload }) => format!("DATA {block} ({})", payload.len()),
            other => format!("{other:?}"),
        };
        println!("{micros:>9} us {end:?} {verb} {packet}");
    }
}

fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

pub fn options(block_size: u16, window_size: u16) -> Options {
    Options::NONE
        .with_block_size(BlockSize::new(block_size).unwrap())
        .with_window_size(WindowSize::new(window_size).unwrap())
}
