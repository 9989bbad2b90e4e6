//! Clients that vanish at any point, and a server that is killed or told to stop in the midst of it.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tftp_core::{BlockSize, ErrorCode, WindowSize};
use tftp_mio::client::{Client, Download, Settings, TransferError, Upload};

use crate::{
    peer::{Peer, ack, content, data, rrq, wrq},
    process::descriptors,
    proxy::Proxy,
    server::Server,
};

/// A client that reads or writes a file of five blocks as far as it is told, and is gone then.
fn vanish(server: &Server, upload: bool, options: &[(&str, &str)], blocks: u16) {
    let mut peer = Peer::of(server);
    peer.ask(if upload { wrq("new", options) } else { rrq("file", options) });
    peer.receive();
    let answered_by_oack = !options.is_empty();
    if answered_by_oack && !upload {
        peer.send(ack(0));
        peer.receive_unseen();
    }
    for block in 1..=blocks {
        peer.send(if upload { data(block, [7; 512]) } else { ack(block) });
        peer.receive_unseen();
    }
}

/// Its transfer ends by itself, and nothing is left of it: no descriptor, no file.
#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let patience = ["--timeout", "0.02", "--retries", "1", "--workers", "1"];
    // So few ports that no sockets are kept for later.
    let server =
        Server::with([&["--write", "create", "--ports", "30100-30199"], &patience[..]].concat());
    fs::write(server.root().join("file"), content(5 * 512 - 1)).expect("a file to serve");
    let round = || {
        let mut gone = 0;
        for upload in [false, true] {
            // Those that have answered nothing are kept for half a minute.
            for blocks in 1..5 {
                vanish(&server, upload, &[], blocks);
                vanish(&server, upload, &[("windowsize", "1")], blocks);
                gone += 2;
            }
        }
        gone
    };
    let ended = |count: usize| {
        let ends = ["outcome=\"timed out\"", "outcome=\"unconfirmed\""];
        server.log_lines(count, |line| ends.iter().any(|end| line.contains(end)));
        // Its loop answers this only after it has closed what it has just said the end of.
        let mut peer = Peer::of(&server);
        peer.ask(rrq("missing", &[]));
        peer.expect_error(1);
    };
    let warm_up = round();
    ended(warm_up);
    let before = descriptors(&server);
    let again = round();
    ended(warm_up + again);
    assert!(descriptors(&server) <= before);
    let left: Vec<_> = fs::read_dir(server.root()).expect("our own folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    server.stop();
}

/// A transfer in small blocks through a network in which, at this DATA packet, `strike` happens to
/// the server. Returns how it ended for the client.
fn struck(
    server: &Server,
    upload: bool,
    at: usize,
    strike: impl Fn() + Send + 'static,
) -> Result<(), TransferError> {
    let local = TempDir::new().expect("a folder");
    let path = local.path().join("file");
    fs::write(&path, content(BYTES)).expect("a file to send, or to be replaced");
    let proxy = Proxy::striking(server.address(), at, strike);
    let settings = Settings {
        block_size: BlockSize::new(512).expect("a block size"),
        window_size: WindowSize::new(4).expect("a window size"),
        retries: 0,
        ..Settings::default()
    };
    let mut client = Client::new().expect("a client");
    let result = if upload {
        let from = Upload::open(&path).expect("our own file");
        client.put(proxy.address(), b"new", &settings, from, &mut |_| {})
    } else {
        let to = Download::create(&path).expect("a file to write");
        client.get(proxy.address(), b"file", &settings, to, &mut |_| {})
    };
    proxy.end();
    let kept = fs::read(&path).expect("the file that was there before");
    assert!(kept == content(BYTES), "a failed transfer changed the local file");
    assert_eq!(fs::read_dir(local.path()).expect("our own folder").count(), 1);
    result.map(|_| ())
}

/// Of the file that is moved.
const BYTES: usize = 40 * 512;

/// Like [`BYTES`], in other words.
fn served() -> Vec<u8> {
    content(BYTES + 1)[1..].to_vec()
}

fn serving() -> Server {
    let server = Server::with(["--write", "create"]);
    fs::write(server.root().join("file"), served()).expect("a file to serve");
    server
}

/// The client says so in bounded time, and neither side keeps a part of the file.
#[test]
fn a_server_that_is_killed_leaves_no_part_of_a_file_on_either_side() {
    for upload in [false, true] {
        for at in [1, 6, 39] {
            let mut server = serving();
            let pid = Pid::from_raw(i32::try_from(server.id()).expect("an id"));
            let pid = pid.expect("not zero");
            let asked = Instant::now();
            let result = struck(&server, upload, at, move || {
                kill_process(pid, Signal::KILL).expect("a child to kill");
            });
            assert!(result.is_err(), "upload {upload}, at DATA {at}");
            assert!(asked.elapsed() < Duration::from_mins(1), "{:?}", asked.elapsed());
            assert!(!server.wait().success());
            // What may be left of an upload has a name that is never served.
            assert!(!server.root().join("new").exists());
            assert!(fs::read(server.root().join("file")).expect("the file") == served());
        }
    }
}

/// Its client is told, and neither side keeps a part of the file.
#[test]
fn a_server_that_is_told_to_stop_tells_its_clients() {
    for upload in [false, true] {
        for at in [1, 6, 39] {
            let mut server = serving();
            let pid = Pid::from_raw(i32::try_from(server.id()).expect("an id"));
            let pid = pid.expect("not zero");
            let result = struck(&server, upload, at, move || {
                kill_process(pid, Signal::TERM).expect("a child to stop");
            });
            match result {
                Err(TransferError::GaveUp { code: ErrorCode::NOT_DEFINED, message }) => {
                    assert_eq!(message, b"server is shutting down");
                }
                other => panic!("upload {upload}, at DATA {at}: {other:?}"),
            }
            server.stopped();
            let mut left = fs::read_dir(server.root()).expect("our own folder");
            assert_eq!(left.by_ref().count(), 1, "something is left of an upload");
        }
    }
}
