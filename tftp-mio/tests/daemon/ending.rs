//! Programs that end by themselves.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use wait_timeout::ChildExt as _;

/// Far above what a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program that is expected to end by itself, and soon: its exit status, and what it wrote.
#[track_caller]
pub(crate) fn run_to_its_end(command: &mut Command) -> (i32, String) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let in_time = child.wait_timeout(PATIENCE).expect("waiting for a child").is_some();
    if !in_time {
        child.kill().expect("a child to end");
    }
    let output = child.wait_with_output().expect("what it wrote");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(in_time, "{command:?} does not end by itself: {said}");
    (output.status.code().expect("an end by itself"), said)
}
