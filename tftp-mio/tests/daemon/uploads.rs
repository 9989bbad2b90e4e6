//! What uploads may take, and what is left of those that do not come to their end.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, error, oack, request, rrq, wrq},
    preload::preload,
    server::{Server, command},
};

const NO_SPACE: &str = "no space left";
const TOO_LARGE: &str = "the file is larger than is taken here";

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the served folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Uploads a file of one block.
#[track_caller]
fn upload(server: &Server, name: &str, content: &str) {
    let mut peer = Peer::of(server);
    peer.ask(wrq(name, &[]));
    peer.expect(ack(0));
    peer.send(data(1, content));
    peer.expect(ack(1));
}

#[test]
fn a_size_above_the_limit_is_refused_before_any_data() {
    let server = Server::with(["--write", "overwrite", "--max-upload-size", "1000"]);
    fs::write(server.root().join("old"), "old").expect("a file");
    for name in ["new", "old"] {
        let mut peer = Peer::of(&server);
        peer.ask(wrq(name, &[("tsize", "1001")]));
        assert_eq!(peer.expect_error(3), TOO_LARGE);
        peer.ask(wrq(name, &[("tsize", "18446744073709551615")]));
        assert_eq!(peer.expect_error(3), TOO_LARGE);
        peer.ask(wrq(name, &[("tsize", "1000")]));
        peer.expect(oack(&[("tsize", "1000")]));
    }
    server.stop();
}

#[test]
fn an_upload_that_grows_above_the_limit_is_ended() {
    let server = Server::with(["--write", "overwrite", "--max-upload-size", "1000"]);
    fs::write(server.root().join("old"), "old").expect("a file");
    for (name, last) in [("new", 489), ("old", 512)] {
        for request in [wrq(name, &[]), request(2, name.as_bytes(), "netascii", &[])] {
            let mut peer = Peer::of(&server);
            peer.ask(request);
            peer.expect(ack(0));
            peer.send(data(1, [b'x'; 512]));
            peer.expect(ack(1));
            peer.send(data(2, vec![b'x'; last]));
            assert_eq!(peer.expect_error(3), TOO_LARGE);
            assert_eq!(names(server.root()), ["old"]);
        }
    }
    // What was announced does not count, but what comes.
    let mut peer = Peer::of(&server);
    peer.ask(wrq("old", &[("tsize", "1"), ("blksize", "1001")]));
    peer.expect(oack(&[("tsize", "1"), ("blksize", "1001")]));
    peer.send(data(1, [b'x'; 1001]));
    assert_eq!(peer.expect_error(3), TOO_LARGE);
    assert_eq!(fs::read(server.root().join("old")).expect("the old file"), b"old");
    // To the byte.
    let mut peer = Peer::of(&server);
    peer.ask(wrq("old", &[("blksize", "1001")]));
    peer.expect(oack(&[("blksize", "1001")]));
    peer.send(data(1, [b'x'; 1000]));
    peer.expect(ack(1));
    server.stop();
}

#[test]
fn what_is_to_stay_free_is_not_given_to_uploads() {
    let server = Server::with(["--write", "create", "--min-free", "9999999T"]);
    let mut peer = Peer::of(&server);
    for options in [&[][..], &[("tsize", "1")], &[("tsize", "100")]] {
        peer.ask(wrq("new", options));
        assert_eq!(peer.expect_error(3), NO_SPACE);
    }
    assert!(names(server.root()).is_empty());
    server.stop();
}

#[test]
fn a_size_above_the_free_space_is_refused_before_any_data() {
    let server = Server::with(["--write", "create", "--min-free", "0"]);
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[("tsize", "9000000000000000000")]));
    assert_eq!(peer.expect_error(3), NO_SPACE);
    // More than 64 bits hold.
    for digits in ["18446744073709551616", "99999999999999999999999999"] {
        peer.ask(wrq("new", &[("tsize", digits)]));
        peer.expect_error(3);
    }
    assert!(names(server.root()).is_empty());
    server.stop();
}

/// The signal that says so to a process would end it.
#[test]
fn an_upload_above_the_limit_of_the_process_is_ended_and_no_other() {
    let root = TempDir::new().expect("a folder to serve");
    let tftpd = command(["--write", "create"]);
    let mut limited = Command::new("sh");
    // In blocks of 512 bytes, as POSIX has it.
    limited.args(["-c", "ulimit -f 4; exec \"$@\"", "sh"]).arg(tftpd.get_program());
    limited.args(tftpd.get_args()).arg(root.path());
    let server = Server::run(root, limited);
    let mut small = begin(&server, "small");
    let mut large = begin(&server, "large");
    for number in 2..=4 {
        large.send(data(number, content(512)));
        large.expect(ack(number));
    }
    large.send(data(5, content(512)));
    assert_eq!(large.expect_error(3), TOO_LARGE);
    assert!(names(server.root()).is_empty());
    small.send(data(2, "end"));
    small.expect(ack(2));
    assert_eq!(names(server.root()), ["small"]);
    server.stop();
}

#[test]
fn an_upload_is_permitted_to_whom_the_operator_says_whatever_the_umask() {
    for (options, new, replaced) in
        [(&[][..], 0o644, 0o660), (&["--upload-mode", "604"], 0o604, 0o604)]
    {
        let root = TempDir::new().expect("a folder to serve");
        let old = root.path().join("old");
        fs::write(&old, "old").expect("a file");
        fs::set_permissions(&old, Permissions::from_mode(0o4660)).expect("our own file");
        let tftpd = command(["--write", "overwrite"].iter().chain(options));
        let mut masked = Command::new("sh");
        masked.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(tftpd.get_program());
        masked.args(tftpd.get_args()).arg(root.path());
        let server = Server::run(root, masked);
        for (name, expected) in [("new", new), ("old", replaced)] {
            upload(&server, name, "content");
            let found = fs::metadata(server.root().join(name)).expect("the upload");
            assert_eq!(found.permissions().mode() & 0o7777, expected, "{name} with {options:?}");
        }
        server.stop();
    }
}

#[test]
fn nothing_is_left_of_uploads_that_were_cut_off_by_a_killed_server() {
    let mut server = Server::with(["--write", "overwrite"]);
    fs::write(server.root().join("old"), "old").expect("a file");
    let mut peers = [Peer::of(&server), Peer::of(&server)];
    for (peer, name) in peers.iter_mut().zip(["new", "old"]) {
        peer.ask(wrq(name, &[]));
        peer.expect(ack(0));
        for number in 1..=9 {
            peer.send(data(number, content(512)));
            peer.expect(ack(number));
        }
    }
    server.signal(Signal::KILL);
    server.wait();
    assert_eq!(names(server.root()), ["old"]);
    assert_eq!(fs::read(server.root().join("old")).expect("the old file"), b"old");
}

/// A server of that folder on a system without that: see `poorer.c`.
fn poorer(folder: &Path, without: &str) -> Server {
    let mut command = command(["--write", "overwrite"]);
    command.arg(folder);
    let code = preload(&mut command, "poorer.c", ("WITHOUT", without));
    Server::run(code, command)
}

/// Begins an upload, which has a temporary name then.
fn begin(server: &Server, name: &str) -> Peer {
    let mut peer = Peer::of(server);
    peer.ask(wrq(name, &[]));
    peer.expect(ack(0));
    peer.send(data(1, content(512)));
    peer.expect(ack(1));
    peer
}

/// And what a server that lives is still writing does not go.
#[test]
fn what_a_killed_server_left_goes_when_the_next_one_starts() {
    let root = TempDir::new().expect("a folder to serve");
    fs::create_dir_all(root.path().join("a/b")).expect("folders");
    fs::write(root.path().join("old"), "old").expect("a file");
    let folder = root.path();
    // Where uploads need temporary names.
    let [mut killed, living] = [(); 2].map(|()| poorer(folder, "tmpfile"));
    let _peers = ["new", "old", "a/b/new"].map(|name| begin(&killed, name));
    let mut spared = begin(&living, "spared");
    let all_names = || [names(folder), names(&folder.join("a/b"))].concat();
    assert_eq!(all_names().len(), 2 + 4, "{:?}", all_names());

    killed.signal(Signal::KILL);
    killed.wait();
    let mut command = command(["--write", "overwrite"]);
    command.arg(folder);
    let next = Server::run(TempDir::new().expect("a folder"), command);
    let line = next.log_line("removed what a crash has left of uploads");
    assert!(line.contains("files=3"), "{line}");
    assert_eq!(all_names().len(), 2 + 1, "{:?}", all_names());
    spared.send(data(2, "end"));
    spared.expect(ack(2));
    assert_eq!(all_names(), ["a", "old", "spared"]);
    assert_eq!(fs::read(folder.join("old")).expect("the old file"), b"old");
    next.stop();
    living.stop();
}

/// Neither the content nor the name is taken for stored before the disk has it.
#[test]
fn what_the_disk_does_not_take_is_not_acknowledged() {
    for (without, written) in [("sync", false), ("sync_names", true)] {
        for name in ["new", "old"] {
            let root = TempDir::new().expect("a folder to serve");
            fs::write(root.path().join("old"), "old").expect("a file");
            let server = poorer(root.path(), without);
            let mut peer = begin(&server, name);
            peer.send(data(2, "end"));
            peer.expect_error(0);
            // Of a name that the disk did not take nobody knows whether it is there.
            if !written {
                assert_eq!(names(root.path()), ["old"]);
                assert_eq!(fs::read(root.path().join("old")).expect("the old file"), b"old");
            }
            let line = server.log_line(&format!("name=\"{name}\""));
            let end = "outcome=\"failed\" reason=\"Input/output error\"";
            assert!(line.contains(" WARN ") && line.ends_with(end), "{line}");
            server.stop();
        }
    }
}

#[test]
fn of_two_who_replace_a_file_at_once_each_is_served_and_the_later_one_wins() {
    let server = Server::with(["--write", "overwrite"]);
    fs::write(server.root().join("file"), "old").expect("a file");
    let mut peers = [Peer::of(&server), Peer::of(&server)];
    for peer in &mut peers {
        peer.ask(wrq("file", &[]));
        peer.expect(ack(0));
    }
    for number in 1..=3 {
        for (peer, filler) in peers.iter_mut().zip([b'1', b'2']) {
            peer.send(data(number, [filler; 512]));
            peer.expect(ack(number));
            assert_eq!(fs::read(server.root().join("file")).expect("the file"), b"old");
        }
    }
    for (peer, filler) in peers.iter_mut().zip([b'1', b'2']) {
        peer.send(data(4, [filler; 5]));
        peer.expect(ack(4));
        let file = fs::read(server.root().join("file")).expect("the file");
        assert_eq!(file, [filler; 3 * 512 + 5]);
        assert_eq!(names(server.root()), ["file"]);
    }
    server.stop();
}

/// Whoever reads meanwhile gets the old file or the new one.
#[test]
fn a_reader_keeps_the_file_that_an_upload_replaces() {
    let server = Server::with(["--write", "overwrite"]);
    fs::write(server.root().join("file"), [b'o'; 1500]).expect("a file");
    let mut reader = Peer::of(&server);
    reader.ask(rrq("file", &[]));
    reader.expect(data(1, [b'o'; 512]));
    upload(&server, "file", "new");
    reader.send(ack(1));
    reader.expect(data(2, [b'o'; 512]));
    let mut second = Peer::of(&server);
    second.ask(rrq("file", &[]));
    second.expect(data(1, "new"));
    second.send(ack(1));
    reader.send(ack(2));
    reader.expect(data(3, [b'o'; 476]));
    reader.send(ack(3));
    server.stop();
}

/// An upload that is ended leaves the name to the next one.
#[test]
fn a_name_is_free_again_after_an_upload_that_was_ended() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    peer.send(data(1, content(512)));
    peer.expect(ack(1));
    peer.send(error(0, "changed my mind"));
    upload(&server, "new", "content");
    assert_eq!(names(server.root()), ["new"]);
    server.stop();
}
