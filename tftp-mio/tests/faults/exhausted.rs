//! Too many clients for what the system gives: all are served in the end, and nothing is lost.

use std::{fs, process::Command, sync::Barrier, thread, time::Duration};

use rustix::process::{Resource, getrlimit, setrlimit};
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
    for _ in 0..10_000 {
        let to = Download::create(&path).expect("a file to write");
        match client.get(server.address(), b"file", &settings, to, &mut |_| {}) {
            Ok(_) => return fs::read(&path).expect("the download"),
            // The latter by a transfer that gave way before it had begun for the server.
            Err(TransferError::Server { message, .. } | TransferError::GaveUp { message, .. }) => {
                let text = String::from_utf8_lossy(&message);
                assert!(text.contains("busy"), "{text}");
                thread::park_timeout(Duration::from_millis(20));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("never served");
}

/// Clients of a server that has room for two dozen.
const CROWD: usize = 200;

/// A crowd takes more descriptors than many a shell gives us.
fn raise_our_own_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the maximum");
}

/// Each asks for two files, one after the other, and again as long as it is told "busy".
#[test]
fn with_64_descriptors_all_clients_are_served_in_the_end() {
    raise_our_own_limit();
    let file = content(300_000);
    let server = with_descriptors(64, &file);
    let all_at_once = Barrier::new(CROWD);
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                all_at_once.wait();
                for _ in 0..2 {
                    assert!(get_at_last(&server) == file);
                }
            });
        }
    });
    assert!(descriptors(&server) <= 64);
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 2 * CROWD);
}

/// Without a descriptor left it refuses a whole crowd, then waits as quietly as at any other time, and
/// is itself again when one comes free.
#[test]
fn a_server_without_descriptors_does_not_spin() {
    raise_our_own_limit();
    let file = content(1000);
    let server = with_descriptors(40, &file);
    let options = [("timeout", "60")];
    let (mut running, mut refused) = (Vec::new(), Vec::new());
    while refused.len() < CROWD {
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &options));
        let answer = peer.receive();
        if answer == oack(&options) {
            peer.send(ack(0));
            peer.expect(data(1, &file[..512]));
            running.push(peer);
            assert!(running.len() < 40);
        } else {
            assert!(answer.starts_with(b"\0\x05\0\0server is busy"), "{}", answer.escape_ascii());
            refused.push(peer);
        }
    }
    assert!(running.len() > 10, "room for {} only", running.len());
    let before = processor_time(&server);
    assert_eq!(refused[0].receive_within(Duration::from_secs(1)), None);
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
