//! The raw-UDP floor: the least that a server and a client can spend on the same datagrams on this
//! machine.
//!
//! ```text
//! tftp-floor serve --listen 127.0.0.1:6969 /srv/tftp
//! tftp-floor get 127.0.0.1:6969 file --blksize 1428 --windowsize 64
//! tftp-floor put 127.0.0.1:6969 file
//! ```
//!
//! It answers a request, or sends one, and then does one wake-up, one receive, one positioned read and one segmented
//! send a window, or one positioned write and one ACK; in lock-step it reads 64 KiB ahead. It has no
//! timers, no limits, no checks, no log and no sandbox, loses a transfer that loses a datagram at the
//! wrong moment, and trusts every peer: it is a measure, not a server.

#[cfg(target_os = "linux")]
mod fetch;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod transfer;

/// The least that TFTP can cost on this machine
#[cfg(target_os = "linux")]
#[derive(Debug, clap::Parser)]
#[command(name = "tftp-floor", version)]
enum Command {
    /// Serve a folder until killed
    Serve(serve::Serve),
    /// Read one file
    Get(fetch::Fetch),
    /// Write one file
    Put(fetch::Fetch),
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use tftp_core::Operation;
    match clap::Parser::parse() {
        Command::Serve(serve) => serve::run(serve),
        Command::Get(fetch) => fetch::run(Operation::Read, &fetch),
        Command::Put(fetch) => fetch::run(Operation::Write, &fetch),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("tftp-floor: the measurements need Linux");
}
