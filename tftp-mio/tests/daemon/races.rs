//! Files that change places with something else while they are asked for.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, rrq, wrq},
    server::{Server, command},
};

/// Requests of each kind, while two names change places.
const TURNS: usize = 20;

/// Far above what that takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the exchange, also when what was asked for is not what came.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Exchanges two names as fast as it can, while `asking` runs.
fn while_exchanging<T>(one: &Path, other: &Path, asking: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("both are there");
            }
        });
        let _over = Over(&over);
        asking()
    })
}

/// What was asked for is served, or refused at once; what changes places with it is neither read
/// nor written nor waited for, whatever it is.
#[test]
fn what_changes_places_with_a_file_is_never_opened_instead() {
    // In memory: a disk would be busy with the exchanges when uploads are to be synced.
    let around = TempDir::new_in("/dev/shm").expect("a folder in memory");
    let root = around.path().join("root");
    fs::create_dir_all(root.join("dir")).expect("a folder to serve");
    fs::create_dir(around.path().join("outside")).expect("a folder");
    for (name, content) in [
        ("secret", "secret"),
        ("outside/file", "secret"),
        ("root/file", "own"),
        ("root/other", "own"),
        ("root/dir/file", "own"),
    ] {
        fs::write(around.path().join(name), content).expect("a file");
    }
    symlink("../secret", root.join("link")).expect("a link");
    symlink("../outside", root.join("folder")).expect("a link");
    let made = Command::new("mkfifo").arg(root.join("fifo")).status().expect("mkfifo runs");
    assert!(made.success());
    let mut command = command(["--write", "overwrite"]);
    command.arg(&root);
    let server = Server::run(TempDir::new().expect("a folder"), command);

    // Kept, so that none has the port of another: its request would be taken for the same one.
    let mut peers = Vec::new();
    for (name, other, asked) in
        [("file", "link", "file"), ("other", "fifo", "other"), ("dir", "folder", "dir/file")]
    {
        let mut ask = |request: Vec<u8>, ours: &[u8], next: Vec<u8>| {
            let mut peer = Peer::of(&server);
            peer.ask(request);
            let answer = peer.receive();
            let granted = answer == ours;
            assert!(granted || answer.starts_with(b"\0\x05\0"), "{answer:?}");
            if granted {
                peer.send(next);
            }
            peers.push(peer);
            granted
        };
        while_exchanging(&root.join(name), &root.join(other), || {
            // The exchange may have to wait for its turn, with the wrong one in place.
            let give_up = Instant::now() + PATIENCE;
            let (mut granted, mut refused) = (0, 0);
            while granted < TURNS || refused < TURNS {
                let outcome = ask(rrq(asked, &[]), &data(1, "own"), ack(1));
                *(if outcome { &mut granted } else { &mut refused }) += 1;
                assert!(Instant::now() < give_up, "{granted} were granted, {refused} refused");
            }
            for _ in 0..TURNS {
                ask(wrq(asked, &[]), &ack(0), data(1, "own"));
            }
        });
        for secret in ["secret", "outside/file"] {
            let secret = fs::read(around.path().join(secret)).expect("a file outside");
            assert_eq!(secret, b"secret", "an upload left the folder through {other}");
        }
        let outside = fs::read_dir(around.path().join("outside")).expect("a folder outside");
        assert_eq!(outside.count(), 1);
    }
    server.stop();
}
