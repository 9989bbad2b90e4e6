//! Blocks and the path's MTU: between two hosts whose cable carries packets of 1500 bytes, every
//! block size arrives, in one segmented send or in fragments.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use tempfile::TempDir;

use crate::{
    network::Network,
    peer::{Peer, ack, content, data, oack, rrq, wrq},
    server::{Server, command},
};

const PORT: u16 = 69;
const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn server(network: &Network, file: &[u8], options: &[&str]) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), file).expect("a file to serve");
    let always = ["--listen", "[::]:69", "--write", "create"];
    let tftpd = command(always.iter().chain(options));
    let mut there = network.server.command(tftpd.get_program());
    there.args(tftpd.get_args()).arg(root.path());
    Server::run(root, there)
}

/// The client's ways to the server; to be called on the client.
fn ways() -> [(IpAddr, SocketAddr); 2] {
    let socket = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    let cable = rustix::net::netdevice::name_to_index(socket, "cable").expect("an interface");
    let v6 = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), PORT, 0, cable);
    [(V4, (Ipv4Addr::new(10, 69, 0, 1), PORT).into()), (V6, v6.into())]
}

/// Block sizes around the MTU and far above it, with windows that a socket's buffer holds.
const SIZES: [(u16, u16); 4] = [(1428, 16), (1468, 16), (8192, 4), (65_464, 1)];

#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn blocks_of_every_size_are_read_over_ipv4_and_ipv6() {
    let network = Network::new();
    let file = content(300_000);
    for options in [&[][..], &["--single-port"]] {
        let server = server(&network, &file, options);
        network.client.run(|| {
            for (from, asked) in ways() {
                for (size, window) in SIZES {
                    let mut peer = Peer::at(from, asked);
                    let (blksize, windowsize) = (size.to_string(), window.to_string());
                    let options = [("blksize", &blksize[..]), ("windowsize", &windowsize)];
                    peer.ask(rrq("file", &options));
                    peer.expect(oack(&options));
                    peer.send(ack(0));
                    let got = peer.read_blocks(1, size.into(), window.into());
                    assert!(got == file, "blksize {size} from {asked}: {} bytes", got.len());
                }
            }
        });
        let log = server.stop();
        assert_eq!(log.matches("outcome=\"completed\"").count(), 8, "{log}");
    }
}

#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn blocks_of_every_size_are_written_over_ipv4_and_ipv6() {
    let network = Network::new();
    let file = content(300_000);
    let server = server(&network, b"", &[]);
    let names = network.client.run(|| {
        let mut names = Vec::new();
        for (from, asked) in ways() {
            for (size, _) in SIZES {
                let mut peer = Peer::at(from, asked);
                let blksize = size.to_string();
                let name = format!("{size}-{}", asked.is_ipv4());
                peer.ask(wrq(&name, &[("blksize", &blksize)]));
                peer.expect(oack(&[("blksize", &blksize)]));
                let blocks = file.chunks(size.into()).zip(1..);
                for (block, number) in blocks {
                    peer.send(data(number, block));
                    peer.expect_ack(number);
                }
                names.push(name);
            }
        }
        names
    });
    for name in names {
        let stored = fs::read(server.root().join(&name)).expect("the upload");
        assert!(stored == file, "{name}: {} bytes", stored.len());
    }
    server.stop();
}

/// The system then refuses to cut a long send into packets, and the same packets leave one by one.
#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn a_path_that_becomes_narrower_loses_nothing() {
    let network = Network::new();
    let file = content(200_000);
    let server = server(&network, &file, &["-v", "--timeout", "20"]);
    let options = [("blksize", "1428"), ("windowsize", "16"), ("timeout", "9")];
    let mut peer = network.client.run(|| {
        let [(from, asked), _] = ways();
        let mut peer = Peer::at(from, asked);
        peer.ask(rrq("file", &options));
        peer.expect(oack(&options));
        peer.send(ack(0));
        for (number, block) in (1..=16).zip(file.chunks(1428)) {
            peer.expect_next(data(number, block));
        }
        peer
    });
    network.server.ip("link set cable mtu 1300");
    peer.send(ack(16));
    assert!(peer.read_blocks(17, 1428, 16) == file[16 * 1428..]);
    let log = server.stop();
    assert!(log.contains("segmentation refused"), "{log}");
    assert!(log.contains("retransmissions=0"), "{log}");
}

#[test]
#[ignore = "makes network namespaces, which takes root; .ci/run runs it"]
fn with_mtu_fit_no_block_is_granted_that_would_be_fragmented() {
    let network = Network::new();
    let server = server(&network, b"content", &["--mtu-fit"]);
    network.client.run(|| {
        for ((from, asked), fits) in ways().into_iter().zip(["1468", "1448"]) {
            for (wish, granted) in [("8192", fits), ("1428", "1428"), ("100", "100")] {
                for (number, request) in [rrq, wrq].into_iter().enumerate() {
                    let mut peer = Peer::at(from, asked);
                    let name = if number == 0 { "file" } else { "new" };
                    peer.ask(request(name, &[("blksize", wish)]));
                    peer.expect(oack(&[("blksize", granted)]));
                }
            }
        }
    });
    server.stop();
}
