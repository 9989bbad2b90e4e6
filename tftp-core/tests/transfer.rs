//! Whole transfers between our two halves: edges of blocks, windows and block numbers, and what a
//! link may do to single packets. The packets sent are counted, not only the bytes compared.

mod netsim;

use std::time::Duration;

use netsim::{End, Fate, Job, Opener, Path, Sim, file, options};
use tftp_core::{Mode, Order};

const OPENERS: [Opener; 2] = [Opener::Receiver, Opener::Sender];

#[test]
fn lengths_around_block_and_window_edges_take_no_packet_too_many() {
    for opener in OPENERS {
        for (block_size, window_size) in [(512, 1), (8, 1), (8, 3), (8, 64)] {
            for len in [0, 1, 7, 8, 9, 23, 24, 25, 511, 512, 513, 1024, 1536] {
                let content = file(len);
                let job = Job::new(opener, &content, options(block_size, window_size));
                let sim = Sim::ours(job).run();
                sim.assert_complete(&content);
                let blocks = len as u64 / u64::from(block_size) + 1;
                assert_eq!(sim.sender.data_sent, blocks, "{len} at {block_size}/{window_size}");
            }
        }
    }
}

#[test]
fn a_length_found_only_by_reading_ends_the_file_the_same_way() {
    for len in [0, 1, 7, 8, 9, 23, 24, 25, 64] {
        let content = file(len);
        let job = Job::new(Opener::Receiver, &content, options(8, 3));
        let sim = Sim::ours(Job { unknown_len: true, ..job }).run();
        sim.assert_complete(&content);
        assert_eq!(sim.sender.data_sent, len as u64 / 8 + 1);
    }
}

#[test]
fn block_numbers_roll_over() {
    for (blocks, window_size) in
        [(65_535, 1), (65_536, 1), (65_537, 1), (65_535, 7), (65_536, 7), (65_537, 7), (131_073, 7)]
    {
        let content = file(blocks * 8 - 3);
        let sim = Sim::ours(Job::new(Opener::Receiver, &content, options(8, window_size))).run();
        sim.assert_complete(&content);
        assert_eq!(sim.sender.data_sent, blocks as u64);
    }
}

/// Line ends fall on the edges of blocks and windows, and pairs are split there.
#[test]
fn f43_netascii_in_windows_rolls_over_and_is_repaired() {
    let content = b"a\rb\ncde\n\n\r".repeat(36_000);
    for opener in OPENERS {
        let job = Job { mode: Mode::Netascii, ..Job::new(opener, &content, options(8, 7)) };
        let blocks = job.blocks(8);
        assert!(blocks > 65_536 + 100, "{blocks} blocks");
        let sim = Sim::ours(job).run();
        sim.assert_complete(&content);
        assert_eq!(sim.sender.data_sent, blocks);
        for lost in [65_533, 65_535, 65_536, 65_538] {
            let sim = Sim::ours(job).over(Path::PLAIN, lose_data_once(lost)).run();
            sim.assert_complete(&content);
            let sent = sim.sender.data_sent;
            assert!(sent <= blocks + 14, "{sent} DATA");
        }
    }
}

#[test]
fn a_loss_across_the_rollover_is_repaired() {
    let content = file(65_540 * 8 + 5);
    for lost in [65_534, 65_535, 65_536, 65_537] {
        let job = Job::new(Opener::Receiver, &content, options(8, 8));
        let sim = Sim::ours(job).over(Path::PLAIN, lose_data_once(lost)).run();
        sim.assert_complete(&content);
        let sent = sim.sender.data_sent;
        assert!(sent <= 65_541 + 16, "{sent} DATA");
    }
}

#[test]
fn any_single_lost_packet_is_repaired() {
    let content = file(100);
    for opener in OPENERS {
        for window_size in [1, 4] {
            for lost in 1..30 {
                println!("{opener:?}, window {window_size}, packet {lost} lost");
                let job = Job::new(opener, &content, options(8, window_size));
                let fate = |_, number, _: &[u8]| {
                    if number == lost { Fate::Lose } else { Fate::Deliver }
                };
                let sim = Sim::ours(job).over(Path::PLAIN, fate).run();
                sim.assert_complete(&content);
                let (sent, allowed) = (sim.sender.data_sent, 13 + u64::from(window_size) * 2);
                assert!(sent <= allowed, "packet {lost}: {sent} DATA");
            }
        }
    }
}

#[test]
fn in_lock_step_doubled_acks_draw_no_second_data() {
    let content = file(8 * 200);
    let job = Job::new(Opener::Receiver, &content, options(8, 1));
    let sim = Sim::ours(job).over(Path::PLAIN, double_acks).run();
    sim.assert_complete(&content);
    assert_eq!(sim.sender.data_sent, 201);
}

#[test]
fn in_lock_step_acks_doubled_later_than_a_round_trip_draw_none_either() {
    let content = file(8 * 200);
    let job = Job::new(Opener::Receiver, &content, options(8, 1));
    // The second ACK of a block comes 11 ms after the first, and before that of the next block.
    let fate = |from, number: u64, _: &[u8]| match (from, number % 4) {
        (End::Receiver, 1) => Fate::Double(Duration::from_millis(11)),
        (End::Receiver, 3) => Fate::Delay(Duration::from_millis(5)),
        _ => Fate::Deliver,
    };
    let sim = Sim::ours(job).over(Path::PLAIN, fate).run();
    sim.assert_complete(&content);
    assert!(sim.harm().doubled > 90);
    assert_eq!(sim.sender.data_sent, 201);
}

#[test]
fn with_windows_doubled_acks_cost_at_most_a_twentieth_more_data() {
    let content = file(8 * 1000);
    let job = Job::new(Opener::Receiver, &content, options(8, 16));
    let sim = Sim::ours(job).over(Path::PLAIN, double_acks).run();
    sim.assert_complete(&content);
    let sent = sim.sender.data_sent;
    assert!(sent <= 1001 + 50, "{sent} DATA");
}

#[test]
fn blocks_that_overtake_each_other_inside_a_window_are_kept() {
    let content = file(8 * 64);
    let job = Job::new(Opener::Receiver, &content, options(8, 16));
    let displace = |from, number, _: &[u8]| {
        if from == End::Sender && number % 5 == 0 { Fate::Displace(3) } else { Fate::Deliver }
    };
    let sim = Sim::ours(job).over(Path::PLAIN, displace).run();
    sim.assert_complete(&content);
    assert_eq!(sim.sender.data_sent, 65);
}

#[test]
fn strict_order_takes_the_same_file() {
    let content = file(8 * 64);
    let job = Job::new(Opener::Receiver, &content, options(8, 16));
    let job = Job { order: Order::Strict, ..job };
    let sim = Sim::ours(job).over(Path::PLAIN, lose_data_once(20)).run();
    sim.assert_complete(&content);
    let sent = sim.sender.data_sent;
    assert!(sent <= 65 + 32, "{sent} DATA");
}

fn double_acks(from: End, _: u64, _: &[u8]) -> Fate {
    if from == End::Receiver { Fate::Double(Duration::ZERO) } else { Fate::Deliver }
}

/// Loses the DATA that is sent as this one of all.
fn lose_data_once(lost: u64) -> impl FnMut(End, u64, &[u8]) -> Fate {
    let mut seen = 0;
    move |_, _, bytes| {
        seen += u64::from(bytes.starts_with(&[0, 3]));
        if bytes.starts_with(&[0, 3]) && seen == lost { Fate::Lose } else { Fate::Deliver }
    }
}
