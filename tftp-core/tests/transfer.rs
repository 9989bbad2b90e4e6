//! Whole transfers between our two halves: edges of blocks, windows and block numbers, and what a
//! link may do to single packets. The packets sent are counted, not only the bytes compared.

mod pair;

use pair::{Fate, From, Opener, Pair, file};
use tftp_core::{BlockSize, Options, WindowSize};

const OPENERS: [Opener; 2] = [Opener::Receiver, Opener::Sender];

#[test]
fn lengths_around_block_and_window_edges_take_no_packet_too_many() {
    for opener in OPENERS {
        for (block_size, window_size) in [(512, 1), (8, 1), (8, 3), (8, 64)] {
            for len in [0, 1, 7, 8, 9, 23, 24, 25, 511, 512, 513, 1024, 1536] {
                let content = file(len);
                let mut pair = Pair::new(opener, &content, options(block_size, window_size));
                pair.run();
                pair.assert_complete();
                let blocks = len as u64 / u64::from(block_size) + 1;
                assert_eq!(pair.data_sent, blocks, "{len} bytes at {block_size}/{window_size}");
            }
        }
    }
}

#[test]
fn a_length_found_only_by_reading_ends_the_file_the_same_way() {
    for len in [0, 1, 7, 8, 9, 23, 24, 25, 64] {
        let content = file(len);
        let mut pair = Pair::new(Opener::Receiver, &content, options(8, 3)).with_unknown_length();
        pair.run();
        pair.assert_complete();
        assert_eq!(pair.data_sent, len as u64 / 8 + 1);
    }
}

#[test]
fn block_numbers_roll_over() {
    for blocks in [65_535, 65_536, 65_537, 131_073] {
        for window_size in [1, 7] {
            let content = file(blocks * 8 - 3);
            let mut pair = Pair::new(Opener::Receiver, &content, options(8, window_size));
            pair.run();
            pair.assert_complete();
            assert_eq!(pair.data_sent, blocks as u64);
        }
    }
}

#[test]
fn a_loss_across_the_rollover_is_repaired() {
    let content = file(65_540 * 8 + 5);
    for lost in 65_530..65_540 {
        let mut pair =
            Pair::new(Opener::Receiver, &content, options(8, 8)).with_fate(lose_data_once(lost));
        pair.run();
        pair.assert_complete();
        assert!(pair.data_sent <= 65_541 + 16, "{} DATA", pair.data_sent);
    }
}

#[test]
fn any_single_lost_packet_is_repaired() {
    let content = file(100);
    for opener in OPENERS {
        for window_size in [1, 4] {
            for lost in 1..30 {
                let mut pair = Pair::new(opener, &content, options(8, window_size)).with_fate(
                    move |_, number, _| {
                        if number == lost { Fate::Lose } else { Fate::Deliver }
                    },
                );
                pair.run();
                println!("{opener:?}, window {window_size}, packet {lost} lost");
                pair.assert_complete();
                let allowed = 13 + u64::from(window_size) * 2;
                assert!(pair.data_sent <= allowed, "packet {lost}: {} DATA", pair.data_sent);
            }
        }
    }
}

#[test]
fn in_lock_step_doubled_acks_draw_no_second_data() {
    let content = file(8 * 200);
    let mut pair = Pair::new(Opener::Receiver, &content, options(8, 1))
        .with_fate(|from, _, _| if from == From::Receiver { Fate::Double } else { Fate::Deliver });
    pair.run();
    pair.assert_complete();
    assert_eq!(pair.data_sent, 201);
}

#[test]
fn with_windows_doubled_acks_cost_at_most_a_twentieth_more_data() {
    let content = file(8 * 1000);
    let mut pair = Pair::new(Opener::Receiver, &content, options(8, 16))
        .with_fate(|from, _, _| if from == From::Receiver { Fate::Double } else { Fate::Deliver });
    pair.run();
    pair.assert_complete();
    assert!(pair.data_sent <= 1001 + 50, "{} DATA", pair.data_sent);
}

#[test]
fn blocks_that_overtake_each_other_inside_a_window_are_kept() {
    let content = file(8 * 64);
    let mut pair =
        Pair::new(Opener::Receiver, &content, options(8, 16)).with_fate(|from, number, _| {
            if from == From::Sender && number % 5 == 0 { Fate::Displace(3) } else { Fate::Deliver }
        });
    pair.run();
    pair.assert_complete();
    assert_eq!(pair.data_sent, 65);
}

#[test]
fn strict_order_takes_the_same_file() {
    let content = file(8 * 64);
    let mut pair = Pair::new(Opener::Receiver, &content, options(8, 16))
        .with_fate(lose_data_once(20))
        .with_strict_order();
    pair.run();
    pair.assert_complete();
    assert!(pair.data_sent <= 65 + 32, "{} DATA", pair.data_sent);
}

fn options(block_size: u16, window_size: u16) -> Options {
    Options::NONE
        .with_block_size(BlockSize::new(block_size).unwrap())
        .with_window_size(WindowSize::new(window_size).unwrap())
}

/// Loses the DATA with this block number, the first time it is sent.
fn lose_data_once(block: u64) -> impl FnMut(From, u64, &[u8]) -> Fate {
    let mut armed = false;
    let mut seen = 0;
    move |_, _, bytes| {
        if bytes[..2] == [0, 3] {
            seen += 1;
            if seen == block && !armed {
                armed = true;
                return Fate::Lose;
            }
        }
        Fate::Deliver
    }
}
