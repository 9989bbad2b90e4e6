//! Measurements. `cargo bench -p tftp-benches` runs those of tftp-core, in memory and without I/O;
//! `cargo run --release -p tftp-benches --bin instructions` counts its instructions. The programs
//! `tftp-load`, `tftp-floor` and `tftp-compare` measure servers and clients over loopback; each says
//! at its top how.

#[cfg(target_os = "linux")]
mod descriptors;
mod outcome;
mod pattern;
pub mod scenarios;

#[cfg(target_os = "linux")]
pub use descriptors::raise_descriptor_limit;
pub use outcome::{Granted, Latency, Outcome};
pub use pattern::Pattern;
