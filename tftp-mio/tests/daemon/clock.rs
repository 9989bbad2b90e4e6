//! The time of day may be set at any moment: transfers go by a clock of their own.

use std::{
    fs,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, oack, rrq},
    preload::preload,
    server::{Server, command},
};

/// A year back and forth at every look: nothing is sent sooner or later, and nobody given up.
#[test]
fn steps_of_the_clock_disturb_no_transfer() {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), content(1000)).expect("a file to serve");
    let mut command = command([""; 0]);
    let _code = preload(&mut command, "stepping.c", ("STEP", "31536000"));
    command.arg(root.path());
    let server = Server::run(root, command);

    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "1")]));
    peer.expect_next(oack(&[("timeout", "1")]));
    let waited = Instant::now();
    peer.expect_next(oack(&[("timeout", "1")]));
    let waited = waited.elapsed();
    assert!((800..9000).contains(&waited.as_millis()), "{waited:?}");
    peer.send(ack(0));
    peer.expect(data(1, &content(1000)[..512]));
    assert_eq!(peer.receive_within(Duration::from_millis(300)), None);
    peer.send(ack(1));
    peer.expect(data(2, &content(1000)[512..]));
    peer.send(ack(2));
    let line = server.log_line("name=\"file\"");
    assert!(line.contains("outcome=\"completed\""), "{line}");
    let (_, seconds) = line.split_once(" seconds=").expect("the time that it took");
    let seconds: f64 =
        seconds.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    assert!((1.0..30.0).contains(&seconds), "{line}");

    // The clock of the log does jump.
    let log = server.stop();
    let years: std::collections::BTreeSet<&str> =
        log.lines().filter_map(|line| line.get(..4)).collect();
    assert!(years.len() > 1, "{log}");
}
