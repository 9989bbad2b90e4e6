//! Datagrams that nobody should send, one table for each place where they can arrive. Whatever comes:
//! one small answer at most, none to what could answer back, and the next client is served.

use std::{fs, time::Duration};

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::Server,
};

/// The largest answer to anything that opens no transfer.
const SMALL: usize = 64;

/// A server with a file `file` of three blocks.
fn server() -> Server {
    server_with(&[])
}

fn server_with(options: &[&str]) -> Server {
    let server = Server::with([&["--write", "create"], options].concat());
    fs::write(server.root().join("file"), content(1100)).expect("a file to serve");
    server
}

/// One with ports for its transfers, and one that has a single port.
fn both() -> [Server; 2] {
    [server(), server_with(&["--single-port"])]
}

/// What a datagram draws.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draws {
    Nothing,
    Error(u8),
    /// ERROR 1 or 2, by which a boot loader knows that asking again is useless (F20).
    Denied,
    /// DATA 1, as without any options.
    Data,
    /// An OACK with just these options.
    Oack(&'static [(&'static str, &'static str)]),
}
use Draws::{Data, Denied, Error, Nothing, Oack};

#[track_caller]
fn draws(server: &Server, datagram: &[u8], expected: Draws) {
    let mut peer = Peer::of(server);
    peer.ask(datagram);
    let shown = datagram[..datagram.len().min(60)].escape_ascii();
    match expected {
        Nothing => {}
        Error(code) => {
            let answer = peer.receive();
            assert!(answer.len() <= SMALL, "{} bytes in answer to {shown}", answer.len());
            assert_eq!(answer[..4], [0, 5, 0, code], "{} to {shown}", answer.escape_ascii());
        }
        Denied => {
            let answer = peer.receive();
            assert!(answer.len() <= SMALL, "{} bytes in answer to {shown}", answer.len());
            let code = answer[..4] == [0, 5, 0, 1] || answer[..4] == [0, 5, 0, 2];
            assert!(code, "{} to {shown}", answer.escape_ascii());
        }
        Data => {
            let answer = peer.receive();
            assert!(
                answer == data(1, &content(1100)[..512]),
                "{} to {shown}",
                answer.escape_ascii()
            );
        }
        Oack(options) => {
            let answer = peer.receive();
            let start = answer[..answer.len().min(60)].escape_ascii();
            assert!(answer == oack(options), "{start} to {shown}, not {options:?}");
        }
    }
    if matches!(expected, Data | Oack(_)) {
        peer.send(error(0, "enough"));
    }
    peer.expect_nothing();
}

#[test]
fn datagrams_on_the_listening_port() {
    let long = |byte: u8, len: usize| vec![byte; len];
    let table: Vec<(Vec<u8>, Draws)> = vec![
        // Too short to say anything.
        (b"".into(), Nothing),
        (b"\0".into(), Nothing),
        (b"\x01".into(), Nothing),
        (b"\xFF".into(), Nothing),
        // Unknown types, also bytes swapped.
        (b"\0\0".into(), Error(4)),
        (b"\0\x07".into(), Error(4)),
        (b"\0\x08file\0octet\0".into(), Error(4)),
        (b"\0\x09".into(), Error(4)),
        (b"\0\xFF".into(), Error(4)),
        (b"\x01\0file\0octet\0".into(), Error(4)),
        (b"\x01\x01file\0octet\0".into(), Error(4)),
        (b"\xFF\xFF".into(), Error(4)),
        (long(0, 65_507), Error(4)),
        (long(0xFF, 65_507), Error(4)),
        (long(b'A', 512), Error(4)),
        // Packets that belong to a transfer.
        (b"\0\x03".into(), Nothing),
        (b"\0\x03\0".into(), Nothing),
        (b"\0\x03\0\x01".into(), Nothing),
        (data(1, long(0, 512)), Nothing),
        (data(0, long(0, 65_000)), Nothing),
        (b"\0\x04".into(), Nothing),
        (b"\0\x04\0".into(), Nothing),
        (ack(0), Nothing),
        (ack(1), Nothing),
        (ack(65_535), Nothing),
        (b"\0\x04\0\x01trailing".into(), Nothing),
        (b"\0\x05".into(), Nothing),
        (b"\0\x05\0".into(), Nothing),
        (b"\0\x05\0\0".into(), Nothing),
        (error(0, ""), Nothing),
        (error(4, "illegal TFTP operation"), Nothing),
        (error(5, "unknown transfer ID"), Nothing),
        (b"\0\x05\xFF\xFFno end".into(), Nothing),
        ([&b"\0\x05\0\x01"[..], &long(b'%', 60_000)].concat(), Nothing),
        (b"\0\x06".into(), Nothing),
        (b"\0\x06\0".into(), Nothing),
        (oack(&[("blksize", "1024")]), Nothing),
        (b"\0\x06blksize\x001024".into(), Nothing),
        // Requests without an end.
        (b"\0\x01".into(), Error(4)),
        (b"\0\x02".into(), Error(4)),
        (b"\0\x01\0".into(), Error(4)),
        (b"\0\x01\0\0".into(), Error(4)),
        (b"\0\x01\0\0\0\0\0\0".into(), Error(4)),
        (b"\0\x01file".into(), Error(4)),
        (b"\0\x01file\0".into(), Error(4)),
        (b"\0\x01file\0octet".into(), Error(4)),
        (b"\0\x01file\0octe\0".into(), Error(4)),
        (b"\0\x01\0octet\0".into(), Error(4)),
        (b"\0\x02\0octet\0".into(), Error(4)),
        (b"\0\x01file\0\0".into(), Error(4)),
        (b"\0\x01file\0\0octet\0".into(), Error(4)),
        ([b"\0\x01", &long(b'A', 65_505)[..]].concat(), Error(4)),
        ([b"\0\x01file\0", &long(b'A', 65_500)[..]].concat(), Error(4)),
        // Modes that are none.
        (b"\0\x01file\0%s%s%s%n\0".into(), Error(4)),
        (b"\0\x01file\0octet\xFF\0".into(), Error(4)),
        (b"\0\x01file\0 octet\0".into(), Error(4)),
        (b"\0\x01file\0mail\0".into(), Error(4)),
        (b"\0\x02file\0mail\0".into(), Error(4)),
        ([b"\0\x01file\0", &long(b'o', 30_000)[..], b"\0"].concat(), Error(4)),
        // Names that are none of ours.
        ([b"\0\x01", &long(b'A', 60_000)[..], b"\0octet\0"].concat(), Denied),
        ([b"\0\x01", &b"../".repeat(10_000)[..], b"etc/passwd\0octet\0"].concat(), Denied),
        (b"\0\x01%n%n%n%s\0octet\0".into(), Denied),
        (b"\0\x01\x1B]0;owned\x07\0octet\0".into(), Denied),
        (b"\0\x01\xFF\xFE\0octet\0".into(), Denied),
        (b"\0\x01.\0octet\0".into(), Denied),
        (b"\0\x01/\0octet\0".into(), Denied),
        (b"\0\x01..\0octet\0".into(), Denied),
        (b"\0\x02../new\0octet\0".into(), Denied),
        // Options without an end, a name or a value.
        (b"\0\x01file\0octet\0blksize".into(), Error(4)),
        (b"\0\x01file\0octet\0blksize\0".into(), Error(4)),
        (b"\0\x01file\0octet\0blksize\x001024".into(), Error(4)),
        (b"\0\x01file\0octet\0\x001024\0".into(), Error(4)),
        (b"\0\x01file\0octet\0\0\0x".into(), Error(4)),
        ([b"\0\x01file\0octet\0", &long(b'o', 65_000)[..]].concat(), Error(4)),
        // Padding, which is none of these.
        ([b"\0\x01file\0octet\0", &long(0, 65_000)[..]].concat(), Data),
        (b"\0\x01file\0octet\0\0".into(), Data),
        (b"\0\x01file\0octet\0blksize\x001024\0\0\0\0".into(), Oack(&[("blksize", "1024")])),
        // Options nobody knows.
        (b"\0\x01file\0octet\0unknown\0value\0".into(), Data),
        (b"\0\x01file\0octet\0multicast\0\0".into(), Data),
        (b"\0\x01file\0octet\0%s\0%n\0".into(), Data),
        ([b"\0\x01file\0octet\0", &b"a\0b\0".repeat(16_000)[..]].concat(), Data),
        ([b"\0\x01file\0octet\0x\0", &long(b'9', 60_000)[..], b"\0"].concat(), Data),
    ];
    assert!(table.len() > 80);
    for server in both() {
        for (datagram, expected) in &table {
            draws(&server, datagram, *expected);
        }
        server.stop();
    }
}

#[test]
fn values_of_options() {
    let server = server();
    // What is no number in range is left out, as if it had not been asked for (F07 to F10).
    let never = [
        "",
        "-1",
        "+512",
        " 512",
        "512 ",
        "0x200",
        "1e3",
        "abc",
        "5.12",
        "١٢٣",
        "NaN",
        "%d",
        "99999999999999999999",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
    ];
    for option in ["blksize", "timeout", "windowsize"] {
        for value in never {
            draws(&server, &rrq("file", &[(option, value)]), Data);
        }
        draws(&server, &rrq("file", &[(option, "0")]), Data);
        draws(&server, &rrq("file", &[(option, &"9".repeat(30_000))]), Data);
    }
    for (option, value, expected) in [
        ("blksize", "7", Data),
        ("blksize", "8", Oack(&[("blksize", "8")])),
        ("blksize", "65464", Oack(&[("blksize", "65464")])),
        ("blksize", "65465", Oack(&[("blksize", "65464")])),
        ("blksize", "4294967808", Data),
        ("BLKSIZE", "1024", Oack(&[("blksize", "1024")])),
        ("blksize\x001024\0blksize", "512", Oack(&[("blksize", "1024")])),
        ("timeout", "1", Oack(&[("timeout", "1")])),
        ("timeout", "255", Oack(&[("timeout", "255")])),
        ("timeout", "256", Data),
        ("timeout", "4294967297", Data),
        ("windowsize", "1", Oack(&[("windowsize", "1")])),
        ("windowsize", "65535", Oack(&[("windowsize", "64")])),
        ("windowsize", "65536", Oack(&[("windowsize", "64")])),
        ("tsize", "0", Oack(&[("tsize", "1100")])),
        ("tsize", "99", Oack(&[("tsize", "1100")])),
        ("TSize", "0", Oack(&[("tsize", "1100")])),
    ] {
        draws(&server, &rrq("file", &[(option, value)]), expected);
    }
    server.stop();
}

/// What is sent to a transfer's port in its midst, by its peer or by a stranger, and whether the
/// stranger is told that he is one.
fn intruders() -> Vec<(Vec<u8>, bool)> {
    vec![
        (b"".into(), false),
        (b"\0".into(), false),
        (b"\xFF".into(), false),
        (b"\0\0\0\0".into(), false),
        (b"\0\x07\0\x01".into(), false),
        (b"\x03\0\x01\0".into(), false),
        (vec![0xFF; 65_507], false),
        (b"\0\x03\0".into(), false),
        (b"\0\x04\0".into(), false),
        (b"\0\x05\0".into(), false),
        (b"\0\x01file".into(), false),
        (rrq("file", &[]), true),
        (wrq("other", &[("blksize", "1024")]), true),
        (oack(&[("blksize", "8"), ("windowsize", "9")]), true),
        (ack(40_000), true),
        (data(40_000, "data of no block"), true),
    ]
}

#[test]
fn packets_that_are_out_of_place_disturb_no_read() {
    let server = server();
    let file = content(1100);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "20")]));
    peer.expect_next(oack(&[("timeout", "20")]));
    let say = |peer: &mut Peer| {
        for (datagram, _) in intruders() {
            peer.send(datagram);
        }
        // A file comes to a reader, and nobody acknowledges what he was not sent.
        peer.send(data(1, "not for a reader"));
    };
    say(&mut peer);
    peer.send(ack(0));
    peer.expect_next(data(1, &file[..512]));
    say(&mut peer);
    peer.send(ack(0));
    peer.send(ack(1));
    peer.expect_next(data(2, &file[512..1024]));
    say(&mut peer);
    peer.send(ack(1));
    peer.send(ack(2));
    peer.expect_next(data(3, &file[1024..]));
    peer.send(ack(3));
    say(&mut peer);
    peer.expect_nothing();
    let line = server.log_line("name=\"file\"");
    assert!(line.contains("retransmissions=0 ") && line.contains("\"completed\""), "{line}");
    server.stop();
}

#[test]
fn packets_that_are_out_of_place_disturb_no_write() {
    let server = server();
    let file = content(1100);
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[("timeout", "20")]));
    peer.expect_next(oack(&[("timeout", "20")]));
    let say = |peer: &mut Peer| {
        for (datagram, _) in intruders() {
            peer.send(datagram);
        }
        peer.send(ack(0));
    };
    say(&mut peer);
    for (block, payload) in (1..).zip(file.chunks(512)) {
        peer.send(data(block, payload));
        peer.expect_next(ack(block));
        say(&mut peer);
    }
    peer.expect_nothing();
    assert_eq!(fs::read(server.root().join("new")).expect("the upload"), file);
    assert!(!server.root().join("other").exists());
    server.stop();
}

/// One ERROR 5 for a packet, nothing for an ERROR or for what is no packet (F33), and nobody else
/// hears of it.
#[test]
fn strangers_on_a_transfers_port_are_told_so_once_at_most() {
    let server = server();
    let file = content(1100);
    for request in [rrq("file", &[("timeout", "20")]), wrq("new", &[("timeout", "20")])] {
        let mut peer = Peer::of(&server);
        peer.ask(&request);
        peer.expect_next(oack(&[("timeout", "20")]));
        let errors = [error(0, ""), error(5, "unknown transfer ID"), b"\0\x05\0\x01".into()];
        let told = [ack(0), ack(1), data(1, "data of another"), data(1, [0; 512])];
        let strange = errors.map(|error| (error, false)).into_iter();
        let strange = strange.chain(told.map(|packet| (packet, true))).chain(intruders());
        for (datagram, answered) in strange {
            let mut stranger = Peer::of(&server);
            stranger.send_to(&datagram, peer.tid());
            if answered {
                let answer = stranger.receive();
                assert_eq!(answer, error(5, "unknown transfer ID"), "{}", datagram.escape_ascii());
            } else {
                let more = stranger.receive_within(Duration::from_millis(20));
                assert_eq!(more, None, "{}", datagram.escape_ascii());
            }
            stranger.expect_nothing();
        }
        if request[1] == 1 {
            peer.send(ack(0));
            for (block, payload) in (1..).zip(file.chunks(512)) {
                peer.expect_next(data(block, payload));
                peer.send(ack(block));
            }
        } else {
            for (block, payload) in (1..).zip(file.chunks(512)) {
                peer.send(data(block, payload));
                peer.expect_next(ack(block));
            }
            assert_eq!(fs::read(server.root().join("new")).expect("the upload"), file);
        }
        peer.expect_nothing();
    }
    server.stop();
}

/// What ends a transfer ends it at once: nothing more is sent, and nothing is left.
#[test]
fn an_error_ends_a_transfer_in_any_state_and_whatever_it_looks_like() {
    let errors: [&[u8]; 6] = [
        b"\0\x05\0\0\0",
        b"\0\x05\0\x08User aborted the transfer\0",
        b"\0\x05\0\0no end",
        b"\0\x05\0\x03",
        b"\0\x05\xFF\xFF\x1B[2J\0",
        b"\0\x05\0\x01%s%n\0trailing\0",
    ];
    let states =
        (0..3).flat_map(|blocks| [(blocks, false), (blocks, true)]).collect::<Vec<(u16, bool)>>();
    for server in both() {
        for ends in errors {
            for &(blocks, upload) in &states {
                let mut peer = Peer::of(&server);
                let request = if upload { wrq("new", &[]) } else { rrq("file", &[]) };
                peer.ask(request);
                let mut answer = peer.receive();
                for block in 0..blocks {
                    peer.send(if upload { data(block + 1, [7; 512]) } else { ack(block + 1) });
                    answer = peer.receive_unseen();
                }
                assert!(matches!(answer[1], 3 | 4), "{}", answer.escape_ascii());
                peer.send(ends);
                peer.expect_nothing();
            }
        }
        let log = server.stop();
        let ended = log.matches("outcome=\"aborted by client\"").count();
        assert_eq!(ended, errors.len() * states.len(), "{log}");
        assert!(!log.contains('\x1B'), "{log}");
    }
}

/// DATA that is longer than was agreed is refused, never cut (F40).
#[test]
fn overlong_data_ends_an_upload_with_error_4_and_leaves_nothing() {
    for server in both() {
        for (options, agreed) in
            [(&[][..], 512), (&[("blksize", "8")], 8), (&[("blksize", "1024")], 1024)]
        {
            for len in [agreed + 1, 2 * agreed, 65_000] {
                let mut peer = Peer::of(&server);
                peer.ask(wrq("new", options));
                peer.receive();
                peer.send(data(1, vec![7; agreed]));
                peer.expect_ack(1);
                peer.send(data(2, vec![7; len]));
                peer.expect_error(4);
                peer.expect_nothing();
                assert!(!server.root().join("new").exists());
            }
        }
        server.stop();
    }
}
