//! Netascii on the wire (RFC 764 as RFC 1350 uses it): lines end in CR LF, a bare CR is CR NUL.

use std::fs;

use crate::{
    peer::{Peer, ack, data, oack, request},
    server::Server,
};

/// With blocks of eight bytes every pair below is split somewhere.
const OPTIONS: [(&str, &str); 2] = [("blksize", "8"), ("timeout", "5")];

fn serving(text: &[u8]) -> Server {
    let server = Server::start();
    fs::write(server.root().join("text"), text).expect("a file to serve");
    server
}

/// Asks for the text with these options, which are granted as they are.
fn ask(server: &Server, opcode: u8, options: &[(&str, &str)]) -> Peer {
    let mut peer = Peer::of(server);
    let name = if opcode == 1 { "text" } else { "new" };
    peer.ask(request(opcode, name.as_bytes(), "netascii", options));
    peer.expect_next(oack(options));
    peer
}

/// Text with every kind of line end in every place.
fn text(len: usize) -> Vec<u8> {
    let line = b"line\nbare\rboth\r\ntwice\n\n\r\r\n\r";
    line.iter().copied().cycle().take(len).collect()
}

fn encoded(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| match byte {
            b'\n' => b"\r\n".to_vec(),
            b'\r' => b"\r\0".to_vec(),
            other => vec![*other],
        })
        .collect()
}

#[test]
fn a_line_end_is_sent_as_cr_lf_and_a_cr_as_cr_nul() {
    let server = serving(b"ab\ncd\ref\r\ngh");
    let mut peer = Peer::of(&server);
    peer.ask(request(1, b"text", "netascii", &[]));
    peer.expect(data(1, b"ab\r\ncd\r\0ef\r\0\r\ngh"));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn pairs_are_split_over_blocks() {
    let server = serving(b"1234567\n1234567\r12345\n\n");
    let mut peer = ask(&server, 1, &OPTIONS);
    peer.send(ack(0));
    for (number, block) in [(1, b"1234567\r"), (2, b"\n1234567"), (3, b"\r\x0012345\r")] {
        peer.expect_next(data(number, block));
        peer.send(ack(number));
    }
    peer.expect_next(data(4, b"\n\r\n"));
    peer.send(ack(4));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn an_encoded_text_of_whole_blocks_ends_with_an_empty_block() {
    // Seven bytes of file, eight on the wire.
    let server = serving(b"123456\n");
    let mut peer = ask(&server, 1, &OPTIONS);
    peer.send(ack(0));
    peer.expect_next(data(1, b"123456\r\n"));
    peer.send(ack(1));
    peer.expect_next(data(2, b""));
    peer.send(ack(2));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn a_retransmission_behind_a_split_pair_is_of_the_same_bytes() {
    let server = serving(b"1234567\n1234567\r1234567\n1234567\rend");
    let options = [("blksize", "8"), ("windowsize", "3"), ("timeout", "5")];
    let mut peer = ask(&server, 1, &options);
    peer.send(ack(0));
    peer.expect_next(data(1, b"1234567\r"));
    peer.expect_next(data(2, b"\n1234567"));
    peer.expect_next(data(3, b"\r\x00123456"));
    // The pair at the edge between the first and the second block, and once more further on.
    peer.send(ack(1));
    peer.expect_next(data(2, b"\n1234567"));
    peer.expect_next(data(3, b"\r\x00123456"));
    peer.expect_next(data(4, b"7\r\n12345"));
    peer.send(ack(2));
    peer.expect_next(data(3, b"\r\x00123456"));
    peer.expect_next(data(4, b"7\r\n12345"));
    peer.expect_next(data(5, b"67\r\0end"));
    peer.send(ack(5));
    peer.expect_nothing();
    server.stop();
}

/// Once a window is acknowledged whole, what is sent again begins in the middle of the text.
#[test]
fn a_retransmission_in_a_later_window_is_of_the_same_bytes() {
    let server = serving(b"1234567\n1234567\r1234567\n1234567\rend");
    let options = [("blksize", "8"), ("windowsize", "2"), ("timeout", "5")];
    let mut peer = ask(&server, 1, &options);
    peer.send(ack(0));
    peer.expect_next(data(1, b"1234567\r"));
    peer.expect_next(data(2, b"\n1234567"));
    peer.send(ack(2));
    peer.expect_next(data(3, b"\r\x00123456"));
    peer.expect_next(data(4, b"7\r\n12345"));
    peer.send(ack(3));
    peer.expect_next(data(4, b"7\r\n12345"));
    peer.expect_next(data(5, b"67\r\0end"));
    peer.send(ack(5));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn the_timer_repeats_the_same_bytes() {
    let server = serving(b"1234567\n1234567\rend");
    let options = [("blksize", "8"), ("windowsize", "2"), ("timeout", "1")];
    let mut peer = ask(&server, 1, &options);
    peer.send(ack(0));
    for _ in 0..2 {
        peer.expect_next(data(1, b"1234567\r"));
        peer.expect_next(data(2, b"\n1234567"));
    }
    peer.send(ack(2));
    peer.expect_next(data(3, b"\r\0end"));
    peer.send(ack(3));
    server.stop();
}

#[test]
fn a_long_text_is_read_whole_in_windows_and_beyond_the_wrap() {
    let text = text(500_000);
    let server = serving(&text);
    let options = [("blksize", "8"), ("windowsize", "60"), ("timeout", "5")];
    let mut peer = ask(&server, 1, &options);
    peer.send(ack(0));
    let received = peer.read_blocks(1, 8, 60);
    assert!(received.len() > 8 * 65_536, "{}", received.len());
    assert!(received == encoded(&text));
    server.stop();
}

#[test]
fn an_upload_is_stored_as_local_text() {
    let server = Server::start();
    let mut peer = ask(&server, 2, &OPTIONS);
    for (number, block) in [(1, b"1234567\r"), (2, b"\n1234567"), (3, b"\r\0\r\n\r\0\r\n")] {
        peer.send(data(number, block));
        peer.expect_next(ack(number));
    }
    peer.send(data(4, b"end\r"));
    peer.expect_next(ack(4));
    let stored = fs::read(server.root().join("new")).expect("the upload");
    assert_eq!(stored, b"1234567\n1234567\r\n\r\nend\r");
    server.stop();
}

/// A block that comes twice is decoded once, also when it ends in the middle of a pair.
#[test]
fn a_repeated_block_of_an_upload_is_decoded_once() {
    let server = Server::start();
    let mut peer = ask(&server, 2, &OPTIONS);
    for _ in 0..2 {
        peer.send(data(1, b"1234567\r"));
        peer.expect_next(ack(1));
    }
    for _ in 0..2 {
        peer.send(data(2, b"\nend"));
        peer.expect_next(ack(2));
    }
    let stored = fs::read(server.root().join("new")).expect("the upload");
    assert_eq!(stored, b"1234567\nend");
    server.stop();
}

#[test]
fn blocks_of_an_upload_are_decoded_in_their_order_only() {
    let server = Server::start();
    let options = [("blksize", "8"), ("windowsize", "4"), ("timeout", "5")];
    let mut peer = ask(&server, 2, &options);
    let blocks = [b"1234567\r", b"\n1234567", b"\r\0\r\n\r\0\r\n", b"12345678"];
    for number in [1, 3, 4] {
        peer.send(data(number, blocks[usize::from(number) - 1]));
    }
    // The gap; what was sent behind it was not kept.
    peer.expect_next(ack(1));
    for number in [2, 3, 4] {
        peer.send(data(number, blocks[usize::from(number) - 1]));
    }
    peer.send(data(5, b""));
    peer.expect_ack(5);
    let stored = fs::read(server.root().join("new")).expect("the upload");
    assert_eq!(stored, b"1234567\n1234567\r\n\r\n12345678");
    server.stop();
}

#[test]
fn a_long_text_is_stored_whole() {
    let server = Server::start();
    let text = text(200_000);
    let wire = encoded(&text);
    let options = [("blksize", "13"), ("windowsize", "7"), ("timeout", "5")];
    let mut peer = ask(&server, 2, &options);
    let blocks: Vec<&[u8]> = wire.chunks(13).collect();
    assert!(blocks.last().is_some_and(|last| last.len() < 13));
    let mut number = 0;
    for window in blocks.chunks(7) {
        for block in window {
            number += 1;
            peer.send(data(number, block));
        }
        peer.expect_ack(number);
    }
    assert!(fs::read(server.root().join("new")).expect("the upload") == text);
    server.stop();
}
