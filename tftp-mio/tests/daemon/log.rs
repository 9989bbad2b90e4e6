//! The log: one line for a transfer, in which whatever a peer sent is escaped.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, error, oack, request, rrq, wrq},
    server::{Server, command},
};

/// The fields of a line between `peer` and `reason`, without the times.
#[track_caller]
fn fields(line: &str) -> String {
    let (_, fields) = line.split_once(" INFO transfer ").expect("a line of a transfer");
    let timeless = |field: &&str| {
        !["seconds=", "rate=", "round_trip_ms="].iter().any(|time| field.starts_with(time))
    };
    fields.split(' ').filter(timeless).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_read_is_one_line_with_all_that_is_to_know() {
    let server = Server::start();
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    let mut peer = Peer::of(&server);
    let options = [("blksize", "600"), ("windowsize", "2"), ("timeout", "5")];
    peer.ask(rrq("/file", &options));
    peer.expect_next(oack(&options));
    peer.send(ack(0));
    peer.expect_next(data(1, &content(1000)[..600]));
    peer.expect_next(data(2, &content(1000)[600..]));
    // The second block was lost.
    peer.send(ack(1));
    peer.expect_next(data(2, &content(1000)[600..]));
    peer.send(ack(2));
    let line = server.log_line("op=\"read\"");
    let from = peer.address();
    let expected = format!(
        "peer={from} op=\"read\" name=\"/file\" mode=octet bytes=1000 \
         options=\"blksize=600 windowsize=2 timeout=5\" retransmissions=1 duplicates=0 outcome=\"completed\""
    );
    assert_eq!(fields(&line), expected);
    assert!(line.contains(" seconds=0") && line.contains("B/s "), "{line}");
    assert!(line.contains(" round_trip_ms="), "{line}");
    let log = server.stop();
    assert_eq!(log.matches("name=\"/file\"").count(), 1, "{log}");
}

#[test]
fn a_write_is_one_line_when_the_file_is_stored() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    peer.ask(request(2, b"new", "netascii", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "a\r\n"));
    peer.expect(ack(1));
    let line = server.log_line("op=\"write\"");
    let from = peer.address();
    let expected = format!(
        "peer={from} op=\"write\" name=\"new\" mode=netascii bytes=3 options=\"\" \
         retransmissions=0 duplicates=0 outcome=\"completed\""
    );
    assert_eq!(fields(&line), expected);
    server.stop();
}

#[test]
fn a_refusal_is_one_line_with_its_reason() {
    let server = Server::with([""; 0]);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("missing", &[]));
    peer.expect_error(1);
    peer.ask(wrq("new", &[]));
    peer.expect_error(2);
    let from = peer.address();
    let line = server.log_line("op=\"read\"");
    let expected = format!(
        "peer={from} op=\"read\" name=\"missing\" mode=octet outcome=\"refused\" \
         reason=\"file not found\""
    );
    assert_eq!(fields(&line), expected);
    let line = server.log_line("op=\"write\"");
    assert!(line.contains("reason=\"uploads are off: "), "{line}");
    let log = server.stop();
    let lines = log.lines().filter(|line| !line.contains("running as root")).count();
    assert_eq!(lines, 5, "the start, two refusals, two for the end: {log}");
}

#[test]
fn what_a_peer_sent_is_escaped() {
    let server = Server::start();
    let names: [&[u8]; 5] = [
        b"\x1b[2J\x07",
        b"a\nINFO transfer b",
        b"a\" outcome=\"completed",
        b"\xFF\x80",
        b"\x9b31m",
    ];
    for name in names {
        let mut peer = Peer::of(&server);
        peer.ask(rrq(name, &[]));
        peer.expect_error(1);
        peer.ask(wrq(name, &[]));
        peer.expect(ack(0));
        peer.send(error(0, "text\x1b]0;title\x07\r\nnew line"));
    }
    // The clients' farewells are handled before a later request is.
    Peer::of(&server).expect_nothing();
    let log = server.stop();
    assert!(log.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')), "{log:?}");
    let lines = log.lines().filter(|line| line.contains(" INFO transfer peer=")).count();
    assert_eq!(lines, 2 * names.len() + 1, "{log}");
    assert!(log.contains(r#"name="\x1b[2J\x07""#), "{log}");
    assert!(log.contains(r#"name="a\" outcome=\"completed""#), "{log}");
    assert!(log.contains(r#"reason="error 0: text\x1b]0;title\x07\r\nnew line""#), "{log}");
}

/// As after `tftpd 2>&1 | head -1`, or with a full disk behind the log.
#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), "content").expect("a file to serve");
    let mut child =
        command([""; 0]).arg(root.path()).stderr(Stdio::piped()).spawn().expect("tftpd starts");
    let mut start = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut start).expect("a line");
    let (_, address) = start.split_once("listening on ").expect("the start line");
    let address = address.split(';').next().and_then(|address| address.parse().ok());
    // Nobody is left at the other end of the pipe.
    for _ in 0..3 {
        let mut peer = Peer::at(Ipv4Addr::LOCALHOST.into(), address.expect("an address"));
        peer.ask(rrq("file", &[]));
        peer.expect(data(1, "content"));
        peer.send(ack(1));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("its status").code(), Some(0));
}

#[test]
fn a_line_of_json_is_an_object_whatever_the_name() {
    let server = Server::with(["--log-format", "json"]);
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    let names: [(&[u8], &str); 5] = [
        (b"missing", "missing"),
        (b"\x1b[2J\x07", r"\x1b[2J\x07"),
        (b"a\nb\r", r"a\nb\r"),
        (b"a\" outcome=\"\\b", r#"a" outcome="\\b"#),
        (b"\xFF\x80\x9b31m", r"\xff\x80\x9b31m"),
    ];
    for (name, _) in names {
        let mut peer = Peer::of(&server);
        peer.ask(rrq(name, &[]));
        peer.expect_error(1);
    }
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("blksize", "1000")]));
    peer.expect(oack(&[("blksize", "1000")]));
    peer.send(ack(0));
    peer.expect(data(1, content(1000)));
    peer.send(ack(1));
    peer.expect(data(2, ""));
    peer.send(ack(2));
    server.log_line(r#""outcome":"completed""#);
    let from = peer.address().to_string();
    let log = server.stop();

    let records: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for (_, shown) in names {
        let found = records.iter().any(|record| record["name"] == shown);
        assert!(found, "{shown} is not in {log}");
    }
    let last = records.iter().find(|record| record["outcome"] == "completed").expect("a record");
    for (key, value) in [("peer", &*from), ("op", "read"), ("name", "file"), ("mode", "octet")] {
        assert_eq!(last[key], value, "{last}");
    }
    assert_eq!(last["options"], "blksize=1000");
    assert_eq!(last["bytes"], 1000);
    for key in ["seconds", "round_trip_ms", "retransmissions", "duplicates"] {
        assert!(last[key].is_number(), "{key} in {last}");
    }
}
