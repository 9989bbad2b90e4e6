//! RFC 1123 section 4.2.3: Sorcerer's Apprentice, and adaptive time-outs.

mod trace;

use tftp_core::Options;
use trace::{ack, blocks, data, file, serve_read, serve_write};

#[test]
fn section_4_2_3_1_a_doubled_ack_never_doubles_the_data() {
    let file = file(512 * 5 + 10);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1));
    for block in 1..=5 {
        // The first round trip takes 100 ms, and the others longer.
        let now = u64::from(block) * 250 - 150;
        session.gets(now, ack(block)).sends(now, &blocks(&file, 512, block + 1..=block + 1));
        for late in [1, 99, 100, 249] {
            session.gets_again(now + late, ack(block)).is_silent(now + late);
        }
    }
    session.gets(1350, ack(6)).is_silent(1350).is_done();
}

#[test]
fn section_4_2_3_1_a_duplicate_ack_does_not_move_the_timer() {
    let file = file(1024);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1)).gets(100, ack(1)).poll(100);
    for duplicate in [101, 200, 300, 399] {
        session.ignores(duplicate, ack(1), tftp_core::Ignored::Duplicate);
    }
    session.wakes(400).sends(400, &blocks(&file, 512, 2..=2));
}

#[test]
fn section_4_2_3_1_both_acks_of_a_block_sent_twice_draw_one_block() {
    let file = file(512 * 4);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1)).gets(100, ack(1));
    session.sends(100, &blocks(&file, 512, 2..=2));
    session.wakes(400).sends(400, &blocks(&file, 512, 2..=2));
    session.gets(410, ack(2)).sends(410, &blocks(&file, 512, 3..=3));
    session.gets_again(500, ack(2)).is_silent(500);
}

#[test]
fn section_4_2_3_1_a_receiver_answers_each_doubled_block_once() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]);
    session.gets(100, data(1, file(512))).sends(100, &[ack(1)]).is_silent(101);
    session.gets_again(110, data(1, file(512))).sends(110, &[ack(1)]).is_silent(111);
}

#[test]
fn section_4_2_3_2_the_time_out_adapts_to_the_round_trip() {
    // RFC 6298: the first sample is R + 4 * R/2, and equal ones narrow it down.
    let file = file(512 * 5);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &blocks(&file, 512, 1..=1)).gets(100, ack(1)).poll(100);
    assert_eq!(waits(&session, 100), 300);
    session.gets(200, ack(2)).poll(200);
    assert_eq!(waits(&session, 200), 250);
    session.gets(600, ack(3)).poll(600);
    assert!(waits(&session, 600) > 400);
}

fn waits(session: &trace::Trace, now: u64) -> u64 {
    session.timer().expect("it waits").as_nanos() / 1_000_000 - now
}
