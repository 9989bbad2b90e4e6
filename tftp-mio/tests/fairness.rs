//! Who has much to do leaves room for others. Counted, not timed: the storage acts in the middle of a turn of the
//! server's only worker.
#![cfg(target_os = "linux")]

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    num::NonZeroUsize,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use tftp_core::{ErrorCode, WindowSize};
use tftp_mio::{
    server::{Config, Server, Stopper},
    storage::{Denied, Sink, Source, Storage, Wanted},
};

/// A server for one test.
struct Running {
    address: SocketAddr,
    stopper: Stopper,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Running {
    fn start(single_port: bool, storage: impl Storage + 'static) -> Self {
        let mut config = Config {
            listen: vec!["127.0.0.1:0".parse().expect("an address")],
            workers: NonZeroUsize::MIN,
            single_port,
            ..Config::default()
        };
        config.limits.max_window_size = WindowSize::new(WINDOW).expect("a window");
        let server = Server::bind(&config, Arc::new(storage)).expect("a free port");
        let (address, stopper) = (server.local_addrs()[0], server.stopper());
        let thread = thread::spawn(move || server.run());
        Self { address, stopper, thread }
    }

    fn stop(self) {
        self.stopper.stop();
        self.stopper.stop();
        self.thread.join().expect("no panic").expect("a peaceful end");
    }
}

fn client() -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out above zero");
    client
}

/// The beginning of the next datagram, and its sender.
fn receive(client: &UdpSocket) -> ([u8; 4], SocketAddr) {
    let mut buffer = [0; 600];
    let (_, from) = client.recv_from(&mut buffer).expect("an answer in time");
    ([buffer[0], buffer[1], buffer[2], buffer[3]], from)
}

/// Returns when something waits in the socket of this port.
fn await_arrival(port: u16) {
    let give_up = Instant::now() + Duration::from_secs(30);
    let ours = format!(":{port:04X}");
    let waits = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&ours))
            && fields.nth(2).is_some_and(|queues| !queues.ends_with(":00000000"))
    };
    while !fs::read_to_string("/proc/self/net/udp").expect("a table").lines().any(waits) {
        assert!(Instant::now() < give_up, "nothing has come to port {port}");
        thread::yield_now();
    }
}

/// Calls something whenever content is opened, and whenever it is read, with the offset.
struct Scripted<O, R> {
    opened: O,
    read: R,
}

const NOT_FOUND: Denied = Denied::new(ErrorCode::FILE_NOT_FOUND, "no such file");

/// One file of it.
struct File<R>(R);

/// The length of each file.
const SIZE: u64 = 1 << 30;

impl<O, R> Storage for Scripted<O, R>
where
    O: Fn(&[u8]) -> Result<(), Denied> + Send + Sync,
    R: Fn(u64) + Clone + Send + Sync + 'static,
{
    fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
        (self.opened)(wanted.name)?;
        Ok(Box::new(File(self.read.clone())))
    }

    fn create(&self, _: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied> {
        Err(NOT_FOUND)
    }
}

impl<R: Fn(u64) + Send> Source for File<R> {
    fn size(&self) -> Option<u64> {
        Some(SIZE)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (self.0)(offset);
        Ok(buffer.len())
    }
}

/// Blocks that are sent without an ACK: 16 MiB.
const WINDOW: u16 = 32_767;

/// What a transfer sends with one call is at most this.
const BATCH: u64 = 64 * 1024;

#[test]
fn a_transfer_that_can_send_on_and_on_leaves_others_their_turns() {
    /// When the other one comes.
    const COMES_AT: u64 = 10 * BATCH;
    let (sent, at_open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let [busy, other] = [client(), client()];

    let opened = {
        let (sent, at_open) = (Arc::clone(&sent), Arc::clone(&at_open));
        move |name: &[u8]| {
            if name == b"other" {
                at_open.store(sent.load(Ordering::Relaxed), Ordering::Relaxed);
                return Err(NOT_FOUND);
            }
            Ok(())
        }
    };
    let gate = Arc::new(Barrier::new(2));
    let read = {
        let (sent, gate) = (Arc::clone(&sent), Arc::clone(&gate));
        move |offset| {
            // What is sent again does not count.
            if (sent.fetch_max(offset, Ordering::Relaxed)..offset).contains(&COMES_AT) {
                gate.wait();
                gate.wait();
            }
        }
    };
    let server = Running::start(false, Scripted { opened, read });
    let request = format!("\0\x01busy\0octet\0windowsize\0{WINDOW}\0");
    busy.send_to(request.as_bytes(), server.address).expect("loopback takes it");
    let (oack, tid) = receive(&busy);
    assert_eq!(oack[..2], [0, 6]);
    busy.send_to(b"\0\x04\0\0", tid).expect("loopback takes it");
    gate.wait();
    other.send_to(b"\0\x01other\0octet\0", server.address).expect("loopback takes it");
    await_arrival(server.address.port());
    gate.wait();
    assert_eq!(receive(&other).0[..2], [0, 5]);

    // Two turns of 16, and a rest of the one in which it came.
    let passed = (at_open.load(Ordering::Relaxed) - COMES_AT) / BATCH;
    assert!(passed <= 3 * 16, "{passed} batches of {}", u64::from(WINDOW) * 512 / BATCH);
    server.stop();
}

#[test]
fn a_storm_of_requests_leaves_running_transfers_their_turns() {
    let before = requests_before_the_next_block(false, 400, 1);
    // What one receive of the listening socket takes, twice.
    assert!(before <= 2 * 32, "{before} requests came first");
}

#[test]
fn a_storm_that_comes_together_leaves_running_transfers_their_turns() {
    /// As many as the system cuts a send into.
    const TOGETHER: usize = 64;
    for single_port in [false, true] {
        let before = requests_before_the_next_block(single_port, 20, TOGETHER);
        assert_eq!(before, 20);
    }
}

/// Sends a storm of requests, several with each send, and then the ACK of a transfer that runs.
/// Returns how many of the requests were handled before that.
fn requests_before_the_next_block(single_port: bool, sends: usize, together: usize) -> u64 {
    const REQUEST: &[u8] = b"\0\x01storm\0octet\0";
    const NEVER: u64 = u64::MAX;
    let opens = Arc::new(AtomicU64::new(0));
    let at_read = Arc::new(AtomicU64::new(NEVER));
    let gate = Arc::new(Barrier::new(2));

    let opened = {
        let (opens, gate) = (Arc::clone(&opens), Arc::clone(&gate));
        move |name: &[u8]| match name {
            b"gate" => {
                gate.wait();
                gate.wait();
                Err(NOT_FOUND)
            }
            b"storm" => {
                opens.fetch_add(1, Ordering::Relaxed);
                Err(NOT_FOUND)
            }
            _ => Ok(()),
        }
    };
    let read = {
        let (opens, at_read) = (Arc::clone(&opens), Arc::clone(&at_read));
        move |offset| {
            if offset > 0 {
                let now = opens.load(Ordering::Relaxed);
                // Once: it may be read again.
                let relaxed = Ordering::Relaxed;
                let _ = at_read.compare_exchange(NEVER, now, relaxed, relaxed);
            }
        }
    };
    let server = Running::start(single_port, Scripted { opened, read });
    let [running, storm] = [client(), client()];
    running.send_to(b"\0\x01file\0octet\0", server.address).expect("loopback takes it");
    let (first, tid) = receive(&running);
    assert_eq!(first, [0, 3, 0, 1]);

    // The first gate holds the worker until the storm is there, the second one is amidst it.
    storm.send_to(b"\0\x01gate\0octet\0", server.address).expect("loopback takes it");
    gate.wait();
    storm.send_to(b"\0\x01gate\0octet\0", server.address).expect("loopback takes it");
    let length = REQUEST.len().try_into().expect("a few bytes");
    setsockopt(&storm, UdpGsoSegment, &length).expect("a system that cuts");
    for _ in 0..sends {
        storm.send_to(&REQUEST.repeat(together), server.address).expect("loopback takes it");
    }
    gate.wait();
    gate.wait();
    running.send_to(b"\0\x04\0\x01", tid).expect("loopback takes it");
    await_arrival(tid.port());
    gate.wait();
    assert_eq!(receive(&running).0, [0, 3, 0, 2]);
    server.stop();
    at_read.load(Ordering::Relaxed)
}
