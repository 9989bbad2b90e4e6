//! Signals end the program: in a transfer, between two, and while it waits for commands.
#![cfg(unix)]

mod common;

use std::io::{Read as _, Write as _};

use common::{Run, Server, entries, kill, spawn};
use tempfile::tempdir;

#[test]
fn a_signal_tells_the_server_and_leaves_nothing_behind() {
    for (signal, status, said) in [
        ("-INT", 130, "tftp: get a: interrupted\n"),
        ("-TERM", 143, "tftp: terminated\n"),
        ("-HUP", 129, "tftp: hung up\n"),
    ] {
        let folder = tempdir().unwrap();
        let (server, running) = Server::stalling();
        let args = ["--no-options", "127.0.0.1", &server.port, "-c", "get", "a"];
        let child = spawn(folder.path(), args);
        running.recv().unwrap();
        kill(signal, &child);
        let run = Run::of(child).ends_with(status);
        server.finish();
        assert_eq!(run.stderr, said);
        assert!(entries(folder.path()).is_empty());
    }
}

#[test]
fn a_terminated_script_does_not_go_on() {
    // `finish` fails on a second request.
    let folder = tempdir().unwrap();
    let (server, running) = Server::stalling();
    let args = ["--no-options", "--keep-going", "127.0.0.1", &server.port];
    let mut child = spawn(folder.path(), args);
    child.stdin.take().unwrap().write_all(b"bogus\nget a\nget b\n").unwrap();
    running.recv().unwrap();
    kill("-TERM", &child);
    let run = Run::of(child).ends_with(143);
    server.finish();
    assert!(run.stderr.ends_with("tftp: line 2: terminated\n"), "{}", run.stderr);
}

#[test]
fn a_signal_ends_a_program_that_waits_for_commands() {
    for (signal, status) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let folder = tempdir().unwrap();
        let mut child = spawn(folder.path(), ["127.0.0.1"]);
        // Its answer proves that the program hears signals.
        child.stdin.as_mut().unwrap().write_all(b"mode\n").unwrap();
        let mut answer = [0; 11];
        child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"mode octet\n");
        let input = child.stdin.take();
        kill(signal, &child);
        Run::of(child).ends_with(status);
        drop(input);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_transfer_under_nohup_outlives_its_terminal() {
    let folder = tempdir().unwrap();
    let (server, running) = Server::stalling();
    let line = format!(
        "trap '' HUP; exec {} --no-options 127.0.0.1 {} -c get a",
        env!("CARGO_BIN_EXE_tftp"),
        server.port
    );
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", &line]).current_dir(folder.path());
    let child = shell.stderr(std::process::Stdio::piped()).spawn().unwrap();
    running.recv().unwrap();
    kill("-HUP", &child);
    kill("-TERM", &child);
    Run::of(child).ends_with(143);
    server.finish();
}
