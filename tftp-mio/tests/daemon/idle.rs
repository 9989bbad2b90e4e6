//! Who has nothing to do sleeps until something comes.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    peer::{Peer, ack, data, rrq},
    server::Server,
};

#[test]
fn a_server_that_has_nothing_to_do_sleeps_without_a_timer() {
    let server = Server::with(["--workers", "2"]);
    fs::write(server.root().join("file"), "content").expect("a file to serve");
    await_sleep(server.id(), |timers| timers == [false, false]);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    await_sleep(server.id(), |timers| timers.contains(&true));
    peer.send(ack(1));
    await_sleep(server.id(), |timers| timers == [false, false]);
    server.stop();
}

/// Waits until both workers sleep, and do so with a timer or without as told.
#[track_caller]
fn await_sleep(process: u32, fits: impl Fn(&[bool]) -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        let timers = sleeping(process);
        if timers.len() == 2 && fits(&timers) {
            return;
        }
        assert!(Instant::now() < give_up, "with a timer: {timers:?}");
        thread::yield_now();
    }
}

/// For each thread that waits for events, whether it does so for a limited time.
fn sleeping(process: u32) -> Vec<bool> {
    /// On x86-64 `epoll_wait` and `epoll_pwait`, on others the latter.
    const WAITS: [&str; 3] = ["232", "281", "22"];
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a running server");
    let waits = threads.filter_map(|thread| {
        let call = fs::read_to_string(thread.ok()?.path().join("syscall")).ok()?;
        // The number, the poll descriptor, the buffer, its length, the time in milliseconds.
        let mut call = call.split_whitespace();
        let number = call.next()?;
        let timer = call.nth(3)?;
        WAITS.contains(&number).then(|| !timer.ends_with("ffffffff"))
    });
    waits.collect()
}
