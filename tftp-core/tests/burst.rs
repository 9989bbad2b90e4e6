//! Bursts: which bytes of the file, in which packets, and what is left when not all of them go.

mod trace;

use tftp_core::{Burst, Instant, Options, SMALL_PACKET, Sender, Status, Timing, Transmit};
use trace::{PEER, Trace, ack, at, blocks, data, file, serve_read, windows_of};

#[test]
fn a_burst_names_its_bytes_and_their_layout() {
    let burst = burst(4, Some(30));
    assert_eq!((burst.offset(), burst.payload_len(), burst.packets()), (0, 30, 4));
    assert_eq!((burst.stride(), burst.framed_len()), (12, 46));
}

#[test]
fn the_first_packets_of_a_burst_are_a_burst() {
    let burst = burst(4, Some(30));
    assert_eq!(burst.first(0), None);
    let three = burst.first(3).expect("three packets");
    assert_eq!((three.packets(), three.payload_len(), three.framed_len()), (3, 24, 36));
    assert_eq!(burst.first(4), Some(burst));
    assert_eq!(burst.first(u16::MAX), Some(burst));
}

#[test]
fn the_end_of_the_file_cuts_the_burst() {
    // Bytes up to the end; packets left, and their payload.
    let cases = [(0, 1, 0), (1, 1, 1), (7, 1, 7), (8, 2, 8), (9, 2, 9), (31, 4, 31), (32, 4, 32)];
    let burst = burst(4, None);
    for (n, packets, payload) in cases {
        let cut = burst.end_after(n);
        assert_eq!((cut.packets(), cut.payload_len()), (packets, payload), "{n} bytes");
        assert_eq!(cut.framed_len(), payload + 4 * usize::from(packets));
    }
    assert_eq!(burst.end_after(33), burst, "there is no end in this burst");
}

#[test]
fn headers_stand_one_stride_apart_and_payloads_between_them() {
    let burst = burst(3, Some(18));
    let mut out = [b'.'; 40];
    for (payload, bytes) in burst.frame(&mut out).zip(["01234567", "89abcdef", "gh"]) {
        payload.copy_from_slice(bytes.as_bytes());
    }
    assert_eq!(&out, b"\0\x03\0\x0101234567\0\x03\0\x0289abcdef\0\x03\0\x03gh..........");
}

#[test]
fn only_whole_packets_are_framed_into_a_short_buffer() {
    let burst = burst(3, Some(18));
    for (room, packets) in [(0, 0), (3, 0), (11, 0), (12, 1), (23, 1), (24, 2), (29, 2), (30, 3)] {
        let mut out = vec![0; room];
        assert_eq!(burst.frame(&mut out).count(), packets, "{room} bytes");
    }
}

#[test]
fn content_in_memory_is_cut_into_packets() {
    let mut out = [b'.'; 40];
    let packets = burst(3, Some(18)).frame_content(b"0123456789abcdefgh, and more", &mut out);
    let expected: [&[u8]; 3] =
        [b"\0\x03\0\x0101234567", b"\0\x03\0\x0289abcdef", b"\0\x03\0\x03gh"];
    assert!(packets.eq(expected));
    assert_eq!(out[30..], [b'.'; 10]);
}

#[test]
fn the_empty_packet_that_ends_a_file_is_framed_from_no_content() {
    assert!(burst(3, Some(0)).frame_content(b"", &mut [0; 12]).eq([b"\0\x03\0\x01"]));
}

#[test]
fn only_packets_that_content_and_buffer_cover_are_framed_from_memory() {
    let burst = burst(3, Some(18));
    let cases =
        [(0, 40, 0), (7, 40, 0), (8, 40, 1), (17, 40, 2), (18, 40, 3), (18, 29, 2), (18, 0, 0)];
    for (content, room, packets) in cases {
        let mut out = vec![0; room];
        let framed = burst.frame_content(&[b'x'; 18][..content], &mut out);
        assert_eq!(framed.len(), packets, "{content} bytes into {room}");
        assert!(framed.zip([12, 12, 6]).all(|(packet, len)| packet.len() == len));
    }
}

#[test]
fn what_is_not_committed_comes_again() {
    let file = file(100);
    let mut session = opened(4, &file);
    let whole = poll_burst(&mut session, 10);
    assert_eq!(poll_burst(&mut session, 11), whole);
    let one = whole.first(1).expect("one packet");
    assert_eq!(session.send(12, one), blocks(&file, 8, 1..=1));
    let rest = poll_burst(&mut session, 13);
    assert_eq!((rest.offset(), rest.packets()), (8, 3));
    assert_eq!(session.send(14, rest), blocks(&file, 8, 2..=4));
    session.is_silent(15);
}

#[test]
fn a_length_found_by_reading_ends_the_transfer() {
    for len in [0, 1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33] {
        let file = file(len);
        let mut session = opened(4, &file);
        session.unknown_len = true;
        let last = u16::try_from(len / 8 + 1).unwrap();
        for first in (1..=last).step_by(4) {
            session.sends(10, &blocks(&file, 8, first..=last.min(first + 3)));
            session.gets(10, ack(last.min(first + 3)));
        }
        session.is_silent(10);
        assert!(matches!(session.status(), Status::Done(summary) if summary.bytes == len as u64));
    }
}

#[test]
fn an_end_that_was_found_is_not_forgotten_by_a_rewind() {
    let file = file(20);
    let mut session = opened(4, &file);
    session.unknown_len = true;
    session.sends(10, &blocks(&file, 8, 1..=3)).gets(20, ack(1));
    session.unknown_len = false;
    session.sends(20, &blocks(&file, 8, 2..=3)).gets(30, ack(3)).is_silent(30).is_done();
}

#[test]
fn the_end_in_a_packet_that_was_not_sent_is_found_again() {
    let file = file(20);
    let mut session = opened(4, &file);
    session.unknown_len = true;
    let ended = poll_burst(&mut session, 10).end_after(20);
    let one = ended.first(1).expect("one packet");
    assert_eq!(session.send(10, one), blocks(&file, 8, 1..=1));
    session.sends(11, &blocks(&file, 8, 2..=3)).gets(30, ack(3)).is_silent(30).is_done();
}

#[test]
fn acknowledged_bytes_are_never_planned_again() {
    let file = file(1000);
    let mut session = opened(4, &file);
    session.poll(10);
    for (now, block) in [(20, 2), (30, 6), (40, 7), (50, 11)] {
        session.gets(now, ack(block));
        let trace::Half::Sender(sender) = &session.half else { unreachable!() };
        let acknowledged = sender.acknowledged();
        assert_eq!(acknowledged, u64::from(block) * 8);
        assert_eq!(poll_burst(&mut session, now).offset(), acknowledged);
        session.poll(now);
    }
}

#[test]
fn an_end_no_commit_was_given_for_changes_nothing() {
    let mut sender = Sender::reply(Instant::ZERO, PEER, Options::NONE, Some(3), Timing::SERVER);
    let mut out = [0; SMALL_PACKET];
    let Some(Transmit::Burst(burst)) = sender.poll_transmit(at(0), &mut out) else { panic!() };
    let before = sender.clone();
    sender.commit(at(0), burst.end_after(1));
    // A known length is the sender's, not the burst's.
    assert_eq!(sender.acknowledged(), 0);
    assert_ne!(sender, before);
    let _ = sender.handle_datagram(at(1), PEER, &ack(1));
    assert!(matches!(sender.status(), Status::Done(summary) if summary.bytes == 3));
}

#[test]
fn the_largest_window_of_the_largest_blocks_is_counted_without_overflow() {
    let options = trace::asking(65_464, 32_767);
    let mut sender = Sender::reply(Instant::ZERO, PEER, options, Some(u64::MAX), Timing::SERVER);
    let mut out = [0; SMALL_PACKET];
    let _ = sender.poll_transmit(at(0), &mut out);
    let _ = sender.handle_datagram(at(1), PEER, &ack(0));
    let Some(Transmit::Burst(burst)) = sender.poll_transmit(at(1), &mut out) else { panic!() };
    assert_eq!(burst.packets(), 32_767);
    assert_eq!(burst.payload_len(), 32_767 * 65_464);
    assert_eq!(burst.framed_len(), 32_767 * 65_468);
}

/// The first plan for a file of this length in blocks of 8 bytes.
fn burst(window: u16, len: Option<u64>) -> Burst {
    let mut sender = Sender::reply(Instant::ZERO, PEER, windows_of(window), len, Timing::SERVER);
    let mut out = [0; SMALL_PACKET];
    let _ = sender.poll_transmit(at(0), &mut out);
    let _ = sender.handle_datagram(at(1), PEER, &data(0, b"")[..0]);
    let _ = sender.handle_datagram(at(1), PEER, &ack(0));
    match sender.poll_transmit(at(1), &mut out) {
        Some(Transmit::Burst(burst)) => burst,
        other => panic!("{other:?}"),
    }
}

/// A session for reading whose options are agreed; its sender does not know the file's length
/// where the test says so before the first poll.
fn opened(window: u16, file: &[u8]) -> Trace {
    let mut session = serve_read(windows_of(window), file);
    let sender = Sender::reply(Instant::ZERO, PEER, windows_of(window), None, Timing::SERVER);
    session.half = trace::Half::Sender(sender);
    session.poll(0);
    session.gets(5, ack(0));
    session
}

fn poll_burst(session: &mut Trace, ms: u64) -> Burst {
    let mut out = [0; SMALL_PACKET];
    match session.poll_once(ms, &mut out) {
        Some(Transmit::Burst(burst)) => burst,
        other => panic!("{other:?}"),
    }
}
