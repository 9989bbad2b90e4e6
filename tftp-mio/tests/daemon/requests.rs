//! What is a request, what is not, and what a request that comes twice means.

use std::{fs, thread, time::Duration};

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::Server,
};

/// A server with the one-block file `file` in its folder.
fn server() -> Server {
    server_with(&[])
}

fn server_with(options: &[&str]) -> Server {
    let server = Server::with([&["--write", "create"], options].concat());
    fs::write(server.root().join("file"), "content").expect("a file to serve");
    server
}

/// One with ports for its transfers, and one that has a single port.
fn both() -> [Server; 2] {
    [server(), server_with(&["--single-port"])]
}

#[test]
fn a_request_without_options_is_answered_with_data() {
    let server = server();
    let mut peer = Peer::of(&server);
    peer.ask(b"\0\x01file\0octet\0");
    peer.expect(b"\0\x03\0\x01content");
    peer.send(b"\0\x04\0\x01");
    server.stop();
}

#[test]
fn modes_are_compared_without_case() {
    let server = server();
    for mode in ["OCTET", "Octet", "NetAscii", "NETASCII"] {
        let mut peer = Peer::of(&server);
        peer.ask([b"\0\x01file\0", mode.as_bytes(), b"\0"].concat());
        peer.expect(data(1, "content"));
        peer.send(ack(1));
    }
    server.stop();
}

#[test]
fn an_unknown_mode_is_refused_with_one_error_4() {
    let server = server();
    let mut peer = Peer::of(&server);
    for mode in ["image", "octet ", "", "octe", "octett", "%n%s"] {
        peer.ask([b"\0\x01file\0", mode.as_bytes(), b"\0"].concat());
        peer.expect_error(4);
        peer.expect_nothing();
    }
    server.stop();
}

#[test]
fn mail_is_refused_for_reading_and_for_writing() {
    let server = server();
    let mut peer = Peer::of(&server);
    peer.ask(b"\0\x01file\0mail\0");
    peer.expect_error(4);
    peer.ask(b"\0\x02user\0mail\0");
    peer.expect_error(4);
    peer.expect_nothing();
    server.stop();
}

#[test]
fn malformed_requests_get_one_error_4_and_change_nothing() {
    let server = server();
    let mut peer = Peer::of(&server);
    let long_name = [b"\0\x01".as_slice(), &vec![b'a'; 65_000]].concat();
    let malformed: [&[u8]; 12] = [
        b"\0\x01",
        b"\0\x01file",
        b"\0\x01file\0",
        b"\0\x01file\0octet",
        b"\0\x01\0octet\0",
        b"\0\x01file\0octet\0blksize",
        b"\0\x01file\0octet\0blksize\0",
        b"\0\x01file\0octet\0blksize\x001024",
        b"\0\x01file\0octet\0\x001024\0",
        b"\0\x02\0\0",
        b"\0\x07file\0octet\0",
        &long_name,
    ];
    for datagram in malformed {
        peer.ask(datagram);
        peer.expect_error(4);
        peer.expect_nothing();
    }
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn what_is_no_request_gets_nothing() {
    let server = server();
    let mut peer = Peer::of(&server);
    let datagrams: [&[u8]; 10] = [
        b"",
        b"\0",
        b"\x01",
        b"\0\x03",
        b"\0\x03\0\x01content",
        b"\0\x04\0\x01",
        b"\0\x04\0\0",
        b"\0\x05\0\x04loop\0",
        b"\0\x05",
        b"\0\x06blksize\x001024\0",
    ];
    for datagram in datagrams {
        peer.ask(datagram);
        peer.expect_nothing();
    }
    server.stop();
}

#[test]
fn the_largest_datagram_is_taken_as_a_request() {
    let server = server();
    let mut peer = Peer::of(&server);
    let mut padded = rrq("file", &[]);
    padded.resize(65_507, 0);
    peer.ask(padded);
    peer.expect(data(1, "content"));
    peer.send(ack(1));

    let mut endless = rrq("file", &[]);
    while endless.len() < 65_000 {
        endless.extend_from_slice(b"blksize\x001024\0unknown\0value\0");
    }
    peer.ask(endless);
    peer.expect(oack(&[("blksize", "1024")]));
    peer.send(ack(0));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn nul_padding_behind_a_request_does_not_count() {
    let server = server();
    let mut peer = Peer::of(&server);
    let mut request = rrq("file", &[]);
    request.resize(512, 0);
    peer.ask(request);
    peer.expect(data(1, "content"));
    peer.send(ack(1));

    let mut request = rrq("file", &[("blksize", "1024")]);
    request.resize(512, 0);
    peer.ask(request);
    peer.expect(oack(&[("blksize", "1024")]));
    peer.send(ack(0));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

/// On a busy machine the second one may find the answer old enough to be repeated; it comes from the
/// same port then, as `Peer` asserts of all that it gets. One worker has taken both once it has answered
/// another peer.
#[test]
fn a_read_request_that_comes_twice_at_once_is_one_transfer() {
    for options in [&["--workers", "1"][..], &["--workers", "1", "--single-port"]] {
        let server = server_with(options);
        let mut peer = Peer::of(&server);
        let request = rrq("file", &[("timeout", "5")]);
        peer.ask(&request);
        peer.send_to(&request, server.address());
        Peer::of(&server).expect_nothing();
        peer.expect(oack(&[("timeout", "5")]));
        peer.send(ack(0));
        peer.expect(data(1, "content"));
        peer.send(ack(1));
        peer.expect_nothing();
        let log = server.stop();
        assert_eq!(log.matches("name=\"file\"").count(), 1, "{log}");
    }
}

#[test]
fn a_repeated_request_draws_the_first_answer_from_the_same_port() {
    for server in both() {
        let mut peer = Peer::of(&server);
        let request = rrq("file", &[("timeout", "5")]);
        peer.ask(&request);
        peer.expect_next(oack(&[("timeout", "5")]));
        // Repeated as by a client that has lost the answer, until the answer is old enough.
        let answer = loop {
            peer.send_to(&request, server.address());
            if let Some(answer) = peer.receive_within(Duration::from_millis(30)) {
                break answer;
            }
        };
        assert_eq!(answer, oack(&[("timeout", "5")]));
        peer.send(ack(0));
        peer.expect(data(1, "content"));
        peer.send(ack(1));
        peer.expect_nothing();
        let log = server.stop();
        assert_eq!(log.matches("name=\"file\"").count(), 1, "{log}");
    }
}

#[test]
fn a_write_request_that_comes_twice_is_one_upload_and_never_finds_its_file_existing() {
    for server in both() {
        let mut peer = Peer::of(&server);
        let request = wrq("new", &[("timeout", "5")]);
        peer.ask(&request);
        peer.send_to(&request, server.address());
        peer.send_to(&request, server.address());
        Peer::of(&server).expect_nothing();
        peer.expect_next(oack(&[("timeout", "5")]));
        peer.send(data(1, "content"));
        peer.expect(ack(1));
        assert_eq!(fs::read(server.root().join("new")).expect("the upload"), b"content");
        peer.expect_nothing();
        let log = server.stop();
        assert_eq!(log.matches("name=\"new\"").count(), 1, "{log}");
    }
}

/// A doubled datagram may arrive when the transfer has long begun.
#[test]
fn a_request_that_comes_again_during_its_transfer_is_no_second_transfer() {
    for server in both() {
        fs::write(server.root().join("long"), content(1000)).expect("a file to serve");
        let mut peer = Peer::of(&server);
        let request = rrq("long", &[("timeout", "5")]);
        peer.ask(&request);
        peer.expect_next(oack(&[("timeout", "5")]));
        peer.send(ack(0));
        peer.expect_next(data(1, &content(1000)[..512]));
        peer.send_to(&request, server.address());
        Peer::of(&server).expect_nothing();
        peer.send(ack(1));
        peer.expect_next(data(2, &content(1000)[512..]));
        peer.send(ack(2));
        peer.expect_nothing();

        let request = wrq("new", &[("timeout", "5")]);
        peer.ask(&request);
        peer.expect_next(oack(&[("timeout", "5")]));
        peer.send(data(1, "content"));
        peer.expect_next(ack(1));
        peer.send_to(&request, server.address());
        peer.expect_nothing();
        let log = server.stop();
        assert_eq!(log.matches("op=\"write\"").count(), 1, "{log}");
    }
}

/// The request comes by another socket than the ACK, and overtakes it now and then.
#[test]
fn a_client_that_asks_for_the_same_right_behind_its_last_ack_is_served_each_time() {
    for server in both() {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut peer = Peer::of(&server);
                    for _ in 0..300 {
                        peer.ask(rrq("file", &[]));
                        peer.expect(data(1, "content"));
                        peer.send(ack(1));
                    }
                });
            }
        });
        let log = server.stop();
        assert_eq!(log.matches("outcome=\"completed\"").count(), 8 * 300);
    }
}

/// A client that hears nothing for a second asks again, just when the answer comes at last.
#[test]
fn a_request_that_crosses_a_late_answer_is_no_second_transfer() {
    for server in both() {
        let mut peer = Peer::of(&server);
        let request = wrq("new", &[("timeout", "5")]);
        peer.ask(&request);
        peer.expect_next(oack(&[("timeout", "5")]));
        assert_eq!(peer.receive_within(Duration::from_millis(1200)), None);
        peer.send(data(1, [7; 512]));
        peer.expect_next(ack(1));
        peer.send_to(&request, server.address());
        Peer::of(&server).expect_nothing();
        peer.send(data(2, "end"));
        peer.expect_next(ack(2));
        peer.expect_nothing();
        let log = server.stop();
        assert_eq!(log.matches("op=\"write\"").count(), 1, "{log}");
    }
}

/// A boot ROM that was switched off and on again uses the same port for the same request.
#[test]
fn a_client_that_begins_anew_after_a_while_is_served_anew() {
    let server = server();
    fs::write(server.root().join("long"), content(1000)).expect("a file to serve");
    let mut peer = Peer::of(&server);
    let request = rrq("long", &[("timeout", "9")]);
    peer.ask(&request);
    peer.expect_next(oack(&[("timeout", "9")]));
    peer.send(ack(0));
    peer.expect_next(data(1, &content(1000)[..512]));
    let abandoned = peer.tid();
    // It asks until it is answered.
    let answer = loop {
        peer.ask(&request);
        if let Some(answer) = peer.receive_within(Duration::from_millis(400)) {
            break answer;
        }
    };
    assert_eq!(answer, oack(&[("timeout", "9")]));
    assert_ne!(peer.tid(), abandoned);
    peer.send(ack(0));
    peer.expect(data(1, &content(1000)[..512]));
    peer.send(ack(1));
    peer.expect(data(2, &content(1000)[512..]));
    peer.send(ack(2));
    server.stop();
}

#[test]
fn another_request_from_the_same_port_replaces_one_that_was_not_acknowledged() {
    for server in both() {
        fs::write(server.root().join("other"), "other").expect("a file to serve");
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &[("timeout", "1")]));
        peer.expect_next(oack(&[("timeout", "1")]));
        let abandoned = peer.tid();
        peer.ask(rrq("other", &[("timeout", "9")]));
        peer.expect_next(oack(&[("timeout", "9")]));
        assert_eq!(peer.tid() == abandoned, peer.tid() == server.address());
        // Not even after its interval does the first say anything more.
        assert_eq!(peer.receive_within(Duration::from_millis(1500)), None);
        peer.send(ack(0));
        peer.expect(data(1, "other"));
        peer.send(ack(1));
        let line = server.log_line("name=\"file\"");
        assert!(line.contains("outcome=\"replaced\""), "{line}");
        server.stop();
    }
}

/// They come together where the client's system cuts them out of one send.
#[test]
fn of_requests_that_are_sent_at_once_the_latest_is_answered() {
    for server in both() {
        fs::write(server.root().join("last"), "other").expect("a file to serve");
        let mut requests =
            ["gone", "file", "last", "what"].map(|name| rrq(name, &[("timeout", "9")])).to_vec();
        // One that cannot be read counts least.
        requests[3].fill(b'x');
        requests[3][..2].copy_from_slice(&[0, 1]);
        let peer = &mut Peer::of(&server);
        peer.cut_sends(requests[0].len());
        peer.ask(requests.concat());
        peer.expect_next(oack(&[("timeout", "9")]));
        peer.send(ack(0));
        peer.expect_next(data(1, "other"));
        peer.send(ack(1));
        server.stop();
    }
}

#[test]
fn one_file_goes_to_three_ports_of_a_host_at_once() {
    let server = Server::start();
    let file = content(2000);
    fs::write(server.root().join("file"), &file).expect("a file to serve");
    let mut peers: Vec<Peer> = (0..3).map(|_| Peer::of(&server)).collect();
    let (head, tail) = file.split_at(1024);
    for peer in &mut peers {
        peer.ask(rrq("file", &[("blksize", "1024")]));
    }
    for peer in &mut peers {
        peer.expect(oack(&[("blksize", "1024")]));
    }
    let [first, second, third] = [0, 1, 2].map(|index| peers[index].tid());
    assert!(first != second && second != third && third != first);
    for peer in &mut peers {
        peer.send(ack(0));
    }
    for peer in &mut peers {
        peer.expect(data(1, head));
        peer.send(ack(1));
    }
    for peer in &mut peers {
        peer.expect(data(2, tail));
        peer.send(ack(2));
    }
    server.log_lines(3, |line| line.contains("outcome=\"completed\""));
    server.stop();
}

#[test]
fn nothing_from_one_transfer_is_seen_by_the_next() {
    for server in both() {
        fs::write(server.root().join("long"), content(5000)).expect("a file to serve");
        let mut peer = Peer::of(&server);
        for options in [&[][..], &[("blksize", "2048"), ("windowsize", "4")]] {
            peer.ask(rrq("long", options));
            peer.receive();
            peer.send(error(0, "stop"));
            peer.ask(rrq("file", &[]));
            peer.expect(data(1, "content"));
            peer.send(ack(1));
        }
        server.stop();
    }
}
