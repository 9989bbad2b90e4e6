//! The prompt, on a pseudo-terminal.

#![cfg(unix)]

mod common;

use std::{fs, path::Path, process::Command};

use common::{Server, entries};
use rexpect::{
    process::{Signal, WaitStatus},
    session::{PtySession, spawn_command},
};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::tempdir;

/// Milliseconds that only a test that fails ever waits for.
const PATIENCE: u64 = 20_000;

/// A `tftp` at a terminal.
struct Prompt(PtySession);

#[test]
fn a_file_is_fetched_from_the_connected_server() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| listener.accept(b"\0\x01a\0octet\0").serve(b"content"));
    let mut prompt = Prompt::start(folder.path(), &["--no-options"]);
    prompt.enter(&format!("connect 127.0.0.1 {}", server.port));
    prompt.enter("get a");
    prompt.says("get a -> a: 7 bytes in ");
    prompt.enter("status");
    prompt.says(&format!("127.0.0.1 (127.0.0.1:{})", server.port));
    prompt.enter("quit");
    prompt.ends_with(0);
    server.finish();
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"content");
}

#[test]
fn ctrl_c_ends_the_transfer_and_not_the_program() {
    let folder = tempdir().unwrap();
    let (server, running) = Server::stalling();
    let mut prompt = Prompt::start(folder.path(), &["--no-options", "127.0.0.1", &server.port]);
    prompt.enter("get a");
    running.recv().unwrap();
    prompt.press('c');
    prompt.says("tftp: get a: interrupted");
    prompt.enter("mode");
    prompt.says("mode octet");
    prompt.is_shown();
    prompt.press('d');
    prompt.ends_with(0);
    server.finish();
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn ctrl_c_drops_the_line_that_is_being_typed() {
    let folder = tempdir().unwrap();
    let mut prompt = Prompt::start(folder.path(), &[]);
    prompt.is_shown();
    prompt.0.send("bogus ").unwrap();
    prompt.press('c');
    prompt.enter("mode");
    prompt.says("mode octet");
    prompt.enter("quit");
    prompt.ends_with(0);
}

#[test]
fn a_failed_command_is_told_and_forgotten() {
    let folder = tempdir().unwrap();
    let mut prompt = Prompt::start(folder.path(), &[]);
    prompt.enter("gte a");
    prompt.says("did you mean `get`");
    prompt.is_shown();
    prompt.press('d');
    prompt.ends_with(0);
}

#[test]
fn a_terminated_program_leaves_the_terminal_as_it_was() {
    let folder = tempdir().unwrap();
    let mut prompt = Prompt::start(folder.path(), &[]);
    let terminal = prompt.0.process().get_file_handle().unwrap();
    let line_by_line = || tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ICANON);
    prompt.is_shown();
    assert!(!line_by_line());
    prompt.0.process_mut().signal(Signal::SIGTERM).unwrap();
    prompt.ends_with(143);
    assert!(line_by_line());
}

#[test]
fn a_signal_ends_a_transfer_and_the_prompt() {
    let folder = tempdir().unwrap();
    let (server, running) = Server::stalling();
    let mut prompt = Prompt::start(folder.path(), &["--no-options", "127.0.0.1", &server.port]);
    prompt.enter("get a");
    running.recv().unwrap();
    prompt.0.process_mut().signal(Signal::SIGTERM).unwrap();
    prompt.says("tftp: terminated");
    prompt.ends_with(143);
    server.finish();
    assert!(entries(folder.path()).is_empty());
}

impl Prompt {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tftp"));
        command.args(args).current_dir(folder).env("TERM", "xterm").env("LC_ALL", "C");
        Self(spawn_command(command, Some(PATIENCE)).unwrap())
    }

    /// Waits until the prompt takes keys: the editor then turns bracketed paste on.
    #[track_caller]
    fn is_shown(&mut self) {
        self.says("\x1b[?2004h");
        self.says("tftp> ");
    }

    /// Types a line at the next prompt.
    #[track_caller]
    fn enter(&mut self, line: &str) {
        self.is_shown();
        self.0.send_line(line).unwrap();
    }

    fn press(&mut self, control: char) {
        self.0.send_control(control).unwrap();
    }

    #[track_caller]
    fn says(&mut self, text: &str) {
        self.0.exp_string(text).unwrap();
    }

    #[track_caller]
    fn ends_with(&mut self, status: i32) {
        self.0.exp_eof().unwrap();
        match self.0.process().wait().unwrap() {
            WaitStatus::Exited(_, ended) => assert_eq!(ended, status),
            other => panic!("{other:?}"),
        }
    }
}
