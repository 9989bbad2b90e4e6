//! How many transfers there may be: who is refused beyond that, who gives way, and that it passes.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
};

use crate::{
    peer::{Peer, ack, content, data, oack, rrq, wrq},
    server::Server,
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A server with these options, that has a file `file` of two blocks.
fn server(options: &[&str]) -> Server {
    let server = Server::with([&["--write", "create"], options].concat());
    fs::write(server.root().join("file"), content(600)).expect("a file to serve");
    server
}

/// A peer that has asked for the file, and never answers.
#[track_caller]
fn half_open(server: &Server, from: IpAddr) -> Peer {
    let mut peer = Peer::at(from, server.address());
    peer.ask(rrq("file", &[("timeout", "30")]));
    peer.expect(oack(&[("timeout", "30")]));
    peer
}

/// A peer in the middle of a transfer.
#[track_caller]
fn running(server: &Server, from: IpAddr) -> Peer {
    let mut peer = half_open(server, from);
    peer.send(ack(0));
    peer.expect(data(1, &content(600)[..512]));
    peer
}

#[track_caller]
fn end(mut peer: Peer) {
    peer.send(ack(1));
    peer.expect(data(2, &content(600)[512..]));
    peer.send(ack(2));
    // Once a later request is answered, the ACK has been handled.
    peer.expect_nothing();
}

#[track_caller]
fn is_refused(server: &Server, from: IpAddr) {
    for request in [rrq("file", &[]), wrq("new", &[])] {
        let mut peer = Peer::at(from, server.address());
        peer.ask(request);
        let text = peer.expect_error(0);
        assert!(text.starts_with("server is busy"), "{text}");
    }
}

#[test]
fn beyond_max_transfers_a_client_is_told_busy_until_one_ends() {
    let server = server(&["--max-transfers", "2"]);
    let [first, second] = [running(&server, HERE), running(&server, HERE)];
    is_refused(&server, HERE);
    end(first);
    let third = running(&server, HERE);
    is_refused(&server, ELSEWHERE);
    end(second);
    end(third);
    assert!(!server.root().join("new").exists());
    let log = server.stop();
    assert_eq!(log.matches("reason=\"server is busy: too many transfers\"").count(), 4, "{log}");
}

/// A file that is not there is said not to be there, whoever is busy.
#[test]
fn what_would_be_refused_anyway_takes_nobodys_place() {
    let server = server(&["--max-transfers", "1"]);
    let silent = half_open(&server, HERE);
    let mut other = Peer::of(&server);
    other.ask(rrq("missing", &[]));
    other.expect_error(1);
    silent.send(ack(0));
    let mut silent = silent;
    silent.expect(data(1, &content(600)[..512]));
    end(silent);
    server.stop();
}

#[test]
fn beyond_max_half_open_the_oldest_that_never_answered_gives_way() {
    the_oldest_gives_way(&[]);
}

#[test]
fn in_single_port_mode_it_does_so_too() {
    the_oldest_gives_way(&["--single-port"]);
}

#[track_caller]
fn the_oldest_gives_way(options: &[&str]) {
    let server = server(&[&["--max-half-open", "2"], options].concat());
    let proved = running(&server, HERE);
    let mut first = half_open(&server, HERE);
    let second = half_open(&server, HERE);
    let third = half_open(&server, HERE);
    let line = server.log_line("outcome=\"replaced\"");
    assert!(line.contains(&format!("peer={} ", first.address())), "{line}");
    // It is told, in case that it has only been slow.
    let text = first.expect_error(0);
    assert!(text.starts_with("server is busy"), "{text}");
    for mut peer in [second, third] {
        peer.send(ack(0));
        peer.expect(data(1, &content(600)[..512]));
        end(peer);
    }
    end(proved);
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"replaced\"").count(), 1, "{log}");
}

#[test]
fn beyond_max_transfers_per_client_only_that_client_is_told_busy() {
    let server = server(&["--max-transfers-per-client", "2"]);
    let [first, second] = [running(&server, HERE), running(&server, HERE)];
    is_refused(&server, HERE);
    end(running(&server, ELSEWHERE));
    end(first);
    end(running(&server, HERE));
    end(second);
    let log = server.stop();
    assert_eq!(log.matches("too many transfers of this client").count(), 2, "{log}");
}

/// Many clients take another port when they ask again.
#[test]
fn a_client_that_asks_again_from_another_port_takes_the_place_of_its_first_request() {
    let server = server(&["--max-transfers-per-client", "1"]);
    let other = half_open(&server, ELSEWHERE);
    let abandoned = half_open(&server, HERE);
    end(running(&server, HERE));
    let line = server.log_line("outcome=\"replaced\"");
    assert!(line.contains(&format!("peer={} ", abandoned.address())), "{line}");
    other.send(ack(0));
    server.stop();
}

/// Lingering is no transfer.
#[test]
fn a_finished_upload_takes_no_place() {
    let server = server(&["--max-transfers", "1"]);
    for name in ["a", "b", "c"] {
        let mut peer = Peer::of(&server);
        peer.ask(wrq(name, &[("timeout", "200")]));
        peer.expect(oack(&[("timeout", "200")]));
        peer.send(data(1, name));
        peer.expect(ack(1));
    }
    server.stop();
}
