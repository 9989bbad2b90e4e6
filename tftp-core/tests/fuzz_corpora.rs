//! The seeds of the fuzz targets, and what fuzzing has found: each is an input that must hold.

mod fuzz;

use std::{fs, path::Path};

#[test]
fn packet() {
    replay("packet", fuzz::packet::check);
}

#[test]
fn negotiation() {
    replay("negotiation", fuzz::negotiation::check);
}

#[test]
fn netascii() {
    replay("netascii", fuzz::netascii::check);
}

#[test]
fn sender() {
    replay("sender", fuzz::sender::check);
}

#[test]
fn receiver() {
    replay("receiver", fuzz::receiver::check);
}

#[test]
fn pair() {
    replay("pair", fuzz::pair::check);
}

#[test]
fn every_target_is_replayed() {
    let targets = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets"));
    let mut targets: Vec<_> = targets
        .expect("the targets are there")
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, ["negotiation", "netascii", "packet", "pair", "receiver", "sender"]);
}

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut seeds = 0;
    for seed in fs::read_dir(&folder).expect("every target has a corpus") {
        let path = seed.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0, "{target} has no seed");
}
