//! Folders that are replaced while they are served: the server keeps those that it has begun with,
//! and says so.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, request, rrq},
    server::{Server, command},
};

/// A folder with one file beneath `around`.
fn folder(around: &Path, name: &str, content: &str) -> PathBuf {
    let folder = around.join(name);
    fs::create_dir(&folder).expect("a folder to serve");
    fs::write(folder.join("file"), content).expect("a file");
    folder
}

fn serving(root: &Path, options: &[&str]) -> Server {
    let mut command = command(options);
    command.arg(root);
    Server::run(TempDir::new().expect("a folder"), command)
}

#[track_caller]
fn serves(server: &Server, content: &str) {
    let mut peer = Peer::of(server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, content));
    peer.send(ack(1));
}

/// Has it reload so often, and returns what it says of the folder at `path`.
fn reload(server: &Server, times: usize, path: &Path) -> String {
    for time in 1..=times {
        server.signal(Signal::HUP);
        server.log_lines(time, |line| line.contains("INFO reloaded"));
    }
    server.log_line(&format!("path={}", path.display()))
}

#[test]
fn a_folder_in_the_place_of_the_root_is_served_after_a_restart_only() {
    for options in [&[][..], &["--no-sandbox"]] {
        let around = TempDir::new().expect("a folder");
        let root = folder(around.path(), "root", "old");
        let server = serving(&root, options);
        fs::rename(&root, around.path().join("moved")).expect("our own folder");
        folder(around.path(), "root", "new");
        serves(&server, "old");
        let said = reload(&server, 1, &root);
        assert!(said.contains("WARN the folder has been replaced or removed"), "{said}");
        assert!(said.contains("only a restart can take another"), "{said}");
        serves(&server, "old");
        server.stop();

        let server = serving(&root, options);
        serves(&server, "new");
        server.signal(Signal::HUP);
        server.log_line("INFO reloaded");
        serves(&server, "new");
        let log = server.stop();
        assert!(!log.contains("has been replaced"), "{log}");
    }
}

/// As releases are switched.
#[test]
fn a_link_that_is_turned_is_followed_after_a_restart_only() {
    let around = TempDir::new().expect("a folder");
    for name in ["one", "two"] {
        folder(around.path(), name, name);
    }
    let root = around.path().join("current");
    let turn = |to: &str| std::os::unix::fs::symlink(to, &root).expect("a link");
    turn("one");
    let server = serving(&root, &["--no-sandbox"]);
    fs::remove_file(&root).expect("our own link");
    turn("two");
    let said = reload(&server, 1, &root);
    assert!(said.contains("only a restart can take another"), "{said}");
    serves(&server, "one");
    server.stop();
    let server = serving(&root, &["--no-sandbox"]);
    serves(&server, "two");
    server.stop();
}

/// One WARN of the folder, and one of each reload.
#[test]
fn a_folder_that_is_gone_fails_no_reload_and_nothing_in_its_place_is_served() {
    for options in [&[][..], &["--no-sandbox"]] {
        let around = TempDir::new().expect("a folder");
        let root = folder(around.path(), "root", "old");
        let server = serving(&root, options);
        fs::remove_dir_all(&root).expect("our own folder");
        let refused = || {
            let mut peer = Peer::of(&server);
            peer.ask(rrq("file", &[]));
            peer.expect_error(1);
        };
        refused();
        reload(&server, 2, &root);
        refused();
        folder(around.path(), "root", "new");
        refused();
        let log = server.stop();
        assert_eq!(log.matches("WARN the served folder has been removed").count(), 1, "{log}");
        assert_eq!(log.matches("WARN the folder has been replaced or removed").count(), 2, "{log}");
    }
}

#[test]
fn a_mail_folder_that_is_replaced_keeps_its_mail_until_a_restart() {
    for options in [&[][..], &["--no-sandbox"]] {
        let around = TempDir::new().expect("a folder");
        let root = folder(around.path(), "root", "");
        let mail = around.path().join("mail");
        let make = || {
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(mail.join("anna").join(part)).expect("a Maildir");
            }
        };
        make();
        let server = serving(&root, &[&["--mail", mail.to_str().expect("text")], options].concat());
        let moved = around.path().join("moved");
        fs::rename(&mail, &moved).expect("our own folder");
        make();
        let said = reload(&server, 1, &mail);
        assert!(said.contains("only a restart can take another"), "{said}");
        let mut peer = Peer::of(&server);
        peer.ask(request(2, b"anna", "mail", &[]));
        peer.expect(ack(0));
        peer.send(data(1, "A letter\r\n"));
        peer.expect(ack(1));
        let letters =
            |folder: &Path| fs::read_dir(folder.join("anna/new")).expect("a Maildir").count();
        assert_eq!((letters(&moved), letters(&mail)), (1, 0));
        server.stop();
    }
}
