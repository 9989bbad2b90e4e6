//! Local ends that hold the program up, and signals that end it all the same.
#![cfg(target_os = "linux")]

mod common;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use common::{Run, Server, kill, spawn};
use tempfile::tempdir;
use wait_timeout::ChildExt as _;

/// Longer than anything here takes; only a test that fails ever waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_signal_ends_a_program_whose_standard_output_nobody_reads() {
    for (signal, status) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let folder = tempdir().unwrap();
        let server = Server::start(|listener| {
            let (_, mut peer) = listener.accept_any();
            peer.send(b"\0\x06blksize\x0040960\0");
            peer.expect_ack(0);
            peer.send_data(1, &vec![0; 40960]);
            peer.expect_ack(1);
            peer.send_data(2, &vec![0; 40960]);
        });
        let args = ["-b", "40960", "127.0.0.1", &server.port, "-c", "get a -"];
        let mut child = spawn(folder.path(), args);
        let unread = child.stdout.take().unwrap();
        // What a pipe holds, which is less than two blocks: the rest waits in a write.
        let began = Instant::now();
        while rustix::io::ioctl_fionread(&unread).unwrap() < 65536 {
            assert!(began.elapsed() < PATIENCE, "not in time");
            thread::yield_now();
        }
        kill(signal, &child);
        let ended = child.wait_timeout(PATIENCE).unwrap();
        // One that has not ended goes on with its write.
        drop(unread);
        assert_eq!(ended.and_then(|ended| ended.code()), Some(status));
        server.finish();
    }
}

#[test]
fn an_interrupt_ends_the_wait_for_a_reader_of_a_pipe_before_anything_is_asked() {
    let folder = tempdir().unwrap();
    let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status();
    assert!(made.unwrap().success());
    let server = Server::start(|_| ());
    let args = ["-v", "127.0.0.1", &server.port, "-c", "get a pipe"];
    let mut child = spawn(folder.path(), args);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("opening pipe\n") {
        assert!(said.read_line(&mut line).unwrap() > 0, "{line}");
    }
    kill("-INT", &child);
    if child.wait_timeout(PATIENCE).unwrap().is_none() {
        child.kill().unwrap();
    }
    let mut end = String::new();
    said.read_to_string(&mut end).unwrap();
    assert_eq!(end, "tftp: interrupted\n");
    Run::of(child).ends_with(130);
    server.finish();
}
