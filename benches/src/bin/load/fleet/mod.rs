//! All clients, and the loop that carries them on.

mod sending;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    io::{self, Read as _},
    sync::Arc,
    thread,
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, Waker};
use nix::time::{ClockId, clock_gettime};
use tftp_benches::{Granted, Latency, Outcome, Pattern};
use tftp_core::{Ignored, Instant, Received, Verdict};

use crate::{
    client::{Client, Phase, refusal},
    descriptors::raise_descriptor_limit,
    endpoint::{Arrival, Buffers, Endpoint, client_at},
    plan::{Ending, Plan},
};

/// Descriptors that are no client's socket.
const OTHER_DESCRIPTORS: u64 = 64;

/// The token of the waker that standard input's end sets off.
const INPUT_ENDED: Token = Token(usize::MAX);

pub(crate) struct Fleet {
    plan: Plan,
    poll: Poll,
    began: std::time::Instant,
    pattern: Pattern,
    endpoints: Vec<Endpoint>,
    clients: Vec<Client>,
    /// Clients that may have something to send, in turn.
    ready: VecDeque<u32>,
    waiting: u32,
    deadlines: BinaryHeap<Reverse<(Instant, u32)>>,
    buffers: Buffers,
    framed: Box<[u8]>,
    /// Chunks of the batch at hand that have not been verified yet.
    unverified: Vec<Unverified>,
    begun: u32,
    running: u32,
    stalled: u32,
    /// Requests sent.
    requests: u64,
    outcome: Outcome,
    latencies: Vec<u64>,
}

/// A chunk in the receive buffers.
struct Unverified {
    file: u32,
    offset: u64,
    buffer: usize,
    start: usize,
    end: usize,
}

impl Fleet {
    pub(crate) fn assemble(plan: Plan) -> io::Result<Self> {
        if plan.per_socket > 1 && !plan.server.ip().is_loopback() {
            return Err(io::Error::other("clients can share a socket only on loopback"));
        }
        let sockets = plan.clients.div_ceil(plan.per_socket);
        raise_descriptor_limit(u64::from(sockets) + OTHER_DESCRIPTORS)?;
        let poll = Poll::new()?;
        let mut endpoints =
            (0..sockets).map(|_| Endpoint::open(plan.server)).collect::<io::Result<Vec<_>>>()?;
        for (index, endpoint) in endpoints.iter_mut().enumerate() {
            poll.registry().register(&mut endpoint.socket, Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            began: std::time::Instant::now(),
            pattern: Pattern::default(),
            endpoints,
            clients: Vec::with_capacity(plan.clients as usize),
            ready: VecDeque::with_capacity(plan.clients as usize),
            waiting: 0,
            deadlines: BinaryHeap::with_capacity(plan.clients as usize),
            buffers: Buffers::new(),
            framed: vec![0; 65_536].into(),
            unverified: Vec::new(),
            begun: 0,
            running: 0,
            stalled: 0,
            requests: 0,
            outcome: Outcome::default(),
            latencies: Vec::with_capacity(plan.transfers as usize),
            plan,
        })
    }

    /// Carries all transfers through.
    pub(crate) fn run(mut self) -> io::Result<Outcome> {
        self.began = std::time::Instant::now();
        for client in 0..self.plan.clients {
            let first = self.next_transfer(Instant::ZERO);
            self.clients.extend(first);
            self.enqueue(client);
        }
        let _input = match self.plan.ending {
            Ending::Moved => None,
            Ending::Stalled | Ending::HalfOpen => Some(self.watch_input()?),
        };
        let mut arrivals = Vec::new();
        let mut events = Events::with_capacity(1024);
        let mut held = true;
        while self.running > 0 && held {
            self.send_ready()?;
            self.poll.poll(&mut events, self.sleep())?;
            for event in &events {
                if event.token() == INPUT_ENDED {
                    held = false;
                } else if event.is_readable() {
                    while self.receive(event.token().0, &mut arrivals)? {}
                } else {
                    self.go_on(event.token().0)?;
                }
            }
            self.handle_timeouts();
            if self.patience() == Some(Duration::ZERO) {
                self.fail_rest();
            }
        }
        Ok(self.conclude())
    }

    /// Has the loop end when standard input does, as long as the waker is kept.
    fn watch_input(&self) -> io::Result<Arc<Waker>> {
        let waker = Arc::new(Waker::new(self.poll.registry(), INPUT_ENDED)?);
        let ours = Arc::clone(&waker);
        thread::Builder::new().name("input".into()).spawn(move || {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            let _ = waker.wake();
        })?;
        Ok(ours)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn next_transfer(&mut self, now: Instant) -> Option<Client> {
        if self.begun == self.plan.transfers {
            return None;
        }
        let Plan { operation, size, server, options, files, .. } = self.plan;
        let client = Client::new(now, operation, self.begun % files, size, server, options);
        self.begun += 1;
        self.running += 1;
        self.outcome.concurrent = self.outcome.concurrent.max(self.running.into());
        Some(client)
    }

    fn enqueue(&mut self, index: u32) {
        let client = &mut self.clients[index as usize];
        if !client.queued {
            client.queued = true;
            self.ready.push_back(index);
        }
    }

    /// How long nothing will have to be done.
    fn sleep(&self) -> Option<Duration> {
        if self.plan.busy_poll {
            return Some(Duration::ZERO);
        }
        let next = self.deadlines.peek().map(|Reverse((deadline, _))| *deadline);
        let until = next.map(|deadline| deadline.saturating_duration_since(self.now()));
        [until, self.patience()].into_iter().flatten().min()
    }

    /// What is left of the patience; none is needed once all have stalled.
    fn patience(&self) -> Option<Duration> {
        let waits = self.stalled < self.plan.clients;
        waits.then(|| self.plan.patience.saturating_sub(self.began.elapsed()))
    }

    /// Takes a batch from a socket, answers it, and verifies it then. Returns whether there may be
    /// more.
    fn receive(&mut self, endpoint: usize, arrivals: &mut Vec<Arrival>) -> io::Result<bool> {
        arrivals.clear();
        let more = match self.endpoints[endpoint].receive(&mut self.buffers, arrivals) {
            Ok(more) => more,
            // What ICMP said of an earlier datagram. The timer decides what that means.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => true,
            Err(error) => return Err(error),
        };
        let now = self.now();
        for arrival in arrivals.iter() {
            self.handle(now, endpoint, arrival);
        }
        self.send_ready()?;
        self.verify();
        Ok(more)
    }

    fn handle(&mut self, now: Instant, endpoint: usize, arrival: &Arrival) {
        self.outcome.datagrams += 1;
        let index = if self.plan.per_socket == 1 {
            u32::try_from(endpoint).ok()
        } else {
            arrival.to.and_then(client_at)
        };
        let Some(index) = index.filter(|&index| (index as usize) < self.clients.len()) else {
            self.outcome.strays += 1;
            return;
        };
        let client = &mut self.clients[index as usize];
        if matches!(client.phase, Phase::Stalled | Phase::Retired) {
            return;
        }
        let &Arrival { buffer, start, end, .. } = arrival;
        let datagram = self.buffers.bytes(buffer, start, end);
        let received = client.handle_datagram(now, arrival.from, datagram);
        if self.outcome.first_failure.is_none() {
            self.outcome.first_failure = refusal(&received);
        }
        match received {
            Received::Data(_) | Received::Other(Verdict::Accepted)
                if self.plan.ending == Ending::HalfOpen =>
            {
                self.stall(index);
                return;
            }
            Received::Data(chunk) => {
                let start = end - chunk.bytes.len();
                let (file, offset) = (client.file, chunk.offset);
                self.unverified.push(Unverified { file, offset, buffer, start, end });
                if self.plan.ending == Ending::Stalled {
                    self.stall(index);
                    return;
                }
            }
            Received::Other(Verdict::Stray) => {
                self.outcome.strays += 1;
                return;
            }
            Received::Other(Verdict::Ignored(Ignored::Duplicate)) => self.outcome.duplicates += 1,
            Received::Other(_) => {}
        }
        if client.phase == Phase::Waiting {
            client.phase = Phase::Busy;
            self.waiting -= 1;
        }
        self.enqueue(index);
    }

    /// Leaves a transfer as it is. The last one to stall says that all do.
    fn stall(&mut self, index: u32) {
        let client = &mut self.clients[index as usize];
        if client.phase == Phase::Waiting {
            self.waiting -= 1;
        }
        client.phase = Phase::Stalled;
        self.stalled += 1;
        if self.stalled == self.plan.clients {
            println!("{}", serde_json::json!({ "stalled": self.stalled }));
        }
    }

    fn verify(&mut self) {
        for chunk in self.unverified.drain(..) {
            let bytes = self.buffers.bytes(chunk.buffer, chunk.start, chunk.end);
            if bytes != self.pattern.bytes(chunk.file, chunk.offset, bytes.len()) {
                self.outcome.failed += 1;
                self.outcome.first_failure.get_or_insert_with(|| {
                    format!("wrong bytes in file {} at {}", chunk.file, chunk.offset)
                });
            }
        }
    }

    /// Books a transfer that is over, and begins the client's next one.
    fn end(&mut self, now: Instant, index: u32, ending: Result<u64, String>) {
        let client = &mut self.clients[index as usize];
        if client.phase == Phase::Waiting {
            self.waiting -= 1;
        }
        self.running -= 1;
        let (stats, params) = (client.stats(), client.params());
        self.outcome.retransmissions += stats.retransmissions;
        self.outcome.granted =
            Granted { blksize: params.block_size.get(), windowsize: params.window_size.get() };
        match ending {
            Ok(bytes) if bytes == self.plan.size => {
                self.outcome.transfers += 1;
                self.outcome.bytes += bytes;
                let took = now.saturating_duration_since(client.began);
                self.latencies.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
            Ok(bytes) => self.fail(format!("{bytes} bytes instead of {}", self.plan.size)),
            Err(error) => self.fail(error),
        }
        let next = self.next_transfer(now);
        let client = &mut self.clients[index as usize];
        match next {
            Some(next) => {
                // A deadline that stands in the heap stays there; it is looked at when it is due.
                let armed = client.armed;
                *client = next;
                client.armed = armed;
                self.enqueue(index);
            }
            None => client.phase = Phase::Retired,
        }
    }

    fn fail(&mut self, why: String) {
        self.outcome.failed += 1;
        self.outcome.first_failure.get_or_insert(why);
    }

    /// Puts a client's deadline into the heap, unless one that is no later stands there already.
    fn arm(&mut self, index: u32) {
        let client = &mut self.clients[index as usize];
        let deadline = client.poll_timeout();
        if deadline < client.armed {
            client.armed = deadline;
            self.deadlines.push(Reverse((deadline, index)));
        }
    }

    fn handle_timeouts(&mut self) {
        let now = self.now();
        while let Some(&Reverse((deadline, index))) = self.deadlines.peek()
            && deadline <= now
        {
            self.deadlines.pop();
            let client = &mut self.clients[index as usize];
            if client.armed != deadline {
                continue;
            }
            client.armed = Instant::NEVER;
            match client.phase {
                Phase::Stalled | Phase::Retired => {}
                Phase::Busy | Phase::Waiting if client.poll_timeout() > now => self.arm(index),
                phase => {
                    client.handle_timeout(now);
                    if phase == Phase::Waiting {
                        client.phase = Phase::Busy;
                        self.waiting -= 1;
                    }
                    self.enqueue(index);
                }
            }
        }
    }

    /// Books what has not ended in time.
    fn fail_rest(&mut self) {
        let missing = self.running + self.plan.transfers - self.begun;
        self.outcome.failed += u64::from(missing);
        self.outcome.first_failure.get_or_insert_with(|| "not done in time".into());
        self.running = 0;
    }

    fn conclude(self) -> Outcome {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut outcome = self.outcome;
        outcome.seconds = seconds;
        outcome.requests_repeated = self.requests.saturating_sub(self.begun.into());
        outcome.retransmissions = outcome.retransmissions.saturating_sub(outcome.requests_repeated);
        #[expect(clippy::cast_precision_loss, reason = "rates for people")]
        {
            outcome.megabytes_per_second = outcome.bytes as f64 / 1e6 / seconds;
            outcome.transfers_per_second = outcome.transfers as f64 / seconds;
        }
        outcome.latency = Latency::of(self.latencies);
        outcome.cpu_seconds = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
            .map_or(0.0, |time| Duration::from(time).as_secs_f64());
        outcome
    }
}
