//! The comparison: our programs, the raw-UDP floor and the programs of others, side by side.
//!
//! ```text
//! cargo build --release --workspace
//! cargo run --release -p tftp-benches --bin tftp-compare                      everything, half an hour
//! cargo run --release -p tftp-benches --bin tftp-compare -- get-1428x16       one workload
//! cargo run --release -p tftp-benches --bin tftp-compare -- --list            their names
//! ```
//!
//! It runs every contestant once a round, the rounds after each other, and compares medians; each run
//! has a fresh server and the load generator `tftp-load` as its client, which verifies every byte.
//! System calls are counted by strace in a run of their own. The bars of a workload are printed below
//! its table; a bar that is not met, or a transfer of ours that failed, makes the exit status 1.
//!
//! The servers of others are unpacked from Debian by `.ci/peers.sh` and installed from crates.io into
//! `target`, at the first run. It wants root, for dnsmasq listens on port 69, tftpd-hpa enters a chroot
//! and large socket buffers are asked for; and an otherwise quiet machine.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod bars;
#[cfg(target_os = "linux")]
mod clients;
#[cfg(target_os = "linux")]
mod cold;
#[cfg(target_os = "linux")]
mod install;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod pulse;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod workloads;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    args::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("tftp-compare: the measurements need Linux");
}
