//! What takes minutes, or a disk of its own.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
    process::Command,
};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, oack, rrq, wrq},
    server::{Server, command},
};

/// Whole, in windows: every byte of a file is at its place, also behind 4 GiB, where an offset no
/// longer fits in 32 bits, and behind block 65,535.
#[test]
#[ignore = "half a minute, and a receive buffer that only root gets; .ci/run runs it"]
fn a_file_above_4_gib_arrives_whole() {
    const BLOCK: usize = 65_464;
    const LEN: u64 = (4 << 30) + 3 * BLOCK as u64 + 17;
    let server = Server::start();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    let file = options.open(server.root().join("file")).expect("a file to serve");
    file.set_len(LEN).expect("a sparse file");
    let marks = [0, BLOCK as u64 - 3, (4 << 30) - 4, (4 << 30) + 100_000, LEN - 8];
    for mark in marks {
        file.write_all_at(&mark.to_be_bytes(), mark).expect("a mark");
    }
    let mut peer = Peer::of(&server);
    // It holds a window.
    set_socket_recv_buffer_size_force(peer.socket(), 32 << 20).expect("root may");
    let options = [("blksize", "65464"), ("windowsize", "64"), ("tsize", "0")];
    peer.ask(rrq("file", &options));
    let size = LEN.to_string();
    peer.expect(oack(&[options[0], options[1], ("tsize", &size)]));
    peer.send(ack(0));

    let mut expected = vec![0; BLOCK];
    let mut offset = 0;
    let mut block = 0_u64;
    let mut in_window = 0;
    // What follows a lost block is dropped, as a strict client does, and its gap told once.
    let mut told = false;
    loop {
        let packet = peer.receive();
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        assert_eq!(packet[1], 3);
        let next = u16::try_from((block + 1) & 0xFFFF).expect("16 bits");
        if number != next {
            if !told {
                peer.send(ack(next.wrapping_sub(1)));
                (told, in_window) = (true, 0);
            }
            continue;
        }
        let payload = &packet[4..];
        expected.truncate(payload.len());
        file.read_exact_at(&mut expected, offset).expect("our own file");
        assert!(payload == expected, "block {} at {offset}", block + 1);
        (block, offset, told) = (block + 1, offset + payload.len() as u64, false);
        in_window += 1;
        if in_window == 64 || payload.len() < BLOCK {
            peer.send(ack(number));
            in_window = 0;
        }
        if payload.len() < BLOCK {
            break;
        }
    }
    assert_eq!(offset, LEN);
    let line = server.log_line("name=\"file\"");
    assert!(line.contains(&format!("bytes={LEN}")) && line.contains("completed"), "{line}");
    server.stop();
}

/// A folder on a small disk of its own, in a mount namespace of the server's own.
#[test]
#[ignore = "mounts a tmpfs, which needs root or user namespaces; .ci/run runs it"]
fn a_full_disk_is_error_3_and_leaves_nothing() {
    let root = TempDir::new().expect("a folder to serve");
    let tftpd = command(["--write", "create", "--min-free", "0"]);
    let mut alone = Command::new("unshare");
    alone.args(["-Urm", "sh", "-ec", "mount -t tmpfs -o size=64k none \"$1\"; shift; exec \"$@\""]);
    alone.arg("sh").arg(root.path()).arg(tftpd.get_program()).args(tftpd.get_args());
    alone.arg(root.path());
    let server = Server::run(root, alone);
    let inside = Path::new("/proc").join(server.id().to_string()).join("root");
    let folder = inside.join(server.root().strip_prefix("/").expect("an absolute path"));

    for _ in 0..2 {
        let mut peer = Peer::of(&server);
        peer.ask(wrq("large", &[("blksize", "8192")]));
        peer.expect(oack(&[("blksize", "8192")]));
        let mut number = 0;
        loop {
            number += 1;
            assert!(number <= 10, "64 KiB hold no more than eight blocks of 8 KiB");
            peer.send(data(number, vec![7; 8192]));
            let answer = peer.receive_unseen();
            if answer != ack(number) {
                assert_eq!(answer, b"\0\x05\0\x03no space left\0");
                break;
            }
        }
        assert!(number > 4, "{number}");
        let left = fs::read_dir(&folder).expect("the folder that the server sees");
        assert_eq!(left.count(), 0);
    }
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"failed\"").count(), 2, "{log}");
}
