//! Uploads: who may write what, and what is in the folder meanwhile and afterwards.

use std::{fs, time::Duration};

use rustix::process::Signal;

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::Server,
};

/// The names in the served folder.
fn names(server: &Server) -> Vec<String> {
    let entries = fs::read_dir(server.root()).expect("the served folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn read(server: &Server, name: &str) -> Vec<u8> {
    fs::read(server.root().join(name)).expect("a file in the served folder")
}

#[test]
fn uploads_are_refused_unless_they_are_asked_for() {
    for options in [&[][..], &["--write", "never"]] {
        let server = Server::with(options);
        let mut peer = Peer::of(&server);
        peer.ask(wrq("new", &[]));
        peer.expect_error(2);
        assert!(names(&server).is_empty());
        server.stop();
    }
}

#[test]
fn create_takes_new_names_only() {
    let server = Server::with(["--write", "create"]);
    fs::write(server.root().join("old"), "old").expect("a file");
    let mut peer = Peer::of(&server);
    peer.ask(wrq("old", &[]));
    peer.expect_error(6);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "new"));
    peer.expect(ack(1));
    assert_eq!(names(&server), ["new", "old"]);
    assert_eq!((read(&server, "old"), read(&server, "new")), (b"old".into(), b"new".into()));
    server.stop();
}

#[test]
fn overwrite_replaces_a_file_when_the_new_one_is_whole() {
    let server = Server::with(["--write", "overwrite"]);
    fs::write(server.root().join("file"), "old").expect("a file");
    let mut peer = Peer::of(&server);
    peer.ask(wrq("file", &[]));
    peer.expect(ack(0));
    peer.send(data(1, content(512)));
    peer.expect(ack(1));
    assert_eq!(read(&server, "file"), b"old");
    peer.send(data(2, "end"));
    peer.expect(ack(2));
    assert_eq!(read(&server, "file"), [content(512), b"end".into()].concat());
    assert_eq!(names(&server), ["file"]);
    server.stop();
}

#[test]
fn a_granted_option_of_a_write_is_acknowledged_by_an_oack_and_no_ack_0() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    let options = [("tsize", "700"), ("blksize", "600"), ("timeout", "5")];
    peer.ask(wrq("new", &options));
    peer.expect_next(oack(&options));
    peer.send(data(1, &content(700)[..600]));
    peer.expect_next(ack(1));
    peer.send(data(2, &content(700)[600..]));
    peer.expect_next(ack(2));
    assert_eq!(read(&server, "new"), content(700));
    server.stop();
}

#[test]
fn an_upload_ends_with_a_block_that_is_not_full() {
    let server = Server::start();
    for len in [0, 1, 511, 512, 513, 1024] {
        let file = content(len);
        let name = len.to_string();
        let mut peer = Peer::of(&server);
        peer.ask(wrq(&name, &[]));
        peer.expect(ack(0));
        let mut number = 0;
        for block in file.chunks_exact(512).chain([file.chunks_exact(512).remainder()]) {
            number += 1;
            peer.send(data(number, block));
            peer.expect(ack(number));
        }
        assert_eq!(read(&server, &name), file, "{len} bytes");
    }
    server.stop();
}

#[test]
fn an_upload_is_in_place_when_its_last_ack_is_there() {
    let server = Server::start();
    for turn in 0..50 {
        let name = format!("file-{turn}");
        let mut peer = Peer::of(&server);
        peer.ask(wrq(&name, &[]));
        peer.expect(ack(0));
        peer.send(data(1, &name));
        peer.expect(ack(1));
        assert_eq!(read(&server, &name), name.as_bytes());
    }
    assert_eq!(names(&server).len(), 50, "{:?}", names(&server));
    server.stop();
}

#[test]
fn a_last_block_that_comes_again_is_acknowledged_again() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "content"));
    peer.expect(ack(1));
    for _ in 0..3 {
        peer.send(data(1, "content"));
        peer.expect_next(ack(1));
    }
    // Once acknowledged, nothing undoes it.
    peer.send(error(0, "late"));
    peer.send(data(1, "content"));
    peer.expect_next(ack(1));
    assert_eq!(read(&server, "new"), b"content");
    let log = server.stop();
    assert_eq!(log.matches("op=\"write\"").count(), 1, "{log}");
}

#[test]
fn a_repeated_block_in_lock_step_is_acknowledged_again_and_written_once() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[("timeout", "5")]));
    peer.expect_next(oack(&[("timeout", "5")]));
    peer.send(data(1, content(512)));
    peer.expect_next(ack(1));
    peer.send(data(1, vec![0; 512]));
    peer.expect_next(ack(1));
    peer.send(data(2, "end"));
    peer.expect_next(ack(2));
    assert_eq!(read(&server, "new"), [content(512), b"end".into()].concat());
    server.stop();
}

#[test]
fn data_longer_than_agreed_is_refused() {
    for (options, len) in
        [(&[][..], 513), (&[("blksize", "8")], 9), (&[("blksize", "600")], 65_000)]
    {
        let server = Server::start();
        let mut peer = Peer::of(&server);
        peer.ask(wrq("new", options));
        peer.receive();
        peer.send(data(1, content(len)));
        peer.expect_error(4);
        server.log_line("outcome=\"failed\"");
        assert!(names(&server).is_empty(), "{:?}", names(&server));
        server.stop();
    }
}

#[test]
fn a_gap_in_a_window_draws_one_ack_of_the_last_block_before_it() {
    let server = Server::start();
    let file = content(8 * 512);
    let block = |number: u16| data(number, &file[512 * (usize::from(number) - 1)..][..512]);
    let mut peer = Peer::of(&server);
    let options = [("windowsize", "8"), ("timeout", "5")];
    peer.ask(wrq("new", &options));
    peer.expect_next(oack(&options));
    for number in [1, 2, 4, 5, 6, 7, 8] {
        peer.send(block(number));
    }
    peer.expect_ack(2);
    assert_eq!(peer.receive_within(Duration::from_millis(300)), None);
    // What is behind the gap was kept: the ACK that closes it is of the whole window.
    peer.send(block(3));
    peer.expect_ack(8);
    peer.send(data(9, ""));
    peer.expect_next(ack(9));
    assert_eq!(read(&server, "new"), file);
    server.stop();
}

#[test]
fn blocks_of_a_window_may_come_in_any_order() {
    let server = Server::start();
    let file = content(4 * 512);
    let block = |number: u16| data(number, &file[512 * (usize::from(number) - 1)..][..512]);
    let mut peer = Peer::of(&server);
    let options = [("windowsize", "4"), ("timeout", "5")];
    peer.ask(wrq("new", &options));
    peer.expect_next(oack(&options));
    for number in [4, 2, 3, 1] {
        peer.send(block(number));
    }
    peer.expect_ack(4);
    peer.send(data(5, ""));
    peer.expect(ack(5));
    assert_eq!(read(&server, "new"), file);
    server.stop();
}

#[test]
fn nothing_is_visible_under_the_name_before_the_end() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    let mut reader = Peer::of(&server);
    for number in 1..=3 {
        peer.send(data(number, content(512)));
        peer.expect(ack(number));
        assert!(!names(&server).contains(&"new".into()));
        reader.ask(rrq("new", &[]));
        reader.expect_error(1);
    }
    peer.send(data(4, ""));
    peer.expect(ack(4));
    assert_eq!(names(&server), ["new"]);
    server.stop();
}

#[test]
fn nothing_is_left_of_an_upload_that_the_client_ends() {
    let server = Server::with(["--write", "overwrite"]);
    fs::write(server.root().join("old"), "old").expect("a file");
    for name in ["new", "old"] {
        let mut peer = Peer::of(&server);
        peer.ask(wrq(name, &[]));
        peer.expect(ack(0));
        peer.send(data(1, content(512)));
        peer.expect(ack(1));
        assert!(!names(&server).contains(&"new".into()));
        peer.send(error(0, "changed my mind"));
        server.log_line(&format!("name=\"{name}\""));
        assert_eq!(names(&server), ["old"]);
        assert_eq!(read(&server, "old"), b"old");
    }
    server.stop();
}

#[test]
fn nothing_is_left_of_an_upload_that_the_operator_ends() {
    let server = Server::with(["--write", "overwrite", "--grace", "0"]);
    fs::write(server.root().join("old"), "old").expect("a file");
    let mut peers = [Peer::of(&server), Peer::of(&server)];
    for (peer, name) in peers.iter_mut().zip(["new", "old"]) {
        peer.ask(wrq(name, &[]));
        peer.expect(ack(0));
        peer.send(data(1, content(512)));
        peer.expect(ack(1));
    }
    let mut server = server;
    server.signal(Signal::TERM);
    for peer in &mut peers {
        peer.expect_error(0);
    }
    server.stopped();
    assert_eq!(names(&server), ["old"]);
    assert_eq!(read(&server, "old"), b"old");
}

/// Who has seen its last block acknowledged has its file stored; who comes second is told.
#[test]
fn a_name_that_appears_during_the_upload_is_not_replaced() {
    let server = Server::start();
    let mut peers = [Peer::of(&server), Peer::of(&server)];
    for peer in &mut peers {
        peer.ask(wrq("new", &[]));
        peer.expect(ack(0));
    }
    let [first, second] = &mut peers;
    second.send(data(1, "second"));
    second.expect(ack(1));
    first.send(data(1, "first"));
    first.expect_error(6);
    assert_eq!(names(&server), ["new"]);
    assert_eq!(read(&server, "new"), b"second");
    server.stop();
}

#[test]
fn a_folder_is_not_made_and_not_replaced() {
    let server = Server::with(["--write", "overwrite"]);
    fs::create_dir(server.root().join("dir")).expect("a folder");
    let mut peer = Peer::of(&server);
    peer.ask(wrq("missing/new", &[]));
    assert_eq!(peer.expect_error(2), "no such folder");
    peer.ask(wrq("dir", &[]));
    peer.expect_error(2);
    peer.ask(wrq("dir/new", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "inner"));
    peer.expect(ack(1));
    assert_eq!(read(&server, "dir/new"), b"inner");
    server.stop();
}

/// The operator learns of it with `--quiet` too.
#[test]
fn an_upload_whose_folder_goes_is_told_so_and_the_log_is_warned() {
    for policy in ["create", "overwrite"] {
        let server = Server::with(["--write", policy]);
        let folder = server.root().join("dir");
        fs::create_dir(&folder).expect("a folder");
        let mut peer = Peer::of(&server);
        peer.ask(wrq("dir/new", &[]));
        peer.expect(ack(0));
        fs::remove_dir(&folder).expect("our own folder");
        peer.send(data(1, "content"));
        assert_eq!(peer.expect_error(2), "the folder is gone");
        let line = server.log_line(" WARN transfer ");
        assert!(line.ends_with("outcome=\"failed\" reason=\"the folder is gone\""), "{line}");
        server.stop();
    }
}

#[test]
fn an_upload_in_whose_place_a_folder_was_made_leaves_that_alone() {
    for (policy, code) in [("create", 6), ("overwrite", 2)] {
        let server = Server::with(["--write", policy]);
        let mut peer = Peer::of(&server);
        peer.ask(wrq("new", &[]));
        peer.expect(ack(0));
        fs::create_dir(server.root().join("new")).expect("a folder");
        peer.send(data(1, "content"));
        let text = peer.expect_error(code);
        assert!(code == 6 || text == "there is a folder of that name", "{text}");
        assert_eq!(names(&server), ["new"]);
        server.stop();
    }
}
