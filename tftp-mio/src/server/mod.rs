//! The server: a few workers, each a thread with a poll loop, listening sockets and transfers of its
//! own.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//! use tftp_mio::{server::{Config, Server}, storage::{Folder, WritePolicy}};
//!
//! let storage = Folder::open(Path::new("/srv/tftp"), WritePolicy::Never)?;
//! let config = Config { listen: vec!["[::]:6969".parse()?], ..Config::default() };
//! let server = Server::bind(&config, Arc::new(storage))?;
//! println!("{:?}", server.local_addrs());
//! server.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod alarm;
mod clients;
mod counters;
mod giving_way;
mod groups;
mod helpers;
mod histogram;
mod judge;
mod limits;
mod listeners;
mod order;
mod own_addresses;
mod policy;
mod ports;
mod pulse;
mod reception;
mod report;
mod session;
mod sessions;
mod strangers;
mod throttle;
mod worker;

use std::{
    io, iter,
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    num::NonZeroUsize,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use mio::{Poll, Waker};
use tftp_core::{Limits, Timing};

use crate::{
    socket::{Socket, is_local},
    storage::Storage,
};
pub use access::{Access, Network, NoNetwork};
use alarm::Alarm;
pub use counters::{Counters, Outcome, Refused};
use giving_way::GivingWay;
use helpers::Helpers;
pub use histogram::Distribution;
pub use judge::{Decision, explain};
use limits::Admission;
pub use limits::Capacity;
use listeners::Listeners;
use own_addresses::OwnAddresses;
pub use policy::Reloader;
use policy::{Published, Subscription};
use ports::{Ports, Range};
pub use pulse::Pulse;
use pulse::Rounds;
use reception::Reception;
use sessions::Sessions;
use strangers::Strangers;
use worker::{WAKE, Worker};

/// How to serve. Plain data; [`Default`] is what `tftpd` does without options.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to take requests on. `[::]` takes IPv4 too; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Transfer ports, handed out in turn.
    pub ports: RangeInclusive<u16>,
    /// Answer every transfer from the listening port instead, for NAT, containers and load
    /// balancers. A client can then have only one transfer at a time on each port of its own.
    pub single_port: bool,
    /// Poll loops, each on a thread of its own. Where the system cannot share a listening address
    /// between sockets (anywhere but on Linux) there is one.
    pub workers: NonZeroUsize,
    /// While transfers are active a worker polls for that long before it sleeps: a wake-up less in
    /// each round trip, for all of a processor's time.
    pub busy_poll: Duration,
    /// Never grant a block that has to be fragmented on the way to the client, as far as the route
    /// to it tells.
    pub mtu_fit: bool,
    /// What is negotiated at most.
    pub limits: Limits,
    /// How patient transfers are.
    pub timing: Timing,
    /// Who may ask.
    pub access: Access,
    /// How many transfers there may be at a time.
    pub capacity: Capacity,
    /// Whether requests to broadcast and multicast addresses are answered, from a unicast one.
    pub broadcast: bool,
    /// How long running transfers may go on after [`Stopper::stop`].
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 69)],
            ports: 20_000..=29_999,
            single_port: false,
            busy_poll: Duration::ZERO,
            mtu_fit: false,
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            limits: Limits::default(),
            timing: Timing::SERVER,
            access: Access::default(),
            capacity: Capacity::default(),
            broadcast: false,
            grace: Duration::from_secs(10),
        }
    }
}

/// Why a server could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A listening address is not to be had.
    #[error("cannot listen on {address}: {}", crate::of_the_system(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The transfer ports may not be used.
    #[error("cannot use transfer port {port}: {}", crate::of_the_system(source))]
    Ports {
        /// The first port of the range.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no poll descriptor or thread.
    #[error("cannot set up the poll loop: {}", crate::of_the_system(.0))]
    Loop(#[from] io::Error),
}

/// A server whose sockets are bound. [`run`](Self::run) it.
pub struct Server {
    workers: Vec<Worker>,
    alarm: Arc<Alarm>,
    addresses: Vec<SocketAddr>,
    stopper: Stopper,
    reloader: Reloader,
    counters: Arc<Counters>,
}

impl Server {
    /// Binds the listening sockets. Requests are taken from now on, and answered once the server
    /// runs. No thread is started before that.
    ///
    /// # Errors
    /// When a listening address is not to be had, or the system is out of descriptors.
    pub fn bind(config: &Config, storage: Arc<dyn Storage>) -> Result<Self, BindError> {
        let workers = if cfg!(target_os = "linux") { config.workers.get() } else { 1 };
        let mut listeners: Vec<_> = (0..workers).map(|_| Vec::new()).collect();
        for &address in &config.listen {
            let error = |source| BindError::Listen { address, source };
            let first = Socket::listen(address).map_err(error)?;
            let others = first.listen_too(workers - 1).map_err(error)?;
            for (sockets, socket) in listeners.iter_mut().zip(iter::once(first).chain(others)) {
                sockets.push(socket);
            }
        }
        Self::new(listeners, config, storage)
    }

    /// Takes requests on sockets that somebody else has bound, and not on [`Config::listen`]. One
    /// worker serves all of them: others cannot be bound beside them.
    ///
    /// # Errors
    /// When one of them cannot be used, or the system is out of descriptors.
    pub fn adopt(
        sockets: Vec<UdpSocket>,
        config: &Config,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, BindError> {
        let sockets = sockets.into_iter().map(Socket::adopt).collect::<io::Result<_>>()?;
        Self::new(vec![sockets], config, storage)
    }

    /// A server with one worker for each set of listening sockets.
    fn new(
        listeners: Vec<Vec<Socket>>,
        config: &Config,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, BindError> {
        let count = listeners.len();
        let port = *config.ports.start();
        ports::probe(port).map_err(|source| BindError::Ports { port, source })?;

        let polls = (0..count).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).map(Arc::new);
        let wakers = polls.iter().map(waker).collect::<io::Result<Arc<[_]>>>()?;
        let stopper = Stopper {
            wakers: Arc::clone(&wakers),
            requests: Arc::default(),
            listening: Arc::new(AtomicUsize::new(count)),
            rounds: (0..count).map(|_| Rounds::default()).collect(),
        };
        let of_first = listeners.first().into_iter().flatten();
        let addresses = of_first.map(Socket::address).collect::<io::Result<Vec<_>>>()?;
        for address in addresses.iter().filter(|address| !is_local(**address)) {
            tracing::warn!("no interface of this machine has {} yet", address.ip());
        }
        let counters = Arc::<Counters>::default();
        let range = Range::new(&config.ports, Arc::clone(&counters));
        let ports = if config.single_port { usize::MAX } else { config.ports.len() };
        let most = limits::most_transfers(ports);
        let admission = Admission::new(&config.capacity, most, Arc::clone(&counters));
        let own = Arc::new(OwnAddresses::new(&addresses));
        let policy = Published::new(config, storage);
        let reloader = Reloader::new(Arc::clone(&policy), Arc::clone(&admission));
        let alarm = Alarm::new(&wakers);
        let mut workers = Vec::new();
        let each = polls.into_iter().zip(&*wakers).zip(listeners);
        let each = each.zip(&*stopper.rounds).zip(GivingWay::of_workers(&admission, &wakers));
        for ((((poll, waker), listeners), rounds), giving_way) in each {
            let sessions = Sessions::new(
                poll.registry().try_clone()?,
                Listeners::new(listeners)?,
                (!config.single_port).then(|| Ports::new(Arc::clone(&range), count)),
                Helpers::new(Arc::clone(waker)),
                Arc::clone(&admission),
                giving_way,
                Strangers::new(Arc::clone(&own), Subscription::new(Arc::clone(&policy))),
            );
            let reception =
                Reception::new(Arc::clone(&policy), Arc::clone(&own), workers.is_empty());
            workers.push(Worker {
                number: workers.len(),
                alarm: Arc::clone(&alarm),
                poll,
                reception,
                sessions,
                stopper: stopper.clone(),
                rounds: rounds.clone(),
                single_port: config.single_port,
                busy_poll: config.busy_poll,
            });
        }
        Ok(Self { workers, alarm, addresses, stopper, reloader, counters })
    }

    /// The addresses that requests are taken on, with the ports that the system chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Bytes that each listening socket holds, in the system's way of counting: 4 MiB were asked
    /// for, and Linux says the double of what it granted.
    pub fn receive_buffer(&self) -> usize {
        let listeners = self.workers.iter().map(|worker| &worker.sessions.listeners);
        listeners.filter_map(Listeners::least_receive_buffer).min().unwrap_or(0)
    }

    /// A handle that stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// A handle that changes from another thread what the server decides by.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Tells from another thread whether the poll loops go round.
    pub fn pulse(&self) -> Pulse {
        Pulse::new(self.stopper())
    }

    /// What the server has done so far, for metrics; it goes on counting.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// When a poll loop itself fails. A transfer that fails is logged, and the server goes on.
    pub fn run(self) -> io::Result<()> {
        let Self { workers, alarm, stopper, .. } = self;
        let run = |worker: Worker| {
            let result = worker.run();
            if result.is_err() {
                // The others would serve on with a part of the clients unheard.
                stopper.stop();
            }
            result
        };
        thread::scope(|scope| {
            let _minded = alarm.start(scope)?;
            let mut workers = workers.into_iter().enumerate();
            let first = workers.next();
            let others = workers
                .map(|(number, worker)| {
                    let thread = thread::Builder::new().name(format!("tftpd-{number}"));
                    thread.spawn_scoped(scope, move || run(worker))
                })
                .collect::<Vec<_>>();
            if others.iter().any(Result::is_err) {
                stopper.stop();
            }
            let mut results = Vec::from_iter(first.map(|(_, worker)| run(worker)));
            for thread in others {
                results.push(thread.and_then(|thread| {
                    thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
                }));
            }
            // None of the sockets was closed before all workers were done.
            results.into_iter().try_for_each(|result| result.map(drop))
        })
    }
}

/// Stops a running server.
#[derive(Clone, Debug)]
pub struct Stopper {
    wakers: Arc<[Arc<Waker>]>,
    requests: Arc<AtomicU8>,
    /// Workers that still take requests.
    listening: Arc<AtomicUsize>,
    /// How often each worker's loop has gone round.
    rounds: Arc<[Rounds]>,
}

impl Stopper {
    /// Asks the server to stop.
    ///
    /// The first time, no new request is taken, and running transfers get the
    /// [grace](Config::grace) to finish; then they are ended with an ERROR. The second time they
    /// are ended at once.
    pub fn stop(&self) {
        let _ = self.requests.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
            Some(count.saturating_add(1))
        });
        self.wake();
    }

    /// Has each loop go round once.
    fn wake(&self) {
        for waker in &*self.wakers {
            if let Err(error) = waker.wake() {
                tracing::error!(error = %crate::of_the_system(&error), "cannot wake the server");
            }
        }
    }

    /// How often the server was asked.
    fn requests(&self) -> u8 {
        self.requests.load(Ordering::SeqCst)
    }

    /// One worker takes no more requests. Returns whether it was the last.
    fn stopped_listening(&self) -> bool {
        self.listening.fetch_sub(1, Ordering::SeqCst) == 1
    }
}
