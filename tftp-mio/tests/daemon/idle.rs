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
    await_sleep(server.id(), &Sleeping { loops: 2, loops_with_timer: 0, alarm_with_timer: false });
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    await_sleep(server.id(), &Sleeping { loops: 2, loops_with_timer: 0, alarm_with_timer: true });
    peer.send(ack(1));
    await_sleep(server.id(), &Sleeping { loops: 2, loops_with_timer: 0, alarm_with_timer: false });
    server.stop();
}

/// What the threads of a server wait for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sleeping {
    /// Those that wait for events, and how many of them for a limited time.
    loops: usize,
    loops_with_timer: usize,
    /// Whether the thread that minds the time does so for a limited time.
    alarm_with_timer: bool,
}

/// Waits until all sleep as told.
#[track_caller]
fn await_sleep(process: u32, told: &Sleeping) {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        let Some(sleeping) = sleeping(process) else { continue };
        if sleeping == *told {
            return;
        }
        assert!(Instant::now() < give_up, "{sleeping:?}");
        thread::yield_now();
    }
}

/// What all threads are waiting for; `None` while the one that minds the time is awake.
fn sleeping(process: u32) -> Option<Sleeping> {
    /// On x86-64 `epoll_wait` and `epoll_pwait`, on others the latter.
    const WAITS: [&str; 3] = ["232", "281", "22"];
    let mut sleeping = Sleeping::default();
    let mut alarm_sleeps = false;
    for thread in fs::read_dir(format!("/proc/{process}/task")).expect("a running server") {
        let thread = thread.expect("a thread").path();
        let name = fs::read_to_string(thread.join("comm")).ok()?;
        // The number and the arguments of the system call, or "running".
        let call = fs::read_to_string(thread.join("syscall")).ok()?;
        let mut call = call.split_whitespace();
        let number = call.next()?;
        // The fourth one is the time: in milliseconds, and for a futex where it stands.
        let time = call.nth(3);
        if name.trim() == "tftpd-alarm" {
            sleeping.alarm_with_timer = time? != "0x0";
            alarm_sleeps = true;
        } else if WAITS.contains(&number) {
            sleeping.loops += 1;
            sleeping.loops_with_timer += usize::from(!time?.ends_with("ffffffff"));
        }
    }
    alarm_sleeps.then_some(sleeping)
}
