//! The log and the pid file, in folders where somebody else may leave what he likes.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{manager::Manager, server::command, starting::run_to_its_end};

const NOBODY: u32 = 65_534;

/// Starts a server with this file for that option, and expects it to end with this reason.
#[track_caller]
fn refused(option: &str, file: &Path, why: &str) {
    let root = TempDir::new().expect("a folder to serve");
    let (code, said) = run_to_its_end(command([""; 0]).arg(option).arg(file).arg(root.path()));
    assert_eq!(code, 1, "{option}: {said}");
    assert!(said.contains(&*file.display().to_string()) && said.contains(why), "{option}: {said}");
}

#[test]
fn a_log_or_pid_file_that_leads_to_another_file_is_refused_and_that_file_left_alone() {
    for option in ["--log-file", "--pid-file"] {
        let around = TempDir::new().expect("a folder");
        let at = |name: &str| around.path().join(name);
        fs::write(at("victim"), "precious").expect("a file");
        symlink("victim", at("link")).expect("a link");
        symlink("nothing", at("dangling")).expect("a link");
        fs::hard_link(at("victim"), at("hard")).expect("a hard link");
        refused(option, &at("link"), "is a link");
        refused(option, &at("dangling"), "is a link");
        refused(option, &at("hard"), "has other names");
        assert_eq!(fs::read(at("victim")).expect("our file"), b"precious");
        assert!(!at("nothing").exists());
    }
}

/// A pipe in whose place nobody reads would be waited at.
#[test]
fn a_log_or_pid_file_that_is_no_file_is_refused_at_once() {
    for option in ["--log-file", "--pid-file"] {
        let around = TempDir::new().expect("a folder");
        let fifo = around.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo runs").success());
        let socket = around.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        for path in [&*fifo, &*socket, Path::new("/dev/null")] {
            refused(option, path, "no regular file");
        }
    }
}

#[test]
fn a_link_that_takes_the_place_of_the_log_is_not_opened_by_hup() {
    let around = TempDir::new().expect("a folder");
    let (log, victim) = (around.path().join("log"), around.path().join("victim"));
    fs::write(&victim, "precious").expect("a file");
    let root = TempDir::new().expect("a folder to serve");
    let manager = Manager::new();
    let service = manager.start(command([""; 0]).arg("--log-file").arg(&log).arg(root.path()));
    manager.ready();
    let moved = around.path().join("moved");
    fs::rename(&log, &moved).expect("a log to rotate");
    symlink("victim", &log).expect("a link");
    service.signal(Signal::HUP);
    manager.told("RELOADING=1");
    manager.told("READY=1");
    service.stop();
    assert_eq!(fs::read(&victim).expect("our file"), b"precious");
    let said = fs::read_to_string(moved).expect("the old log");
    assert!(said.contains("is a link") && said.contains("stopped"), "{said}");
}

/// Root gives away what it has made itself, and nothing else.
#[test]
#[ignore = "needs root; .ci/run runs it"]
fn a_log_file_that_was_there_keeps_its_owner() {
    for (there, owner) in [(true, 0), (false, NOBODY)] {
        let around = TempDir::new().expect("a folder");
        chown(around.path(), Some(NOBODY), None).expect("root may");
        let log = around.path().join("log");
        if there {
            fs::write(&log, "").expect("a log of root's");
        }
        let root = TempDir::new().expect("a folder to serve");
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("our own folder");
        let manager = Manager::new();
        let socket = manager.folder().join("notify");
        fs::set_permissions(socket, Permissions::from_mode(0o666)).expect("our own socket");
        fs::set_permissions(manager.folder(), Permissions::from_mode(0o755)).expect("our folder");
        let mut command = command(["--user", "65534", "--group", "65534"]);
        let service = manager.start(command.arg("--log-file").arg(&log).arg(root.path()));
        manager.ready();
        service.stop();
        assert_eq!(fs::metadata(&log).expect("the log").uid(), owner);
    }
}
