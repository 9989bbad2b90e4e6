//! Options on the wire: which are granted, with which values, in which form (RFC 2347 to 2349,
//! RFC 7440).

use std::fs;

use crate::{
    peer::{Peer, ack, content, data, oack, request, rrq, wrq},
    server::Server,
};

/// A server with a file `file` of 1000 bytes.
fn server() -> Server {
    let server = Server::start();
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    server
}

/// What a read request with these options is answered with.
#[track_caller]
fn answer(server: &Server, asked: &[(&str, &str)]) -> Vec<u8> {
    let mut peer = Peer::of(server);
    peer.ask(rrq("file", asked));
    let answer = peer.receive();
    peer.send(b"\0\x05\0\0enough\0");
    answer
}

#[test]
fn an_oack_ends_in_exactly_one_nul() {
    let server = server();
    let mut peer = Peer::of(&server);
    peer.ask(b"\0\x01file\0octet\0blksize\x001428\0");
    peer.expect(b"\0\x06blksize\x001428\0");
    peer.send(ack(0));
    peer.expect(data(1, content(1000)));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn an_oack_keeps_the_order_of_the_request() {
    let server = server();
    let options = [("tsize", "1000"), ("blksize", "600"), ("timeout", "3"), ("windowsize", "4")];
    for turn in 0..4 {
        let mut asked = options;
        asked.rotate_left(turn);
        assert_eq!(answer(&server, &asked), oack(&asked));
        asked.reverse();
        assert_eq!(answer(&server, &asked), oack(&asked));
    }
    server.stop();
}

#[test]
fn names_of_options_are_taken_in_any_case_and_given_back_in_lower_case() {
    let server = server();
    let asked = [("BLKSIZE", "600"), ("TimeOut", "3"), ("tSize", "0"), ("WindowSize", "4")];
    let granted = [("blksize", "600"), ("timeout", "3"), ("tsize", "1000"), ("windowsize", "4")];
    assert_eq!(answer(&server, &asked), oack(&granted));
    server.stop();
}

#[test]
fn unknown_options_are_left_out() {
    let server = server();
    let asked = [("multicast", ""), ("blksize", "600"), ("x-y", "1"), ("blksize2", "512")];
    assert_eq!(answer(&server, &asked), oack(&[("blksize", "600")]));
    server.stop();
}

#[test]
fn without_a_known_option_there_is_no_oack() {
    let server = server();
    let first_block = data(1, &content(1000)[..512]);
    assert_eq!(answer(&server, &[("multicast", ""), ("x-y", "1")]), first_block);
    assert_eq!(answer(&server, &[("blksize", "7"), ("timeout", "0")]), first_block);

    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[("multicast", "")]));
    peer.expect(ack(0));
    peer.send(data(1, ""));
    peer.expect(ack(1));
    server.stop();
}

#[test]
fn of_an_option_given_twice_the_first_counts() {
    let server = server();
    let asked = [("blksize", "600"), ("timeout", "3"), ("BLKSIZE", "700"), ("timeout", "4")];
    assert_eq!(answer(&server, &asked), oack(&[("blksize", "600"), ("timeout", "3")]));
    // Also when the first cannot be granted.
    let asked = [("blksize", "7"), ("blksize", "700"), ("timeout", "3")];
    assert_eq!(answer(&server, &asked), oack(&[("timeout", "3")]));
    server.stop();
}

#[test]
fn a_block_size_is_granted_lowered_or_left_out() {
    let server = Server::with(["--max-blksize", "8192"]);
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    for granted in ["8", "512", "1432", "8192"] {
        assert_eq!(answer(&server, &[("blksize", granted)]), oack(&[("blksize", granted)]));
    }
    for lowered in ["8193", "65464", "65465", "65536", "4294967295"] {
        assert_eq!(
            answer(&server, &[("blksize", lowered)]),
            oack(&[("blksize", "8192")]),
            "{lowered}"
        );
    }
    let odd = ["7", "1", "0", "-1", "abc", "", "1e3", "+512", " 512", "512 ", "0x200"];
    for odd in odd.into_iter().chain(["99999999999999999999", "18446744073709552128"]) {
        let asked = [("blksize", odd), ("timeout", "3")];
        assert_eq!(answer(&server, &asked), oack(&[("timeout", "3")]), "{odd:?}");
    }
    server.stop();
}

#[test]
fn the_largest_block_size_is_65464() {
    let server = server();
    for asked in ["65464", "65465", "65535"] {
        assert_eq!(answer(&server, &[("blksize", asked)]), oack(&[("blksize", "65464")]));
    }
    server.stop();
}

#[test]
fn a_timeout_is_echoed_or_left_out_but_never_changed() {
    let server = server();
    for granted in ["1", "3", "255"] {
        assert_eq!(answer(&server, &[("timeout", granted)]), oack(&[("timeout", granted)]));
    }
    for odd in ["0", "256", "2000", "-1", "abc", "", "1.5"] {
        let asked = [("timeout", odd), ("blksize", "600")];
        assert_eq!(answer(&server, &asked), oack(&[("blksize", "600")]), "{odd:?}");
    }
    server.stop();
}

#[test]
fn a_window_size_is_granted_lowered_or_left_out() {
    let server = server();
    for granted in ["1", "4", "64"] {
        assert_eq!(answer(&server, &[("windowsize", granted)]), oack(&[("windowsize", granted)]));
    }
    for lowered in ["65", "65535", "65536"] {
        assert_eq!(answer(&server, &[("windowsize", lowered)]), oack(&[("windowsize", "64")]));
    }
    for odd in ["0", "-1", "abc", ""] {
        let asked = [("windowsize", odd), ("blksize", "600")];
        assert_eq!(answer(&server, &asked), oack(&[("blksize", "600")]), "{odd:?}");
    }
    server.stop();
}

/// A window that our receive buffer cannot hold would lose its end every time.
#[test]
fn an_upload_is_granted_no_window_that_the_receive_buffer_cannot_hold() {
    let server = server();
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[("blksize", "65464"), ("windowsize", "64")]));
    let answer = peer.receive();
    let text = String::from_utf8_lossy(&answer[2..]).into_owned();
    let fields: Vec<&str> = text.split('\0').collect();
    let ["blksize", "65464", "windowsize", window, ""] = fields[..] else { panic!("{fields:?}") };
    let window: u16 = window.parse().expect("a number");
    assert!((1..=32).contains(&window), "{window}");
    // The whole window, at once.
    let block = vec![7; 65_464];
    for number in 1..=window {
        peer.send(data(number, &block));
    }
    peer.expect_ack(window);
    peer.send(data(window + 1, ""));
    peer.expect_ack(window + 1);
    server.stop();
}

#[test]
fn tsize_of_a_read_is_the_files_size_whatever_was_asked() {
    let server = server();
    for asked in ["0", "1", "1000", "18446744073709551615", "abc", "", "-1"] {
        assert_eq!(answer(&server, &[("tsize", asked)]), oack(&[("tsize", "1000")]), "{asked:?}");
    }
    server.stop();
}

/// curl cannot fetch an empty file of which it is told `tsize 0`.
#[test]
fn tsize_of_an_empty_file_is_left_out() {
    let server = server();
    fs::write(server.root().join("empty"), "").expect("a file to serve");
    let mut peer = Peer::of(&server);
    peer.ask(rrq("empty", &[("tsize", "0")]));
    peer.expect(data(1, ""));
    peer.send(ack(1));
    peer.ask(rrq("empty", &[("tsize", "0"), ("blksize", "600")]));
    peer.expect(oack(&[("blksize", "600")]));
    peer.send(ack(0));
    peer.expect(data(1, ""));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn tsize_of_a_netascii_read_is_left_out() {
    let server = server();
    let mut peer = Peer::of(&server);
    let options = [("tsize", "0"), ("blksize", "600")];
    peer.ask(request(1, b"file", "netascii", &options));
    peer.expect(oack(&[("blksize", "600")]));
    peer.send(b"\0\x05\0\0enough\0");
    server.stop();
}

#[test]
fn tsize_of_a_write_is_echoed() {
    let server = server();
    for size in ["0", "7", "5000000000"] {
        let mut peer = Peer::of(&server);
        peer.ask(wrq("new", &[("tsize", size)]));
        peer.expect(oack(&[("tsize", size)]));
        peer.send(b"\0\x05\0\0enough\0");
    }
    for odd in ["", "abc", "-1", "18446744073709551616x"] {
        let mut peer = Peer::of(&server);
        peer.ask(wrq("new", &[("tsize", odd), ("blksize", "600")]));
        peer.expect(oack(&[("blksize", "600")]));
        peer.send(b"\0\x05\0\0enough\0");
    }
    server.stop();
}
