//! The raw-UDP floor: the least that a server can spend on the same datagrams on this machine.
//!
//! ```text
//! tftp-floor --listen 127.0.0.1:6969 /srv/tftp
//! ```
//!
//! It answers requests and then does one wake-up, one receive, one positioned read and one segmented
//! send a window, or one positioned write and one ACK; in lock-step it reads 64 KiB ahead. It has no
//! timers, no limits, no checks, no log and no sandbox, loses a transfer that loses a datagram at the
//! wrong moment, and trusts every peer: it is a measure, not a server.

#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod transfer;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    serve::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("tftp-floor: the measurements need Linux");
}
