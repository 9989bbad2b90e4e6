//! What must hold for any input. Each module is one fuzz target; its `check` panics where the
//! property does not hold. `cargo test --lib` replays the corpora without a fuzzer:
//!
//! ```text
//! cargo +nightly fuzz run sender -- -max_total_time=60
//! cargo test --manifest-path fuzz/Cargo.toml --lib
//! ```

pub mod negotiation;
pub mod netascii;
pub mod packet;
pub mod pair;
pub mod receiver;
mod script;
pub mod sender;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn the_corpora_hold() {
        let targets: [(&str, fn(&[u8])); 6] = [
            ("packet", super::packet::check),
            ("negotiation", super::negotiation::check),
            ("netascii", super::netascii::check),
            ("sender", super::sender::check),
            ("receiver", super::receiver::check),
            ("pair", super::pair::check),
        ];
        for (target, check) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
            let mut seeds = 0;
            for seed in fs::read_dir(&folder).expect("every target has a corpus") {
                let path = seed.expect("a readable corpus").path();
                println!("{}", path.display());
                check(&fs::read(path).expect("a readable seed"));
                seeds += 1;
            }
            assert!(seeds > 0, "{target} has no seed");
        }
    }
}
