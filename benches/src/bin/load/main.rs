//! A load generator for TFTP servers: many transfers at once, every byte verified, one line of JSON.
//!
//! ```text
//! tftp-load make /srv/tftp --files 4 --size 1M               the files to ask for
//! tftp-load get 127.0.0.1:69 --clients 1000 --files 4 --size 1M --blksize 1428 --windowsize 4
//! tftp-load put 127.0.0.1:69 --size 256M --windowsize 16 --stored /srv/tftp
//! tftp-load stall 127.0.0.1:69 --clients 5000 --size 1M --per-socket 1000
//! ```
//!
//! It is one thread that runs the machines of tftp-core over sockets with segmentation offload in both
//! directions, acknowledges a window before it verifies it, and so needs less of a processor than any
//! server. Simulated clients (`--per-socket`) share sockets and have an address in 127.1.0.0/16 and
//! above each, so that a hundred thousand need few descriptors.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(target_os = "linux")]
mod endpoint;
#[cfg(target_os = "linux")]
mod fleet;
#[cfg(target_os = "linux")]
mod plan;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    args::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("tftp-load: the measurements need Linux");
}
