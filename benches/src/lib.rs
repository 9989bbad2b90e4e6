//! Measurements: what the load generator, the floor and the comparison share.

mod outcome;
mod pattern;

pub use outcome::{Granted, Latency, Outcome};
pub use pattern::Pattern;
