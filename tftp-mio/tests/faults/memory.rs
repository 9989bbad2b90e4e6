//! What memory the server takes: as much as there are transfers, whatever is asked for.

use std::{fs, net::Ipv4Addr};

use rustix::process::Signal;

use crate::{
    floods::addresses,
    peer::{Peer, ack, content, data, oack, request, rrq, wrq},
    process::memory,
    server::Server,
};

/// Bytes of memory that each of 5,000 transfers takes. Their clients, each with an address of its own,
/// acknowledge this many packets, and are silent then.
#[track_caller]
fn each_of_five_thousand(listen: &str, mode: &str, answers: u16) -> usize {
    const TRANSFERS: usize = 5000;
    let server = Server::with(["--listen", listen, "--workers", "1"]);
    let file = [b'a'; 2000];
    fs::write(server.root().join("file"), file).expect("a file to serve");
    let options = [("timeout", "200")];
    let begin = |from| {
        let mut peer = Peer::at(from, server.addresses()[0]);
        peer.ask(request(1, b"file", mode, &options));
        peer.expect_next(oack(&options));
        for (block, payload) in (0..answers).zip(file.chunks(512)) {
            peer.send(ack(block));
            peer.expect_next(data(block + 1, payload));
        }
    };
    let mut peers = addresses();
    // What one transfer at a time takes is kept.
    peers.by_ref().take(64).for_each(begin);
    let before = memory(&server);
    peers.take(TRANSFERS).for_each(begin);
    let after = memory(&server);

    server.signal(Signal::USR1);
    let state = server.log_line("INFO state active");
    let half_open = if answers == 0 { TRANSFERS + 64 } else { 0 };
    let expected = format!("active={} half_open={half_open} ", TRANSFERS + 64);
    assert!(state.contains(&expected), "{state}");
    server.stop();
    after.saturating_sub(before) / TRANSFERS
}

/// But for its place in the order in which such transfers give way, of 32 bytes. Where it is checked
/// that one poll loop has a socket, each is larger than in a release.
#[test]
fn a_half_open_transfer_costs_no_more_memory_than_a_running_one() {
    let half_open = each_of_five_thousand("127.70.3.1:0", "octet", 0);
    let running = each_of_five_thousand("127.70.3.2:0", "octet", 2);
    println!("bytes of each: {half_open} half-open, {running} running");
    assert!(half_open <= running + 64, "{half_open} against {running} bytes");
    assert!(half_open < 544, "{half_open} bytes");
}

/// But for what it must know to go on from any byte of its encoding.
#[test]
fn a_transfer_in_netascii_costs_little_more_memory_than_another() {
    let each = each_of_five_thousand("127.70.3.3:0", "netascii", 2);
    println!("bytes of each: {each}");
    assert!(each < 640, "{each} bytes");
}

/// Neither blksize nor windowsize costs memory of ours.
#[test]
fn memory_does_not_follow_what_clients_ask_for() {
    let limits = ["--max-windowsize", "32767", "--write", "create", "--workers", "1"];
    let server = Server::with([&["--listen", "127.70.2.1:0"], &limits[..]].concat());
    let peer = || Peer::at(Ipv4Addr::LOCALHOST.into(), server.addresses()[0]);
    fs::write(server.root().join("file"), content(1_000_000)).expect("a file to serve");
    let begin = |number: usize, options: &[(&str, &str)]| {
        let mut reader = peer();
        reader.ask(rrq("file", options));
        reader.receive();
        reader.send(ack(0));
        reader.receive();
        let mut writer = peer();
        writer.ask(wrq(format!("new-{number}-{}", options.len()), options));
        writer.receive();
        writer.send(data(1, vec![7; 512]));
        (reader, writer)
    };
    let large = [("blksize", "65464"), ("windowsize", "65535"), ("timeout", "60")];
    // The worker's buffers serve all of them, and are memory once they are used.
    let first = begin(8, &large);
    // Held, so that all are at work at a time.
    let ordinary: Vec<_> = (0..8).map(|number| begin(number, &[("timeout", "60")])).collect();
    let after_ordinary = memory(&server);
    let demanding: Vec<_> = (0..8).map(|number| begin(number, &large)).collect();
    let grown = memory(&server).saturating_sub(after_ordinary);
    assert!(grown < 1 << 18, "{grown} bytes");
    drop((first, ordinary, demanding));
    server.stop();
}
