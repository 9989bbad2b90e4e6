//! Everything at once, for minutes; and when it is quiet again, all is as it was.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tftp_core::{BlockSize, WindowSize};
use tftp_mio::client::{Client, Download, Settings, Upload};

use crate::{
    chance::Chance,
    floods::{addresses, forge, random_datagram},
    peer::{Peer, ack, content, rrq, wrq},
    process::{descriptors, memory},
    proxy::{Proxy, Weather},
    server::Server,
};

/// How long everything happens: first to warm up, then to be compared with that.
const ROUNDS: [Duration; 3] =
    [Duration::from_secs(15), Duration::from_secs(15), Duration::from_secs(40)];

/// After so long a forged request is forgotten, and nothing may happen for a while before.
const FORGOTTEN: Duration = Duration::from_secs(34);

/// How long it may take until nothing changes any more.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
#[ignore = "takes four minutes; .ci/run runs it"]
fn after_minutes_of_everything_the_server_is_as_it_was() {
    let patience = ["--timeout", "0.1", "--retries", "2"];
    let limits = ["--listen", "127.74.1.1:0", "--max-half-open", "500", "--write", "overwrite"];
    let server = Server::with([&limits[..], &patience].concat());
    fs::write(server.root().join("file"), content(FILE)).expect("a file to serve");
    let mut after = Vec::new();
    for (round, duration) in ROUNDS.into_iter().enumerate() {
        let moved = everything(server.addresses()[0], duration, round);
        wait_until_quiet(&server);
        let state = (descriptors(&server), memory(&server));
        println!("round {round}: {moved} files moved, then {state:?} descriptors and bytes");
        assert!(moved > 20, "{moved} files in {duration:?}");
        after.push(state);
    }
    let [_, (descriptors, memory), (descriptors_now, memory_now)] = after[..] else {
        panic!("{after:?}")
    };
    assert_eq!(descriptors_now, descriptors);
    assert!(memory_now <= memory + memory / 10 + (1 << 18), "{memory_now} bytes after {memory}");
    server.stop();
}

/// Bytes of the file that is moved.
const FILE: usize = 200_000;

/// Honest clients through bad weather, clients that vanish, forged requests and noise. Returns how
/// many files were moved.
fn everything(server: SocketAddr, duration: Duration, round: usize) -> usize {
    let over = Arc::<AtomicBool>::default();
    let moved = Arc::<AtomicUsize>::default();
    thread::scope(|scope| {
        for number in 0..4 {
            let (over, moved) = (&over, &moved);
            scope.spawn(move || {
                let seed = u64::try_from(100 * round + number).expect("a small number");
                while !over.load(Ordering::Relaxed) {
                    moved.fetch_add(honest(server, number, seed), Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            for from in addresses().cycle() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                forge(from, server, &rrq("file", &[("windowsize", "64")]));
                forge(from, server, &wrq("forged", &[("blksize", "65464")]));
                vanish(server);
            }
        });
        scope.spawn(|| {
            let mut chance = Chance(7);
            let peer = Peer::at(Ipv4Addr::LOCALHOST.into(), server);
            while !over.load(Ordering::Relaxed) {
                peer.send_to(random_datagram(&mut chance), server);
                thread::yield_now();
            }
        });
        thread::park_timeout(duration);
        over.store(true, Ordering::Relaxed);
    });
    moved.load(Ordering::Relaxed)
}

/// One client's file there and back, in weather that may be too bad for it.
fn honest(server: SocketAddr, number: usize, seed: u64) -> usize {
    let local = TempDir::new().expect("a folder");
    let [source, copy] = ["source", "copy"].map(|name| local.path().join(name));
    fs::write(&source, content(FILE)).expect("a file to send");
    let (blksize, windowsize) = [(512, 8), (1428, 16), (8192, 4), (1024, 64)][number % 4];
    let settings = Settings {
        block_size: BlockSize::new(blksize).expect("a block size"),
        window_size: WindowSize::new(windowsize).expect("a window size"),
        ..Settings::default()
    };
    let weather = Weather { lost: 2, doubled: 2, delayed: 2 };
    let proxy = Proxy::before(server, weather, seed);
    let mut client = Client::new().expect("a client");
    let name = format!("upload-{number}");
    let from = Upload::open(&source).expect("our own file");
    let put = client.put(proxy.address(), name.as_bytes(), &settings, from, &mut |_| {});
    let to = Download::create(&copy).expect("a file to write");
    let got = client.get(proxy.address(), b"file", &settings, to, &mut |_| {});
    proxy.end();
    if got.is_ok() {
        assert!(fs::read(&copy).expect("the download") == content(FILE));
    }
    usize::from(put.is_ok()) + usize::from(got.is_ok())
}

/// A client that begins, and is gone.
fn vanish(server: SocketAddr) {
    let mut peer = Peer::at(Ipv4Addr::LOCALHOST.into(), server);
    peer.ask(rrq("file", &[]));
    if peer.receive_within(Duration::from_millis(200)).is_some() {
        peer.send(ack(1));
    }
}

/// Waits until the server has as few descriptors as it will have.
#[track_caller]
fn wait_until_quiet(server: &Server) {
    thread::park_timeout(FORGOTTEN);
    let give_up = Instant::now() + PATIENCE;
    let mut seen = descriptors(server);
    let mut unchanged = 0;
    while unchanged < 5 {
        assert!(Instant::now() < give_up, "still {seen} descriptors after {PATIENCE:?}");
        thread::park_timeout(Duration::from_secs(1));
        let now = descriptors(server);
        unchanged = if now == seen { unchanged + 1 } else { 0 };
        seen = now;
    }
}
