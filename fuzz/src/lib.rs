//! The properties stand beside the other tests of tftp-core, where an ordinary test replays the
//! corpora. With a fuzzer:
//!
//! ```text
//! cargo +nightly fuzz run sender -- -max_total_time=60
//! ```

#[path = "../../tftp-core/tests/fuzz/mod.rs"]
mod properties;

pub use properties::*;
