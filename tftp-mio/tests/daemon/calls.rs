//! What a block costs in system calls of the network: they are counted, so that no clock is needed.

use std::{collections::BTreeMap, fs, process::Command};

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, oack, rrq},
    preload::build,
    server::{Server, command},
};

/// What a read of so many blocks of 512 bytes has cost, from the start of the server to its end.
fn of_read(blocks: usize, window: usize) -> BTreeMap<String, usize> {
    let root = TempDir::new().expect("a folder to serve");
    let file = content(512 * (blocks - 1));
    fs::write(root.path().join("file"), &file).expect("a file to serve");
    let tools = TempDir::new().expect("a folder");
    let counter = tools.path().join("calls");
    build("calls.c", &["-o"], &counter);
    let line = command(["--workers", "1"]);
    let mut command = Command::new(counter);
    command.arg(line.get_program()).args(line.get_args()).arg(root.path());
    let server = Server::run(root, command);

    let windowsize = window.to_string();
    let options = [("windowsize", &windowsize[..]), ("timeout", "60")];
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &options));
    peer.expect_next(oack(&options));
    peer.send(ack(0));
    assert!(peer.read_blocks(1, 512, window) == file);

    let log = server.stop();
    let told = log.lines().filter_map(|line| line.strip_prefix("counted ")?.split_once(' '));
    let number = |text: &str| text.parse().expect("a number");
    told.map(|(call, count)| (call.to_owned(), number(count))).collect()
}

/// What so many more blocks cost.
fn of_more(blocks: usize, window: usize) -> BTreeMap<String, usize> {
    let (less, more) = (of_read(window, window), of_read(window + blocks, window));
    assert_eq!(less.len(), 10, "{less:?}");
    more.into_iter().map(|(call, count)| (call.clone(), count - less[&call].min(count))).collect()
}

/// What is done so often, and no more or less; or not at all. A twentieth is for what a slow machine
/// needs besides: wake-ups by a clock, and by what came one by one and not at once.
fn each(times: usize) -> (impl Fn(usize) -> bool, impl Fn(usize) -> bool) {
    let few = times / 20;
    (move |count| (times - few..=times + few).contains(&count), move |count| count <= few)
}

#[test]
fn a_block_in_lock_step_costs_one_wake_up_one_receive_and_one_send() {
    let calls = of_more(1000, 1);
    let (once, never) = each(1000);
    for call in ["epoll_wait", "recvfrom", "sendto"] {
        assert!(once(calls[call]), "{calls:?}");
    }
    for call in ["recvmmsg", "recvmsg", "sendmsg", "ioctl", "fcntl", "lseek", "timerfd_settime"] {
        assert!(never(calls[call]), "{call}: {calls:?}");
    }
}

#[test]
fn a_window_costs_one_wake_up_one_receive_and_one_send() {
    let calls = of_more(100 * 16, 16);
    let (once, never) = each(100);
    for call in ["epoll_wait", "recvmmsg", "sendmsg"] {
        assert!(once(calls[call]), "{calls:?}");
    }
    for call in ["recvfrom", "recvmsg", "sendto", "ioctl", "fcntl", "lseek", "timerfd_settime"] {
        assert!(never(calls[call]), "{call}: {calls:?}");
    }
}
