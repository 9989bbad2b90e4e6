//! What a block costs in system calls, whichever: they are counted, so that no clock is needed.

use std::{collections::BTreeMap, fs, process::Command};

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, oack, rrq, wrq},
    preload::build,
    server::{Server, command},
};

/// Calls by their names, those that no test names by their numbers.
type Calls = BTreeMap<String, usize>;

/// What a server with these options has cost from its start to its end, while peers talked to it.
fn counted(root: TempDir, options: &[&str], talk: impl FnOnce(&Server)) -> Calls {
    let tools = TempDir::new().expect("a folder");
    let counter = tools.path().join("calls");
    build("calls.c", &["-o"], &counter);
    // Not the ports of all other tests' servers: one that is taken costs calls. The few of these tests
    // are within what is allowed for.
    let own = ["--workers", "1", "--write", "create", "--ports", "31000-31999"];
    let line = command(own.iter().chain(options));
    let mut command = Command::new(counter);
    command.arg(line.get_program()).args(line.get_args()).arg(root.path());
    let server = Server::run(root, command);
    talk(&server);
    let log = server.stop();
    let told = log.lines().filter_map(|line| line.strip_prefix("counted ")?.split_once(' '));
    let mut calls = Calls::new();
    for (call, count) in told {
        *calls.entry(call.to_owned()).or_default() += count.parse::<usize>().expect("a number");
    }
    calls
}

/// A folder to serve that is in memory: a disk may have to be waited for, by other calls.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").expect("a folder to serve")
}

/// A file of so many blocks: the last one is empty.
fn file(blocks: usize, blksize: usize) -> Vec<u8> {
    content(blksize * (blocks - 1))
}

fn of_read(options: &[&str], blocks: usize, blksize: usize, window: usize) -> Calls {
    let root = folder();
    let file = file(blocks, blksize);
    fs::write(root.path().join("file"), &file).expect("a file to serve");
    counted(root, options, |server| {
        let texts = [blksize, window].map(|value| value.to_string());
        let options = [("blksize", &*texts[0]), ("windowsize", &*texts[1]), ("timeout", "60")];
        let mut peer = Peer::of(server);
        peer.ask(rrq("file", &options));
        peer.expect_next(oack(&options));
        peer.send(ack(0));
        assert!(peer.read_blocks(1, blksize, window) == file);
    })
}

fn of_write(options: &[&str], blocks: usize, blksize: usize, window: usize) -> Calls {
    let file = file(blocks, blksize);
    counted(folder(), options, |server| {
        let texts = [blksize, window].map(|value| value.to_string());
        let options = [("blksize", &*texts[0]), ("windowsize", &*texts[1]), ("timeout", "60")];
        let mut peer = Peer::of(server);
        peer.ask(wrq("file", &options));
        peer.expect_next(oack(&options));
        let payloads = file.chunks(blksize).chain([&[][..]]);
        let packets: Vec<_> =
            (1..).zip(payloads).map(|(number, bytes)| data(number, bytes)).collect();
        peer.cut_sends(packets[0].len());
        for (last, together) in (window..).step_by(window).zip(packets.chunks(window)) {
            peer.send(together.concat());
            peer.expect_next(ack(last.try_into().expect("16 bits")));
        }
        assert!(fs::read(server.root().join("file")).expect("the upload") == file);
    })
}

/// Windows of which the cost is told apart from that of the rest of a transfer.
const WINDOWS: usize = 1000;

/// Expects that each window of blocks costs each of these calls once, and nothing else. A twentieth of a
/// call is for what is done now and then, and for what a slow machine needs besides: wake-ups by a clock.
#[track_caller]
fn expect_each(of: impl Fn(usize) -> Calls, window: usize, calls: &[&str]) {
    let (less, mut more) = (of(window), of(window * (1 + WINDOWS)));
    for (call, count) in &mut more {
        *count = count.saturating_sub(less.get(call).copied().unwrap_or_default());
    }
    more.retain(|_, count| *count > 0);
    let few = WINDOWS / 20;
    for call in calls {
        assert!(more.get(*call) >= Some(&(WINDOWS - few)), "{call}: {more:?}");
    }
    let all: usize = more.values().sum();
    assert!(all <= WINDOWS * calls.len() + few, "{all} calls: {more:?}");
}

#[test]
fn a_block_that_goes_out_in_lock_step_costs_three_calls() {
    expect_each(|blocks| of_read(&[], blocks, 512, 1), 1, &["epoll_wait", "recvfrom", "sendto"]);
}

#[test]
fn through_a_single_port_it_costs_as_many() {
    // What else comes there is to be told apart, and may be more.
    let (options, calls) = (["--single-port"], ["epoll_wait", "recvmmsg", "sendto"]);
    expect_each(|blocks| of_read(&options, blocks, 512, 1), 1, &calls);
}

#[test]
fn a_window_that_goes_out_costs_four_calls() {
    let calls = ["epoll_wait", "recvmmsg", "preadv", "sendmsg"];
    for options in [&[][..], &["--single-port"]] {
        expect_each(|blocks| of_read(options, blocks, 1428, 16), 16, &calls);
    }
}

#[test]
fn a_block_that_comes_in_in_lock_step_costs_four_calls() {
    let calls = ["epoll_wait", "recvmmsg", "pwrite64", "sendto"];
    expect_each(|blocks| of_write(&[], blocks, 512, 1), 1, &calls);
}

#[test]
fn a_window_that_comes_in_costs_four_calls() {
    let calls = ["epoll_wait", "recvmmsg", "pwritev", "sendto"];
    for options in [&[][..], &["--single-port"]] {
        expect_each(|blocks| of_write(options, blocks, 1428, 16), 16, &calls);
    }
}

/// Only the system knows which addresses are those of a network, and tells it by a socket.
#[test]
fn it_is_not_asked_for_every_request_whether_it_was_sent_to_a_group() {
    const REQUESTS: usize = 200;
    let calls = counted(folder(), &["--listen", "[::]:0"], |server| {
        let mut peer = Peer::of(server);
        for _ in 0..REQUESTS {
            peer.ask(rrq("missing", &[]));
            peer.expect_error(1);
        }
    });
    assert!(calls["sendto"] >= REQUESTS, "{calls:?}");
    assert!(calls["connect"] < REQUESTS / 4, "{calls:?}");
}
