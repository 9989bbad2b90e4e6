//! When sessions send again, and when they give up (INTEROP F14, F23, F36, F37, F56; RFC 6298).

mod trace;

use tftp_core::{Failure, Instant, Options, Sender, Status, Timing};
use trace::{
    Half, PEER, REQUEST, Trace, ack, at, blksize, blocks, data, error, file, oack, read,
    serve_read, serve_write, timeout, windows_of, write,
};

#[test]
fn f36_f37_a_first_packet_that_nobody_answers_is_repeated_five_times_with_back_off() {
    let file = file(1000);
    let cases: [(Trace, Vec<u8>); 4] = [
        (serve_read(Options::NONE, &file), blocks(&file, 512, 1..=1).remove(0)),
        (serve_read(windows_of(64), &file), oack("blksize=8 windowsize=64")),
        (serve_write(Options::NONE), ack(0)),
        (serve_write(windows_of(64)), oack("blksize=8 windowsize=64")),
    ];
    for (mut session, first) in cases {
        session.sends(0, &[&first]).is_silent(500);
        for wakes in [1000, 3000, 7000, 15_000, 31_000] {
            session.wakes(wakes).sends(wakes, &[&first]).is_silent(wakes + 1);
        }
        // One that has answered nothing is not sent an ERROR either.
        session.wakes(32_000).is_silent(32_000).is_over(Status::Failed(Failure::NoAnswer));
    }
}

/// What many forged requests in one name draw.
#[test]
fn f36_a_sparing_server_repeats_its_first_packet_only_when_it_is_asked_again() {
    let serve = |answer| {
        let sender =
            Sender::reply(Instant::ZERO, PEER, answer, Some(512), Timing::SERVER.sparing());
        Trace::new(Half::Sender(sender), &file(512))
    };
    for (answer, first) in [
        (Options::NONE, data(1, file(512))),
        (blksize(8), oack("blksize=8")),
        (timeout(2), oack("timeout=2")),
    ] {
        let mut session = serve(answer);
        session.sends(0, &[&first]).wakes(32_000).is_silent(32_000);
        session.is_over(Status::Failed(Failure::NoAnswer));

        let mut session = serve(answer);
        session.sends(0, &[&first]);
        for asked in [100, 200, 300, 400] {
            session.handle_repeated_request(asked).sends(asked, &[&first]);
        }
        session.gets(500, ack(u16::from(answer == Options::NONE)));
    }
}

#[test]
fn f49_a_client_gives_up_on_one_rung_of_the_ladder_after_eight_seconds() {
    for mut session in [read(blksize(1024)), write(blksize(1024), b"all")] {
        session.sends(0, &[REQUEST]);
        for wakes in [1000, 3000, 7000] {
            session.wakes(wakes).sends(wakes, &[REQUEST]);
        }
        session.wakes(8000).is_silent(8000).is_over(Status::Failed(Failure::NoAnswer));
    }
}

#[test]
fn a_session_goes_on_unchanged_when_its_clock_is_set() {
    let file = file(512 * 3);
    for (from, to) in [(400, 1_000_400), (1_000_400, 400)] {
        let mut sender = serve_read(windows_of(2), &file[..16]);
        sender.sends(from, &[oack("blksize=8 windowsize=2")]).gets(from, ack(0));
        sender.sends(from, &blocks(&file, 8, 1..=2)).rebase(from + 50, to + 50).wakes(to + 200);
        sender.sends(to + 200, &blocks(&file, 8, 1..=2)).gets(to + 250, ack(2));
        sender.sends(to + 250, &[data(3, b"")]).rebase(to + 300, 0).wakes(350);

        let mut receiver = serve_write(windows_of(4));
        receiver.sends(from, &[oack("blksize=8 windowsize=4")]).gets(from, data(1, b"8 bytes!"));
        receiver.rebase(from + 3, to + 3).wakes(to + 8).sends(to + 8, &[ack(1)]);
        receiver.gets(to + 10, data(2, b"end")).sends(to + 10, &[ack(2)]).rebase(to + 10, 0);
        receiver.wakes(10_000).is_done();
    }
}

#[test]
fn f37_a_proved_sender_doubles_up_to_a_second_and_then_retries_six_times() {
    let file = file(512 * 3);
    let mut session = sending(&file);
    for wakes in SILENCE {
        session.wakes(wakes).sends(wakes, &blocks(&file, 512, 2..=2));
    }
    session.wakes(65_000).sends(65_000, &[error(0, "timed out")]).is_silent(65_000);
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn f37_a_proved_receiver_repeats_its_ack_on_the_same_schedule() {
    let mut session = serve_write(blksize(8));
    session.sends(0, &[oack("blksize=8")]).gets(100, data(1, b"8 bytes!")).sends(100, &[ack(1)]);
    for wakes in SILENCE {
        session.wakes(wakes).sends(wakes, &[ack(1)]);
    }
    session.wakes(65_000).sends(65_000, &[error(0, "timed out")]);
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn f56_duplicate_acks_cannot_keep_a_sender_alive() {
    let file = file(512 * 3);
    let mut session = sending(&file);
    let sent = drive_with_noise(&mut session, &ack(1));
    assert_eq!(sent.len(), SILENCE.len() + 1, "each retransmission once, and the farewell");
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn f56_duplicate_data_cannot_keep_a_receiver_alive() {
    for order in [serve_write, trace::serve_write_strictly] {
        for window in [1, 4] {
            let mut session = order(windows_of(window));
            session.poll(0);
            session.gets(100, data(1, b"8 bytes!")).poll(100);
            drive_with_noise(&mut session, &data(1, b"8 bytes!"));
            session.is_over(Status::Failed(Failure::TimedOut));
        }
    }
}

#[test]
fn f56_blocks_behind_a_gap_cannot_keep_a_receiver_alive() {
    for order in [serve_write, trace::serve_write_strictly] {
        let mut session = order(windows_of(64));
        session.poll(0);
        session.gets(100, data(1, b"8 bytes!")).poll(100);
        drive_with_noise(&mut session, &data(40, b"8 bytes!"));
        session.is_over(Status::Failed(Failure::TimedOut));
    }
}

#[test]
fn f56_repeated_oacks_cannot_keep_a_client_alive() {
    let mut session = read(blksize(8));
    session.poll(0);
    session.gets(100, oack("blksize=8")).poll(100);
    drive_with_noise(&mut session, &oack("blksize=8"));
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn karn_an_answer_to_a_repeated_block_measures_nothing_and_the_back_off_stays() {
    let file = file(512 * 8);
    let mut session = sending(&file);
    session.wakes(400).poll(400);
    // The answer may be to either of the two: 5 ms is no round trip.
    session.gets(405, ack(2)).sends(405, &blocks(&file, 512, 3..=3));
    session.wakes(405 + 600).poll(1005);
    session.gets(1010, ack(3)).sends(1010, &blocks(&file, 512, 4..=4));
    // 4 * 300 ms, the back-off of two time-outs, is above the ceiling.
    assert_eq!(session.timer(), Some(at(1010 + 1000)));
}

#[test]
fn the_back_off_ends_with_an_answer_that_took_no_time_out_even_if_it_measures_nothing() {
    let file = file(200);
    let mut session = serve_read(windows_of(4), &file);
    session.poll(0);
    session.gets(100, ack(0)).sends(100, &blocks(&file, 8, 1..=4));
    session.wakes(400).sends(400, &blocks(&file, 8, 1..=4)).gets(410, ack(1)).poll(410);
    assert_eq!(session.timer(), Some(at(410 + 600)));
    session.gets(520, ack(2)).poll(520);
    assert!(session.timer().unwrap() <= at(520 + 300));
}

#[test]
fn once_a_round_trip_was_measured_the_back_off_that_stays_is_at_most_the_ceiling() {
    let file = file(512 * 8);
    let mut session = sending(&file);
    let mut now = 100;
    for block in 2..=4 {
        // Answered at last, after four time-outs each.
        for _ in 0..4 {
            now = session.timer().unwrap().as_nanos() / 1_000_000;
            session.wakes(now).poll(now);
        }
        session.gets(now, ack(block)).poll(now);
    }
    for pause in [1, 2, 4, 8, 16, 32] {
        now += pause * 1000;
        session.wakes(now).sends(now, &blocks(&file, 512, 5..=5));
    }
    session.wakes(now + 1000).poll(now + 1000);
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn a_path_slower_than_a_second_is_not_sent_everything_twice() {
    let file = file(512 * 40);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1)).wakes(1000).poll(1000);
    session.gets(5000, ack(1)).sends(5000, &blocks(&file, 512, 2..=2));
    let mut now = 5000;
    let mut repeats = 0;
    for block in 2..=30 {
        now += 5000;
        while session.timer().unwrap() < at(now) {
            repeats += 1;
            let wakes = session.timer().unwrap().as_nanos() / 1_000_000;
            session.wakes(wakes).poll(wakes);
        }
        session.gets(now, ack(block)).poll(now);
    }
    assert!(repeats <= 6, "{repeats} repeats");
}

#[test]
fn answers_that_the_peer_had_to_repeat_do_not_make_the_time_out_grow_without_bound() {
    let file = file(512 * 102);
    let mut session = sending(&file);
    for block in 2..=100 {
        // The ACK was lost and comes again a millisecond before we send again.
        let now = session.timer().unwrap().as_nanos() / 1_000_000 - 1;
        session.gets(now, ack(block));
        assert_eq!(session.poll(now).len(), 1);
        assert!(session.timer().unwrap() <= at(now + 1000));
    }
}

#[test]
fn the_back_off_ends_with_the_next_measured_round_trip() {
    let file = file(512 * 8);
    let mut session = sending(&file);
    session.wakes(400).poll(400);
    session.gets(405, ack(2)).poll(405);
    // Block 3 was sent once: 100 ms, for the second time. 100 + 4 * 37.5.
    session.gets(505, ack(3)).sends(505, &blocks(&file, 512, 4..=4));
    session.wakes(755).sends(755, &blocks(&file, 512, 4..=4));
}

#[test]
fn the_schedule_begins_anew_after_progress() {
    let file = file(512 * 8);
    let mut session = sending(&file);
    for wakes in SILENCE {
        session.wakes(wakes).poll(wakes);
    }
    session.gets(64_500, ack(2)).sends(64_500, &blocks(&file, 512, 3..=3));
    session.gets(64_600, ack(3)).sends(64_600, &blocks(&file, 512, 4..=4));
    let mut due = 64_600;
    for wait in [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000] {
        due += wait;
        session.wakes(due).sends(due, &blocks(&file, 512, 4..=4));
    }
}

#[test]
fn the_floor_of_the_measured_time_out_is_20_ms() {
    let file = file(512 * 8);
    let mut session = serve_read(Options::NONE, &file);
    session.poll(0);
    session.gets(1, ack(1)).sends(1, &blocks(&file, 512, 2..=2));
    session.wakes(21).sends(21, &blocks(&file, 512, 2..=2));
    session.wakes(61).sends(61, &blocks(&file, 512, 2..=2));
}

#[test]
fn a_path_slower_than_the_ceiling_is_given_two_round_trips() {
    let file = file(512 * 8);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1)).gets(900, ack(1)).poll(900);
    assert_eq!(session.timer(), Some(at(900 + 1800)));
}

#[test]
fn time_in_which_a_plan_is_not_committed_is_nobodys_retry() {
    let file = file(512 * 8);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1)).gets(100, ack(1));
    assert_eq!(session.timer(), Some(Instant::NEVER));
    let before = session.half.clone();
    session.handle_timeout(at(3_600_000));
    assert_eq!(session.half, before);
    session.sends(3_600_000, &blocks(&file, 512, 2..=2)).wakes(3_600_300);
}

#[test]
fn time_in_which_an_ack_is_not_polled_is_nobodys_retry() {
    let mut session = serve_write(blksize(8));
    session.poll(0);
    session.gets(100, data(1, b"8 bytes!"));
    session.handle_timeout(at(3_600_000));
    session.sends(3_600_000, &[ack(1)]).is_silent(3_600_001).wakes(3_600_300);
}

#[test]
fn f14_f23_a_repeated_request_draws_the_first_answer_again_but_not_at_once() {
    let file = file(1000);
    let cases: [(Trace, Vec<u8>); 4] = [
        (serve_read(Options::NONE, &file), blocks(&file, 512, 1..=1).remove(0)),
        (serve_read(blksize(8), &file), oack("blksize=8")),
        (serve_write(Options::NONE), ack(0)),
        (serve_write(blksize(8)), oack("blksize=8")),
    ];
    for (mut session, first) in cases {
        session.sends(0, &[&first]);
        session.handle_repeated_request(0).is_silent(0);
        session.handle_repeated_request(19).is_silent(19);
        session.handle_repeated_request(20).sends(20, &[&first]);
        session.handle_repeated_request(21).is_silent(21);
        // The timer goes on from there.
        session.wakes(2020).sends(2020, &[&first]);
    }
}

#[test]
fn f36_repeated_requests_draw_no_more_than_the_timer_would() {
    for mut session in [serve_read(blksize(8), b"all"), serve_write(blksize(8))] {
        let mut sent = session.poll(0).len();
        for now in (0..60_000).step_by(7) {
            session.handle_repeated_request(now);
            session.handle_timeout(at(now));
            sent += session.poll(now).len();
        }
        assert_eq!(sent, 6);
        session.is_over(Status::Failed(Failure::NoAnswer));
    }
}

#[test]
fn f14_a_repeated_request_after_the_first_answer_was_acknowledged_changes_nothing() {
    let file = file(1000);
    let mut sender = serve_read(windows_of(4), &file);
    sender.poll(0);
    sender.gets(10, ack(0)).sends(10, &blocks(&file, 8, 1..=4));
    let mut receiver = serve_write(windows_of(4));
    receiver.poll(0);
    receiver.gets(10, data(1, b"8 bytes!")).poll(10);
    for mut session in [sender, receiver] {
        let before = session.half.clone();
        session.handle_repeated_request(40).is_silent(40);
        assert_eq!(session.half, before);
    }
}

/// A server's lock-step read at 100 ms: block 1 was acknowledged, block 2 is on its way, the round
/// trip is 100 ms and so the time-out 300.
fn sending(file: &[u8]) -> Trace {
    let mut session = serve_read(Options::NONE, file);
    session.sends(0, &blocks(file, 512, 1..=1)).gets(100, ack(1));
    session.sends(100, &blocks(file, 512, 2..=2));
    session
}

/// When a session sends again into silence that begins at 100 ms with a time-out of 300 ms: two
/// that do not count, then one second, two, four, and so on.
const SILENCE: [u64; 8] = [400, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000];

/// Runs a session to its end while this datagram comes every 10 ms, and returns what it sent. It
/// has to end when it would have ended in silence.
#[track_caller]
fn drive_with_noise(session: &mut Trace, noise: &[u8]) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for now in (110..).step_by(10) {
        session.handle_timeout(at(now));
        sent.extend(session.poll(now));
        if session.timer().is_none() {
            assert!(now <= 66_000, "kept alive until {now} ms");
            return sent;
        }
        let _ = session.hear(now, session.peer, noise);
        sent.extend(session.poll(now));
    }
    unreachable!()
}
