//! Packets as they pass: `trace`, and the capture file of `--pcap`.

mod common;
#[path = "../../tftp-mio/tests/peers/harness/process.rs"]
#[expect(dead_code, reason = "a part of it is used")]
mod harness;

use std::{fs, path::Path, process::Command};

use common::{Server, entries, tftp};
use tempfile::tempdir;

/// A server of 600 bytes in blocks of 512.
fn server(address: &'static str) -> Server {
    Server::start_on(address, |listener| {
        let mut peer = listener.accept_any().1;
        peer.send(b"\0\x06blksize\x00512\0");
        peer.expect_ack(0);
        peer.serve(&[7; 600]);
    })
}

#[test]
fn trace_shows_each_packet_in_a_line() {
    let folder = tempdir().unwrap();
    let server = server("127.0.0.1");
    let port = server.port.clone();
    let run = server.run(folder.path(), &["-b", "512"], b"trace on\nget a\n").ends_with(0);
    let lines: Vec<_> = run.stderr.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let lines: Vec<_> = lines
        .iter()
        // The time is in columns before the arrow, and the server's port is its own choice.
        .map(|line| {
            let arrow = line.find(['<', '>']).expect("a direction");
            let mut words: Vec<_> = line[arrow..].split(' ').collect();
            assert!(words[1].starts_with("127.0.0.1:"));
            let address = words.remove(1);
            assert_eq!(address.ends_with(&format!(":{port}")), words[1] == "RRQ");
            words.join(" ")
        })
        .collect();
    assert_eq!(
        lines,
        [
            r#"> RRQ "a" octet blksize=512 windowsize=16 tsize=0, 44 bytes"#,
            "< OACK blksize=512, 14 bytes",
            "> ACK 0, 4 bytes",
            "< DATA 1, 516 bytes",
            "> ACK 1, 4 bytes",
            "< DATA 2, 92 bytes",
            "> ACK 2, 4 bytes",
        ]
    );
}

#[test]
fn a_capture_file_that_cannot_be_written_is_local_trouble_and_nothing_is_sent() {
    let folder = tempdir().unwrap();
    let args = ["--pcap", "missing/file", "127.0.0.1", "-c", "get a"];
    let run = tftp(folder.path(), args, b"").ends_with(4);
    assert!(run.stderr.starts_with("tftp: --pcap missing/file: "), "{}", run.stderr);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_capture_holds_every_packet_both_ways() {
    for address in ["127.0.0.1", "::1"] {
        let folder = tempdir().unwrap();
        capture(address, folder.path());
        let payloads = payloads(folder.path());
        assert_eq!(payloads.len(), 7);
        assert_eq!(payloads[1], b"\0\x06blksize\x00512\0");
        assert_eq!(payloads[5][4..], [7; 88]);
        assert_eq!(payloads[6], b"\0\x04\0\x02");
    }
}

#[test]
fn the_last_ack_that_is_repeated_after_the_end_is_shown_and_kept() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let mut peer = listener.accept_any().1;
        peer.serve(&[7; 600]);
        peer.send_data(2, &[7; 88]);
        peer.expect_the_same_again();
    });
    let args = ["--no-options", "--pcap", "packets"];
    let run = server.run(folder.path(), &args, b"trace on\nget a\n").ends_with(0);
    let last: Vec<_> = run.stderr.lines().rev().take(2).collect();
    assert!(last[0].contains(" ACK 2, ") && last[1].contains(" DATA 2, "), "{}", run.stderr);
    assert_eq!(payloads(folder.path()).len(), 7);
}

#[test]
#[ignore = "needs the tshark that .ci/peers.sh unpacks"]
fn wireshark_reads_a_capture_and_finds_no_fault_with_it() {
    for address in ["127.0.0.1", "::1"] {
        let folder = tempdir().unwrap();
        let port = capture(address, folder.path());
        let mut tshark = Command::new(harness::peer("tshark"));
        tshark
            .env("HOME", folder.path())
            .args(["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
            .args(["-d", &format!("udp.port=={port},tftp")])
            .args(["-T", "fields", "-e", "tftp.opcode", "-e", "tftp.block"])
            .args(["-e", "udp.checksum.status", "-e", "_ws.malformed"])
            .arg("-r")
            .arg(folder.path().join("packets"));
        let finished = harness::run(&mut tshark);
        let said = finished.said.clone();
        finished.succeeded();
        let lines: Vec<_> = said.lines().filter(|line| line.contains('\t')).collect();
        // Opcode, block, and 1 for a checksum that is good.
        assert_eq!(
            lines,
            [
                "1\t\t1\t",
                "6\t\t1\t",
                "4\t0\t1\t",
                "3\t1\t1\t",
                "4\t1\t1\t",
                "3\t2\t1\t",
                "4\t2\t1\t"
            ],
            "{said}"
        );
    }
}

/// Makes the capture of a get in `folder`, and returns the server's port.
fn capture(address: &'static str, folder: &Path) -> String {
    let server = server(address);
    let port = server.port.clone();
    let args = ["-b", "512", "--pcap", "packets", address, &port, "-c", "get a"];
    tftp(folder, args, b"").ends_with(0);
    server.finish();
    port
}

/// The payloads of the packets in the capture of `folder`.
fn payloads(folder: &Path) -> Vec<Vec<u8>> {
    let file = fs::read(folder.join("packets")).unwrap();
    let (mut rest, header) = pcap_file::pcap::PcapParser::new(&file).unwrap();
    assert_eq!(header.header().datalink, pcap_file::DataLink::RAW);
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        let (after, packet) = header.next_packet(rest).unwrap();
        let packet = etherparse::PacketHeaders::from_ip_slice(&packet.data).unwrap();
        payloads.push(packet.payload.slice().to_vec());
        rest = after;
    }
    payloads
}
