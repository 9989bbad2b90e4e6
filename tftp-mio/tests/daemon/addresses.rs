//! Addresses: an answer comes from the one that was asked.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{
    peer::{Peer, ack, content, data, oack, rrq, wrq},
    server::Server,
};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V4_OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A server that has ports for its transfers, and one that has a single port.
fn listening(addresses: &[&str]) -> [(Server, bool); 2] {
    [false, true].map(|single_port| {
        let options = addresses.iter().flat_map(|address| ["--listen", address]);
        let single = single_port.then_some("--single-port");
        let server = Server::with(options.chain(["--write", "create"]).chain(single));
        fs::write(server.root().join("file"), content(FILE)).expect("a file to serve");
        (server, single_port)
    })
}

/// Bytes of the file: some windows.
const FILE: usize = 10_000;

/// Reads, writes and is refused, in all cases by `asked` alone.
#[track_caller]
fn talks(from: IpAddr, asked: SocketAddr, single_port: bool, new: &str) {
    let mut peer = Peer::at(from, asked);
    let options = [("windowsize", "8"), ("timeout", "9")];
    peer.ask(rrq("file", &options));
    peer.expect(oack(&options));
    assert_eq!(peer.tid().ip(), asked.ip());
    assert_eq!(peer.tid().port() == asked.port(), single_port);
    peer.send(ack(0));
    assert_eq!(peer.read_blocks(1, 512, 8), content(FILE));
    peer.ask(wrq(new, &[]));
    peer.expect(ack(0));
    assert_eq!(peer.tid().ip(), asked.ip());
    peer.send(data(1, new));
    peer.expect(ack(1));
    peer.ask(rrq("missing", &[]));
    peer.expect_error(1);
    assert_eq!(peer.tid().ip(), asked.ip());
    // What the listening port says itself.
    peer.ask(b"\0\x01file");
    peer.expect_error(4);
    assert_eq!(peer.tid(), asked);
}

#[test]
fn several_addresses_are_served() {
    for (server, single_port) in listening(&["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]) {
        let [first, second, third] = server.addresses() else { panic!("{:?}", server.addresses()) };
        talks(V4, *first, single_port, "a");
        talks(V4, *second, single_port, "b");
        talks(V6, *third, single_port, "c");
        server.stop();
    }
}

#[test]
fn ipv6_is_served() {
    for (server, single_port) in listening(&["[::1]:0"]) {
        talks(V6, server.addresses()[0], single_port, "a");
        let log = server.stop();
        assert!(log.contains("peer=[::1]:"), "{log}");
    }
}

#[test]
fn behind_the_ipv4_wildcard_the_asked_address_answers() {
    for (server, single_port) in listening(&["0.0.0.0:0"]) {
        talks(V4, SocketAddr::new(V4, server.port()), single_port, "a");
        talks(V4, SocketAddr::new(V4_OTHER, server.port()), single_port, "b");
        server.stop();
    }
}

/// Also for IPv4, of which the log speaks as IPv4.
#[test]
fn behind_the_ipv6_wildcard_the_asked_address_answers() {
    for (server, single_port) in listening(&["[::]:0"]) {
        talks(V6, SocketAddr::new(V6, server.port()), single_port, "a");
        talks(V4, SocketAddr::new(V4, server.port()), single_port, "b");
        talks(V4, SocketAddr::new(V4_OTHER, server.port()), single_port, "c");
        let log = server.stop();
        assert!(log.contains("peer=127.0.0.1:") && !log.contains("ffff"), "{log}");
    }
}

/// Everybody who serves that network would answer.
#[test]
fn a_request_to_a_broadcast_address_is_ignored() {
    for (server, _) in listening(&["0.0.0.0:0"]) {
        for group in [[127, 255, 255, 255], [255, 255, 255, 255]] {
            let mut peer = Peer::at(V4, SocketAddr::new(V4, server.port()));
            peer.socket().set_broadcast(true).expect("a socket option");
            peer.send_to(rrq("file", &[]), (Ipv4Addr::from(group), server.port()).into());
            peer.send_to(b"\0\x01file", (Ipv4Addr::from(group), server.port()).into());
            peer.expect_nothing();
        }
        server.stop();
    }
}
