//! Transfer ports (TIDs), handed out in turn: each is used by one transfer at a time, and as long as
//! possible not used again, so that a late packet of an old transfer meets nobody.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::counters::Counters;
use crate::socket::Socket;

/// The ports of the range, and whose turn it is. All workers share them; only the beginning and the
/// end of a transfer touch them.
#[derive(Debug)]
pub(crate) struct Range {
    first: u16,
    /// Whether one of our sockets has the port, by its distance from the first.
    taken: Box<[AtomicBool]>,
    /// How many of them are not.
    free: AtomicUsize,
    cursor: AtomicUsize,
    counters: Arc<Counters>,
}

/// The transfer sockets of one worker.
pub(crate) struct Ports {
    range: Arc<Range>,
    /// Bound sockets that no transfer uses. The one that has rested longest is used first.
    idle: VecDeque<Idle>,
    /// Whether any socket is kept.
    pooled: bool,
}

/// A socket that belongs to one transfer at a time.
pub(crate) struct OwnSocket {
    pub(crate) socket: Socket,
    port: ClaimedPort,
}

/// A socket that no transfer uses.
struct Idle {
    own: OwnSocket,
    /// What it is bound to, but for the port.
    local: SocketAddr,
}

/// A port of the range that one of our sockets has. Dropped, it is free again.
struct ClaimedPort {
    range: Arc<Range>,
    index: u16,
    /// Whether a transfer has it, or its socket rests.
    in_use: bool,
}

/// Why there is no socket for another transfer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPort {
    /// All of the range are taken, by us or by others.
    #[error("no port is free")]
    InUse,
    /// The system gives no socket.
    #[error("{}", crate::of_the_system(.0))]
    System(#[from] io::Error),
}

/// Ports that are tried for one request when other programs sit in the range: so many in turn, then as
/// many all over the rest. The next request goes on behind them.
const TRIES: usize = 256;

/// Sockets that a worker keeps at most for the next transfers, as opening one takes a dozen system
/// calls.
const MOST_IDLE: usize = 64;

/// Sockets that rest while a new one is opened: how many other ports are used before one comes back.
const RESTING: usize = 16;

impl Range {
    pub(crate) fn new(range: &RangeInclusive<u16>, counters: Arc<Counters>) -> Arc<Self> {
        let taken: Box<[_]> = range.clone().map(|_| AtomicBool::new(false)).collect();
        let free = AtomicUsize::new(taken.len());
        let cursor = AtomicUsize::new(0);
        Arc::new(Self { first: *range.start(), taken, free, cursor, counters })
    }

    /// Goes on a little further: where many in a row are taken, more are.
    fn leap(&self) {
        self.cursor.fetch_add(self.taken.len() / TRIES, Ordering::Relaxed);
    }

    /// The next port in turn that none of our sockets has.
    fn claim(self: &Arc<Self>) -> Option<ClaimedPort> {
        // Not looked for where there is none.
        if self.free.load(Ordering::Relaxed) == 0 {
            return None;
        }
        (0..self.taken.len()).find_map(|_| {
            let index = self.cursor.fetch_add(1, Ordering::Relaxed) % self.taken.len();
            if self.taken[index].swap(true, Ordering::Acquire) {
                return None;
            }
            self.free.fetch_sub(1, Ordering::Relaxed);
            let index = u16::try_from(index).ok()?;
            Some(ClaimedPort { range: Arc::clone(self), index, in_use: false })
        })
    }
}

impl ClaimedPort {
    fn number(&self) -> u16 {
        self.range.first + self.index
    }

    fn set_in_use(&mut self, in_use: bool) {
        if in_use != self.in_use {
            self.in_use = in_use;
            self.range.counters.count_port_in_use(in_use);
        }
    }
}

impl Drop for ClaimedPort {
    fn drop(&mut self) {
        self.set_in_use(false);
        self.range.taken[usize::from(self.index)].store(false, Ordering::Release);
        self.range.free.fetch_add(1, Ordering::Relaxed);
    }
}

impl Ports {
    /// The share of one of so many workers.
    pub(crate) fn new(range: Arc<Range>, workers: usize) -> Self {
        // What is idle here is missed elsewhere, and in a small range a port would come back too
        // soon.
        let pooled = range.taken.len() >= 4 * MOST_IDLE * workers;
        Self { range, idle: VecDeque::new(), pooled }
    }

    /// A socket on the address of ours that `peer` has asked: the next free port, or one that has
    /// rested while enough others were used.
    ///
    /// # Errors
    /// When no port is free, or the system gives no socket.
    pub(crate) fn open(&mut self, local: IpAddr, peer: SocketAddr) -> Result<OwnSocket, NoPort> {
        let local = local_address(local, peer);
        if self.idle.len() >= RESTING
            && let Some(rested) = self.rested(local)
        {
            return Ok(rested);
        }
        self.bind(local).or_else(|why| self.rested(local).ok_or(why))
    }

    /// Takes the socket of a transfer that is over. One that was prepared for an upload is of no use
    /// to a download.
    pub(crate) fn close(&mut self, mut own: OwnSocket) {
        if self.pooled
            && self.idle.len() < MOST_IDLE
            && !own.socket.is_batched()
            && let Ok(mut local) = own.socket.address()
        {
            local.set_port(0);
            own.port.set_in_use(false);
            self.idle.push_back(Idle { own, local });
        }
    }

    /// Gives up what no transfer uses. Returns whether there was anything.
    pub(crate) fn close_idle(&mut self) -> bool {
        let some = !self.idle.is_empty();
        self.idle.clear();
        some
    }

    fn rested(&mut self, local: SocketAddr) -> Option<OwnSocket> {
        let index = self.idle.iter().position(|idle| idle.local == local)?;
        // What came late for its last transfer is none of the next one's business.
        let Idle { mut own, .. } = self.idle.remove(index)?;
        own.socket.discard_waiting().then(|| {
            own.port.set_in_use(true);
            own
        })
    }

    fn bind(&self, local: SocketAddr) -> Result<OwnSocket, NoPort> {
        for tries in 0..2 * TRIES {
            if tries >= TRIES {
                self.range.leap();
            }
            let mut port = self.range.claim().ok_or(NoPort::InUse)?;
            let mut address = local;
            address.set_port(port.number());
            match Socket::bind(address) {
                Ok(socket) => {
                    port.set_in_use(true);
                    return Ok(OwnSocket { socket, port });
                }
                // Another program has it.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NoPort::InUse)
    }
}

/// Whether ports like this one may be used at all.
///
/// # Errors
/// When the system forbids it. That somebody else has the port is no error.
pub(crate) fn probe(port: u16) -> io::Result<()> {
    match Socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// A link-local address of ours has the scope of the peer that reached it.
fn local_address(local: IpAddr, peer: SocketAddr) -> SocketAddr {
    match (local, peer) {
        (IpAddr::V6(ip), SocketAddr::V6(peer)) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, 0, 0, peer.scope_id()).into()
        }
        (ip, _) => SocketAddr::new(ip, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use super::*;

    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

    /// An address of the loopback network whose ports no other test takes.
    fn local() -> IpAddr {
        static TESTS: AtomicU8 = AtomicU8::new(0);
        let [.., high, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(127, 1 + TESTS.fetch_add(1, Ordering::Relaxed), high, low).into()
    }

    fn ports(range: RangeInclusive<u16>) -> Ports {
        Ports::new(Range::new(&range, Arc::default()), 1)
    }

    fn port(own: &OwnSocket) -> u16 {
        own.socket.address().unwrap().port()
    }

    #[test]
    fn a_port_comes_back_only_after_many_others_had_their_turn() {
        let local = local();
        let mut ports = ports(20_000..=29_999);
        let mut used = Vec::new();
        for _ in 0..=RESTING {
            let own = ports.open(local, PEER).unwrap();
            used.push(port(&own));
            ports.close(own);
        }
        assert!(used[..RESTING].is_sorted_by(|one, next| one < next), "{used:?}");
        assert_eq!(used[RESTING], used[0]);
    }

    #[test]
    fn a_port_is_in_use_while_a_transfer_has_it() {
        let local = local();
        let counters = Arc::<Counters>::default();
        let mut ports = Ports::new(Range::new(&(20_000..=29_999), Arc::clone(&counters)), 1);
        for _ in 0..2 * RESTING {
            let one = ports.open(local, PEER).unwrap();
            let other = ports.open(local, PEER).unwrap();
            assert_eq!(counters.ports_in_use(), 2);
            ports.close(one);
            drop(other);
            assert_eq!(counters.ports_in_use(), 0);
        }
    }

    #[test]
    fn a_socket_that_is_used_again_has_forgotten_what_came_late() {
        let local = local();
        let mut ports = ports(20_000..=29_999);
        let own = ports.open(local, PEER).unwrap();
        let address = own.socket.address().unwrap();
        ports.close(own);
        let late = std::net::UdpSocket::bind((local, 0)).unwrap();
        for _ in 0..3 {
            late.send_to(b"late", address).unwrap();
        }
        let others: Vec<_> = (1..RESTING).map(|_| ports.open(local, PEER).unwrap()).collect();
        for own in others {
            ports.close(own);
        }
        let own = ports.open(local, PEER).unwrap();
        assert_eq!(own.socket.address().unwrap(), address);
        let mut inbox = crate::socket::Inbox::new();
        assert!(own.socket.receive_one(&mut inbox).unwrap().is_none());
    }

    #[test]
    fn workers_take_their_turns_from_one_cursor() {
        let local = local();
        let range = Range::new(&(20_000..=29_999), Arc::default());
        let mut workers = [Ports::new(Arc::clone(&range), 2), Ports::new(range, 2)];
        let mut last = 0;
        for worker in [0, 1, 1, 0] {
            let own = workers[worker].open(local, PEER).unwrap();
            assert!(port(&own) > last, "{} after {last}", port(&own));
            last = port(&own);
        }
    }

    #[test]
    fn a_port_that_another_program_has_is_passed_over() {
        let local = local();
        let held = ports(20_000..=29_998).open(local, PEER).unwrap();
        let next = ports(port(&held)..=29_999).open(local, PEER).unwrap();
        assert!(port(&next) > port(&held), "{} after {}", port(&next), port(&held));
    }

    #[test]
    fn ports_behind_many_that_another_program_has_are_found() {
        let local = local();
        let held: Vec<_> =
            (0..300).map(|at| std::net::UdpSocket::bind((local, 20_000 + at)).unwrap()).collect();
        let found = ports(20_000..=29_999).open(local, PEER).unwrap();
        assert!(port(&found) >= 20_000 + u16::try_from(held.len()).unwrap(), "{}", port(&found));
    }

    #[test]
    fn a_range_that_others_use_up_is_said_to_be() {
        let local = local();
        let held = ports(20_000..=29_999).open(local, PEER).unwrap();
        let mut ports = ports(port(&held)..=port(&held));
        assert!(matches!(ports.open(local, PEER), Err(NoPort::InUse)));
    }

    #[test]
    fn a_range_that_we_use_up_is_said_to_be_until_a_port_comes_back() {
        let local = local();
        let held = ports(20_000..=29_999).open(local, PEER).unwrap();
        let only = port(&held);
        drop(held);
        let mut ports = ports(only..=only);
        let own = ports.open(local, PEER).unwrap();
        assert!(matches!(ports.open(local, PEER), Err(NoPort::InUse)));
        ports.close(own);
        let again = ports.open(local, PEER).unwrap();
        assert_eq!(port(&again), only);
        assert!(matches!(ports.open(local, PEER), Err(NoPort::InUse)));
    }
}
