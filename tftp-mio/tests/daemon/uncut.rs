//! Where the system cuts no send into packets, they leave one by one.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
};

use rustix::io::Errno;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, oack, rrq},
    preload::preload,
    server::{Server, command},
};

/// What systems and devices are known to say, and how many calls it takes to believe it for the first
/// time: some are tried again without a type of service, which old systems refuse in the same words.
const REFUSALS: [(Errno, usize); 4] =
    [(Errno::IO, 2), (Errno::INVAL, 2), (Errno::MSGSIZE, 1), (Errno::OPNOTSUPP, 1)];

/// Of two clients, the transfers in their order.
const CLIENTS: [u8; 5] = [1, 1, 2, 1, 2];

#[test]
fn a_refusal_loses_no_packet_and_is_remembered_for_its_peer() {
    let file = content(100_000);
    for (refusal, calls) in REFUSALS {
        for single_port in [&[][..], &["--single-port"]] {
            let root = TempDir::new().expect("a folder to serve");
            fs::write(root.path().join("file"), &file).expect("a file to serve");
            let mut command = command(single_port.iter().chain(&["--workers", "1"]));
            let number = refusal.raw_os_error().to_string();
            let _code = preload(&mut command, "uncut.c", ("REFUSAL", &number));
            command.arg(root.path());
            let server = Server::run(root, command);

            for (transfer, host) in CLIENTS.into_iter().enumerate() {
                let from = IpAddr::from(Ipv4Addr::new(127, 0, 0, host));
                let mut peer = Peer::at(from, server.address());
                let options = [("blksize", "1000"), ("windowsize", "8"), ("timeout", "5")];
                peer.ask(rrq("file", &options));
                peer.expect_next(oack(&options));
                peer.send(ack(0));
                let got = peer.read_blocks(1, 1000, 8);
                assert!(got == file, "{refusal:?}, transfer {transfer}: {} bytes", got.len());
            }
            let log = server.stop();
            let refused = log.lines().filter(|line| line.contains("segments refused")).count();
            assert_eq!(refused, calls + 1, "{refusal:?} {single_port:?}\n{log}");
            let whole = log.lines().filter(|line| {
                line.contains("outcome=\"completed\"") && line.contains("retransmissions=0")
            });
            assert_eq!(
                whole.count(),
                CLIENTS.len(),
                "{refusal:?} {single_port:?}: nothing was sent twice\n{log}"
            );
        }
    }
}
