//! What transfers cost, as a table that is checked in: a change of behaviour shows as a diff.
//!
//! ```text
//! NETSIM_TABLE=write cargo test -p tftp-core --test netsim_table
//! ```
//!
//! writes it anew. Look at the diff before you commit it: fewer packets and less time are better.

mod netsim;

use std::{fmt::Write, fs};

use netsim::{Job, Opener, Path, Sim, Weather, file, options};

const TABLE: &str = "tests/netsim_table.txt";

const HEAD: &str = "\
128 blocks of 512 bytes, a round trip of 10 ms, the median of 9 seeds: datagrams sent by both, and
milliseconds until both know that the transfer is over. Lost, displaced (by up to three places) and
doubled (the second one up to 5 ms later): datagrams in a hundred, both ways.

windowsize lost displaced doubled   read packets       ms   write packets       ms
";

#[test]
fn what_transfers_cost_is_what_the_table_says() {
    let table = table();
    if std::env::var_os("NETSIM_TABLE").is_some_and(|value| value == "write") {
        fs::write(TABLE, &table).expect("the table is written");
        return;
    }
    let expected = fs::read_to_string(TABLE).expect("the table is checked in");
    let mut differences = String::new();
    for (is, was) in table.lines().zip(expected.lines()).filter(|(is, was)| is != was) {
        write!(differences, "-{was}\n+{is}\n").unwrap();
    }
    assert!(table == expected, "{HEAD}{differences}");
}

fn table() -> String {
    let content = file(128 * 512 - 100);
    let mut table = HEAD.to_owned();
    for window_size in [1, 4, 16, 64] {
        for lost in [0, 1, 5] {
            for displaced in [0, 10] {
                for doubled in [0, 5] {
                    let weather = Weather {
                        lost: 10 * lost,
                        displaced: 10 * displaced,
                        doubled: 10 * doubled,
                        most_delay: Path::PLAIN.latency,
                        ..Weather::CALM
                    };
                    write!(table, "{window_size:10} {lost:4} {displaced:9} {doubled:7}").unwrap();
                    for opener in [Opener::Receiver, Opener::Sender] {
                        let job = Job::new(opener, &content, options(512, window_size));
                        let (packets, micros) = cost(job, weather);
                        let (ms, tenths) = (micros / 1000, micros / 100 % 10);
                        write!(table, "{packets:15} {ms:6}.{tenths}").unwrap();
                    }
                    table.push('\n');
                }
            }
        }
    }
    table
}

/// The medians of packets and of microseconds.
fn cost(job: Job<'_>, weather: Weather) -> (u64, u128) {
    let (mut packets, mut times): (Vec<_>, Vec<_>) = (0..9)
        .map(|seed| {
            let sim = Sim::ours(job).over(Path::PLAIN, weather.script(seed)).run();
            sim.assert_received(job.file);
            (sim.packets(), sim.time().as_micros())
        })
        .unzip();
    packets.sort_unstable();
    times.sort_unstable();
    (packets[4], times[4])
}
