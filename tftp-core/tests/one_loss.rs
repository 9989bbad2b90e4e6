//! One DATA packet of a read of 501 blocks is lost, each in turn. It has to cost little, whatever
//! the client answers to the blocks behind the gap, and wherever in its window the block was.

mod netsim;

use std::{sync::LazyLock, time::Duration};

use netsim::{
    End, Fate, Host, Job, Opener, Path, PlainReceiver, PlainSender, Receiving, Sending, Sim, Style,
    file, options,
};

const BLOCKS: u64 = 501;
const BLOCK_SIZE: u16 = 512;
static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| file(500 * usize::from(BLOCK_SIZE) + 100));

/// A fast local network: 0.15 ms there and back, 1 Gbit/s.
const LOCAL: Path = Path {
    latency: Duration::from_micros(75),
    per_packet: Duration::from_nanos(500),
    per_kilobyte: Duration::from_micros(8),
    ..Path::PLAIN
};
/// What a packet costs the client.
const COST: Duration = Duration::from_micros(3);

#[test]
fn costs_a_client_that_acknowledges_every_block_out_of_order_little() {
    check(LOCAL, COST, &[64, 4], |job| PlainReceiver::new(Style::Edk2, &job));
}

#[test]
fn costs_a_client_that_acknowledges_once_a_gap_little() {
    check(LOCAL, COST, &[64, 4], |job| PlainReceiver::new(Style::UBoot, &job));
}

#[test]
fn costs_our_own_client_little() {
    check(LOCAL, COST, &[16], Receiving::new);
}

/// The client notices that the rest of a window is missing, and does not wait for the server's
/// timer, which takes a second here. (Where the first block of a window is lost all it can do is to
/// repeat an ACK, and this server answers none.)
#[test]
fn costs_our_own_client_little_whatever_the_servers_timer() {
    let job = Job::new(Opener::Receiver, &CONTENT, options(BLOCK_SIZE, 16));
    let run = |lost| {
        let sim = Sim::new(PlainSender::new(&job), Receiving::new(job));
        let sim = sim.over(LOCAL, lose_data(lost)).run();
        assert!(sim.receiver.received == *CONTENT, "the file is wrong");
        sim.time()
    };
    let lossless = run(0);
    let inside = (1..=BLOCKS).filter(|lost| lost % 16 != 1);
    let worst = inside.map(|lost| run(lost).saturating_sub(lossless)).max().unwrap();
    println!("windowsize 16, from a server with a timer of one second: at most {worst:.1?} more");
    assert!(worst < Duration::from_millis(10), "{worst:?}");
}

#[test]
#[ignore = "many runs: .ci/run runs them in release"]
fn costs_little_on_other_local_networks() {
    for micros in [0, 50, 100] {
        for (per_kilobyte, cost) in [(0, 0), (8, 3), (1, 20), (80, 1), (8, 100)] {
            println!("one way {micros} us, {per_kilobyte} us/KiB, client {cost} us a packet");
            let path = Path {
                latency: Duration::from_micros(micros),
                per_kilobyte: Duration::from_micros(per_kilobyte),
                ..LOCAL
            };
            let cost = Duration::from_micros(cost);
            check(path, cost, &[64, 4], |job| PlainReceiver::new(Style::Edk2, &job));
            check(path, cost, &[64, 4], |job| PlainReceiver::new(Style::UBoot, &job));
            check(path, cost, &[64, 4], Receiving::new);
        }
    }
}

#[track_caller]
fn check<R: Host>(path: Path, cost: Duration, windows: &[u16], client: impl Fn(Job<'static>) -> R) {
    for &window_size in windows {
        let job = Job::new(Opener::Receiver, &CONTENT, options(BLOCK_SIZE, window_size));
        let run = |lost| {
            let mut sim = Sim::new(Sending::new(job), client(job)).over(path, lose_data(lost));
            sim.costs = [Duration::ZERO, cost];
            let sim = sim.run();
            assert!(sim.sender.is_done(), "{:?}", sim.sender.status());
            (sim.sender.data_sent, sim.time())
        };
        let (sent, lossless) = run(0);
        assert_eq!(sent, BLOCKS);
        let mut worst = [(0, Duration::ZERO); 2];
        for lost in 1..=BLOCKS {
            let (sent, time) = run(lost);
            let extra = time.saturating_sub(lossless);
            let is_last = lost == BLOCKS || lost.is_multiple_of(window_size.into());
            let allowed = Duration::from_millis(if is_last { 500 } else { 50 });
            let what = format!("block {lost} of windows of {window_size}");
            assert!(sent < 620, "{what}: {sent} DATA, {extra:?} more");
            assert!(extra < allowed, "{what}: {sent} DATA, {extra:?} more");
            let worst = &mut worst[usize::from(is_last)];
            *worst = (worst.0.max(sent), worst.1.max(extra));
        }
        let [inside, last] = worst;
        println!(
            "windowsize {window_size:2}: at most {} DATA and {:.1?} more; the last of a window: {} and {:.1?}",
            inside.0, inside.1, last.0, last.1,
        );
    }
}

/// Loses this block, the first time.
fn lose_data(lost: u64) -> impl FnMut(End, u64, &[u8]) -> Fate {
    let mut seen = 0;
    move |_, _, bytes| {
        seen += u64::from(bytes.starts_with(&[0, 3]));
        if bytes.starts_with(&[0, 3]) && seen == lost { Fate::Lose } else { Fate::Deliver }
    }
}
