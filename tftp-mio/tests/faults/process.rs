//! What the system says of a process.

use std::{fs, time::Duration};

use crate::server::Server;

/// Bytes of memory that it has for itself.
#[track_caller]
pub(crate) fn memory(server: &Server) -> usize {
    let kib = field(&read(server, "status"), "RssAnon:");
    kib * 1024
}

/// How many descriptors it has.
#[track_caller]
pub(crate) fn descriptors(server: &Server) -> usize {
    let folder = format!("/proc/{}/fd", server.id());
    fs::read_dir(folder).expect("a process that runs").count()
}

/// Processor time that it has used.
#[track_caller]
pub(crate) fn processor_time(server: &Server) -> Duration {
    /// Linux counts in these, whatever its own clock is.
    const TICK: Duration = Duration::from_millis(10);
    let stat = read(server, "stat");
    let (_, fields) = stat.rsplit_once(") ").expect("the name in brackets");
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>);
    ticks.map(|ticks| TICK * ticks.expect("a number")).sum()
}

#[track_caller]
fn read(server: &Server, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", server.id())).expect("a process that runs")
}

#[track_caller]
fn field(text: &str, name: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a known field");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
