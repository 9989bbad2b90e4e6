//! The client is killed in the midst of a transfer with our server: neither side keeps a part of a
//! file, and the server notices by itself.
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    process::Child,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::{TempDir, tempdir};
use tftp_core::{Operation, Timing};
use tftp_mio::{
    server::{Config, Counters, Outcome, Server, Stopper},
    storage::{Folder, WritePolicy},
};

use common::{entries, spawn};

/// A server that is soon tired of waiting, and serves the folder `root`.
struct Running {
    port: String,
    root: TempDir,
    counters: Arc<Counters>,
    stopper: Stopper,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start() -> Self {
        let root = tempdir().unwrap();
        let files = Folder::open(root.path(), WritePolicy::Overwrite).unwrap();
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            timing: Timing::SERVER.with_ceiling(Duration::from_millis(100)).with_retries(3),
            ..Config::default()
        };
        let server = Server::bind(&config, Arc::new(files)).unwrap();
        let port = server.local_addrs()[0].port().to_string();
        let (counters, stopper) = (server.counters(), server.stopper());
        let thread = thread::spawn(move || server.run());
        Self { port, root, counters, stopper, thread }
    }

    /// Waits until its one transfer has ended because the client is silent. Returns the folder.
    #[track_caller]
    fn tired(self, operation: Operation) -> TempDir {
        wait_until(|| self.counters.ended(operation, Outcome::TimedOut) == 1);
        wait_until(|| self.counters.active() == 0);
        assert_eq!(self.counters.started(operation), 1);
        self.stopper.stop();
        self.thread.join().unwrap().unwrap();
        self.root
    }
}

#[track_caller]
fn wait_until(what: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !what() {
        assert!(Instant::now() < give_up, "not in time");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Kills the client once it has moved some of the file: read it, to send it, or written it.
#[track_caller]
fn kill_midway(mut client: Child) {
    let counted = format!("/proc/{}/io", client.id());
    wait_until(|| {
        let counted = fs::read_to_string(&counted).unwrap();
        let lines = counted.lines().filter_map(|line| line.split_once("char: "));
        lines.map(|(_, bytes)| bytes.parse::<u64>().unwrap()).sum::<u64>() > 1_000_000
    });
    client.kill().unwrap();
    assert_eq!(client.wait().unwrap().code(), None, "it has ended by itself");
}

fn put_old_file(folder: &Path) {
    fs::write(folder.join("file"), "old").unwrap();
}

fn assert_only_old_file(folder: &Path) {
    assert_eq!(entries(folder), ["file"]);
    assert_eq!(fs::read(folder.join("file")).unwrap(), b"old");
}

#[test]
fn a_client_that_is_killed_midway_of_a_get_leaves_the_old_file_and_nothing_else() {
    let server = Running::start();
    // All of it takes longer than it lives.
    File::create(server.root.path().join("file")).unwrap().set_len(64 << 30).unwrap();
    let local = tempdir().unwrap();
    put_old_file(local.path());
    kill_midway(spawn(local.path(), ["127.0.0.1", &server.port, "-c", "get", "file"]));
    assert_only_old_file(local.path());
    server.tired(Operation::Read);
}

#[test]
fn a_client_that_is_killed_midway_of_a_put_leaves_the_old_file_there_and_nothing_else() {
    let server = Running::start();
    put_old_file(server.root.path());
    let local = tempdir().unwrap();
    let mut client = spawn(local.path(), ["127.0.0.1", &server.port, "-c", "put", "-", "file"]);
    // There is always more to come.
    let mut input = client.stdin.take().unwrap();
    let feeding = thread::spawn(move || while input.write_all(&[b'x'; 4096]).is_ok() {});
    kill_midway(client);
    feeding.join().unwrap();
    let root = server.tired(Operation::Write);
    assert_only_old_file(root.path());
    assert!(entries(local.path()).is_empty());
}
