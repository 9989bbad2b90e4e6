//! The server: one thread, one poll loop, one socket for every transfer.
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
mod counters;
mod finisher;
mod giving_way;
mod histogram;
mod judge;
mod limits;
mod own_addresses;
mod policy;
mod ports;
mod pulse;
mod reception;
mod report;
mod session;
mod sessions;
mod throttle;
mod worker;

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use mio::{Poll, Waker};
use tftp_core::{Limits, Timing};

use crate::{
    socket::{Listener, is_local},
    storage::Storage,
};
pub use access::{Access, Network, NoNetwork};
pub use counters::{Counters, Outcome, Refused};
pub use histogram::Distribution;
pub use judge::explain;
use limits::Admission;
pub use limits::Capacity;
use own_addresses::OwnAddresses;
use policy::Published;
pub use policy::Reloader;
pub use pulse::Pulse;
use pulse::Rounds;
use worker::{WAKE, Worker};

/// How to serve. Plain data; [`Default`] is what `tftpd` does without options.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to take requests on. `[::]` takes IPv4 too; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Transfer ports, handed out in turn.
    pub ports: RangeInclusive<u16>,
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
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The transfer ports may not be used.
    #[error("cannot use transfer port {port}: {source}")]
    Ports {
        /// The first port of the range.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no poll descriptor or thread.
    #[error("cannot set up the poll loop: {0}")]
    Loop(#[from] io::Error),
}

/// A server whose sockets are bound. [`run`](Self::run) it.
pub struct Server {
    worker: Worker,
    addresses: Vec<SocketAddr>,
    stopper: Stopper,
    reloader: Reloader,
    counters: Arc<Counters>,
}

impl Server {
    /// Binds the listening sockets. Requests are taken from now on, and answered once the server
    /// runs.
    ///
    /// # Errors
    /// When a listening address is not to be had, or the system is out of descriptors.
    pub fn bind(config: &Config, storage: Arc<dyn Storage>) -> Result<Self, BindError> {
        let listeners = config
            .listen
            .iter()
            .map(|&address| {
                Listener::bind(address).map_err(|source| BindError::Listen { address, source })
            })
            .collect::<Result<_, _>>()?;
        Self::new(listeners, config, storage)
    }

    /// Takes requests on sockets that somebody else has bound, and not on [`Config::listen`].
    ///
    /// # Errors
    /// When one of them cannot be used, or the system is out of descriptors.
    pub fn adopt(
        sockets: Vec<UdpSocket>,
        config: &Config,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, BindError> {
        let listeners = sockets.into_iter().map(Listener::adopt).collect::<io::Result<_>>()?;
        Self::new(listeners, config, storage)
    }

    fn new(
        listeners: Vec<Listener>,
        config: &Config,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, BindError> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let stopper = Stopper { waker, requests: Arc::default(), rounds: Rounds::default() };
        let port = *config.ports.start();
        ports::probe(port).map_err(|source| BindError::Ports { port, source })?;
        let addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
        for address in addresses.iter().filter(|address| !is_local(**address)) {
            tracing::warn!("no interface of this machine has {} yet", address.ip());
        }
        let counters = Arc::<Counters>::default();
        let most = limits::most_transfers(config.ports.len());
        let admission = Admission::new(&config.capacity, most, Arc::clone(&counters));
        let own = Arc::new(OwnAddresses::new(&addresses));
        let policy = Published::new(config, storage);
        let reloader = Reloader::new(Arc::clone(&policy), Arc::clone(&admission));
        let worker = Worker::new(poll, listeners, config, policy, stopper.clone(), admission, own)?;
        Ok(Self { worker, addresses, stopper, reloader, counters })
    }

    /// The addresses that requests are taken on, with the ports that the system chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A handle that stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// A handle that changes from another thread what the server decides by.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Tells from another thread whether the poll loop goes round.
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
    /// When the poll loop itself fails. A transfer that fails is logged, and the server goes on.
    pub fn run(self) -> io::Result<()> {
        self.worker.run()
    }
}

/// Stops a running server.
#[derive(Clone, Debug)]
pub struct Stopper {
    waker: Arc<Waker>,
    requests: Arc<AtomicU8>,
    rounds: Rounds,
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

    /// Has the loop go round once.
    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the server");
        }
    }

    /// How often the server was asked.
    fn requests(&self) -> u8 {
        self.requests.load(Ordering::SeqCst)
    }

    fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}
