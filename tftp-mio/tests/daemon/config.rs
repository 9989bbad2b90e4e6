//! The configuration file, as an operator writes it.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Output},
    thread::{self, ScopedJoinHandle},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, oack, rrq, wrq},
    server::{Server, command},
    starting::run_to_its_end,
};

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo runs").success());
}

/// A server that reads this from the file `tftpd.toml` in its folder.
fn configured(content: &str) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    let file = root.path().join("tftpd.toml");
    fs::write(&file, content).expect("a configuration");
    let mut command = command([""; 0]);
    command.arg("--config").arg(file).arg(root.path());
    Server::run(root, command)
}

/// Writes another file, and has the server read it. Returns what it says when it has.
fn reload(server: &Server, content: &str, says: &str) -> String {
    fs::write(server.root().join("tftpd.toml"), content).expect("a configuration");
    server.signal(Signal::HUP);
    server.log_line(says)
}

#[test]
fn a_file_serves_what_it_says() {
    let root = TempDir::new().expect("a folder to serve");
    let file = root.path().join("tftpd.toml");
    let content =
        format!("root = {:?}\nwrite = \"overwrite\"\nports = \"20000-20999\"\n", root.path());
    fs::write(&file, content).expect("a configuration");
    let shown = format!("serving {} (uploads may replace files)", root.path().display());
    let mut command = command([""; 0]);
    command.arg("--config").arg(file);
    let server = Server::run(root, command);
    let line = server.log_line("serving");
    assert!(line.contains(&shown) && line.contains("ports 20000-20999"), "{line}");
    server.stop();
}

#[test]
fn a_fault_in_the_file_ends_with_2_and_its_line() {
    let root = TempDir::new().expect("a folder");
    let file = root.path().join("tftpd.toml");
    fs::write(&file, "# mine\nwirte = \"create\"\n").expect("a configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tftpd"));
    let output = command.arg("--config").arg(&file).output().expect("tftpd runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    let expected =
        format!("{}:2: there is no option `wirte`; did you mean `write`?\n", file.display());
    assert_eq!(said, expected);
}

#[test]
fn hup_changes_what_the_next_requests_get_and_disturbs_no_transfer() {
    let server = configured("write = \"never\"\n");
    fs::write(server.root().join("file"), content(2000)).expect("a file to serve");
    let mut running = Peer::of(&server);
    running.ask(rrq("file", &[("blksize", "1000"), ("timeout", "9")]));
    running.expect_next(oack(&[("blksize", "1000"), ("timeout", "9")]));
    running.send(ack(0));
    running.expect_next(data(1, &content(2000)[..1000]));
    let mut next = Peer::of(&server);
    next.ask(wrq("new", &[]));
    next.expect_error(2);

    let changed = "write = \"create\"\nmax-blksize = 600\n";
    let line = reload(&server, changed, "reloaded");
    assert!(line.contains("changed=\"max-blksize write\""), "{line}");

    next.ask(wrq("new", &[("blksize", "1000")]));
    next.expect(oack(&[("blksize", "600")]));
    running.send(ack(1));
    running.expect_next(data(2, &content(2000)[1000..]));
    running.send(ack(2));
    running.expect_next(data(3, ""));
    server.stop();
}

#[test]
fn hup_under_load_breaks_no_transfer() {
    let server = configured("");
    fs::write(server.root().join("file"), content(100_000)).expect("a file to serve");
    let address = server.address();
    let read = || {
        for _ in 0..20 {
            let mut peer = Peer::at(address.ip(), address);
            peer.ask(rrq("file", &[("windowsize", "8")]));
            peer.expect(oack(&[("windowsize", "8")]));
            peer.send(ack(0));
            assert_eq!(peer.read_blocks(1, 512, 8), content(100_000));
        }
    };
    let reloads = thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(read));
        let mut reloads = 0;
        while !readers.iter().all(ScopedJoinHandle::is_finished) {
            reloads += 1;
            let changed =
                format!("max-blksize = {}\nallow = \"127.0.0.0/8\"\n", 600 + reloads % 1000);
            fs::write(server.root().join("tftpd.toml"), changed).expect("a configuration");
            server.signal(Signal::HUP);
            server.log_lines(reloads, |line| line.contains("INFO reloaded"));
        }
        reloads
    });
    assert!(reloads > 3, "only {reloads} reloads beside 80 transfers");
    let log = server.stop();
    let completed = log.lines().filter(|line| line.contains("outcome=\"completed\"")).count();
    assert_eq!(completed, 80, "{log}");
}

#[test]
fn hup_changes_who_may_ask_and_how_many() {
    let server = configured("");
    fs::write(server.root().join("file"), content(2000)).expect("a file to serve");
    let mut first = Peer::of(&server);
    first.ask(rrq("file", &[]));
    first.expect(data(1, &content(2000)[..512]));
    first.send(ack(1));
    reload(&server, "max-transfers = 1\n", "changed=\"max-transfers\"");
    let mut second = Peer::of(&server);
    second.ask(rrq("file", &[]));
    second.expect_error(0);
    reload(&server, "deny = \"127.0.0.0/8\"\n", "changed=\"deny max-transfers\"");
    second.ask(rrq("file", &[]));
    server.log_line("sender may not ask");
    server.stop();
}

#[test]
fn a_reload_of_a_wrong_file_changes_nothing_and_says_so() {
    let server = configured("write = \"create\"\n");
    let line = reload(&server, "write = \"never\"\nport = 1\n", "tftpd.toml:2");
    assert!(line.contains("there is no option `port`; did you mean `ports`?"), "{line}");
    server.log_line("not reloaded: everything stays as it was");
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    server.stop();
}

/// A pipe would be waited at, and the largest file of all read to its end.
#[test]
fn a_configuration_or_map_that_is_no_file_of_settings_is_an_error_at_once() {
    let around = TempDir::new().expect("a folder");
    let (fifo, huge) = (around.path().join("fifo"), around.path().join("huge.toml"));
    make_fifo(&fifo);
    File::create(&huge).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    for (option, what) in [("--config", "the configuration"), ("--map", "the map")] {
        for (path, why) in [
            (&fifo, "that is no regular file"),
            (&huge, "the file is larger than 16 MiB"),
            (&around.path().join("missing"), "No such file or directory\n"),
        ] {
            let (code, said) =
                run_to_its_end(Command::new(env!("CARGO_BIN_EXE_tftpd")).arg(option).arg(path));
            assert_eq!(code, 2, "{said}");
            let expected = format!("cannot read {what} {}: {why}", path.display());
            assert!(said.contains(&expected), "{said}");
        }
    }
}

#[test]
fn a_reload_waits_for_no_pipe() {
    let server = configured("");
    let file = server.root().join("tftpd.toml");
    fs::remove_file(&file).expect("our own file");
    make_fifo(&file);
    for time in 1..=2 {
        server.signal(Signal::HUP);
        server.log_lines(time, |line| line.contains("no regular file"));
        server.log_lines(time, |line| line.contains("not reloaded"));
    }
    server.stop();
}

#[test]
fn a_reload_says_what_waits_for_a_restart_and_so_does_the_state() {
    let server = configured("");
    let content = "ports = \"21000-21999\"\nlog-format = \"json\"\nquiet = false\n";
    let line = reload(&server, content, "only a restart");
    let waits = |line: &str| line.ends_with(" options=\"log-format ports\"");
    assert!(waits(&line), "{line}");
    server.log_line("reloaded");
    server.signal(Signal::USR1);
    server.log_line("state: ports = \"21000-21999\"");
    server.log_lines(2, waits);
    server.stop();
}

#[test]
fn a_reload_that_changes_nothing_says_no_more() {
    let server = configured("");
    server.signal(Signal::HUP);
    let line = server.log_line("reloaded");
    assert!(line.ends_with("INFO reloaded"), "{line}");
    server.stop();
}

#[test]
fn the_level_of_the_log_is_reloaded() {
    let server = configured("");
    reload(&server, "verbose = 2\n", "changed=\"verbose\"");
    let mut peer = Peer::of(&server);
    peer.ask(b"\0\x03\0\0");
    server.log_line("DEBUG datagram ignored");
    server.stop();
}

/// Runs `tftpd --check` with these words, as somebody who could not bind anything.
fn check(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tftpd")).arg("--check").args(words).output().expect("it runs")
}

#[test]
fn check_binds_nothing_and_says_what_would_run() {
    // Its port is taken.
    let server = configured("write = \"create\"\nmax-blksize = 1468\n");
    let (address, root) = (server.address().to_string(), server.root().display().to_string());
    let file = format!("{root}/tftpd.toml");
    let output = check(&["--config", &file, "--listen", &address, &root]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let first = said.lines().next().unwrap_or_default();
    assert!(first.starts_with(&format!("# serving {root} (uploads under new names)")), "{said}");
    for line in [
        format!("write = \"create\"  # {file}:1"),
        format!("max-blksize = 1468  # {file}:2"),
        format!("listen = [\"{address}\"]  # command line"),
    ] {
        assert!(said.lines().any(|found| found == line), "{line} is not in:\n{said}");
    }
    server.stop();
}

#[test]
fn check_fails_where_the_start_would_of_a_log_or_pid_file() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().display().to_string();
    let path = |name: &str| format!("{root}/{name}");
    fs::write(path("file"), "").expect("a file");
    std::os::unix::fs::symlink("file", path("link")).expect("a link");
    fs::create_dir(path("folder")).expect("a folder");
    fs::write(path("one"), "").expect("a file");
    fs::hard_link(path("one"), path("two")).expect("another name");
    for option in ["--log-file", "--pid-file"] {
        for (name, hint) in [
            ("link", "that is a link"),
            ("folder", "no regular file"),
            ("two", "other names"),
            ("missing/file", "No such file"),
        ] {
            let output = check(&[option, &path(name), &root]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{option} {name}: {said}");
            assert!(said.contains(hint) && said.contains(&path(name)), "{option}: {said}");
        }
        for name in ["file", "new"] {
            assert!(check(&[option, &path(name), &root]).status.success(), "{option} {name}");
        }
        assert!(!folder.path().join("new").exists());
    }
}

#[test]
fn check_ends_with_2_where_something_is_wrong() {
    for (words, hint) in [
        (&["--write", "maybe"][..], "overwrite"),
        (&["/missing/folder"], "cannot serve"),
        (&["--config", "/missing/file"], "/missing/file"),
    ] {
        let output = check(words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(hint), "{said}");
    }
}
