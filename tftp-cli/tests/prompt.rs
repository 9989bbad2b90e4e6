//! The prompt, on a pseudo-terminal.

#![cfg(unix)]

mod common;

use std::{fs, path::Path, process::Command, sync::mpsc::channel};

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
    prompt.types("bogus ");
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

#[test]
fn commands_names_and_paths_are_completed() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "").unwrap();
    let mut prompt = Prompt::start(folder.path(), &[]);
    // No server is connected yet, so the name is heard of and not asked for.
    prompt.enter("get seen/before");
    prompt.enter("connect 192.0.2.77");
    for (typed, line) in [
        ("stat\t", "status "),
        ("mode neta\t", "mode netascii"),
        ("help blk\t", "help blksize"),
        ("put lett\t", "put letter.txt"),
        ("get -a x seen/be\t", "get -a x seen/before "),
        ("connect 192.0\t", "connect 192.0.2.77 "),
    ] {
        prompt.is_shown();
        prompt.types(typed);
        prompt.says(line);
        prompt.press('c');
    }
    prompt.is_shown();
    prompt.press('d');
    prompt.ends_with(0);
}

#[test]
fn the_history_is_kept_between_runs_and_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let (folder, home) = (tempdir().unwrap(), tempdir().unwrap());
    let mut prompt = Prompt::start_at(home.path(), folder.path(), &[]);
    prompt.enter("blksize 1234");
    prompt.enter("  retries 3");
    prompt.enter("bye");
    prompt.ends_with(0);

    let state = home.path().join("state/tftp");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join("history"))), (0o700, 0o600));

    let mut prompt = Prompt::start_at(home.path(), folder.path(), &[]);
    prompt.is_shown();
    // Up twice: a line that begins with a blank is not kept.
    prompt.types("\x1b[A");
    prompt.says("bye");
    prompt.types("\x1b[A");
    prompt.says("blksize 1234");
    prompt.types("\n");
    prompt.enter("blksize");
    prompt.says("blksize 1234");
    prompt.is_shown();
    prompt.press('d');
    prompt.ends_with(0);
}

#[test]
fn a_command_hints_at_its_words_and_earlier_lines_come_back() {
    let folder = tempdir().unwrap();
    let mut prompt = Prompt::start(folder.path(), &[]);
    prompt.is_shown();
    prompt.types("connect ");
    prompt.says("\x1b[2mHOST [PORT]\x1b[0m");
    prompt.press('c');
    prompt.enter("blksize 999");
    prompt.is_shown();
    prompt.types("blks");
    prompt.says("\x1b[2mize 999\x1b[0m");
    // Right takes it over.
    prompt.types("\x1b[C");
    prompt.types("\n");
    prompt.enter("blksize");
    prompt.says("blksize 999");
    prompt.is_shown();
    prompt.press('d');
    prompt.ends_with(0);
}

#[test]
fn there_are_no_colours_with_no_color() {
    let (folder, home) = (tempdir().unwrap(), tempdir().unwrap());
    let mut command = Prompt::command(home.path(), folder.path(), &[]);
    command.env("NO_COLOR", "1");
    let mut prompt = Prompt(spawn_command(command, Some(PATIENCE)).unwrap());
    prompt.enter("# an earlier line");
    prompt.is_shown();
    prompt.types("connect ");
    prompt.says("HOST [PORT]");
    prompt.press('c');
    prompt.is_shown();
    prompt.types("# an");
    prompt.says("# an");
    prompt.press('c');
    let hint = prompt.0.exp_string("tftp> ").unwrap();
    // It could not be told from what was typed.
    assert!(!hint.contains("earlier"), "{hint:?}");
    prompt.types("bye");
    prompt.types("\n");
    let rest = prompt.0.exp_eof().unwrap();
    // Colours end in m; other sequences move the cursor.
    let is_colour = |part: &str| {
        part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
    };
    assert!(!rest.split("\x1b[").skip(1).any(is_colour), "{rest:?}");
}

#[test]
fn what_is_typed_while_a_command_runs_is_the_next_line() {
    let folder = tempdir().unwrap();
    let mut prompt = Prompt::start(folder.path(), &[]);
    prompt.is_shown();
    prompt.types("blksize 777\nblksize\nbye\n");
    prompt.says("\nblksize 777");
    prompt.ends_with(0);
}

#[test]
fn a_transfer_that_takes_a_while_shows_how_far_it_is() {
    for (tsize, shown) in [("1024", "] 100% of 1.00 KiB, "), ("", " 1.00 KiB, ")] {
        let folder = tempdir().unwrap();
        let (shown_already, wait) = channel();
        let server = Server::start(move |listener| {
            let (_, mut peer) = listener.accept_any();
            if !tsize.is_empty() {
                peer.send(&[b"\0\x06tsize\0", tsize.as_bytes(), b"\0"].concat());
                peer.expect_ack(0);
            }
            for block in [1, 2] {
                peer.send_data(block, &[0; 512]);
                peer.expect_ack(block);
            }
            // The bar appears by itself, at the end of the client's patience.
            wait.recv().unwrap();
            peer.send_data(3, &[]);
            peer.expect_ack(3);
        });
        let args = ["-w", "1", "-b", "512", "127.0.0.1", &server.port];
        let mut prompt = Prompt::start(folder.path(), &args);
        let terminal = prompt.0.process().get_file_handle().unwrap();
        let shows_control_keys =
            || tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHOCTL);
        prompt.is_shown();
        assert!(shows_control_keys());
        prompt.types("get a\n");
        prompt.says(shown);
        // A ^C in the bar would be there for good.
        assert!(!shows_control_keys());
        prompt.says("/s");
        shown_already.send(()).unwrap();
        prompt.says("get a -> a: 1024 bytes in ");
        prompt.is_shown();
        assert!(shows_control_keys());
        prompt.press('d');
        prompt.ends_with(0);
        server.finish();
    }
}

#[test]
fn ctrl_c_ends_a_put_that_waits_for_the_keyboard() {
    let folder = tempdir().unwrap();
    // Nothing has been sent by then: `finish` fails on a request.
    let server = Server::start(|_| ());
    let mut prompt = Prompt::start(folder.path(), &["127.0.0.1", &server.port]);
    prompt.enter("put - a");
    prompt.says("what you type is sent, and Ctrl-D ends it");
    // The terminal takes lines again once the command runs.
    let terminal = prompt.0.process().get_file_handle().unwrap();
    while !tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ICANON) {
        std::thread::yield_now();
    }
    prompt.press('c');
    prompt.says("tftp: interrupted");
    // The keyboard is the prompt's again.
    prompt.enter("mode");
    prompt.says("mode octet");
    prompt.is_shown();
    prompt.press('d');
    prompt.ends_with(0);
    server.finish();
}

impl Prompt {
    /// Starts at a terminal, with a home that nobody else has.
    fn start(folder: &Path, args: &[&str]) -> Self {
        let home = tempdir().unwrap();
        Self::start_at(home.path(), folder, args)
    }

    fn start_at(home: &Path, folder: &Path, args: &[&str]) -> Self {
        Self(spawn_command(Self::command(home, folder, args), Some(PATIENCE)).unwrap())
    }

    fn command(home: &Path, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tftp"));
        command.args(args).current_dir(folder).env("TERM", "xterm").env("LC_ALL", "C");
        command.env("HOME", home).env("XDG_STATE_HOME", home.join("state")).env_remove("NO_COLOR");
        command
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

    /// Types at the prompt that is shown, without Enter unless the keys end with it.
    fn types(&mut self, keys: &str) {
        self.0.send(keys).unwrap();
        self.0.flush().unwrap();
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
