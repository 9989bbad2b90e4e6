//! Transfer ports: handed out in turn, used by one transfer at a time, and free again afterwards.

use std::{
    fs,
    net::Ipv4Addr,
    process,
    sync::atomic::{AtomicU8, Ordering},
};

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::{Server, command},
};

/// A server on an address of the loopback network that no other test uses, so that it has all of
/// its transfer ports to itself; with a file `file`.
fn server(options: &[&str]) -> Server {
    static TESTS: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = process::id().to_be_bytes();
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    let address = format!("{}:0", Ipv4Addr::new(127, 100 + test, high, low));
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), "content").expect("a file to serve");
    Server::serving(
        root,
        [&["--listen", &address, "--write", "create", "--workers", "1"], options].concat(),
    )
}

fn peer(server: &Server) -> Peer {
    Peer::at(Ipv4Addr::LOCALHOST.into(), server.addresses()[0])
}

/// Reads the file whole, and returns the port that it came from.
#[track_caller]
fn read(server: &Server) -> u16 {
    let mut peer = peer(server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    // The port is free once the ACK is handled, which it is before a later request is.
    peer.expect_nothing();
    peer.tid().port()
}

#[test]
fn the_first_port_is_20000() {
    let server = server(&[]);
    let mut peer = peer(&server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    assert_eq!(peer.tid().port(), 20_000);
    peer.send(ack(1));
    server.stop();
}

#[test]
fn ports_are_handed_out_in_turn_and_begin_again_at_the_first() {
    let server = server(&["--ports", "30000-30002"]);
    // Each read takes two: one for the file, one for the refusal behind it.
    let ports: Vec<u16> = (0..4).map(|_| read(&server)).collect();
    assert_eq!(ports, [30_000, 30_002, 30_001, 30_000]);
    server.stop();
}

#[test]
fn a_port_in_use_is_passed_over() {
    let server = server(&["--ports", "30000-30001"]);
    let mut busy = peer(&server);
    busy.ask(rrq("file", &[("timeout", "9")]));
    busy.expect(oack(&[("timeout", "9")]));
    assert_eq!(busy.tid().port(), 30_000);
    for _ in 0..3 {
        assert_eq!(read(&server), 30_001);
    }
    busy.send(ack(0));
    busy.expect(data(1, "content"));
    busy.send(ack(1));
    server.stop();
}

#[test]
fn without_a_free_port_a_client_is_told_so_and_served_later() {
    let server = server(&["--ports", "30000"]);
    let mut first = peer(&server);
    let mut second = peer(&server);
    first.ask(rrq("file", &[("timeout", "9")]));
    first.expect(oack(&[("timeout", "9")]));
    first.send(ack(0));
    first.expect(data(1, "content"));
    for _ in 0..3 {
        second.ask(rrq("file", &[]));
        let text = second.expect_error(0);
        assert!(text.contains("busy"), "{text}");
    }
    first.send(ack(1));

    second.ask(rrq("file", &[]));
    second.expect(data(1, "content"));
    second.send(ack(1));
    assert_eq!((first.tid().port(), second.tid().port()), (30_000, 30_000));
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"refused\" reason=\"server is busy").count(), 3, "{log}");
}

#[test]
fn a_failed_transfer_gives_its_port_back() {
    let server = server(&["--ports", "30000"]);
    let mut peer = peer(&server);
    for request in [rrq("file", &[]), wrq("new", &[])] {
        for code in [0, 8] {
            peer.ask(&request);
            peer.receive();
            peer.send(error(code, "enough"));
        }
        peer.ask(rrq("missing", &[]));
        peer.expect_error(1);
    }
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

/// Whether a socket or a file was the last thing to be had.
#[test]
fn without_descriptors_the_oldest_transfer_that_never_began_gives_way() {
    for limit in ["24", "25"] {
        let server = with_descriptors(limit);
        let silent: Vec<Peer> = (0..24)
            .map(|_| {
                let mut peer = Peer::of(&server);
                peer.ask(rrq("file", &[("timeout", "9")]));
                peer.expect(oack(&[("timeout", "9")]));
                peer
            })
            .collect();
        let log = server.stop();
        assert!(log.contains("outcome=\"replaced\""), "{} clients: {log}", silent.len());
    }
}

/// A thousand clients that ask and never answer do not keep one out that does (F59).
#[test]
fn the_oldest_transfer_that_never_began_gives_way() {
    let server = server(&["--ports", "30000-30001"]);
    let mut silent = [peer(&server), peer(&server), peer(&server)];
    for peer in &mut silent {
        peer.ask(rrq("file", &[("timeout", "9")]));
        peer.expect(oack(&[("timeout", "9")]));
    }
    assert_eq!(silent[2].tid(), silent[0].tid(), "the first one's port");
    let mut honest = peer(&server);
    honest.ask(rrq("file", &[]));
    honest.expect(data(1, "content"));
    honest.send(ack(1));
    silent[2].send(ack(0));
    silent[2].expect(data(1, "content"));
    silent[2].send(ack(1));
    server.stop();
}

/// A finished upload keeps its port to repeat its last ACK, but not at the expense of others.
#[test]
fn a_port_that_a_finished_upload_lingers_on_is_given_to_who_needs_it() {
    let server = server(&["--ports", "30000-30001"]);
    for name in ["a", "b", "c", "d"] {
        let mut peer = peer(&server);
        peer.ask(wrq(name, &[]));
        peer.expect(ack(0));
        peer.send(data(1, name));
        peer.expect(ack(1));
    }
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 4, "{log}");
}

#[test]
fn a_server_without_descriptors_says_busy_and_recovers() {
    let server = with_descriptors("24");

    // Transfers that have begun do not give way.
    let mut running = Vec::new();
    let refusal = loop {
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &[("timeout", "9")]));
        let answer = peer.receive();
        if answer != oack(&[("timeout", "9")]) {
            break answer;
        }
        peer.send(ack(0));
        peer.expect(data(1, &content(600)[..512]));
        running.push(peer);
        assert!(running.len() < 24);
    };
    assert!(refusal.starts_with(b"\0\x05\0\0server is busy"), "{}", refusal.escape_ascii());
    for peer in &mut running {
        peer.send(ack(1));
        peer.expect(data(2, &content(600)[512..]));
        peer.send(ack(2));
    }
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    assert_eq!(peer.read_blocks(1, 512, 1), content(600));
    server.stop();
}

/// A server that may have so many open files, with a file `file` of 600 bytes.
fn with_descriptors(limit: &str) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), content(600)).expect("a file to serve");
    let tftpd = command([""; 0]);
    let mut limited = process::Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
    limited.arg(tftpd.get_program()).args(tftpd.get_args()).arg(root.path());
    Server::run(root, limited)
}
