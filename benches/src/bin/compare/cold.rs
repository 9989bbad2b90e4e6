//! Whether files that must come from a disk hold up a transfer that needs none.

use std::{
    fs::{self, File},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Advice, FsWord, fadvise, statfs};
use tftp_benches::Latency;

use crate::{
    install::Programs,
    process::Daemon,
    pulse::Pulse,
    run::{self, Served, median},
    workloads::{Contestant, Load, MIB},
};

pub(crate) const NAME: &str = "cold";
pub(crate) const TITLE: &str = "a transfer in lock-step beside readers of 16 files of 32 MiB, blksize \
                                1428, windowsize 16, that must come from a disk";

/// What `statfs` says of tmpfs.
const TMPFS: FsWord = 0x0102_1994;

/// Who reads beside the transfer in lock-step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    /// Readers of files that no memory holds.
    Cold,
    /// The same readers when memory holds them: processors are as busy, or more.
    Warm,
}

impl Beside {
    /// In this order: who reads cold files leaves warm ones.
    const ALL: [Self; 3] = [Self::Nobody, Self::Cold, Self::Warm];

    fn label(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Cold => "readers of cold files",
            Self::Warm => "readers of the same files, warm",
        }
    }
}

/// What was seen of the transfer in lock-step, and of who read beside it.
struct Sample {
    gaps: Latency,
    blocks_per_second: f64,
    megabytes_per_second: f64,
    from_disk: f64,
}

/// Measures and prints.
pub(crate) fn hold(
    programs: &Programs,
    contestants: &[Contestant],
    disk: &Path,
    rounds: usize,
) -> io::Result<()> {
    if statfs(disk)?.f_type == TMPFS {
        let folder = disk.display();
        return Err(io::Error::other(format!("{folder} is memory, no disk: name one by --disk")));
    }
    let Some(Contestant { load, .. }) = contestants.first() else { return Ok(()) };
    let served = Served::beneath(disk, *load)?;
    Pulse::write_file(served.path())?;
    let mut samples: Vec<Vec<[Sample; 3]>> = contestants.iter().map(|_| Vec::new()).collect();
    let mut failures: Vec<Option<String>> = vec![None; contestants.len()];
    for round in 0..rounds {
        for step in 0..contestants.len() {
            // Everybody begins a round once.
            let index = (round + step) % contestants.len();
            if failures[index].is_some() {
                continue;
            }
            eprint!("\r{NAME}: round {}, {:20}", round + 1, contestants[index].label);
            match watch(programs, &contestants[index], &served) {
                Ok(seen) => samples[index].push(seen),
                Err(error) => failures[index] = Some(error.to_string()),
            }
        }
    }
    eprint!("\r{:60}\r", "");
    println!("### {NAME}: {TITLE}\n");
    println!(
        "| server | beside | blocks/s | 99.9 % of the gaps, ms | longest gap, ms | readers, MB/s | from disk, MiB |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for ((contestant, samples), failure) in contestants.iter().zip(&samples).zip(failures) {
        let label = &contestant.label;
        if let Some(failure) = failure {
            println!("| {label} | failed: {failure} | | | | | |");
            continue;
        }
        for (at, beside) in Beside::ALL.into_iter().enumerate() {
            print(label, beside, &samples.iter().map(|seen| &seen[at]).collect::<Vec<_>>(), load);
        }
    }
    println!();
    Ok(())
}

/// A line of the table: medians of the rounds, and the longest gap of all of them.
fn print(label: &str, beside: Beside, samples: &[&Sample], load: &Load) {
    let of = |figure: fn(&Sample) -> f64| samples.iter().map(|sample| figure(sample)).collect();
    let most = of(|sample| sample.gaps.p99_9);
    let longest = samples.iter().map(|sample| sample.gaps.max).fold(0.0, f64::max);
    let from_disk = median(of(|sample| sample.from_disk));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let not_cold = beside == Beside::Cold && from_disk < (load.bytes() / MIB) as f64;
    println!(
        "| {label} | {} | {:.0} | {:.3} | {longest:.3} | {:.0} | {from_disk:.0}{} |",
        beside.label(),
        median(of(|sample| sample.blocks_per_second)),
        median(most),
        median(of(|sample| sample.megabytes_per_second)),
        if not_cold { ", **not cold**" } else { "" },
    );
}

/// One round of a server.
fn watch(programs: &Programs, contestant: &Contestant, served: &Served) -> io::Result<[Sample; 3]> {
    let daemon = Daemon::start(served.path(), |port| {
        run::command(programs, contestant, port, served.path())
    })?;
    let pulse = Pulse::start(daemon.address)?;
    let seen = |beside| {
        if beside == Beside::Cold {
            drop_from_memory(served.path())?;
        }
        let (before, began) = (kib_from_disks()?, Instant::now());
        let (megabytes_per_second, gaps) = pulse.during(|| {
            if beside == Beside::Nobody {
                thread::sleep(Duration::from_secs(1));
                return Ok(0.0);
            }
            let readers = run::load(programs, contestant.load, &daemon, served.path())?;
            let outcome = run::outcome(readers)?;
            if outcome.failed > 0 {
                return Err(io::Error::other(outcome.what_failed()));
            }
            Ok(outcome.megabytes_per_second)
        })?;
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (from_disk, blocks) = ((kib_from_disks()? - before) as f64 / 1024.0, gaps.len() as f64);
        let blocks_per_second = blocks / began.elapsed().as_secs_f64();
        let gaps = Latency::of(gaps);
        Ok::<_, io::Error>(Sample { gaps, blocks_per_second, megabytes_per_second, from_disk })
    };
    let [nobody, cold, warm] = Beside::ALL.map(seen);
    let stopped = pulse.stop();
    daemon.stop()?;
    let seen = [nobody?, cold?, warm?];
    stopped?;
    Ok(seen)
}

/// Has the system forget the content of all files that the readers read.
fn drop_from_memory(folder: &Path) -> io::Result<()> {
    for file in fs::read_dir(folder)?.flatten() {
        if file.file_name().as_encoded_bytes().starts_with(run::NAME.as_bytes()) {
            let file = File::open(file.path())?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// What the system has read from all its disks so far.
fn kib_from_disks() -> io::Result<u64> {
    let counts = fs::read_to_string("/proc/vmstat")?;
    let read = counts.lines().find_map(|line| line.strip_prefix("pgpgin "));
    read.and_then(|kib| kib.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/vmstat does not say what was read"))
}
