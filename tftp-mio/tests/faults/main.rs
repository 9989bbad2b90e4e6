//! `tftpd` in a hostile and faulty world: bad networks, floods, clients that vanish, servers that are
//! killed, and minutes of everything at once.
//!
//! The tests that are ignored take minutes or need root; `.ci/run` runs them too, or by hand:
//! `cargo test -p tftp-mio --test faults -- --ignored`.
#![cfg(target_os = "linux")]

mod amplification;
mod chance;
mod exhausted;
mod floods;
mod forged;
mod memory;
#[expect(dead_code, reason = "shared with the tests in ../daemon, which use all of it")]
#[path = "../daemon/peer.rs"]
mod peer;
mod process;
mod proxy;
#[path = "../support/tftpd.rs"]
mod server;
mod soak;
mod vanishing;
mod weather;
