//! Measurements: what the load generator, the floor and the comparison share, and the scenarios of
//! tftp-core's own, which run in memory and without I/O.
//!
//! `cargo bench -p tftp-benches` times the scenarios, `cargo run --release -p tftp-benches --bin
//! instructions` counts their instructions.

mod outcome;
mod pattern;
pub mod scenarios;

pub use outcome::{Granted, Latency, Outcome};
pub use pattern::Pattern;
