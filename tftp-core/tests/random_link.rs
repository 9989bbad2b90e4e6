//! Transfers over a link that loses, doubles, reorders and delays at random: the file arrives byte
//! for byte, or both sides know that it did not. [`Pair`] checks in passing that no byte is
//! delivered twice and that the flight never exceeds the window.

mod pair;

use std::time::Duration;

use pair::{Fate, From, Opener, Pair, file};
use proptest::prelude::*;
use tftp_core::{BlockSize, Failure, Options, Status, Timeout, WindowSize};

/// What the link does, in percent of the packets.
#[derive(Clone, Debug)]
struct Weather {
    lost: u64,
    /// It loses no more than this many packets of one side in a row.
    most_in_a_row: u32,
    doubled: u64,
    displaced: u64,
    delayed: u64,
    most_delay: Duration,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Transfer {
    opener: Opener,
    len: usize,
    options: Options,
    strict: bool,
    unknown_len: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_transfer_ends_with_the_whole_file_or_a_clean_failure(
        transfer in transfers(),
        weather in weathers(35, u32::MAX),
    ) {
        let content = file(transfer.len);
        let mut pair = set_up(&transfer, &content, &weather);
        pair.run_within(STEPS);
        let received = matches!(pair.receiver.status(), Status::Done(_));
        if received {
            prop_assert!(pair.received == content, "the file is wrong");
        }
        match pair.sender.status() {
            Status::Done(summary) => {
                prop_assert!(received, "the sender is wrong about {:?}", pair.receiver.status());
                prop_assert_eq!(summary.bytes, transfer.len as u64);
            }
            Status::Unconfirmed(_) | Status::Failed(Failure::NoAnswer) => {}
            Status::Failed(Failure::TimedOut | Failure::PeerAborted(_)) => prop_assert!(!received),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_link_that_loses_little_carries_every_transfer(
        transfer in transfers(),
        weather in weathers(10, 2),
    ) {
        let content = file(transfer.len);
        let mut pair = set_up(&transfer, &content, &weather);
        pair.run_within(STEPS);
        prop_assert!(pair.received == content, "the file is wrong");
        prop_assert!(matches!(pair.receiver.status(), Status::Done(_)));
        // The last ACK is repeated only as long as the receiver lingers, so it may get lost.
        prop_assert!(matches!(pair.sender.status(), Status::Done(_) | Status::Unconfirmed(_)));
    }

    #[test]
    fn where_nothing_is_lost_or_late_no_packet_is_sent_twice(transfer in transfers()) {
        let content = file(transfer.len);
        let mut pair = set_up(&transfer, &content, &CALM);
        pair.run_within(STEPS);
        pair.assert_complete();
        let block_size = transfer.options.block_size().map_or(512, |size| usize::from(size.get()));
        prop_assert_eq!(pair.data_sent, (transfer.len / block_size + 1) as u64);
        prop_assert_eq!(pair.sender.stats().retransmissions, 0);
        prop_assert_eq!(pair.receiver.stats().duplicates, 0);
    }
}

const CALM: Weather = Weather {
    lost: 0,
    most_in_a_row: 0,
    doubled: 0,
    displaced: 0,
    delayed: 0,
    most_delay: Duration::ZERO,
    seed: 0,
};

/// More than any transfer here may take.
const STEPS: u64 = 60_000;

fn set_up<'a>(transfer: &Transfer, content: &'a [u8], weather: &Weather) -> Pair<'a> {
    let mut pair = Pair::new(transfer.opener, content, transfer.options);
    if transfer.strict {
        pair = pair.with_strict_order();
    }
    if transfer.unknown_len {
        pair = pair.with_unknown_length();
    }
    let weather = weather.clone();
    let mut random = weather.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut in_a_row = [0; 2];
    pair.with_fate(move |from, _, _| {
        let mut next = |below: u64| {
            // Marsaglia's xorshift: any sequence will do that a seed brings back.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below.max(1)
        };
        let (percent, amount) = (next(100), next(1 << 40));
        let mut edge = weather.lost;
        let in_a_row = &mut in_a_row[usize::from(from == From::Receiver)];
        if percent < edge && *in_a_row < weather.most_in_a_row {
            *in_a_row += 1;
            return Fate::Lose;
        }
        *in_a_row = 0;
        edge += weather.doubled;
        if percent < edge {
            return Fate::Double;
        }
        edge += weather.displaced;
        if percent < edge {
            return Fate::Displace(amount % 10);
        }
        edge += weather.delayed;
        if percent < edge {
            return Fate::Delay(weather.most_delay * u32::try_from(amount % 100).unwrap() / 100);
        }
        Fate::Deliver
    })
}

fn transfers() -> impl Strategy<Value = Transfer> {
    let options = (
        8u16..=32,
        prop_oneof![1u16..=4, 1u16..=70],
        prop_oneof![3 => Just(None), 1 => (1u8..4).prop_map(Some)],
    );
    let opener = prop_oneof![Just(Opener::Receiver), Just(Opener::Sender)];
    (opener, 0usize..3000, options, any::<bool>(), any::<bool>()).prop_map(
        |(opener, len, (block_size, window_size, timeout), strict, unknown_len)| {
            let options = Options::NONE
                .with_block_size(BlockSize::new(block_size).unwrap())
                .with_window_size(WindowSize::new(window_size).unwrap());
            let options = match timeout {
                Some(seconds) => options.with_timeout(Timeout::new(seconds).unwrap()),
                None => options,
            };
            Transfer { opener, len, options, strict, unknown_len }
        },
    )
}

fn weathers(most_lost: u64, most_in_a_row: u32) -> impl Strategy<Value = Weather> {
    let delay = prop_oneof![0u64..10, 0u64..100, 0u64..2000].prop_map(Duration::from_millis);
    (0..=most_lost, 0u64..20, 0u64..20, 0u64..20, delay, any::<u64>()).prop_map(
        move |(lost, doubled, displaced, delayed, most_delay, seed)| Weather {
            lost,
            most_in_a_row,
            doubled,
            displaced,
            delayed,
            most_delay,
            seed,
        },
    )
}
