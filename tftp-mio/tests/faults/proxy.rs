//! A bad network between one client and its server: it loses, doubles and reorders datagrams, by a
//! seed that makes the choices come again.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::chance::Chance;
use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};

/// How bad it is: each in datagrams of a hundred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Held back for up to [`DELAY`], so that others overtake it.
    pub(crate) delayed: u64,
}

/// Longer than what passes between two datagrams of a window, shorter than a time-out.
const DELAY: Duration = Duration::from_millis(4);

/// What has passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// DATA packets that were sent, whether they arrived or not.
    pub(crate) data: usize,
    /// Datagrams that were lost.
    pub(crate) lost: usize,
}

/// A proxy for the transfers of one client, one after the other.
pub(crate) struct Proxy {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<Passed>,
}

/// Where clients ask; where the server finds them; and from here on where clients find the
/// server's transfers.
const FRONT: usize = 0;
const BACK: usize = 1;
const FACES: usize = 2;
const WAKE: Token = Token(usize::MAX);

impl Proxy {
    /// Stands before `server`.
    pub(crate) fn before(server: SocketAddr, weather: Weather, seed: u64) -> Self {
        Self::start(server, weather, seed, None)
    }

    /// Stands before `server`. When DATA is sent for the `at`th time, `strike` happens, and nothing
    /// of the client passes any more.
    pub(crate) fn striking(
        server: SocketAddr,
        at: usize,
        strike: impl Fn() + Send + 'static,
    ) -> Self {
        let calm = Weather { lost: 0, doubled: 0, delayed: 0 };
        Self::start(server, calm, 0, Some(Strike { at, strike: Box::new(strike) }))
    }

    fn start(server: SocketAddr, weather: Weather, seed: u64, strike: Option<Strike>) -> Self {
        let poll = Poll::new().expect("a poll descriptor");
        let waker = Waker::new(poll.registry(), WAKE).expect("a waker");
        let over = Arc::<AtomicBool>::default();
        let mut network = Network {
            poll,
            sockets: Vec::new(),
            server,
            tids: Vec::new(),
            client: None,
            weather,
            chance: Chance(seed),
            held: BinaryHeap::new(),
            passed: Passed::default(),
            strike,
            over: Arc::clone(&over),
        };
        network.open();
        network.open();
        let address = network.sockets[FRONT].local_addr().expect("a bound socket");
        Self { address, over, waker, thread: thread::spawn(move || network.run()) }
    }

    /// Where the client is to ask.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and says what has passed.
    pub(crate) fn end(self) -> Passed {
        self.over.store(true, Ordering::SeqCst);
        self.waker.wake().expect("a thread to wake");
        self.thread.join().expect("the proxy")
    }
}

/// What happens at which DATA packet.
struct Strike {
    at: usize,
    strike: Box<dyn Fn() + Send>,
}

/// A datagram on its way: when it arrives, from which socket, to whom.
type Held = (Instant, usize, SocketAddr, Vec<u8>);

struct Network {
    poll: Poll,
    sockets: Vec<UdpSocket>,
    server: SocketAddr,
    /// Where the server's transfers are; each has its face.
    tids: Vec<SocketAddr>,
    client: Option<SocketAddr>,
    weather: Weather,
    chance: Chance,
    held: BinaryHeap<Reverse<Held>>,
    passed: Passed,
    strike: Option<Strike>,
    over: Arc<AtomicBool>,
}

impl Network {
    fn run(mut self) -> Passed {
        let mut events = Events::with_capacity(16);
        let mut buffer = vec![0; 65_535];
        while !self.over.load(Ordering::SeqCst) {
            let next = self.held.peek().map(|Reverse((at, ..))| *at);
            let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result.expect("waiting for datagrams"),
            }
            for from in 0..self.sockets.len() {
                while let Ok((len, sender)) = self.sockets[from].recv_from(&mut buffer) {
                    self.take(from, sender, &buffer[..len]);
                }
            }
            self.deliver();
        }
        self.passed
    }

    fn open(&mut self) {
        let mut socket =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port of the loopback");
        let token = Token(self.sockets.len());
        let registry = self.poll.registry();
        registry.register(&mut socket, token, Interest::READABLE).expect("a socket to watch");
        self.sockets.push(socket);
    }

    /// The socket by which a transfer of the server speaks to the client.
    fn face(&mut self, tid: SocketAddr) -> usize {
        let known = self.tids.iter().position(|known| *known == tid);
        FACES
            + known.unwrap_or_else(|| {
                self.tids.push(tid);
                self.open();
                self.tids.len() - 1
            })
    }

    fn take(&mut self, socket: usize, sender: SocketAddr, datagram: &[u8]) {
        let (out, to) = match socket {
            FRONT => {
                self.client = Some(sender);
                (BACK, self.server)
            }
            BACK => {
                let Some(client) = self.client else { return };
                (self.face(sender), client)
            }
            face => (BACK, self.tids[face - FACES]),
        };
        if datagram.starts_with(b"\0\x03") {
            self.passed.data += 1;
            if let Some(strike) =
                self.strike.as_ref().filter(|strike| strike.at == self.passed.data)
            {
                (strike.strike)();
            }
        }
        let struck = self.strike.as_ref().is_some_and(|strike| strike.at <= self.passed.data);
        if struck && socket != BACK {
            return;
        }
        if self.chance.is(self.weather.lost) {
            self.passed.lost += 1;
            return;
        }
        let copies = 1 + usize::from(self.chance.is(self.weather.doubled));
        for _ in 0..copies {
            let delay = if self.chance.is(self.weather.delayed) {
                DELAY / 8 * u32::from(self.chance.byte() % 8 + 1)
            } else {
                Duration::ZERO
            };
            self.held.push(Reverse((Instant::now() + delay, out, to, datagram.to_vec())));
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while self.held.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((_, out, to, datagram))) = self.held.pop() else { return };
            // A full socket, or a client that has gone: lost, as in any network.
            let _ = self.sockets[out].send_to(&datagram, to);
        }
    }
}
