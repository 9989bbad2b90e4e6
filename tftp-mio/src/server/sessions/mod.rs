//! All transfers of a loop: found by token, by peer and by deadline, and carried on by whatever
//! comes in for them.
//!
//! Here is the table and what it knows. A session is [opened](opening) by a request, has its
//! [turns](turns), and may have to [give way](yielding) to another; a request for which there is no
//! room yet is [parked].

mod by_peer;
mod opening;
mod parked;
mod turns;
mod yielding;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use mio::Registry;
use slab::Slab;
use tftp_core::Instant;

use by_peer::ByPeer;
pub(crate) use parked::Parked;

use super::{
    giving_way::GivingWay,
    helpers::Helpers,
    limits::Admission,
    listeners::Listeners,
    ports::Ports,
    report::Reporter,
    session::{Session, Way},
    strangers::Strangers,
};
use crate::{socket::Socket, timers::Timers, transfer::Outbox};

/// A request that comes again so soon after the answer to the first was acknowledged is the same one:
/// doubled on the way, or sent again when the answer was late. Later it is from a client that begins
/// anew.
const DUPLICATE: Duration = Duration::from_secs(1);

pub(crate) struct Sessions {
    registry: Registry,
    pub(crate) listeners: Listeners,
    /// Sockets of transfers; `None` where those go through the listening sockets.
    ports: Option<Ports>,
    slots: Slab<Session>,
    /// The latest session of each peer.
    by_peer: ByPeer,
    admission: Arc<Admission>,
    giving_way: GivingWay,
    /// What the next session is told from earlier ones by.
    next_serial: u64,
    /// Sessions that have been reported, and only linger.
    lingering: usize,
    reporter: Reporter,
    strangers: Strangers,
    timers: Timers,
    /// The slot of the session that had a turn last; another may be in it by now, or none.
    latest: usize,
    /// Sessions that have more to receive or to send than their turn allowed.
    queue: VecDeque<(usize, u64)>,
    helpers: Helpers,
    /// Requests that wait for another worker's session to give way.
    parked: VecDeque<Parked>,
    /// Sessions whose first packet has not been sent.
    unanswered: Vec<(usize, u64)>,
    /// Requests that may have overtaken what their peers had sent before.
    overtaking: Vec<Parked>,
    outbox: Outbox,
}

/// What is known of a peer that sends a request.
#[derive(Clone, Copy)]
pub(crate) enum Known {
    /// It has no transfer whose answer is still open.
    No,
    /// It has sent the very same request, and not acknowledged the answer.
    Same(usize),
    /// It has sent the very same request a moment ago, and the transfer has begun.
    Begun(usize),
    /// It has sent another request, and not acknowledged the answer.
    Unanswered(usize),
}

impl Sessions {
    pub(crate) fn new(
        registry: Registry,
        listeners: Listeners,
        ports: Option<Ports>,
        helpers: Helpers,
        admission: Arc<Admission>,
        giving_way: GivingWay,
        strangers: Strangers,
    ) -> Self {
        Self {
            registry,
            listeners,
            ports,
            slots: Slab::new(),
            by_peer: ByPeer::default(),
            reporter: Reporter::new(admission.counters()),
            admission,
            giving_way,
            next_serial: 0,
            lingering: 0,
            strangers,
            timers: Timers::default(),
            latest: 0,
            queue: VecDeque::new(),
            helpers,
            parked: VecDeque::new(),
            unanswered: Vec::new(),
            overtaking: Vec::new(),
            outbox: Outbox::new(),
        }
    }

    pub(crate) fn known(&self, now: Instant, peer: SocketAddr, fingerprint: u32) -> Known {
        let Some(key) = self.by_peer.get(&self.slots, peer) else { return Known::No };
        let Some(session) = self.slots.get(key) else { return Known::No };
        let same = session.about.fingerprint == fingerprint;
        match (session.transfer.is_proved(), same) {
            (false, true) => Known::Same(key),
            (false, false) => Known::Unanswered(key),
            (true, true) if now < session.about.proved_at + DUPLICATE => Known::Begun(key),
            (true, _) => Known::No,
        }
    }

    pub(crate) fn reporter(&mut self) -> &mut Reporter {
        &mut self.reporter
    }

    /// Whether any session waits for another turn, or a request for the others'.
    pub(crate) fn any_queued(&self) -> bool {
        !(self.queue.is_empty() && self.overtaking.is_empty())
    }

    /// When to [handle time-outs](Self::handle_timeouts) at the latest.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.timers.next()
    }

    /// Whether any transfer still moves; lingering is none.
    pub(crate) fn any_running(&self) -> bool {
        self.slots.len() > self.lingering
    }

    /// Closes a way that no transfer took.
    pub(crate) fn close(&mut self, way: Way) {
        if let (Way::Own(own), Some(ports)) = (way, &mut self.ports) {
            ports.close(own);
        }
    }

    fn remove(&mut self, key: usize) {
        self.by_peer.forget(&self.slots, key);
        let session = self.slots.remove(key);
        self.timers.disarm(key);
        self.lingering -= usize::from(session.reported);
        self.close(session.way);
    }
}

/// The socket behind a way, and the address of ours to send from where that is not its own.
fn socket_of<'a>(way: &'a Way, listeners: &'a Listeners) -> Option<(&'a Socket, Option<IpAddr>)> {
    match way {
        Way::Own(own) => Some((&own.socket, None)),
        Way::Listener { index, from } => {
            let socket = listeners.get(*index)?;
            let its_own = listeners.address(*index).ip() == *from;
            Some((socket, (!its_own).then_some(*from)))
        }
    }
}
