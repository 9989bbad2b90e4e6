//! Files that are not in the system's memory: a helper thread brings them there.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{Advice, FsWord, fadvise, statfs};
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, oack, rrq},
    preload::preload,
    server::{Server, command},
};

/// A folder on a disk.
fn on_disk() -> TempDir {
    /// What `statfs` says of tmpfs.
    const TMPFS: FsWord = 0x0102_1994;
    let places = [env!("CARGO_TARGET_TMPDIR"), env!("CARGO_MANIFEST_DIR"), "/var/tmp"];
    let is_disk = |place: &PathBuf| statfs(place).is_ok_and(|found| found.f_type != TMPFS);
    let place = places.into_iter().map(PathBuf::from).find(is_disk);
    TempDir::new_in(place.expect("a place that is not in memory")).expect("a folder to serve")
}

/// Writes a file to the disk, and has the system forget its content.
fn write_cold(path: &Path, content: &[u8]) {
    let mut file = File::create(path).expect("a new file");
    file.write_all(content).expect("room for it");
    file.sync_all().expect("a disk");
    fadvise(&file, 0, None, Advice::DontNeed).expect("a file that can be forgotten");
}

fn one_worker() -> Command {
    command(["--workers", "1"])
}

/// Whether a helper thread has had something to do.
fn helps(server: &Server) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", server.id())).expect("a process");
    let names = threads.flatten().flat_map(|thread| fs::read_to_string(thread.path().join("comm")));
    names.into_iter().any(|name| name.trim() == "tftpd-helper")
}

/// Reads a file, in which nothing may be missing or come twice.
fn read(server: &Server, name: &str, file: &[u8], window: usize) {
    let mut peer = Peer::of(server);
    let windowsize = window.to_string();
    let options = [("windowsize", &windowsize[..]), ("timeout", "60")];
    peer.ask(rrq(name, &options));
    peer.expect_next(oack(&options));
    peer.send(ack(0));
    assert!(peer.read_blocks(1, 512, window) == file, "windowsize {window}");
    let line = server.log_line(&format!("name=\"{name}\""));
    assert!(line.contains("retransmissions=0") && line.contains("completed"), "{line}");
}

#[test]
fn what_cannot_be_read_without_waiting_is_fetched_by_a_helper_thread() {
    let file = content(300_000);
    for (without, root) in [("cache", TempDir::new().expect("a folder")), ("nowait", on_disk())] {
        for window in [1, 16] {
            let root = TempDir::new_in(root.path()).expect("a folder to serve");
            fs::write(root.path().join("file"), &file).expect("a file to serve");
            let mut command = one_worker();
            let _code = preload(&mut command, "poorer.c", ("WITHOUT", without));
            command.arg(root.path());
            let server = Server::run(root, command);
            assert!(!helps(&server), "there is nothing to fetch yet");
            read(&server, "file", &file, window);
            assert!(helps(&server), "without {without}, windowsize {window}");
            server.stop();
        }
    }
}

#[test]
fn files_that_must_come_from_a_disk_are_fetched_by_a_helper_thread() {
    let file = content(300_000);
    let root = on_disk();
    // A disk may be quick enough to have one of them there in time, but not all.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for name in names {
        write_cold(&root.path().join(name), &file);
    }
    let mut command = one_worker();
    command.arg(root.path());
    let server = Server::run(root, command);
    assert!(!helps(&server), "there is nothing to fetch yet");
    for (name, window) in names.into_iter().zip([1, 16].into_iter().cycle()) {
        read(&server, name, &file, window);
    }
    assert!(helps(&server));
    server.stop();
}

#[test]
fn files_that_are_memory_are_read_by_the_loop() {
    let file = content(300_000);
    let root = TempDir::new_in("/dev/shm").expect("a folder to serve");
    fs::write(root.path().join("file"), &file).expect("a file to serve");
    let mut command = one_worker();
    command.arg(root.path());
    let server = Server::run(root, command);
    read(&server, "file", &file, 16);
    assert!(!helps(&server));
    server.stop();
}
