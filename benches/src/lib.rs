//! Measurements. `cargo bench -p tftp-benches` runs those of tftp-core, in memory and without I/O;
//! `cargo run --release -p tftp-benches --bin instructions` counts its instructions.

pub mod scenarios;
