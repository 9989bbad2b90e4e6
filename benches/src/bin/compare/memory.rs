//! What a transfer costs in memory whose client has fallen silent.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::{
    install::Programs,
    process::{Daemon, status_kib},
    run::Served,
    servers::Server,
    workloads::{Load, all},
};

pub(crate) const NAME: &str = "stalled";
pub(crate) const TITLE: &str = "memory of 5,000 transfers whose clients have fallen silent";

/// KiB of our server's memory for each transfer, and with the kernel's.
const BARS: [f64; 2] = [0.5, 3.5];

/// How far the clients go before they say no more, and the option for it.
const SILENCES: [(&str, &[&str]); 2] =
    [("after the first block", &[]), ("to the first answer", &["--half-open"])];

/// Measures, prints, and returns whether the bars were met.
///
/// The clients share sockets, so that what the kernel has more of is the server's.
pub(crate) fn hold(programs: &Programs, quick: bool) -> io::Result<bool> {
    println!("### {NAME}: {TITLE}\n");
    println!("| silent | KiB of the server's each | with the kernel's |\n|---|---:|---:|");
    let mut met = true;
    for (silence, options) in SILENCES {
        let [user, both] = weigh(programs, options, quick)?;
        println!("| {silence} | {user:.2} | {both:.2} |");
        met &= quick || (user <= BARS[0] && both <= BARS[1]);
    }
    println!("\n- {}: at most {} and {}\n", if met { "met" } else { "NOT MET" }, BARS[0], BARS[1]);
    Ok(met)
}

/// KiB that each transfer costs, of the server's and with the kernel's.
fn weigh(programs: &Programs, options: &[&str], quick: bool) -> io::Result<[f64; 2]> {
    let clients: u32 = if quick { 100 } else { 5000 };
    let load = Load { files: 1, size: 1 << 20, ..all()[0].contestants[0].load };
    let served = Served::with_files_of(load)?;
    let daemon = Daemon::start(served.path(), |port| {
        let address = Server::Ours.address(port);
        (address, Server::Ours.command(programs, address, served.path()))
    })?;
    // What one transfer at a time leaves behind is not the silent ones'.
    let mut silent = stall(programs, &daemon, 64, &[])?;
    drop(silent.stdin.take());
    silent.wait()?;

    let before = (status_kib(daemon.pid(), "RssAnon"), kernel_kib()?);
    let mut silent = stall(programs, &daemon, clients, options)?;
    let after = (status_kib(daemon.pid(), "RssAnon"), kernel_kib()?);
    drop(silent.stdin.take());
    silent.wait()?;
    daemon.stop()?;

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / f64::from(clients);
    let user = each(before.0, after.0);
    Ok([user, user + each(before.1, after.1)])
}

/// Opens transfers that stall, and returns once all have.
fn stall(
    programs: &Programs,
    daemon: &Daemon,
    clients: u32,
    options: &[&str],
) -> io::Result<std::process::Child> {
    let mut load = Command::new(programs.our("tftp-load"))
        .args(["stall", &daemon.address.to_string(), "--size", "1M", "--name", "load"])
        .args(["--clients", &clients.to_string(), "--per-socket", "500", "--waiting", "500"])
        .args(["--blksize", "1428"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = load.stdout.as_mut().ok_or_else(|| io::Error::other("no pipe"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.contains("stalled") {
        return Ok(load);
    }
    Err(io::Error::other("the load generator could not open its transfers"))
}

/// What the kernel keeps in slabs: sockets, files, poll entries.
fn kernel_kib() -> io::Result<u64> {
    let info = fs::read_to_string("/proc/meminfo")?;
    let slab = info.lines().find_map(|line| line.strip_prefix("Slab:"));
    slab.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/meminfo does not say"))
}
