//! Too many clients for what the system gives: all are served in the end, and nothing is lost.

use std::{fs, process::Command, thread, time::Duration};

use tempfile::TempDir;
use tftp_mio::client::{Client, Download, Settings, TransferError};

use crate::{
    peer::{Peer, ack, content, data, oack, rrq},
    process::{descriptors, processor_time},
    server::{Server, command},
};

/// A server that may have so many descriptors.
fn with_descriptors(limit: usize, file: &[u8]) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), file).expect("a file to serve");
    let tftpd = command([""; 0]);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
    limited.arg(tftpd.get_program()).args(tftpd.get_args()).arg(root.path());
    Server::run(root, limited)
}

/// A client that is told "busy" asks again.
fn get_at_last(server: &Server) -> Vec<u8> {
    let local = TempDir::new().expect("a folder");
    let path = local.path().join("file");
    let mut client = Client::new().expect("a client");
    let settings = Settings::default();
    for _ in 0..1000 {
        let to = Download::create(&path).expect("a file to write");
        match client.get(server.address(), b"file", &settings, to, &mut |_| {}) {
            Ok(_) => return fs::read(&path).expect("the download"),
            Err(TransferError::Server { message, .. }) => {
                let text = String::from_utf8_lossy(&message);
                assert!(text.contains("busy"), "{text}");
                thread::park_timeout(Duration::from_millis(20));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("never served");
}

/// Hundreds of files by dozens of clients, with room for two dozen.
#[test]
fn with_64_descriptors_all_clients_are_served_in_the_end() {
    let file = content(300_000);
    let server = with_descriptors(64, &file);
    thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(|| {
                for _ in 0..4 {
                    assert!(get_at_last(&server) == file);
                }
            });
        }
    });
    assert!(descriptors(&server) <= 64);
    server.stop();
}

/// Without a descriptor left it waits, as quietly as at any other time, and is itself again when one
/// comes free.
#[test]
fn a_server_without_descriptors_does_not_spin() {
    let file = content(1000);
    let server = with_descriptors(40, &file);
    let options = [("timeout", "60")];
    let mut running = Vec::new();
    let mut refused = loop {
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &options));
        let answer = peer.receive();
        if answer != oack(&options) {
            assert!(answer.starts_with(b"\0\x05\0\0server is busy"), "{}", answer.escape_ascii());
            break peer;
        }
        peer.send(ack(0));
        peer.expect(data(1, &file[..512]));
        running.push(peer);
        assert!(running.len() < 40);
    };
    let before = processor_time(&server);
    assert_eq!(refused.receive_within(Duration::from_secs(1)), None);
    let used = processor_time(&server).saturating_sub(before);
    assert!(used < Duration::from_millis(300), "{used:?} of a second");
    for mut peer in running {
        peer.send(ack(1));
        peer.expect(data(2, &file[512..]));
        peer.send(ack(2));
    }
    assert!(get_at_last(&server) == file);
    server.stop();
}
