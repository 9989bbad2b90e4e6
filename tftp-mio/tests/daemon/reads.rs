//! Reads, block by block.

use std::{
    fs::{self, File, OpenOptions},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    peer::{Peer, ack, content, data, error, oack, request, rrq},
    server::Server,
};

/// A server with this file `file`.
fn serving(file: &[u8]) -> Server {
    let server = Server::start();
    fs::write(server.root().join("file"), file).expect("a file to serve");
    server
}

/// Stops all threads of the server, until it gets `CONT`.
fn stand_still(server: &Server) {
    server.signal(Signal::STOP);
    let stands = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    let tasks = format!("/proc/{}/task", server.id());
    while !fs::read_dir(&tasks).expect("a running server").flatten().all(stands) {
        thread::yield_now();
    }
}

#[test]
fn data_follows_only_the_ack_of_the_oack() {
    let server = serving(b"content");
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "2")]));
    peer.expect_next(oack(&[("timeout", "2")]));
    // Nothing but the OACK comes, and that again only after the interval.
    let waited = Instant::now();
    peer.expect_next(oack(&[("timeout", "2")]));
    assert!(waited.elapsed() > Duration::from_millis(1500), "{:?}", waited.elapsed());
    peer.send(ack(0));
    peer.expect_next(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn a_file_ends_with_a_block_that_is_not_full() {
    for (len, blocks) in
        [(0, 1), (1, 1), (511, 1), (512, 2), (513, 2), (1023, 2), (1024, 3), (5120, 11)]
    {
        let file = content(len);
        let server = serving(&file);
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &[]));
        for number in 1..=blocks {
            let from = 512 * (usize::from(number) - 1);
            peer.expect(data(number, &file[from..len.min(from + 512)]));
            peer.send(ack(number));
        }
        peer.expect_nothing();
        server.stop();
    }
}

#[test]
fn a_file_of_whole_windows_ends_with_an_empty_block() {
    for (len, blocks) in [(4096, 5), (4095, 4), (2048, 3), (0, 1)] {
        let file = content(len);
        let server = serving(&file);
        let mut peer = Peer::of(&server);
        let options = [("blksize", "1024"), ("windowsize", "2"), ("timeout", "5")];
        peer.ask(rrq("file", &options));
        peer.expect(oack(&options));
        peer.send(ack(0));
        for number in 1..=blocks {
            let from = 1024 * (usize::from(number) - 1);
            peer.expect_next(data(number, &file[from..len.min(from + 1024)]));
            if number % 2 == 0 || number == blocks {
                peer.send(ack(number));
            }
        }
        peer.expect_nothing();
        server.stop();
    }
}

#[test]
fn a_doubled_ack_does_not_double_the_data() {
    let file = content(10 * 512 + 1);
    let server = serving(&file);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "5")]));
    peer.expect(oack(&[("timeout", "5")]));
    peer.send(ack(0));
    peer.send(ack(0));
    for number in 1..=11 {
        let from = 512 * (usize::from(number) - 1);
        peer.expect_next(data(number, &file[from..file.len().min(from + 512)]));
        peer.send(ack(number));
        peer.send(ack(number));
    }
    peer.expect_nothing();
    server.stop();
}

/// The ACK of all that was sent is taken alone, which spares a system call with every block.
#[test]
fn an_error_right_behind_an_ack_ends_the_transfer_before_a_block_is_repeated() {
    let file = content(5 * 512);
    // The second one's time-out is longer than anybody waits for a line of the log.
    for options in [&[][..], &[("timeout", "255")]] {
        let server = serving(&file);
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", options));
        if !options.is_empty() {
            peer.expect(oack(options));
            peer.send(ack(0));
        }
        peer.expect_next(data(1, &file[..512]));
        // The server finds both in its socket.
        stand_still(&server);
        peer.send(ack(1));
        peer.send(error(0, "enough"));
        server.signal(Signal::CONT);
        peer.expect(data(2, &file[512..1024]));
        let line = server.log_line("aborted by client");
        assert!(line.contains("retransmissions=0"), "{line}");
        peer.expect_nothing();
        server.stop();
    }
}

#[test]
fn with_windows_an_error_right_behind_an_ack_ends_the_transfer_before_more_is_sent() {
    let file = content(9 * 512);
    let server = serving(&file);
    let options = [("windowsize", "2")];
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &options));
    peer.expect(oack(&options));
    peer.send(ack(0));
    peer.expect_next(data(1, &file[..512]));
    peer.expect_next(data(2, &file[512..1024]));
    // The server finds both in its socket.
    stand_still(&server);
    peer.send(ack(2));
    peer.send(error(0, "enough"));
    server.signal(Signal::CONT);
    let line = server.log_line("aborted by client");
    assert!(line.contains("retransmissions=0"), "{line}");
    peer.expect_nothing();
    server.stop();
}

#[test]
fn acks_of_blocks_that_were_not_sent_when_they_came_do_not_count_later() {
    let server = serving(&content(50 * 512));
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "5")]));
    peer.expect(oack(&[("timeout", "5")]));
    stand_still(&server);
    for number in 0..=20 {
        peer.send(ack(number));
    }
    server.signal(Signal::CONT);
    peer.expect_next(data(1, &content(50 * 512)[..512]));
    // Were any left, they would be found now.
    peer.send(ack(0));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn an_ack_that_came_while_the_server_stood_still_counts_before_its_time_out() {
    for single_port in [&[][..], &["--single-port"]] {
        let server = Server::with(single_port);
        fs::write(server.root().join("file"), content(1500)).expect("a file to serve");
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &[("timeout", "1")]));
        peer.expect(oack(&[("timeout", "1")]));
        peer.send(ack(0));
        peer.expect_next(data(1, &content(1500)[..512]));
        stand_still(&server);
        peer.send(ack(1));
        // The time-out passes meanwhile.
        assert_eq!(peer.receive_within(Duration::from_millis(1200)), None);
        server.signal(Signal::CONT);
        peer.expect_next(data(2, &content(1500)[512..1024]));
        peer.send(ack(2));
        peer.expect_next(data(3, &content(1500)[1024..]));
        peer.send(ack(3));
        let line = server.log_line("outcome=\"completed\"");
        assert!(line.contains("retransmissions=0"), "{single_port:?}: {line}");
        server.stop();
    }
}

#[test]
fn acks_that_pile_up_in_lock_step_draw_one_block_each_number() {
    let server = serving(&content(5 * 512));
    let block =
        |number: u16| data(number, &content(5 * 512)[512 * (usize::from(number) - 1)..][..512]);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "5")]));
    peer.expect(oack(&[("timeout", "5")]));
    peer.send(ack(0));
    for number in 1..=4 {
        peer.expect_next(block(number));
        stand_still(&server);
        for _ in 0..40 {
            peer.send(ack(number - 1));
            peer.send(ack(number));
        }
        server.signal(Signal::CONT);
    }
    peer.expect_next(block(5));
    peer.send(error(0, "enough"));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn an_ack_inside_of_the_window_begins_the_next_window_behind_it() {
    let file = content(8 * 512);
    let server = serving(&file);
    let block = |number: u16| data(number, &file[512 * (usize::from(number) - 1)..][..512]);
    let mut peer = Peer::of(&server);
    let options = [("windowsize", "4"), ("timeout", "5")];
    peer.ask(rrq("file", &options));
    peer.expect(oack(&options));
    peer.send(ack(0));
    for number in 1..=4 {
        peer.expect_next(block(number));
    }
    // As if 3 had been lost; a whole window of the same ACKs draws one window.
    for _ in 0..4 {
        peer.send(ack(2));
    }
    for number in 3..=6 {
        peer.expect_next(block(number));
    }
    peer.send(ack(6));
    for number in 7..=8 {
        peer.expect_next(block(number));
    }
    peer.expect_next(data(9, ""));
    peer.send(ack(9));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn an_ack_of_a_block_that_was_never_sent_is_ignored() {
    let server = serving(&content(1500));
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "5")]));
    peer.expect(oack(&[("timeout", "5")]));
    peer.send(ack(1));
    peer.send(ack(0));
    peer.expect_next(data(1, &content(1500)[..512]));
    for odd in [2, 3, 1000, 65_535, 0] {
        peer.send(ack(odd));
    }
    peer.send(ack(1));
    peer.expect_next(data(2, &content(1500)[512..1024]));
    peer.send(ack(2));
    peer.expect_next(data(3, &content(1500)[1024..]));
    peer.send(ack(3));
    peer.expect_nothing();
    server.stop();
}

/// RFC 1350 has 16 bits for a block's number: 65535 is followed by 0, and an ACK 0 then is no ACK of
/// the OACK.
#[test]
fn block_numbers_wrap_to_zero() {
    let file = content(8 * 65_540 + 3);
    let server = serving(&file);
    let mut peer = Peer::of(&server);
    let options = [("blksize", "8"), ("windowsize", "64"), ("timeout", "5")];
    peer.ask(rrq("file", &options));
    peer.expect(oack(&options));
    peer.send(ack(0));
    assert!(peer.read_blocks(1, 8, 64) == file);
    peer.expect_nothing();
    let log = server.stop();
    assert!(log.contains("outcome=\"completed\""), "{log}");
}

#[test]
fn a_late_ack_0_does_not_begin_the_transfer_again() {
    let file = content(1500);
    let server = serving(&file);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "5")]));
    peer.expect(oack(&[("timeout", "5")]));
    peer.send(ack(0));
    peer.expect_next(data(1, &file[..512]));
    peer.send(ack(1));
    peer.expect_next(data(2, &file[512..1024]));
    peer.send(ack(0));
    peer.send(ack(2));
    peer.expect_next(data(3, &file[1024..]));
    peer.send(ack(3));
    peer.expect_nothing();
    server.stop();
}

#[test]
fn a_stranger_gets_error_5_and_the_transfer_goes_on() {
    let file = content(1000);
    let server = serving(&file);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "5")]));
    peer.expect(oack(&[("timeout", "5")]));
    let tid = peer.tid();

    let mut stranger = Peer::of(&server);
    for packet in [ack(0), ack(1), data(1, "x"), rrq("file", &[]), oack(&[("blksize", "8")])] {
        stranger.send_to(packet, tid);
        stranger.expect_error(5);
        stranger.expect_nothing();
    }
    for silent in [error(0, "stop"), error(5, "stop"), vec![0, 9, 0, 0], vec![0], vec![]] {
        stranger.send_to(silent, tid);
        stranger.expect_nothing();
    }
    peer.send(ack(0));
    peer.expect_next(data(1, &file[..512]));
    stranger.send_to(ack(1), tid);
    stranger.expect_error(5);
    peer.send(ack(1));
    peer.expect_next(data(2, &file[512..]));
    peer.send(ack(2));
    server.stop();
}

/// PXE asks for the size and then breaks off; that is no failure.
#[test]
fn an_error_after_the_oack_ends_the_transfer_and_is_logged_as_a_probe() {
    let server = serving(b"content");
    for code in [0, 8] {
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &[("tsize", "0"), ("timeout", "1")]));
        peer.expect(oack(&[("tsize", "7"), ("timeout", "1")]));
        peer.send(error(code, "User aborted the transfer"));
        // Longer than the interval.
        assert_eq!(peer.receive_within(Duration::from_millis(1500)), None);
    }
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"probe\"").count(), 2, "{log}");
}

#[test]
fn an_error_in_the_middle_ends_the_transfer() {
    let server = serving(&content(5000));
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    peer.receive();
    peer.send(ack(1));
    peer.expect(data(2, &content(5000)[512..1024]));
    peer.send(error(3, "disk full"));
    let line = server.log_line("op=\"read\"");
    assert!(line.contains("aborted by client") && line.contains("disk full"), "{line}");
    server.stop();
}

/// Before the client has proved its address it gets the first packet and little more: retransmissions
/// after 1, 2, 4 seconds and so on, never a window.
#[test]
fn a_client_that_acknowledges_nothing_is_sent_its_first_packet_and_that_seldom() {
    let file = content(65_464 * 4);
    let server = serving(&file);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    peer.expect_next(data(1, &file[..512]));
    let began = Instant::now();
    for at_least in [900, 2900] {
        peer.expect_next(data(1, &file[..512]));
        // A busy machine may be late, and never early.
        assert!(began.elapsed() >= Duration::from_millis(at_least), "{:?}", began.elapsed());
    }
    peer.send(error(0, "enough"));
    server.stop();
}

#[test]
fn a_file_that_is_replaced_during_the_transfer_is_read_to_its_old_end() {
    let old = content(4 * 65_464 + 5);
    let server = serving(&old);
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("blksize", "65464")]));
    peer.expect(oack(&[("blksize", "65464")]));
    peer.send(ack(0));
    peer.expect(data(1, &old[..65_464]));
    fs::write(server.root().join("new"), vec![b'n'; old.len()]).expect("a file");
    fs::rename(server.root().join("new"), server.root().join("file")).expect("a rename");
    peer.send(ack(1));
    assert!(peer.read_blocks(2, 65_464, 1) == old[65_464..]);
    server.stop();
}

#[test]
fn a_file_that_becomes_shorter_during_the_transfer_is_an_error_not_a_short_success() {
    let cases = [0, 1024, 1500].into_iter().flat_map(|left| [(left, "octet"), (left, "netascii")]);
    for (left, mode) in cases {
        let file = [b'a'; 5000];
        let server = serving(&file);
        let mut peer = Peer::of(&server);
        peer.ask(request(1, b"file", mode, &[("timeout", "5")]));
        peer.expect(oack(&[("timeout", "5")]));
        peer.send(ack(0));
        peer.expect(data(1, &file[..512]));
        let open = OpenOptions::new().write(true).open(server.root().join("file"));
        open.and_then(|file| file.set_len(left)).expect("our own file");
        let mut number = 1;
        let packet = loop {
            peer.send(ack(number));
            let packet = peer.receive();
            if packet[1] != 3 {
                break packet;
            }
            assert_eq!(packet.len(), 516, "a short block ends the file");
            number += 1;
        };
        assert_eq!(packet, error(0, "the file became shorter while it was read"));
        assert!(512 * u64::from(number) <= left.max(512));
        let log = server.stop();
        assert!(log.contains("outcome=\"failed\""), "{log}");
    }
}

/// The length that was announced is the one that is kept, and netascii, which announces none, is no
/// exception.
#[test]
fn a_file_that_grows_during_the_transfer_ends_where_it_was_said_to() {
    for (mode, announced) in [("octet", "1000"), ("netascii", "")] {
        let server = serving(&[b'a'; 1000]);
        let mut peer = Peer::of(&server);
        peer.ask(request(1, b"file", mode, &[("timeout", "5"), ("tsize", "0")]));
        let options = [("timeout", "5"), ("tsize", announced)];
        peer.expect(oack(&options[..if announced.is_empty() { 1 } else { 2 }]));
        peer.send(ack(0));
        peer.expect(data(1, [b'a'; 512]));
        fs::write(server.root().join("file"), [b'a'; 5000]).expect("a file");
        peer.send(ack(1));
        peer.expect(data(2, [b'a'; 488]));
        peer.send(ack(2));
        server.stop();
    }
}

#[test]
fn a_file_above_4_gib_is_announced_and_begun_right() {
    let server = serving(b"begin");
    let len = (5 << 30) + 7;
    let file = OpenOptions::new().write(true).open(server.root().join("file"));
    file.and_then(|file: File| file.set_len(len)).expect("a sparse file");
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("tsize", "0"), ("blksize", "65464"), ("windowsize", "2")]));
    peer.expect(oack(&[("tsize", "5368709127"), ("blksize", "65464"), ("windowsize", "2")]));
    peer.send(ack(0));
    let mut first = vec![0; 65_464];
    first[..5].copy_from_slice(b"begin");
    peer.expect(data(1, first));
    peer.expect(data(2, vec![0; 65_464]));
    peer.send(error(0, "enough"));
    server.stop();
}
