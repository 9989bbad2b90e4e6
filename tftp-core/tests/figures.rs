//! What loss, reordering and duplication cost: the figures of `docs/performance.md`, printed by
//!
//! ```text
//! cargo test --release -p tftp-core --test figures -- --nocapture --include-ignored
//! ```

mod netsim;

use std::time::Duration;

use netsim::{Job, Opener, Path, PlainReceiver, PlainSender, Sim, Style, Weather, file, options};

/// The median and the 95th percentile.
#[derive(Clone, Copy, Debug)]
struct Spread<T> {
    median: T,
    p95: T,
}

#[derive(Clone, Copy, Debug)]
struct Cost {
    time: Spread<Duration>,
    packets: Spread<u64>,
}

/// 1 MiB at blksize 1428 and windowsize 16, a round trip of 10 ms, both directions lossy.
#[test]
fn loss_costs_little_time_and_few_packets() {
    figures(20, Path::PLAIN);
}

#[test]
#[ignore = "takes long without optimisation: .ci/run runs it in release"]
fn loss_costs_little_time_and_few_packets_in_200_runs() {
    figures(200, Path::PLAIN);
}

#[test]
#[ignore = "takes long without optimisation: .ci/run runs it in release"]
fn loss_costs_as_little_where_packets_take_time() {
    for mbits in [1000, 100] {
        println!("{mbits} Mbit/s");
        let per_kilobyte = Duration::from_micros(8 * 1024 / mbits);
        figures(200, Path { per_kilobyte, ..Path::PLAIN });
    }
}

#[track_caller]
fn figures(seeds: u64, path: Path) {
    let content = file(1 << 20);
    println!("{:<10} {:<28} {:>8} {:>8} {:>8} {:>8}", "", "", "median", "95 %", "packets", "95 %");
    for opener in [Opener::Receiver, Opener::Sender] {
        let name = if opener == Opener::Receiver { "read" } else { "write" };
        let cost = |weather: Weather| {
            let job = Job::new(opener, &content, options(1428, 16));
            spread(seeds, |seed| {
                let sim = Sim::ours(job).over(path, weather.script(seed)).run();
                sim.assert_received(&content);
                (sim.time(), sim.packets())
            })
        };
        let lossless = show(name, "nothing lost", cost(Weather::CALM));
        let one = show(name, "1 % lost", cost(lossy(10)));
        let five = show(name, "5 % lost", cost(lossy(50)));
        let displaced = Weather { displaced: 100, most_places: 3, ..Weather::CALM };
        let displaced = show(name, "one in ten displaced", cost(displaced));
        assert!(one.time.median * 2 <= lossless.time.median * 3, "1 %: {one:?}");
        assert!(five.time.median <= lossless.time.median * 3, "5 %: {five:?}");
        assert!(five.packets.median * 2 <= lossless.packets.median * 3, "5 %: {five:?}");
        assert!(displaced.packets.median * 10 <= lossless.packets.median * 11, "{displaced:?}");
    }
}

/// Where every other answer is lost the schedule of RFC 6298 rules: time-outs double, and stay
/// doubled until an answer needs none.
#[test]
#[ignore = "takes long without optimisation: .ci/run runs it in release"]
fn heavy_loss_is_survived() {
    let content = file(100_000);
    for window_size in [1, 16] {
        for percent in [10, 20, 30, 40] {
            let mut ended = 0;
            let cost = spread(100, |seed| {
                let job = Job::new(Opener::Receiver, &content, options(1428, window_size));
                let sim = Sim::ours(job).over(Path::PLAIN, lossy(10 * percent).script(seed)).run();
                ended += u32::from(sim.receiver.received == content);
                (sim.finished_at.map_or(Duration::MAX, |_| sim.time()), sim.packets())
            });
            show("read", &format!("windowsize {window_size}, {percent} % lost"), cost);
            // At 40 % one request in six is never answered: four packets, each lost or its answer.
            assert!(ended >= 75, "{ended} of 100 at {percent} %");
        }
    }
}

/// The same with go-back-N and a fixed timer of one second.
#[test]
#[ignore = "for comparison: .ci/run runs it with the figures"]
fn plain_go_back_n_for_comparison() {
    let content = file(1 << 20);
    for (what, weather) in [
        ("nothing lost", Weather::CALM),
        ("1 % lost", lossy(10)),
        ("5 % lost", lossy(50)),
        ("one in ten displaced", Weather { displaced: 100, most_places: 3, ..Weather::CALM }),
    ] {
        let job = Job::new(Opener::Receiver, &content, options(1428, 16));
        let cost = spread(200, |seed| {
            let receiver = PlainReceiver::new(Style::GoBackN, &job);
            let sim = Sim::new(PlainSender::new(&job), receiver)
                .over(Path::PLAIN, weather.script(seed))
                .run();
            assert!(sim.receiver.received == content, "the file is wrong");
            (sim.time(), sim.packets())
        });
        show("go-back-N", what, cost);
    }
}

fn lossy(per_mille: u64) -> Weather {
    Weather { lost: per_mille, ..Weather::CALM }
}

fn spread(seeds: u64, mut run: impl FnMut(u64) -> (Duration, u64)) -> Cost {
    let (mut times, mut packets): (Vec<_>, Vec<_>) = (0..seeds).map(&mut run).unzip();
    Cost { time: sorted(&mut times), packets: sorted(&mut packets) }
}

fn sorted<T: Ord + Copy>(values: &mut [T]) -> Spread<T> {
    values.sort_unstable();
    Spread { median: values[values.len() / 2], p95: values[values.len() * 95 / 100] }
}

fn show(who: &str, what: &str, cost: Cost) -> Cost {
    let Cost { time, packets } = cost;
    println!(
        "{who:<10} {what:<28} {:>5} ms {:>5} ms {:>8} {:>8}",
        time.median.as_millis(),
        time.p95.as_millis(),
        packets.median,
        packets.p95,
    );
    cost
}
