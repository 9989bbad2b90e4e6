//! Files that change places with something else while they are asked for.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, rrq, wrq},
    server::{Server, command},
};

/// Turns that a name changes hands and is asked for.
const TURNS: usize = 40;

/// Exchanges two names as fast as it can, while `asking` runs.
fn while_exchanging<T>(one: &Path, other: &Path, asking: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("both are there");
            }
        });
        let result = asking();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// What was asked for is served, or refused at once; what changes places with it is neither read
/// nor written nor waited for, whatever it is.
#[test]
fn what_changes_places_with_a_file_is_never_opened_instead() {
    let around = TempDir::new().expect("a folder");
    let root = around.path().join("root");
    fs::create_dir_all(root.join("dir")).expect("a folder to serve");
    fs::create_dir(around.path().join("outside")).expect("a folder");
    for (name, content) in [
        ("secret", "secret"),
        ("outside/file", "secret"),
        ("root/file", "own"),
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

    for (name, other, asked) in
        [("file", "link", "file"), ("file", "fifo", "file"), ("dir", "folder", "dir/file")]
    {
        while_exchanging(&root.join(name), &root.join(other), || {
            let mut read = 0;
            for _ in 0..TURNS {
                let mut peer = Peer::of(&server);
                peer.ask(rrq(asked, &[]));
                let answer = peer.receive();
                if answer == data(1, "own") {
                    peer.send(ack(1));
                    read += 1;
                } else {
                    assert!(answer.starts_with(b"\0\x05\0"), "{answer:?}");
                }
                let mut peer = Peer::of(&server);
                peer.ask(wrq(asked, &[]));
                if peer.receive() == ack(0) {
                    peer.send(data(1, "own"));
                    peer.receive();
                }
            }
            assert!(read > 0, "the exchange with {other} left no turn to the file");
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
