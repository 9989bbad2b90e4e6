//! Between two hosts: link-local addresses, addresses that come later, and requests to everybody.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    network::{Host, Network},
    peer::{Peer, ack, data, rrq, wrq},
    server::{Server, command},
};

const PORT: u16 = 69;
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 69, 0, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 69, 0, 2));
const ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A server on that host, with the file `file`.
fn server(host: &Host, options: &[&str]) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), "content").expect("a file to serve");
    let tftpd: Command = command(options.iter().chain(&["--write", "create"]));
    let mut there = host.command(tftpd.get_program());
    there.args(tftpd.get_args()).arg(root.path());
    Server::run(root, there)
}

/// A link-local address as the client sees it.
fn link_local(last: u16) -> SocketAddr {
    let cable = rustix::net::netdevice::name_to_index(
        std::os::unix::net::UnixDatagram::unbound().expect("a socket"),
        "cable",
    );
    let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    SocketAddrV6::new(ip, PORT, 0, cable.expect("an interface")).into()
}

/// Reads, writes and is refused, in all cases by `asked` alone.
#[track_caller]
fn talks(from: IpAddr, asked: SocketAddr, new: &str) {
    let mut peer = Peer::at(from, asked);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    assert_eq!(peer.tid().ip(), asked.ip());
    peer.send(ack(1));
    peer.ask(wrq(new, &[]));
    peer.expect(ack(0));
    assert_eq!(peer.tid().ip(), asked.ip());
    peer.send(data(1, new));
    peer.expect(ack(1));
    for (request, code) in [(&rrq("missing", &[])[..], 1), (b"\0\x01file", 4)] {
        peer.ask(request);
        peer.expect_error(code);
        assert_eq!(peer.tid().ip(), asked.ip());
    }
}

#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn link_local_addresses_are_served_with_their_scope() {
    let network = Network::new();
    let listening = [
        &["--listen", "[::]:69"][..],
        &["--listen", "[::]:69", "--single-port"],
        &["--listen", "fe80::1%cable"],
        &["--listen", "fe80::1%cable", "--single-port"],
        &["--listen", "[fe80::1%cable]:69"],
    ];
    for (number, options) in listening.into_iter().enumerate() {
        let server = server(&network.server, options);
        network.client.run(|| talks(ANY, link_local(1), &format!("new-{number}")));
        let log = server.stop();
        assert!(log.contains("peer=[fe80::2%"), "{log}");
    }
}

/// The address that was asked answers, on a host that has several on one interface.
#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn of_several_addresses_the_asked_one_answers() {
    let network = Network::new();
    for address in ["10.69.0.7/24", "10.69.1.7/32", "fd00::7/64 nodad", "fd00::8/64 nodad"] {
        network.server.ip(&format!("addr add {address} dev cable"));
    }
    network.client.ip("addr add fd00::2/64 dev cable nodad");
    network.client.ip("route add 10.69.1.0/24 dev cable");
    for (wildcard, single_port) in
        [("[::]:69", false), ("0.0.0.0:69", false), ("[::]:69", true), ("0.0.0.0:69", true)]
    {
        let options = ["--listen", wildcard, "--single-port"];
        let options = if single_port { &options[..] } else { &options[..2] };
        let server = server(&network.server, options);
        network.client.run(|| {
            for ip in ["10.69.0.1", "10.69.0.7", "10.69.1.7"] {
                talks(CLIENT, SocketAddr::new(ip.parse().expect("an address"), PORT), ip);
            }
            if wildcard == "[::]:69" {
                for ip in ["fd00::7", "fd00::8"] {
                    talks(ANY, SocketAddr::new(ip.parse().expect("an address"), PORT), &ip[4..]);
                }
            }
        });
        server.stop();
    }
}

#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn an_address_that_comes_after_the_start_is_served() {
    let network = Network::new();
    let addresses = ["10.69.0.9", "fd00::9"];
    let server = server(&network.server, &["--listen", "10.69.0.9", "--listen", "fd00::9"]);
    for address in addresses {
        server.log_line(&format!("no interface of this machine has {address} yet"));
    }
    network.server.ip("addr add 10.69.0.9/24 dev cable");
    network.server.ip("addr add fd00::9/64 dev cable nodad");
    network.client.ip("addr add fd00::2/64 dev cable nodad");
    network.client.run(|| {
        for (from, address) in [CLIENT, ANY].into_iter().zip(addresses) {
            let asked = SocketAddr::new(address.parse().expect("an address"), PORT);
            talks(from, asked, if from.is_ipv4() { "a" } else { "b" });
        }
    });
    server.stop();
}

/// To the network, to all networks, and to all nodes of a link.
#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn requests_to_everybody_are_answered_only_if_wanted_and_then_from_one_address() {
    let network = Network::new();
    for broadcast in [false, true] {
        let options = ["--listen", "[::]:69", "--broadcast"];
        let options = if broadcast { &options[..] } else { &options[..2] };
        let server = server(&network.server, options);
        network.client.run(|| {
            let SocketAddr::V6(link_local) = link_local(1) else { panic!("an IPv6 address") };
            let nodes = SocketAddrV6::new(
                Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
                PORT,
                0,
                link_local.scope_id(),
            );
            let groups: [(IpAddr, SocketAddr, IpAddr); 3] = [
                (CLIENT, SocketAddr::from(([10, 69, 0, 255], PORT)), SERVER),
                (CLIENT, SocketAddr::from(([255, 255, 255, 255], PORT)), SERVER),
                (ANY, nodes.into(), (*link_local.ip()).into()),
            ];
            for (from, group, answering) in groups {
                let mut peer = Peer::at(from, group);
                peer.socket().set_broadcast(true).expect("a socket option");
                // Never answered: everybody would.
                peer.ask(b"\0\x01file");
                peer.ask(rrq("file", &[]));
                if broadcast {
                    peer.expect(data(1, "content"));
                    assert_eq!(peer.tid().ip(), answering);
                    peer.send(ack(1));
                    peer.ask(rrq("missing", &[]));
                    peer.expect_error(1);
                } else {
                    assert_eq!(peer.receive_within(Duration::from_millis(300)), None, "{group}");
                }
            }
        });
        server.stop();
    }
}
