//! Runs the contestants of a workload in turn, and tabulates the medians.

use std::{
    env, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tftp_benches::{Granted, Outcome, Pattern};

use crate::{
    bars::Row,
    install::Programs,
    process::Daemon,
    servers::Server,
    workloads::{Contestant, Load, Workload},
};

/// How often the memory of a server is looked at while it is under load.
const LOOK: Duration = Duration::from_millis(100);

/// The name that the files of a load begin with.
pub(crate) const NAME: &str = "load";

/// What a contestant came to: medians over the rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) bytes: u64,
    pub(crate) transfers: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_kib: f64,
    pub(crate) datagrams: f64,
    pub(crate) requests_repeated: f64,
    /// Datagrams that the server sent again, or was sent again.
    pub(crate) repeats: f64,
    /// What the load generator took.
    pub(crate) load_cpu_seconds: f64,
    pub(crate) granted: Granted,
    pub(crate) calls_per_block: Option<f64>,
    /// What went wrong, if anything did.
    pub(crate) failure: Option<String>,
}

/// One run.
struct Sample {
    outcome: Outcome,
    cpu_seconds: f64,
    peak_kib: u64,
}

impl Figures {
    fn of(load: Load, samples: &[Sample], failure: Option<String>) -> Self {
        let median = |figure: &dyn Fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let count = |count: u64| count as f64;
        Self {
            bytes: load.bytes(),
            transfers: load.transfers.into(),
            seconds: median(&|sample| sample.outcome.seconds),
            cpu_seconds: median(&|sample| sample.cpu_seconds),
            peak_kib: median(&|sample| count(sample.peak_kib)),
            datagrams: median(&|sample| count(sample.outcome.datagrams)),
            requests_repeated: median(&|sample| count(sample.outcome.requests_repeated)),
            repeats: median(&|sample| {
                count(sample.outcome.duplicates + sample.outcome.retransmissions)
            }),
            load_cpu_seconds: median(&|sample| sample.outcome.cpu_seconds),
            granted: samples.first().map(|sample| sample.outcome.granted).unwrap_or_default(),
            calls_per_block: None,
            failure,
        }
    }

    /// Whether every transfer of every round ended well.
    pub(crate) fn is_whole(&self) -> bool {
        self.failure.is_none()
    }

    pub(crate) fn cpu_per_datagram(&self) -> f64 {
        self.cpu_seconds / self.datagrams
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn gib(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 30)
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        values if values.len() % 2 == 1 => values[middle],
        values => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The folder that is served, on tmpfs unless a disk is wanted, with the files of a load in it.
pub(crate) struct Served {
    folder: TempDir,
}

impl Served {
    pub(crate) fn with_files_of(load: Load) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let elsewhere = env::temp_dir();
        Self::beneath(if memory.is_dir() { memory } else { &elsewhere }, load)
    }

    /// The same elsewhere than on tmpfs.
    pub(crate) fn beneath(place: &Path, load: Load) -> io::Result<Self> {
        let folder = TempDir::with_prefix_in("tftp-compare-", place)?;
        if load.operation != "put" {
            let pattern = Pattern::default();
            for file in 0..load.files {
                pattern.write(&folder.path().join(format!("{NAME}-{file}")), file, load.size)?;
            }
        }
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs a workload and returns the figures of its contestants, in their order.
pub(crate) fn workload(
    programs: &Programs,
    workload: &Workload,
    rounds: usize,
    count_calls: bool,
) -> io::Result<Vec<Figures>> {
    let contestants = &workload.contestants;
    let mut samples: Vec<Vec<Sample>> = contestants.iter().map(|_| Vec::new()).collect();
    let mut failures: Vec<Option<String>> = vec![None; contestants.len()];
    let first = contestants.first().ok_or_else(|| io::Error::other("nobody takes part"))?;
    let served = Served::with_files_of(first.load)?;
    for round in 0..rounds {
        for step in 0..contestants.len() {
            // Everybody begins a round once.
            let index = (round + step) % contestants.len();
            let contestant = &contestants[index];
            if failures[index].is_some() {
                continue;
            }
            eprint!("\r{}: round {}, {:20}", workload.name, round + 1, contestant.label);
            match run(programs, contestant, &served) {
                Ok(sample) if sample.outcome.failed == 0 => samples[index].push(sample),
                Ok(sample) => failures[index] = Some(sample.outcome.what_failed()),
                Err(error) => failures[index] = Some(error.to_string()),
            }
        }
    }
    let mut figures: Vec<Figures> = contestants
        .iter()
        .zip(&samples)
        .zip(failures)
        .map(|((contestant, samples), failure)| Figures::of(contestant.load, samples, failure))
        .collect();
    if count_calls {
        for (contestant, figures) in contestants.iter().zip(&mut figures) {
            if figures.is_whole() {
                eprint!("\r{}: strace, {:20}", workload.name, contestant.label);
                match calls_per_block(programs, contestant) {
                    Ok(calls) => figures.calls_per_block = Some(calls),
                    Err(error) => eprintln!("\rno system calls counted: {error}"),
                }
            }
        }
    }
    eprint!("\r{:60}\r", "");
    Ok(figures)
}

fn run(programs: &Programs, contestant: &Contestant, served: &Served) -> io::Result<Sample> {
    let daemon =
        Daemon::start(served.path(), |port| command(programs, contestant, port, served.path()))?;
    let before = daemon.cpu_seconds();
    let mut peak_kib = 0;
    let mut client = load(programs, contestant.load, &daemon, served.path())?;
    while client.try_wait()?.is_none() {
        peak_kib = peak_kib.max(daemon.peak_kib());
        thread::sleep(LOOK);
    }
    let outcome = outcome(client)?;
    let cpu_seconds = daemon.settled_cpu_seconds() - before;
    peak_kib = peak_kib.max(daemon.peak_kib());
    daemon.stop()?;
    if contestant.load.operation == "put" {
        for file in fs::read_dir(served.path())?.flatten() {
            fs::remove_file(file.path())?;
        }
    }
    Ok(Sample { outcome, cpu_seconds, peak_kib })
}

pub(crate) fn command(
    programs: &Programs,
    contestant: &Contestant,
    port: u16,
    root: &Path,
) -> (std::net::SocketAddr, Command) {
    let address = contestant.server.address(port);
    let mut command = contestant.server.command(programs, address, root);
    command.args(contestant.arguments);
    (address, command)
}

/// The load generator, begun.
pub(crate) fn load(
    programs: &Programs,
    load: Load,
    daemon: &Daemon,
    root: &Path,
) -> io::Result<Child> {
    let mut command = Command::new(programs.our("tftp-load"));
    command.arg(load.operation).arg(daemon.address.to_string());
    for (option, value) in [
        ("--size", load.size),
        ("--files", load.files.into()),
        ("--clients", load.clients.into()),
        ("--transfers", load.transfers.into()),
        ("--blksize", load.blksize.into()),
        ("--windowsize", load.windowsize.into()),
        ("--per-socket", load.per_socket.into()),
        ("--waiting", load.waiting.into()),
        ("--patience", 120),
    ] {
        command.args([option, &value.to_string()]);
    }
    if load.busy_poll {
        command.arg("--busy-poll");
    }
    if load.operation == "put" {
        command.arg("--stored").arg(root);
    }
    command.args(["--name", NAME]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

/// What it came to, once it has ended.
pub(crate) fn outcome(mut client: Child) -> io::Result<Outcome> {
    let mut line = String::new();
    if let Some(mut stdout) = client.stdout.take() {
        stdout.read_to_string(&mut line)?;
    }
    client.wait()?;
    Ok(serde_json::from_str(&line)?)
}

/// System calls a block, of a shorter load; what starting and stopping takes is not counted.
fn calls_per_block(programs: &Programs, contestant: &Contestant) -> io::Result<f64> {
    let load = contestant.load.shortened();
    let served = Served::with_files_of(load)?;
    let idle = Contestant { load: Load { transfers: 0, ..load }, ..contestant.clone() };
    let started = calls(programs, &idle, &served)?;
    let all = calls(programs, &Contestant { load, ..contestant.clone() }, &served)?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(all.saturating_sub(started) as f64 / load.blocks() as f64)
}

/// All system calls of a server from its start to its end.
fn calls(programs: &Programs, contestant: &Contestant, served: &Served) -> io::Result<u64> {
    let counts: PathBuf = served.path().join("strace");
    let daemon = Daemon::start_watched(served.path(), |port| {
        let (address, watched) = command(programs, contestant, port, served.path());
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&counts);
        strace.arg(watched.get_program()).args(watched.get_args());
        if let Some(folder) = watched.get_current_dir() {
            strace.current_dir(folder);
        }
        for (key, value) in watched.get_envs() {
            strace.env(key, value.unwrap_or_default());
        }
        (address, strace)
    })?;
    if contestant.load.transfers > 0 {
        let outcome = outcome(load(programs, contestant.load, &daemon, served.path())?)?;
        if outcome.failed > 0 {
            let why = outcome.what_failed();
            return Err(io::Error::other(format!("{} under strace: {why}", contestant.label)));
        }
    }
    daemon.stop()?;
    let counts = fs::read_to_string(counts)?;
    let total = counts.lines().rev().find_map(|line| line.trim().strip_suffix("total"));
    total
        .and_then(|count| count.trim().parse().ok())
        .ok_or_else(|| io::Error::other("strace does not say how many calls"))
}

/// Prints the figures as a table in Markdown.
pub(crate) fn print(
    out: &mut impl io::Write,
    workload: &Workload,
    rows: &[Row<'_>],
) -> io::Result<()> {
    writeln!(out, "### {}: {}\n", workload.name, workload.title)?;
    let many = rows.iter().any(|(_, figures)| figures.transfers > 1);
    let work = if many { "transfers/s | CPU us/transfer" } else { "MB/s | CPU s/GiB" };
    writeln!(
        out,
        "| server | {work} | calls/block | peak MiB | requests repeated | repeats | load's CPU s | granted |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|---|")?;
    for (contestant, figures) in rows {
        let label = &contestant.label;
        if let Some(failure) = &figures.failure {
            writeln!(out, "| {label} | failed: {failure} | | | | | | | |")?;
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (rate, cpu) = if many {
            let transfers = figures.transfers as f64;
            (transfers / figures.seconds, figures.cpu_seconds * 1e6 / transfers)
        } else {
            (figures.bytes as f64 / 1e6 / figures.seconds, figures.cpu_seconds / figures.gib())
        };
        let calls = figures.calls_per_block.map(|calls| format!("{calls:.3}")).unwrap_or_default();
        writeln!(
            out,
            "| {label} | {rate:.0} | {cpu:.2} | {calls} | {:.1} | {:.0} | {:.0} | {:.2} | {}x{} |",
            figures.peak_kib / 1024.0,
            figures.requests_repeated,
            figures.repeats,
            figures.load_cpu_seconds,
            figures.granted.blksize,
            figures.granted.windowsize,
        )?;
    }
    writeln!(out)
}

/// Prints how each bar was taken. Returns whether all were.
pub(crate) fn print_bars(
    out: &mut impl io::Write,
    workload: &Workload,
    rows: &[Row<'_>],
) -> io::Result<bool> {
    let mut all_met = true;
    for bar in &workload.bars {
        let verdict = bar.judge(rows);
        writeln!(out, "- {}: {}", if verdict.met { "met" } else { "NOT MET" }, verdict.text)?;
        all_met &= verdict.met;
    }
    let ours = rows.iter().filter(|(contestant, _)| contestant.server == Server::Ours);
    for failure in ours.filter_map(|(_, figures)| figures.failure.as_ref()) {
        writeln!(out, "- NOT MET: a transfer of ours failed: {failure}")?;
        all_met = false;
    }
    writeln!(out)?;
    Ok(all_met)
}
