//! RFC 7440, the `windowsize` option: whole windows, gaps, and lost tails, in blocks of 8 bytes.

mod trace;

use std::time::Duration;

use tftp_core::{Ignored, Limits, Mode, Operation, Options, Request, WindowSize};
use trace::{
    Half, REQUEST, Trace, ack, answer, at, blksize, blocks, data, error, file, oack, read,
    serve_read, serve_write, serve_write_strictly, windows_of, write,
};

const NOTHING: [Vec<u8>; 0] = [];

#[test]
fn f09_a_window_size_is_granted_lowered_or_left_out() {
    let cases = [
        ("1", Some("1")),
        ("16", Some("16")),
        ("17", Some("16")),
        ("65535", Some("16")),
        ("65536", Some("16")),
        ("0", None),
        ("-4", None),
        ("", None),
        ("4294967296", None),
    ];
    let limits = Limits { max_window_size: WindowSize::new(16).unwrap(), ..Limits::default() };
    for (wish, granted) in cases {
        let asked = format!("windowsize\0{wish}\0");
        let expected = granted.map_or(ack(0), |size| oack(&format!("windowsize={size}")));
        let first = answer(b'\x02', b"octet", asked.as_bytes(), &limits, None);
        assert_eq!(first, Ok(expected), "{wish:?}");
    }
}

/// In a larger window the number of an old ACK could be that of a block just sent.
#[test]
fn no_window_is_larger_than_half_of_the_block_numbers() {
    let limits = Limits { max_window_size: WindowSize::new(65_535).unwrap(), ..Limits::default() };
    let first = answer(b'\x02', b"octet", b"windowsize\x0065535\0", &limits, None);
    assert_eq!(first, Ok(oack("windowsize=32767")));
    // Nor does a client ask for one, or use it, whatever its driver wants.
    let options = Options::NONE.with_window_size(WindowSize::new(65_535).unwrap());
    let request =
        Request { operation: Operation::Read, filename: b"name", mode: Mode::Octet, options };
    let mut datagram = [0; Request::MAX_LEN];
    let len = request.encode(&mut datagram).unwrap();
    assert_eq!(datagram[..len], *b"\0\x01name\0octet\0windowsize\x0032767\0");
    let mut session = read(options);
    session.poll(0);
    session.gets(5, oack("windowsize=32768"));
    session.sends(5, &[error(8, "OACK with an unacceptable value")]);
}

#[test]
fn f36_not_even_a_part_of_the_window_leaves_before_the_oack_is_acknowledged() {
    let mut session = serve_read(windows_of(4), &file(80));
    session.sends(0, &[oack("blksize=8 windowsize=4")]).is_silent(999);
}

#[test]
fn section_3_a_window_is_sent_as_a_whole_and_its_last_ack_draws_the_next() {
    let (file, mut session) = reading(4, 80);
    session.sends(100, &blocks(&file, 8, 1..=4)).is_silent(150);
    session.gets(200, ack(4)).sends(200, &blocks(&file, 8, 5..=8)).is_silent(250);
    session.gets(300, ack(8)).sends(300, &blocks(&file, 8, 9..=11)).is_silent(350);
    session.gets(400, ack(11)).is_silent(400).is_done();
}

#[test]
fn section_3_a_client_uses_the_window_that_was_granted() {
    let file = file(80);
    let mut writer = write(windows_of(8), &file);
    writer.sends(0, &[REQUEST]).gets(1, oack("blksize=8 windowsize=3"));
    writer.sends(1, &blocks(&file, 8, 1..=3)).is_silent(2);
    let mut reader = read(windows_of(8));
    reader.sends(0, &[REQUEST]).gets(1, oack("blksize=8 windowsize=3")).sends(1, &[ack(0)]);
    reader.receives(2, &blocks(&file, 8, 1..=3)).sends(2, &[ack(3)]);
}

/// With losses and duplicates, packet by packet, and at the same times.
#[test]
fn section_4_a_window_of_one_block_is_rfc_1350() {
    let file = file(20);
    for options in [windows_of(1), blksize(8)] {
        let mut sender = serve_read(options, &file);
        sender.poll(0);
        sender.gets(1, ack(0)).sends(1, &blocks(&file, 8, 1..=1)).gets_again(50, ack(0));
        sender.is_silent(50).wakes(201).sends(201, &blocks(&file, 8, 1..=1));
        sender.gets(202, ack(1)).sends(202, &blocks(&file, 8, 2..=2)).gets_again(300, ack(1));
        sender.is_silent(300).gets(301, ack(2)).sends(301, &blocks(&file, 8, 3..=3));
        sender.gets(302, ack(3)).is_done();
        let mut receiver = serve_write(options);
        receiver.poll(0);
        receiver.receives(1, &blocks(&file, 8, 1..=1)).sends(1, &[ack(1)]);
        receiver.gets_again(2, data(1, &file[..8])).sends(2, &[ack(1)]).wakes(201);
        receiver
            .sends(201, &[ack(1)])
            .receives(202, &blocks(&file, 8, 2..=2))
            .sends(202, &[ack(2)]);
        receiver.receives(203, &blocks(&file, 8, 3..=3)).sends(203, &[ack(3)]).is_silent(204);
    }
}

/// What there is instead of a congestion window.
#[test]
fn section_6_one_window_a_round_trip_and_silence_halves_the_rate() {
    let (file, mut session) = reading(4, 200);
    session.sends(100, &blocks(&file, 8, 1..=4)).is_silent(399);
    for wakes in [400, 1000, 2000, 4000] {
        session.wakes(wakes).sends(wakes, &blocks(&file, 8, 1..=4)).is_silent(wakes + 1);
    }
    session.gets(4100, ack(4)).sends(4100, &blocks(&file, 8, 5..=8)).is_silent(4101);
}

#[test]
fn f25_a_file_of_whole_windows_ends_with_an_empty_data() {
    let (file, mut session) = reading(4, 32);
    session.sends(100, &blocks(&file, 8, 1..=4));
    session.gets(200, ack(4)).sends(200, &[data(5, b"")]);
    session.gets(300, ack(5)).is_silent(300).is_done();
}

#[test]
fn f27_an_ack_inside_the_window_begins_a_new_window_right_behind_it() {
    let (file, mut session) = reading(4, 80);
    session.sends(100, &blocks(&file, 8, 1..=4));
    session.gets(200, ack(2)).sends(200, &blocks(&file, 8, 3..=6)).is_silent(201);
}

#[test]
fn f27_sixty_three_duplicates_of_it_draw_at_most_one_window_more() {
    let (file, mut session) = reading(64, 8 * 200);
    session.sends(100, &blocks(&file, 8, 1..=64));
    // The smallest round trip is 100 ms.
    session.gets(200, ack(64)).sends(200, &blocks(&file, 8, 65..=128));
    session.gets(300, ack(65)).sends(300, &blocks(&file, 8, 66..=129));
    for micros in 1..=63 {
        session.gets_again(300 + micros, ack(65)).is_silent(300 + micros);
    }
    // Now it can be about this window: its first block was lost.
    session.gets(400, ack(65)).sends(400, &blocks(&file, 8, 66..=129));
    for late in [401, 500, 510] {
        session.gets_again(late, ack(65)).is_silent(late);
    }
    session.gets(520, ack(129)).sends(520, &blocks(&file, 8, 130..=193));
}

#[test]
fn f27_in_the_first_window_the_openings_round_trip_stands_in() {
    let (file, mut session) = reading(4, 80);
    session.sends(100, &blocks(&file, 8, 1..=4));
    // It took 100 ms: what comes sooner is not about this window.
    session.gets_again(199, ack(0)).is_silent(199);
    session.gets(200, ack(0)).sends(200, &blocks(&file, 8, 1..=4));
}

#[test]
fn f27_in_the_first_window_blocks_sent_before_explain_as_many_repeated_acks() {
    let (file, mut session) = reading(64, 8 * 200);
    session.sends(100, &blocks(&file, 8, 1..=64));
    session.gets(250, ack(1)).sends(250, &blocks(&file, 8, 2..=65));
    // Blocks 3 to 64 of the first flight, on a slow link, each draw one from EDK2.
    for late in 0..63 {
        session.gets_again(360 + late, ack(1)).is_silent(360 + late);
    }
}

#[test]
fn f28_acks_from_before_the_window_and_from_beyond_it_are_ignored() {
    let (file, mut session) = reading(4, 80);
    session.sends(100, &blocks(&file, 8, 1..=4));
    session.ignores(110, ack(5), Ignored::Unexpected);
    session.gets(200, ack(4)).poll(200);
    for old in 0..4 {
        session.ignores(210, ack(old), Ignored::Unexpected).is_silent(210);
    }
}

#[test]
fn f29_a_silent_window_is_sent_again_from_its_first_block() {
    let (file, mut session) = reading(4, 80);
    session.sends(100, &blocks(&file, 8, 1..=4)).gets(200, ack(4));
    session.sends(200, &blocks(&file, 8, 5..=8));
    let again = session.timer().expect("it waits").as_nanos() / 1_000_000;
    assert!((300..=500).contains(&again), "{again} ms");
    session.handle_timeout(at(again + 1));
    session.sends(again + 1, &blocks(&file, 8, 5..=8));
}

#[test]
fn section_4_a_receiver_acknowledges_whole_windows_and_the_last_block() {
    let (file, mut session) = writing(4, 50);
    session.receives(40, &blocks(&file, 8, 1..=3)).is_silent(40);
    session.receives(41, &blocks(&file, 8, 4..=4)).sends(41, &[ack(4)]);
    session.receives(80, &blocks(&file, 8, 5..=6)).is_silent(80);
    session.receives(81, &blocks(&file, 8, 7..=7)).sends(81, &[ack(7)]);
    assert_eq!(session.file, file);
}

/// The lost tail of one window is the first block of the next: that is a gap of its own.
#[test]
fn f40_a_gap_behind_a_lost_tail_is_answered() {
    let (file, mut session) = writing(4, 200);
    session.receives(40, &blocks(&file, 8, 1..=3)).is_silent(40);
    let over = session.timer().unwrap().as_nanos() / 1_000_000;
    session.wakes(over).sends(over, &[ack(3)]);
    session.receives(over + 40, &blocks(&file, 8, 5..=7)).is_silent(over + 40);
    let again = session.timer().unwrap().as_nanos() / 1_000_000;
    assert!(again < over + 40 + 60, "not the retransmission timer: {again} ms");
    session.wakes(again).sends(again, &[ack(3)]);
}

#[test]
fn f40_a_second_gap_is_answered_too() {
    let mut session = serve_write(windows_of(16));
    session.sends(0, &[oack("blksize=8 windowsize=16")]).gets(10, data(1, b"8 bytes!"));
    for (gap, later) in [(2, 3..=6), (7, 8..=11)] {
        for block in later {
            session.is_silent(10).gets(10, data(block, b"8 bytes!"));
        }
        session.sends(10, &[ack(gap - 1)]).gets(10, data(gap, b"8 bytes!"));
    }
    session.is_silent(10);
}

#[test]
fn f40_a_gap_is_answered_once_after_more_than_three_later_blocks() {
    let (file, mut session) = writing(8, 200);
    session.receives(40, &blocks(&file, 8, 1..=2)).is_silent(40);
    session.receives(41, &blocks(&file, 8, 4..=6)).is_silent(41);
    session.receives(41, &blocks(&file, 8, 7..=7)).sends(41, &[ack(2)]);
    session.receives(42, &blocks(&file, 8, 8..=8)).is_silent(42);
    assert_eq!(session.timer(), Some(at(240)), "only the retransmission timer asks again");
}

#[test]
fn f40_a_gap_near_the_flights_end_is_answered_a_quarter_round_trip_later() {
    let (file, mut session) = writing(4, 200);
    session.receives(40, &blocks(&file, 8, 1..=2)).receives(41, &blocks(&file, 8, 4..=4));
    session.is_silent(41).wakes(51).sends(51, &[ack(2)]);
    // The missing block closes the gap; the blocks that came before it are not needed again.
    session.receives(90, &blocks(&file, 8, 3..=3)).is_silent(90);
    session.receives(90, &blocks(&file, 8, 5..=6)).sends(90, &[ack(6)]);
    assert_eq!(session.file, &file[..48]);
}

#[test]
fn f40_a_gap_that_was_answered_after_a_pause_is_not_answered_by_later_blocks() {
    let (file, mut session) = writing(16, 200);
    session.receives(40, &blocks(&file, 8, 1..=2)).receives(41, &blocks(&file, 8, 4..=4));
    session.wakes(51).sends(51, &[ack(2)]);
    session.receives(52, &blocks(&file, 8, 5..=12)).is_silent(53);
}

#[test]
fn f40_at_least_a_millisecond_is_left_to_reordering() {
    let (file, mut session) = writing_after(4, 200, 0);
    session.receives(0, &blocks(&file, 8, 1..=1)).receives(0, &blocks(&file, 8, 3..=3));
    session.wakes(1).sends(1, &[ack(1)]);
}

#[test]
fn a_flight_whose_tail_is_lost_is_answered_two_round_trips_later() {
    let (file, mut session) = writing(8, 200);
    session.receives(40, &blocks(&file, 8, 1..=5)).is_silent(40);
    session.wakes(120).sends(120, &[ack(5)]);
}

/// Over a slow link, or where the driver takes long to write each of them. Otherwise every one of
/// our ACKs would put one window more into the queue that made the blocks come slowly.
#[test]
fn a_flight_whose_blocks_come_slowly_is_not_over_between_them() {
    let (file, mut session) = writing(8, 200);
    for (ms, block) in [(1, 1), (7, 2), (13, 4)] {
        session.receives(ms, &blocks(&file, 8, block..=block)).is_silent(ms);
    }
    // The round trip is 1 ms, but the blocks come 6 ms apart.
    // The round trip is 1 ms, but the blocks come several ms apart: a pause of 4 ms is none.
    session.is_silent(17);
    let over = session.timer().unwrap();
    assert!((at(18)..=at(13 + 4 * 6)).contains(&over), "{over:?}");
    session.handle_timeout(over);
    session.sends(40, &[ack(2)]);
}

/// RFC 1350 section 2: the recipient of a lost packet "will timeout and may retransmit his last
/// packet". In windows our client does so as soon as a good sender would have done it by itself.
#[test]
fn a_client_asks_for_a_window_that_was_lost_as_a_whole_after_40_ms() {
    let (file, mut session) = (file(200), read(windows_of(4)));
    session.sends(0, &[REQUEST]).gets(1, oack("blksize=8 windowsize=4")).sends(1, &[ack(0)]);
    // The first window is given more time: nobody knows yet how long blocks take.
    assert_eq!(session.timer(), Some(at(201)));
    session.receives(2, &blocks(&file, 8, 1..=4)).sends(2, &[ack(4)]);
    session.wakes(42).sends(42, &[ack(4)]).wakes(122).sends(122, &[ack(4)]);
    session.receives(123, &blocks(&file, 8, 5..=8)).sends(123, &[ack(8)]);
}

/// Some clients answer every repeated ACK with DATA, and wrong DATA at that.
#[test]
fn a_server_and_a_lock_step_client_wait_five_times_as_long() {
    let (file, mut server) = writing(4, 200);
    server.receives(1, &blocks(&file, 8, 1..=4)).sends(1, &[ack(4)]);
    server.receives(2, &blocks(&file, 8, 5..=8)).sends(2, &[ack(8)]);
    assert_eq!(server.timer(), Some(at(202)));
    let mut client = read(windows_of(1));
    client.sends(0, &[REQUEST]).gets(1, oack("blksize=8 windowsize=1")).sends(1, &[ack(0)]);
    client.receives(2, &blocks(&file, 8, 1..=1)).sends(2, &[ack(1)]);
    assert_eq!(client.timer(), Some(at(202)));
}

#[test]
fn blocks_that_overtake_each_other_are_written_to_their_place_and_draw_no_ack() {
    let (file, mut session) = writing(4, 60);
    for number in [2, 1, 4] {
        session.receives(40, &blocks(&file, 8, number..=number)).is_silent(40);
    }
    session.receives(40, &blocks(&file, 8, 3..=3)).sends(40, &[ack(4)]);
    // The last block, too, may come before its turn.
    session.receives(80, &blocks(&file, 8, 8..=8)).receives(80, &blocks(&file, 8, 5..=6));
    session.is_silent(80).receives(81, &blocks(&file, 8, 7..=7)).sends(81, &[ack(8)]);
    assert_eq!(session.file, file);
}

#[test]
fn a_strict_receiver_takes_no_block_before_its_turn() {
    let file = file(200);
    let mut session = serve_write_strictly(windows_of(8));
    session.poll(0);
    session.receives(40, &blocks(&file, 8, 1..=1)).gets_again(41, data(3, &file[16..24]));
    session.wakes(51).sends(51, &[ack(1)]);
    session.receives(90, &blocks(&file, 8, 2..=2));
    assert_eq!(session.file, &file[..16]);
}

#[test]
fn a_doubled_window_is_answered_once_when_its_flight_is_over() {
    let (file, mut session) = writing(4, 200);
    session.receives(40, &blocks(&file, 8, 1..=4)).sends(40, &[ack(4)]);
    for again in blocks(&file, 8, 1..=4) {
        session.gets_again(60, again).is_silent(60);
    }
    session.wakes(70).sends(70, &[ack(4)]).is_silent(71);
}

#[test]
fn blocks_further_ahead_than_128_are_not_kept() {
    let (file, mut session) = writing(200, 8 * 400);
    session.receives(40, &blocks(&file, 8, 128..=128));
    session.gets_again(40, data(129, &file[8 * 128..8 * 129]));
    session.receives(40, &blocks(&file, 8, 1..=127)).is_silent(40);
    session.gets_again(41, data(128, &file[8 * 127..8 * 128]));
    session.receives(41, &blocks(&file, 8, 129..=129));
    assert_eq!(session.file, &file[..8 * 129]);
}

#[test]
fn a_short_block_is_the_last_and_nothing_behind_it_is_written() {
    let (file, mut session) = writing(8, 200);
    session.receives(40, &[data(3, b"end")]).gets_again(40, data(4, &file[24..32]));
    session.gets_again(40, data(2, b"short"));
    session.receives(40, &blocks(&file, 8, 1..=2)).sends(40, &[ack(3)]);
    assert_eq!(session.file, [&file[..16], b"end"].concat());
}

#[test]
fn f27_after_a_time_out_a_block_that_comes_twice_draws_itself_no_further_blocks_twice() {
    let (file, mut session) = reading(4, 200);
    session.sends(100, &blocks(&file, 8, 1..=4)).wakes(400);
    session.sends(400, &blocks(&file, 8, 1..=4)).gets(500, ack(3));
    session.sends(500, &blocks(&file, 8, 4..=7));
    // Block 4 comes a second time: U-Boot and EDK2 acknowledge it. Blocks 5 to 7 are on their way.
    session.gets(501, ack(4));
    assert_eq!(session.timer(), Some(tftp_core::Instant::NEVER), "no timer beside a plan");
    session.sends(501, &blocks(&file, 8, 8..=8));
    // What is on its way was begun before that: it measures nothing.
    let Half::Sender(sender) = &session.half else { unreachable!() };
    let measured = sender.stats().round_trip;
    session.gets(600, ack(8));
    let Half::Sender(sender) = &session.half else { unreachable!() };
    assert_eq!(sender.stats().round_trip, measured);
    session.sends(600, &blocks(&file, 8, 9..=12));
    // Without a time-out before it, an ACK inside the window begins the next one.
    session.gets(700, ack(9)).sends(700, &blocks(&file, 8, 10..=13));
    session.gets(800, ack(10)).sends(800, &blocks(&file, 8, 11..=14));
}

#[test]
fn f27_the_same_where_the_socket_has_not_taken_the_block_a_second_time() {
    let (file, mut session) = reading(4, 200);
    session.sends(100, &blocks(&file, 8, 1..=4)).wakes(400);
    session.sends(400, &blocks(&file, 8, 1..=4)).gets(500, ack(1));
    let mut out = [0; tftp_core::SMALL_PACKET];
    let Some(tftp_core::Transmit::Burst(burst)) = session.poll_once(500, &mut out) else {
        panic!("a window is due");
    };
    let first = burst.first(1).expect("one packet");
    assert_eq!(session.send(500, first), blocks(&file, 8, 2..=2));
    session.gets(501, ack(3)).sends(501, &blocks(&file, 8, 4..=7));
}

#[test]
fn f27_after_a_time_out_every_block_of_the_window_may_draw_the_same_ack() {
    let (file, mut session) = reading(8, 200);
    session.sends(100, &blocks(&file, 8, 1..=8)).wakes(400);
    session.sends(400, &blocks(&file, 8, 1..=8)).gets(500, ack(7));
    session.sends(500, &blocks(&file, 8, 8..=15));
    for _ in 2..=8 {
        session.gets_again(610, ack(7)).is_silent(610);
    }
    // One more can only be about the new window.
    session.gets(611, ack(7)).sends(611, &blocks(&file, 8, 8..=15));
}

#[test]
fn a_second_window_may_end_where_it_likes_after_a_gap() {
    let (file, mut session) = reading(8, 8 * 12 + 4);
    session.sends(100, &blocks(&file, 8, 1..=8)).gets(200, ack(5));
    session.sends(200, &blocks(&file, 8, 6..=13)).gets(300, ack(12));
    session.sends(300, &blocks(&file, 8, 13..=13)).gets(400, ack(13)).is_silent(400).is_done();
}

#[test]
fn only_what_was_sent_once_measures_the_round_trip() {
    let (file, mut session) = reading(4, 200);
    session.sends(100, &blocks(&file, 8, 1..=4)).gets(200, ack(2));
    session.sends(200, &blocks(&file, 8, 3..=6)).gets(201, ack(4));
    // 3 and 4 may have been acknowledged from their first flight.
    let Half::Sender(sender) = &session.half else { unreachable!() };
    assert_eq!(sender.stats().round_trip, Some(Duration::from_millis(100)));
}

#[test]
fn a_block_on_its_way_when_the_window_is_cut_short_costs_nothing_but_itself() {
    let (file, mut session) = reading(4, 200);
    let mut out = [0; tftp_core::SMALL_PACKET];
    let Some(tftp_core::Transmit::Burst(burst)) = session.poll_once(100, &mut out) else {
        panic!("a window is due");
    };
    // Two packets of four fit into the socket; then it is writable again.
    let half = burst.first(2).expect("two packets");
    assert_eq!(session.send(100, half), blocks(&file, 8, 1..=2));
    assert_eq!(session.timer(), Some(tftp_core::Instant::NEVER));
    session.sends(130, &blocks(&file, 8, 3..=4));
    session.gets(230, ack(4)).sends(230, &blocks(&file, 8, 5..=8));
}

#[test]
fn a_plan_from_before_an_ack_is_stale_and_not_committed() {
    let (file, mut session) = reading(4, 200);
    session.sends(100, &blocks(&file, 8, 1..=4)).gets(200, ack(1));
    let mut out = [0; tftp_core::SMALL_PACKET];
    let Some(tftp_core::Transmit::Burst(stale)) = session.poll_once(200, &mut out) else {
        panic!("a window is due");
    };
    session.gets(201, ack(3));
    let before = session.half.clone();
    let _ = session.send(201, stale);
    assert_eq!(session.half, before);
    session.sends(201, &blocks(&file, 8, 4..=7));
    // And one that was committed before: not twice.
    let before = session.half.clone();
    let _ = session.send(202, stale);
    assert_eq!(session.half, before);
    assert_eq!(session.poll(202), NOTHING);
}

/// A server's session for reading, opened at 100 ms.
fn reading(window: u16, len: usize) -> (Vec<u8>, Trace) {
    let file = file(len);
    let mut session = serve_read(windows_of(window), &file);
    session.poll(0);
    session.gets(100, ack(0));
    (file, session)
}

/// A server's session for writing; the first block is expected at 40 ms, which makes the round
/// trip 40 ms and a pause 10 ms.
fn writing(window: u16, len: usize) -> (Vec<u8>, Trace) {
    writing_after(window, len, 0)
}

fn writing_after(window: u16, len: usize, ms: u64) -> (Vec<u8>, Trace) {
    let mut session = serve_write(windows_of(window));
    session.poll(ms);
    (file(len), session)
}

trait Receives {
    fn receives(&mut self, ms: u64, packets: &[Vec<u8>]) -> &mut Self;
}

impl Receives for Trace {
    #[track_caller]
    fn receives(&mut self, ms: u64, packets: &[Vec<u8>]) -> &mut Self {
        for packet in packets {
            self.gets(ms, packet);
        }
        self
    }
}
