//! Measurements. `cargo bench -p tftp-benches` runs those of tftp-core, in memory and without I/O.
