//! `--single-port`: everything goes through the listening port, and transfers are told apart by
//! their peers.

use std::fs;

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::Server,
};

/// A server of that mode, with a file `file`.
fn server(file: &[u8]) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), file).expect("a file to serve");
    Server::serving(root, ["--single-port", "--write", "create"])
}

#[test]
fn a_read_comes_from_the_listening_port() {
    let file = content(1000);
    let server = server(&file);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("blksize", "512"), ("timeout", "9")]));
    peer.expect(oack(&[("blksize", "512"), ("timeout", "9")]));
    assert_eq!(peer.tid(), server.address());
    peer.send(ack(0));
    peer.expect(data(1, &file[..512]));
    peer.send(ack(1));
    peer.expect(data(2, &file[512..]));
    peer.send(ack(2));
    let line = server.log_line("name=\"file\"");
    assert!(line.contains("outcome=\"completed\""), "{line}");
    server.stop();
}

#[test]
fn a_write_goes_to_the_listening_port() {
    let server = server(b"");
    let file = content(70_000);
    let mut peer = Peer::of(&server);
    let options = [("blksize", "1428"), ("windowsize", "4")];
    peer.ask(wrq("new", &options));
    peer.expect(oack(&options));
    assert_eq!(peer.tid(), server.address());
    for (index, block) in file.chunks(1428).enumerate() {
        let number = u16::try_from(index + 1).expect("50 blocks");
        peer.send(data(number, block));
        if number % 4 == 0 || block.len() < 1428 {
            peer.expect_ack(number);
        }
    }
    assert!(fs::read(server.root().join("new")).expect("the upload") == file);
    server.stop();
}

/// F34.
#[test]
fn two_ports_of_one_host_are_two_transfers() {
    let file = content(2000);
    let server = server(&file);
    let mut peers = [Peer::of(&server), Peer::of(&server)];
    for peer in &mut peers {
        peer.ask(rrq("file", &[("timeout", "9")]));
        peer.expect(oack(&[("timeout", "9")]));
    }
    for peer in &peers {
        peer.send(ack(0));
    }
    for peer in &mut peers {
        assert!(peer.read_blocks(1, 512, 1) == file);
    }
    server.stop();
}

#[test]
fn another_request_from_a_known_port_ends_the_transfer_and_begins_another() {
    let file = content(2000);
    let server = server(&file);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "9")]));
    peer.expect(oack(&[("timeout", "9")]));
    peer.send(ack(0));
    peer.expect(data(1, &file[..512]));
    peer.ask(rrq("file", &[("blksize", "1000"), ("timeout", "9")]));
    peer.expect(oack(&[("blksize", "1000"), ("timeout", "9")]));
    peer.send(ack(0));
    assert!(peer.read_blocks(1, 1000, 1) == file);
    let log = server.stop();
    assert!(log.contains("outcome=\"replaced\""), "{log}");
    assert!(log.contains("outcome=\"completed\""), "{log}");
}

#[test]
fn an_upload_that_only_lingers_makes_way_for_the_next_request_of_its_peer() {
    let server = server(b"content");
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "short"));
    peer.expect(ack(1));
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 2, "{log}");
}

#[test]
fn a_request_that_is_doubled_on_its_way_is_one_transfer() {
    let server = server(b"content");
    let mut peer = Peer::of(&server);
    let request = rrq("file", &[("timeout", "9")]);
    peer.ask(&request);
    peer.expect_next(oack(&[("timeout", "9")]));
    peer.send(&request);
    peer.send(ack(0));
    peer.expect_next(data(1, "content"));
    peer.send(&request);
    peer.send(ack(1));
    let log = server.stop();
    assert_eq!(log.matches("outcome=").count(), 1, "{log}");
}

#[test]
fn packets_of_no_transfer_and_refused_requests_are_treated_as_ever() {
    let server = server(b"content");
    let mut stranger = Peer::of(&server);
    for packet in [ack(0), data(1, "x"), error(5, "no")] {
        stranger.send_to(packet, server.address());
    }
    stranger.expect_nothing();
    stranger.ask(rrq("missing", &[]));
    stranger.expect_error(1);
    assert_eq!(stranger.tid(), server.address());
    server.stop();
}

#[test]
fn what_runs_may_finish_when_the_server_is_asked_to_stop() {
    let file = content(1000);
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), &file).expect("a file to serve");
    let mut server = Server::serving(root, ["--single-port", "--grace", "30"]);
    let mut peers: Vec<Peer> = (0..8).map(|_| Peer::of(&server)).collect();
    for peer in &mut peers {
        peer.ask(rrq("file", &[("timeout", "9")]));
        peer.expect(oack(&[("timeout", "9")]));
    }
    server.signal(rustix::process::Signal::TERM);
    server.log_line("stopping");
    let mut late = Peer::of(&server);
    late.ask(rrq("file", &[]));
    for peer in &mut peers {
        peer.send(ack(0));
        assert!(peer.read_blocks(1, 512, 1) == file);
    }
    let log = server.stopped();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 8, "{log}");
    assert_eq!(log.matches("outcome=").count(), 8, "the late request was taken: {log}");
}
