//! Measurements. `cargo bench -p tftp-benches` runs those of tftp-core, in memory and without I/O;
//! `cargo run --release -p tftp-benches --bin instructions` counts its instructions. The programs
//! `tftp-load`, `tftp-floor` and `tftp-compare` measure servers and clients over loopback; each says
//! at its top how.

mod arguments;
mod outcome;
mod pattern;
pub mod scenarios;

pub use arguments::{block_size, window_size};
pub use outcome::{Granted, Latency, Outcome};
pub use pattern::Pattern;
