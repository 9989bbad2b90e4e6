//! Datagrams with a forged source, which only root can send: from port 0, from our own address, from
//! another server.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    process::processor_time,
    server::Server,
};

/// Long enough for a storm to show itself.
const MOMENT: Duration = Duration::from_millis(500);

/// Everything that a server could be made to send, or to be angry about.
fn datagrams() -> [Vec<u8>; 12] {
    [
        rrq("file", &[]),
        rrq("file", &[("blksize", "1024")]),
        rrq("missing", &[]),
        wrq("new", &[]),
        wrq("../new", &[]),
        b"\0\x01file".into(),
        b"\0\x09".into(),
        data(1, "data"),
        ack(0),
        error(4, "illegal TFTP operation"),
        error(5, "unknown transfer ID"),
        oack(&[("blksize", "1024")]),
    ]
}

/// Sends a UDP datagram whose source is whatever one likes.
fn forge(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).expect("root may");
    socket.bind(&SocketAddrV4::new(*from.ip(), 0).into()).expect("an address of this machine");
    let len = u16::try_from(8 + payload.len()).expect("a small datagram");
    let mut datagram = Vec::new();
    for field in [from.port(), to.port(), len, 0] {
        datagram.write_all(&field.to_be_bytes()).expect("room");
    }
    datagram.extend_from_slice(payload);
    socket.send_to(&datagram, &to.into()).expect("loopback takes it");
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    let SocketAddr::V4(address) = address else { panic!("{address} is not IPv4") };
    address
}

fn server(address: &str) -> Server {
    server_with(address, &[])
}

fn server_with(address: &str, options: &[&str]) -> Server {
    let usual = ["--listen", address, "--write", "create", "-v"];
    let server = Server::with([&usual[..], options].concat());
    fs::write(server.root().join("file"), content(1100)).expect("a file to serve");
    server
}

/// A client is served, and then all is quiet.
#[track_caller]
fn serves_and_rests(server: &Server, address: SocketAddr) {
    let mut peer = Peer::at(Ipv4Addr::LOCALHOST.into(), address);
    peer.ask(rrq("file", &[]));
    assert_eq!(peer.read_blocks(1, 512, 1), content(1100));
    let before = processor_time(server);
    assert_eq!(peer.receive_within(MOMENT), None);
    let used = processor_time(server).saturating_sub(before);
    assert!(used < MOMENT / 2, "{used:?} of {MOMENT:?}");
}

/// Nobody can be at port 0, and what comes from our own address would be answered for ever.
#[test]
#[ignore = "forges datagrams, which takes root; .ci/run runs it"]
fn port_0_and_our_own_addresses_are_never_answered() {
    for (listen, options) in [
        ("127.71.0.1:0", &[][..]),
        ("0.0.0.0:0", &[]),
        ("127.71.0.1:0", &["--single-port"]),
        ("0.0.0.0:0", &["--single-port"]),
    ] {
        let server = server_with(listen, options);
        let port = server.port();
        let asked = SocketAddrV4::new(Ipv4Addr::new(127, 71, 0, 1), port);
        let own = [
            SocketAddrV4::new(*asked.ip(), 0),
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            asked,
            // Another address of ours, behind a wildcard.
            SocketAddrV4::new(Ipv4Addr::new(127, 71, 0, 9), port),
        ];
        let own = if listen == "0.0.0.0:0" { &own[..] } else { &own[..3] };
        let mut forged = 0;
        for from in own {
            for datagram in datagrams() {
                forge(*from, asked, &datagram);
                forged += 1;
            }
        }
        let ignored = |line: &str| line.contains("nobody can be there");
        server.log_lines(forged, ignored);
        serves_and_rests(&server, asked.into());
        assert!(!server.root().join("new").exists());
        let log = server.stop();
        assert_eq!(log.matches("nobody can be there").count(), forged, "{log}");
        assert_eq!(log.matches("transfer peer").count(), 1, "{log}");
    }
}

/// A stranger's packet on the port of a transfer, that claims to come from our listening port, or
/// from port 0: ERROR 5 goes to neither.
#[test]
#[ignore = "forges datagrams, which takes root; .ci/run runs it"]
fn a_transfer_answers_no_stranger_at_port_0_or_at_our_own_address() {
    let server = server("127.71.1.1:0");
    let listening = server.addresses()[0];
    let mut peer = Peer::at(Ipv4Addr::LOCALHOST.into(), listening);
    peer.ask(rrq("file", &[("timeout", "30")]));
    peer.expect_next(oack(&[("timeout", "30")]));
    for datagram in datagrams() {
        forge(v4(listening), v4(peer.tid()), &datagram);
        forge(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), v4(peer.tid()), &datagram);
    }
    peer.send(ack(0));
    assert_eq!(peer.read_blocks(1, 512, 1), content(1100));
    peer.expect_nothing();
    let log = server.stop();
    // An ERROR would have come to the listening port, and been seen there.
    assert_eq!(log.matches("reason=\"no request\"").count(), 0, "{log}");
    assert!(log.contains("packet from ourselves"), "{log}");
}

/// CVE-2024-2169: one forged datagram, and two servers that answer each other's answers for ever.
#[test]
#[ignore = "forges datagrams, which takes root; .ci/run runs it"]
fn two_servers_do_not_answer_each_other() {
    let [first, second] = ["127.71.2.1:0", "127.71.2.2:0"].map(server);
    let [to_first, to_second] = [&first, &second].map(|server| v4(server.addresses()[0]));
    for datagram in datagrams() {
        forge(to_first, to_second, &datagram);
        forge(to_second, to_first, &datagram);
    }
    for (server, address) in [(&first, to_first), (&second, to_second)] {
        serves_and_rests(server, address.into());
    }
    for server in [first, second] {
        let log = server.stop();
        // What was forged, and what the other said to that.
        assert!(log.lines().count() < 3 * datagrams().len(), "{log}");
    }
}
