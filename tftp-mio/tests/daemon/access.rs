//! Who may ask, by network: what comes from anybody else is dropped without an answer.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use crate::{
    peer::{Peer, ack, data, error, oack, rrq},
    server::Server,
};

/// Nothing that a server does on loopback takes as long.
const SILENCE: Duration = Duration::from_millis(300);

fn server(options: &[&str]) -> Server {
    let server = Server::with(options);
    fs::write(server.root().join("file"), "content").expect("a file to serve");
    server
}

#[track_caller]
fn is_served(server: &Server, from: IpAddr) {
    let mut peer = peer(server, from);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
}

/// Neither requests nor anything else draws an answer.
#[track_caller]
fn is_dropped(server: &Server, from: IpAddr) {
    let mut peer = peer(server, from);
    for datagram in [&rrq("file", &[])[..], &rrq("missing", &[]), b"\0\x01file", b"\0\x09"] {
        peer.ask(datagram);
    }
    assert_eq!(peer.receive_within(SILENCE), None);
    let line = server.log_line(&format!("peer={} ", peer.address()));
    assert!(line.contains("sender may not ask"), "{line}");
}

fn peer(server: &Server, from: IpAddr) -> Peer {
    let to = if from.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    Peer::at(from, SocketAddr::new(to, server.port()))
}

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

#[test]
fn a_denied_network_is_dropped_and_all_others_are_served() {
    let server = server(&["--deny", "127.0.0.64/26", "--deny", "127.0.0.2"]);
    is_served(&server, v4(1));
    is_dropped(&server, v4(2));
    is_served(&server, v4(63));
    is_dropped(&server, v4(64));
    is_dropped(&server, v4(127));
    is_served(&server, v4(128));
    server.stop();
}

#[test]
fn with_allowed_networks_all_others_are_dropped_and_deny_wins() {
    let server =
        server(&["--allow", "127.0.0.0/28", "--allow", "127.0.0.99", "--deny", "127.0.0.7"]);
    is_served(&server, v4(1));
    is_served(&server, v4(99));
    is_dropped(&server, v4(7));
    is_dropped(&server, v4(16));
    server.stop();
}

/// Nor can they see a transfer of somebody else.
#[test]
fn a_denied_address_draws_no_answer_from_the_port_of_a_transfer() {
    let server = server(&["--deny", "127.0.0.2"]);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "20")]));
    peer.expect_next(oack(&[("timeout", "20")]));
    for (from, answer) in [(v4(2), None), (v4(3), Some(error(5, "unknown transfer ID")))] {
        let mut stranger = Peer::at(from, server.address());
        stranger.send_to(ack(0), peer.tid());
        match answer {
            Some(answer) => assert_eq!(stranger.receive(), answer),
            None => assert_eq!(stranger.receive_within(SILENCE), None),
        }
    }
    let line = server.log_line("peer=127.0.0.2:");
    assert!(line.contains("sender may not ask"), "{line}");
    peer.send(ack(0));
    peer.expect_next(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

/// A dual-stack socket sees IPv4 addresses in their IPv6 form.
#[test]
fn rules_for_ipv4_hold_behind_a_dual_stack_socket() {
    let server = server(&["--listen", "[::]:0", "--allow", "::1", "--allow", "127.0.0.2"]);
    is_served(&server, Ipv6Addr::LOCALHOST.into());
    is_served(&server, v4(2));
    is_dropped(&server, v4(3));
    server.stop();
}
