//! What takes minutes, or a disk of its own.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{fs::statvfs, net::sockopt::set_socket_recv_buffer_size_force};
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

/// A server of a folder on a small disk of its own, in a mount namespace of the server's own; and that
/// folder as it is seen from here.
fn on_a_small_disk(size: &str, options: &[&str]) -> (Server, PathBuf) {
    let root = TempDir::new().expect("a folder to serve");
    let tftpd = command(options);
    let mut alone = Command::new("unshare");
    let mount = format!("mount -t tmpfs -o size={size} none \"$1\"; shift; exec \"$@\"");
    alone.args(["-Urm", "sh", "-ec", &mount]);
    alone.arg("sh").arg(root.path()).arg(tftpd.get_program()).args(tftpd.get_args());
    alone.arg(root.path());
    let server = Server::run(root, alone);
    let inside = Path::new("/proc").join(server.id().to_string()).join("root");
    let folder = inside.join(server.root().strip_prefix("/").expect("an absolute path"));
    (server, folder)
}

/// Bytes of each block of an upload.
const SMALL: usize = 8192;

/// Uploads blocks until one is refused for want of space, and returns how many were taken. After each
/// it calls `then`.
#[track_caller]
fn fill(server: &Server, mut then: impl FnMut(u16)) -> u16 {
    let mut peer = Peer::of(server);
    peer.ask(wrq("large", &[("blksize", "8192")]));
    peer.expect(oack(&[("blksize", "8192")]));
    for number in 1..=1000 {
        peer.send(data(number, vec![7; SMALL]));
        let answer = peer.receive_unseen();
        if answer != ack(number) {
            assert_eq!(answer, b"\0\x05\0\x03no space left\0");
            return number - 1;
        }
        then(number);
    }
    panic!("never refused");
}

#[test]
#[ignore = "mounts a tmpfs, which needs root or user namespaces; .ci/run runs it"]
fn a_full_disk_is_error_3_and_leaves_nothing() {
    let (server, folder) = on_a_small_disk("64k", &["--write", "create", "--min-free", "0"]);
    for _ in 0..2 {
        let taken = fill(&server, |_| {});
        assert!((4..=8).contains(&taken), "{taken} blocks of 8 KiB in 64 KiB");
        assert_eq!(fs::read_dir(&folder).expect("the folder that the server sees").count(), 0);
    }
    let log = server.stop();
    let lines = log.lines().filter(|line| line.contains(" WARN transfer "));
    let fits = |line: &&str| line.ends_with("outcome=\"failed\" reason=\"no space left\"");
    assert_eq!(lines.filter(fits).count(), 2, "{log}");
}

/// Whatever was announced, and whoever else takes space meanwhile.
#[test]
#[ignore = "mounts a tmpfs, which needs root or user namespaces; .ci/run runs it"]
fn an_upload_that_comes_to_what_is_to_stay_free_is_error_3_and_leaves_nothing() {
    const KEPT: u64 = 512 << 10;
    let (server, folder) = on_a_small_disk("1M", &["--write", "create", "--min-free", "512K"]);
    let free = || {
        let found = statvfs(&folder).expect("the disk");
        found.f_bavail * found.f_frsize
    };
    for _ in 0..2 {
        let taken = fill(&server, |_| assert!(free() >= KEPT));
        assert!((60..=64).contains(&taken), "{taken} blocks of 8 KiB in 512 KiB");
        assert_eq!(fs::read_dir(&folder).expect("the folder that the server sees").count(), 0);
    }
    let other = folder.join("other");
    let taken = fill(&server, |number| {
        if number == 10 {
            fs::write(&other, vec![7; 480 << 10]).expect("half of the disk");
        }
    });
    // Now and then it looks how much there is.
    assert!((10..=14).contains(&taken), "{taken} blocks");
    assert_eq!(fs::read_dir(&folder).expect("the folder that the server sees").count(), 1);
    fs::remove_file(&other).expect("our own file");
    assert_eq!(free(), 1 << 20);
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"failed\"").count(), 3, "{log}");
}
