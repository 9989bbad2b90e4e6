//! Stopping: running transfers get their time, and then an ERROR.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, ErrorKind, Write as _},
    net::UdpSocket,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    time::{Duration, Instant},
};

use rustix::{
    fs::OFlags,
    process::{Pid, Signal, kill_process},
};
use tempfile::TempDir;
use wait_timeout::ChildExt as _;

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::{Server, command},
};

/// A server with that grace, and a client in the middle of a read of 1000 bytes.
fn running(grace: &str) -> (Server, Peer) {
    let server = Server::with(["--write", "create", "--grace", grace]);
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "9")]));
    peer.expect_next(oack(&[("timeout", "9")]));
    peer.send(ack(0));
    peer.expect_next(data(1, &content(1000)[..512]));
    (server, peer)
}

#[test]
fn term_and_int_end_an_idle_server_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::with(["--grace", "60"]);
        server.signal(signal);
        let log = server.stopped();
        assert!(log.contains("stopped"), "{log}");
    }
}

#[test]
fn a_running_transfer_may_finish_and_nothing_new_begins() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut server, mut peer) = running("60");
        server.signal(signal);
        server.log_line("stopping");

        // Nobody listens any more, which the kernel tells the one who asks.
        let late = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        late.connect(server.address()).expect("an address");
        late.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out above zero");
        late.send(&rrq("file", &[])).expect("loopback takes datagrams");
        let refused = loop {
            match late.recv(&mut [0; 600]).expect_err("no answer").kind() {
                // A child of another test has ended.
                ErrorKind::Interrupted => {}
                kind => break kind,
            }
        };
        assert_eq!(refused, ErrorKind::ConnectionRefused);

        peer.send(ack(1));
        peer.expect_next(data(2, &content(1000)[512..]));
        peer.send(ack(2));
        let log = server.stopped();
        assert!(log.contains("outcome=\"completed\""), "{log}");
    }
}

#[test]
fn an_upload_may_finish() {
    let mut server = Server::with(["--write", "create", "--grace", "60"]);
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    server.signal(Signal::TERM);
    server.log_line("stopping");
    peer.send(data(1, "content"));
    peer.expect(ack(1));
    server.stopped();
    assert_eq!(fs::read(server.root().join("new")).expect("the upload"), b"content");
}

#[test]
fn a_second_signal_ends_running_transfers_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let (mut server, mut peer) = running("60");
        server.signal(Signal::TERM);
        server.log_line("stopping");
        server.signal(second);
        peer.expect_next(error(0, "server is shutting down"));
        let log = server.stopped();
        assert!(log.contains("name=\"file\"") && log.contains("outcome=\"failed\""), "{log}");
    }
}

#[test]
fn transfers_that_outlast_the_grace_are_ended() {
    let (mut server, mut peer) = running("1");
    let asked = Instant::now();
    server.signal(Signal::TERM);
    peer.expect_next(error(0, "server is shutting down"));
    assert!(asked.elapsed() >= Duration::from_millis(950), "{:?}", asked.elapsed());
    server.stopped();
}

/// Anybody may have asked in his name.
#[test]
fn a_client_that_has_not_answered_is_not_waited_for() {
    let mut server = Server::with(["--grace", "86400"]);
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "200")]));
    peer.expect_next(oack(&[("timeout", "200")]));
    server.signal(Signal::TERM);
    peer.expect_next(error(0, "server is shutting down"));
    server.stopped();
}

/// Here everything hangs in the end: nobody reads what is logged.
#[test]
fn a_second_signal_ends_a_server_that_hangs() {
    let root = TempDir::new().expect("a folder to serve");
    let (said, says) = io::pipe().expect("a pipe");
    // Not to be waited at by us, but by the server.
    let again = format!("/proc/self/fd/{}", says.as_raw_fd());
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag");
    let full = File::options().write(true).custom_flags(nonblock).open(again);
    let mut full = full.expect("the pipe once more");
    let mut tftpd = command(["--grace", "60"]);
    let mut child = tftpd.arg(root.path()).stderr(says).spawn().expect("tftpd starts");
    // It serves, and has taken its signals.
    BufReader::new(&said).read_line(&mut String::new()).expect("the start line");
    while full.write(b"x").is_ok() {}
    for signal in [Signal::USR1, Signal::HUP] {
        kill_process(Pid::from_child(&child), signal).expect("it runs");
    }
    let mut status = None;
    for _ in 0..300 {
        // Two that come at once are one.
        kill_process(Pid::from_child(&child), Signal::TERM).expect("not waited for yet");
        status = child.wait_timeout(Duration::from_millis(100)).expect("waiting for a child");
        if status.is_some() {
            break;
        }
    }
    let _ = child.kill();
    assert_eq!(status.and_then(|status| status.code()), Some(1));
}

/// Lingering is no transfer: the file is there, and its client knows.
#[test]
fn a_finished_upload_does_not_hold_the_end_up() {
    let mut server = Server::with(["--write", "create", "--grace", "60"]);
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[("timeout", "200")]));
    peer.expect(oack(&[("timeout", "200")]));
    peer.send(data(1, "content"));
    peer.expect(ack(1));
    server.signal(Signal::TERM);
    server.stopped();
}
