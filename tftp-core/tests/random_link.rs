//! Any transfer over any link: the file arrives byte for byte, or both sides end cleanly without
//! it. The hosts of [`netsim`] check in passing that no block is delivered twice, that the flight
//! never exceeds the window, and that nobody waits for nothing.

mod netsim;

use std::time::Duration;

use netsim::{
    Bounds, Checksum, Habits, Job, Opener, Path, Random, Receiving, Sending, Sim, Weather, file,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use tftp_core::{
    BlockSize, Failure, FineTimeout, Limits, Mode, MsftWindow, OptionKind, OptionSet, Options,
    Order, Rollover, Status, Timeout, WindowSize,
};

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
    (any::<bool>(), shapes(), any::<bool>(), any::<bool>(), any::<bool>(), limits()).prop_map(
        |(reads, (len, asked), netascii, strict, unknown_len, limits)| Transfer {
            opener: if reads { Opener::Receiver } else { Opener::Sender },
            len,
            asked,
            limits,
            mode: if netascii { Mode::Netascii } else { Mode::Octet },
            order: if strict { Order::Strict } else { Order::Any },
            unknown_len,
        },
    )
}

/// One in a few servers lowers what was asked, and one in a few knows no option of some kinds.
fn limits() -> impl Strategy<Value = Limits> {
    let unknown = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    (0u16..40, 0u16..80, unknown).prop_map(|(most_block, most_window, unknown)| {
        let known = (0..).zip(OptionKind::ALL).filter(|(bit, _)| unknown & (1 << bit) == 0);
        Limits {
            options: known.map(|(_, kind)| kind).fold(OptionSet::NONE, OptionSet::with),
            max_block_size: BlockSize::new(most_block.max(8) * 16).unwrap(),
            max_window_size: WindowSize::new(most_window.max(1)).unwrap(),
            ..Limits::default()
        }
    })
}

/// Lengths around the edges of blocks and windows, and the options that make these edges.
fn shapes() -> impl Strategy<Value = (usize, Options)> {
    (sizes(), intervals(), extras(), lengths()).prop_map(|(sizes, interval, extras, len)| {
        let asked = [interval, extras].into_iter().fold(sizes, with);
        let block =
            asked.block_size().or(asked.block_size2()).map_or(512, |size| size.get().into());
        let window = block * asked.window_size().map_or(1, |size| usize::from(size.get()));
        let len = match len {
            Length::Bytes(bytes) => bytes,
            Length::Edge { windows, blocks, off } => {
                (windows * window + blocks * block + off).saturating_sub(3).min(6000)
            }
        };
        (len, asked)
    })
}

/// `blksize`, sometimes `blksize2`, sometimes both or none; and `windowsize`.
fn sizes() -> impl Strategy<Value = Options> {
    let size = |bytes: u16| BlockSize::new(bytes).unwrap();
    let block_size = prop_oneof![
        1 => Just(Options::NONE),
        8 => (8u16..=32).prop_map(move |bytes| Options::NONE.with_block_size(size(bytes))),
        1 => (8u16..=70).prop_map(move |bytes| Options::NONE.with_block_size2(size(bytes))),
        1 => (8u16..=32, 8u16..=32).prop_map(move |(one, other)| {
            Options::NONE.with_block_size2(size(one)).with_block_size(size(other))
        }),
    ];
    let window_size =
        prop_oneof![Just(None), (1u16..=4).prop_map(Some), (1u16..=70).prop_map(Some)];
    (block_size, window_size).prop_map(|(options, blocks)| match blocks {
        Some(blocks) => options.with_window_size(WindowSize::new(blocks).unwrap()),
        None => options,
    })
}

/// `timeout` or `utimeout`, often none.
fn intervals() -> impl Strategy<Value = Options> {
    prop_oneof![
        6 => Just(Options::NONE),
        2 => (1u8..4).prop_map(|s| Options::NONE.with_timeout(Timeout::new(s).unwrap())),
        1 => (10_000u32..3_000_000)
            .prop_map(|us| Options::NONE.with_fine_timeout(FineTimeout::new(us).unwrap())),
    ]
}

/// The options that need no more than themselves.
fn extras() -> impl Strategy<Value = Options> {
    let rollover = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Rollover::ToZero)),
        1 => Just(Some(Rollover::ToOne)),
    ];
    let msft_window = prop_oneof![4 => Just(false), 1 => Just(true)];
    (any::<bool>(), rollover, msft_window).prop_map(|(sized, rollover, msft_window)| {
        let mut options = Options::NONE;
        if sized {
            options = options.with_transfer_size(0);
        }
        if let Some(rollover) = rollover {
            options = options.with_rollover(rollover);
        }
        if msft_window {
            options = options.with_msft_window(MsftWindow::Asked);
        }
        options
    })
}

/// Both sets of options.
fn with(options: Options, more: Options) -> Options {
    more.iter().fold(options, |all, (kind, _)| match kind {
        OptionKind::Timeout => all.with_timeout(more.timeout().unwrap()),
        OptionKind::FineTimeout => all.with_fine_timeout(more.fine_timeout().unwrap()),
        OptionKind::TransferSize => all.with_transfer_size(more.transfer_size().unwrap()),
        OptionKind::Rollover => all.with_rollover(more.rollover().unwrap()),
        OptionKind::MsftWindow => all.with_msft_window(more.msft_window().unwrap()),
        other => unreachable!("{other:?} comes first"),
    })
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
