//! Any transfer over any link: the file arrives byte for byte, or both sides end cleanly without
//! it. The hosts of [`netsim`] check in passing that no block is delivered twice, that the flight
//! never exceeds the window, and that nobody waits for nothing.

mod netsim;

use std::time::Duration;

use netsim::{
    Bounds, Checksum, Habits, Job, Opener, Path, Random, Receiving, Sending, Sim, Weather, file,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use tftp_core::{BlockSize, Failure, Limits, Mode, Options, Order, Status, Timeout, WindowSize};

/// A transfer, without its file.
#[derive(Clone, Debug)]
struct Transfer {
    opener: Opener,
    len: usize,
    asked: Options,
    limits: Limits,
    mode: Mode,
    order: Order,
    unknown_len: bool,
}

/// The way between the hosts, and how they work.
#[derive(Clone, Debug)]
struct Network {
    path: Path,
    weather: Weather,
    habits: Habits,
    seed: u64,
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/random_link.regressions",
        ))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_transfer_ends_with_the_whole_file_or_a_clean_failure(
        transfer in transfers(),
        network in networks(350, 0),
    ) {
        let content = content(&transfer);
        let sim = set_up(&transfer, &content, &network).run();
        let whole = sim.receiver.is_done();
        if whole {
            prop_assert!(sim.receiver.received == content, "the file is wrong");
        }
        match sim.sender.status() {
            Some(Status::Done(_)) => {
                prop_assert!(whole, "the sender is wrong about {:?}", sim.receiver.status());
            }
            None | Some(Status::Unconfirmed(_) | Status::Failed(Failure::NoAnswer)) => {}
            Some(Status::Failed(Failure::TimedOut | Failure::PeerAborted(_))) => {
                prop_assert!(!whole);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        check_budget(&transfer, &sim)?;
    }

    #[test]
    fn a_link_that_loses_little_carries_every_transfer(
        transfer in transfers(),
        network in networks(100, 3),
    ) {
        let content = content(&transfer);
        let network = Network { path: Path { mtu: usize::MAX, ..network.path }, ..network };
        let sim = set_up(&transfer, &content, &network).run();
        prop_assert!(sim.receiver.received == content, "the file is wrong");
        prop_assert!(sim.receiver.is_done());
        // The last ACK is repeated only as long as the receiver lingers, so it may get lost; and
        // where a file has one block and there are no options it is the only answer of all.
        let status = sim.sender.status();
        prop_assert!(
            matches!(
                status,
                Some(
                    Status::Done(_) | Status::Unconfirmed(_) | Status::Failed(Failure::NoAnswer)
                )
            ),
            "{:?}",
            status
        );
        check_budget(&transfer, &sim)?;
    }

    #[test]
    fn where_nothing_is_lost_or_late_no_packet_is_sent_twice(transfer in transfers()) {
        let content = content(&transfer);
        let sim = Sim::ours(transfer.job(&content)).run();
        sim.assert_complete(&content);
        let sender = sim.sender.session.as_ref().unwrap();
        let blocks = transfer.job(&content).blocks(sender.params().block_size.get());
        prop_assert_eq!(sim.sender.data_sent, blocks);
        prop_assert_eq!(sender.stats().retransmissions, 0);
        let receiver = sim.receiver.session.as_ref().unwrap();
        prop_assert_eq!(receiver.stats().duplicates, 0);
        prop_assert_eq!(receiver.stats().retransmissions, 0);
    }

    /// See [`Checksum::Missing`]: nothing is claimed of the file.
    #[test]
    fn damage_that_gets_through_stops_neither_side_from_ending(
        transfer in transfers(),
        network in networks(100, 0),
        damaged in 1u64..300,
    ) {
        let content = content(&transfer);
        let weather = Weather { damaged, ..network.weather };
        let path = Path { checksum: Checksum::Missing, ..network.path };
        let sim = set_up(&transfer, &content, &Network { path, weather, ..network }).run();
        for status in [sim.sender.status(), sim.receiver.status()].into_iter().flatten() {
            let over = !matches!(status, Status::Opening | Status::Active(_) | Status::Lingering(_));
            prop_assert!(over, "{:?}", status);
        }
    }
}

/// What a transfer may send at most: its blocks, for every datagram that the link has harmed one
/// window and a bit, and one window for each retry into silence.
fn check_budget(
    transfer: &Transfer,
    sim: &Sim<'_, Sending<'_>, Receiving<'_>>,
) -> Result<(), TestCaseError> {
    let Some(sender) = &sim.sender.session else { return Ok(()) };
    let params = sender.params();
    let content = content(transfer);
    let blocks = transfer.job(&content).blocks(params.block_size.get());
    let window = u64::from(params.window_size.get()).min(blocks);
    let harmed = sim.harm().total();
    // A negotiated interval is repeated for a minute.
    let retries = if params.interval.is_some() { 64 } else { 16 };
    let budget = blocks + (window + 1) * (harmed + retries);
    prop_assert!(
        sim.sender.data_sent <= budget,
        "{} DATA, {} blocks, windows of {}, {} harmed",
        sim.sender.data_sent,
        blocks,
        window,
        harmed
    );
    Ok(())
}

impl Transfer {
    fn job<'a>(&self, content: &'a [u8]) -> Job<'a> {
        Job {
            limits: self.limits,
            mode: self.mode,
            order: self.order,
            unknown_len: self.unknown_len,
            ..Job::new(self.opener, content, self.asked)
        }
    }
}

/// Bytes that tell their place; where lines matter, with many line ends and bare CRs.
fn content(transfer: &Transfer) -> Vec<u8> {
    let mut content = file(transfer.len);
    if transfer.mode == Mode::Netascii {
        let mut random = Random::new(transfer.len as u64);
        for byte in &mut content {
            match random.below(8) {
                0 => *byte = b'\n',
                1 => *byte = b'\r',
                2 => *byte = 0,
                _ => {}
            }
        }
    }
    content
}

fn set_up<'a>(
    transfer: &Transfer,
    content: &'a [u8],
    network: &Network,
) -> Sim<'a, Sending<'a>, Receiving<'a>> {
    let script = Weather::script(network.weather, network.seed);
    let mut sim = Sim::ours(transfer.job(content))
        .over(network.path, script)
        .with_habits(network.habits, network.seed);
    sim.bounds = Bounds { steps: 200_000, time: Duration::from_hours(2) };
    sim
}

fn transfers() -> impl Strategy<Value = Transfer> {
    (any::<bool>(), shapes(), any::<bool>(), any::<bool>(), any::<bool>(), 0u16..40, 0u16..80)
        .prop_map(
            |(reads, (len, asked), netascii, strict, unknown_len, most_block, most_window)| {
                // One in a few servers lowers what was asked.
                let limits = Limits {
                    max_block_size: BlockSize::new(most_block.max(8) * 16).unwrap(),
                    max_window_size: WindowSize::new(most_window.max(1)).unwrap(),
                    ..Limits::default()
                };
                Transfer {
                    opener: if reads { Opener::Receiver } else { Opener::Sender },
                    len,
                    asked,
                    limits,
                    mode: if netascii { Mode::Netascii } else { Mode::Octet },
                    order: if strict { Order::Strict } else { Order::Any },
                    unknown_len,
                }
            },
        )
}

/// Lengths around the edges of blocks and windows, and the options that make these edges.
fn shapes() -> impl Strategy<Value = (usize, Options)> {
    let block_size = prop_oneof![1 => Just(None), 8 => (8u16..=32).prop_map(Some)];
    let window_size =
        prop_oneof![Just(None), (1u16..=4).prop_map(Some), (1u16..=70).prop_map(Some)];
    let timeout = prop_oneof![3 => Just(None), 1 => (1u8..4).prop_map(Some)];
    (block_size, window_size, timeout, any::<bool>(), lengths()).prop_map(
        |(block_size, window_size, timeout, sized, len)| {
            let mut asked = Options::NONE;
            if let Some(bytes) = block_size {
                asked = asked.with_block_size(BlockSize::new(bytes).unwrap());
            }
            if let Some(blocks) = window_size {
                asked = asked.with_window_size(WindowSize::new(blocks).unwrap());
            }
            if let Some(seconds) = timeout {
                asked = asked.with_timeout(Timeout::new(seconds).unwrap());
            }
            if sized {
                asked = asked.with_transfer_size(0);
            }
            let block = usize::from(block_size.unwrap_or(512));
            let window = block * usize::from(window_size.unwrap_or(1));
            let len = match len {
                Length::Bytes(bytes) => bytes,
                Length::Edge { windows, blocks, off } => {
                    (windows * window + blocks * block + off).saturating_sub(3).min(6000)
                }
            };
            (len, asked)
        },
    )
}

/// A file's length, in bytes or by its place among the blocks.
#[derive(Clone, Debug)]
enum Length {
    Bytes(usize),
    /// `off` is three more than it says, so that it can be before the edge.
    Edge {
        windows: usize,
        blocks: usize,
        off: usize,
    },
}

fn lengths() -> impl Strategy<Value = Length> {
    prop_oneof![
        1 => (0usize..3000).prop_map(Length::Bytes),
        2 => (0usize..4, 0usize..4, 0usize..7)
            .prop_map(|(windows, blocks, off)| Length::Edge { windows, blocks, off }),
    ]
}

/// Links that lose up to so many datagrams in a thousand, and never so close to each other.
fn networks(most_lost: u64, spared: u32) -> impl Strategy<Value = Network> {
    let weather = (
        (0..=most_lost, 0u64..200, 0u64..200, 1u64..10, 0u64..200, millis([10, 100, 2000])),
        (0u64..50, 0u64..10, millis([20, 300])),
    )
        .prop_map(
            move |(
                (lost, doubled, displaced, most_places, delayed, most_delay),
                (damaged, held_back, most_hold),
            )| Weather {
                lost,
                spared,
                doubled,
                displaced,
                most_places,
                delayed,
                most_delay,
                damaged,
                held_back,
                most_hold,
            },
        );
    let mtu = prop_oneof![9 => Just(usize::MAX), 1 => 30usize..100];
    let path = (millis([1, 10, 400]), millis([1, 10]), 0u64..200, mtu).prop_map(
        |(latency, jitter, per_packet, mtu)| Path {
            latency,
            jitter,
            per_packet: Duration::from_micros(per_packet),
            mtu,
            ..Path::PLAIN
        },
    );
    let habits = (1u64..8, millis([1, 20]), 0u64..300).prop_map(|(most_batch, lag, full)| Habits {
        most_batch,
        lag,
        full,
    });
    (path, weather, habits, any::<u64>()).prop_map(|(path, weather, habits, seed)| Network {
        path,
        weather,
        habits,
        seed,
    })
}

/// Up to one of these, often none.
fn millis<const N: usize>(bounds: [u64; N]) -> impl Strategy<Value = Duration> {
    let bound = proptest::sample::select(bounds.to_vec());
    prop_oneof![
        Just(Duration::ZERO),
        (bound, 0u64..=1000).prop_map(|(most, part)| Duration::from_micros(most * part)),
    ]
}
