//! What a transfer costs in memory that has stalled.

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
pub(crate) const TITLE: &str = "memory of 5,000 transfers that have stalled";

/// KiB of our server's memory for each transfer, and with the kernel's.
const BARS: [f64; 2] = [0.5, 3.5];

/// Measures, prints, and returns whether the bars were met.
///
/// The clients share sockets, so that what the kernel has more of is the server's.
pub(crate) fn hold(programs: &Programs, quick: bool) -> io::Result<bool> {
    let clients: u32 = if quick { 100 } else { 5000 };
    let load = Load { files: 1, size: 1 << 20, ..all()[0].contestants[0].load };
    let served = Served::with_files_of(load)?;
    let daemon = Daemon::start(served.path(), |port| {
        let address = Server::Ours.address(port);
        (address, Server::Ours.command(programs, address, served.path()))
    })?;
    // What one transfer at a time leaves behind is not the stalled ones'.
    let mut stalled = stall(programs, &daemon, 64)?;
    drop(stalled.stdin.take());
    stalled.wait()?;

    let before = (status_kib(daemon.pid(), "RssAnon"), kernel_kib()?);
    let mut stalled = stall(programs, &daemon, clients)?;
    let after = (status_kib(daemon.pid(), "RssAnon"), kernel_kib()?);
    drop(stalled.stdin.take());
    stalled.wait()?;
    daemon.stop()?;

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / f64::from(clients);
    let user = each(before.0, after.0);
    let both = user + each(before.1, after.1);
    println!("### {NAME}: {TITLE}\n");
    println!("| | KiB a transfer | at most |\n|---|---:|---:|");
    println!("| the server's | {user:.2} | {} |", BARS[0]);
    println!("| with the kernel's | {both:.2} | {} |\n", BARS[1]);
    let met = quick || (user <= BARS[0] && both <= BARS[1]);
    println!("- {}\n", if met { "met" } else { "NOT MET" });
    Ok(met)
}

/// Opens transfers that stall, and returns once all have.
fn stall(programs: &Programs, daemon: &Daemon, clients: u32) -> io::Result<std::process::Child> {
    let mut load = Command::new(programs.our("tftp-load"))
        .args(["stall", &daemon.address.to_string(), "--size", "1M", "--name", "load"])
        .args(["--clients", &clients.to_string(), "--per-socket", "500", "--waiting", "500"])
        .args(["--blksize", "1428"])
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
