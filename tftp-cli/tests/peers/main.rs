//! Our client, used with the servers that people have: tftpd-hpa, atftpd and dnsmasq.
//!
//! Each test is one server, one direction and one mode; it moves every file of that mode, and the bytes on the
//! other side are compared. What we ask and what the servers make of it is pinned by the traces at the end.
//!
//! Run as root (tftpd-hpa enters a chroot, dnsmasq a network namespace) by `.ci/run`, or by hand:
//! `.ci/peers.sh && cargo test -p tftp-cli --test peers -- --ignored`.
#![cfg(target_os = "linux")]

mod daemons;
#[path = "../../../tftp-mio/tests/peers/harness/mod.rs"]
mod harness;
mod remapping;

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use daemons::{Daemon, atftpd, dnsmasq, tftpd_hpa};
use harness::{File, Mode, Tap, assert_same, files, run};
use tempfile::TempDir;

use Mode::{Netascii, Octet};

/// RFC 1350 and nothing else.
const PLAIN: &[&str] = &["--no-options"];
/// What the client asks for unless told otherwise: blocks of 1428 bytes in windows of 16.
const DEFAULT: &[&str] = &[];
/// The block number rolls over inside of a window.
const WINDOWS: &[&str] = &["--blksize", "512", "--windowsize", "7"];
/// One datagram as large as the protocol has them.
const LARGE: &[&str] = &["--blksize", "65464", "--windowsize", "1"];

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_tftpd_hpa() {
    gets(tftpd_hpa(), files(Octet), Octet, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_tftpd_hpa_with_options() {
    gets(tftpd_hpa(), files(Octet), Octet, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_tftpd_hpa_in_large_blocks() {
    gets(tftpd_hpa(), files(Octet), Octet, LARGE);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_netascii_from_tftpd_hpa() {
    gets(tftpd_hpa(), files(Netascii), Netascii, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_netascii_from_tftpd_hpa_with_options() {
    gets(tftpd_hpa(), files(Netascii), Netascii, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_octet_to_tftpd_hpa() {
    puts(tftpd_hpa(), Octet, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_octet_to_tftpd_hpa_with_options() {
    puts(tftpd_hpa(), Octet, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_netascii_to_tftpd_hpa() {
    puts(tftpd_hpa(), Netascii, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_netascii_to_tftpd_hpa_with_options() {
    puts(tftpd_hpa(), Netascii, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_atftpd() {
    gets(atftpd(), files(Octet), Octet, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_atftpd_with_options() {
    gets(atftpd(), files(Octet), Octet, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_atftpd_in_windows() {
    gets(atftpd(), files(Octet), Octet, WINDOWS);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_netascii_from_atftpd() {
    gets(atftpd(), files(Netascii), Netascii, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_netascii_from_atftpd_with_options() {
    gets(atftpd(), files(Netascii), Netascii, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_octet_to_atftpd() {
    puts(atftpd(), Octet, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_octet_to_atftpd_with_options() {
    puts(atftpd(), Octet, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_octet_to_atftpd_in_windows() {
    puts(atftpd(), Octet, WINDOWS);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_netascii_to_atftpd() {
    puts(atftpd(), Netascii, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn puts_netascii_to_atftpd_with_options() {
    puts(atftpd(), Netascii, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_dnsmasq() {
    gets(dnsmasq(), files(Octet), Octet, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_octet_from_dnsmasq_with_options() {
    gets(dnsmasq(), files(Octet), Octet, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_netascii_from_dnsmasq() {
    gets(dnsmasq(), &without_cr(), Netascii, PLAIN);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn gets_netascii_from_dnsmasq_with_options() {
    gets(dnsmasq(), &without_cr(), Netascii, DEFAULT);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn a_file_that_no_server_has_is_a_failure_and_leaves_none() {
    for daemon in [tftpd_hpa(), atftpd(), dnsmasq()] {
        let local = TempDir::new().expect("a folder for the client");
        let mine = local.path().join("missing");
        run(get(&mut client(&daemon, Octet, DEFAULT), "missing", &mine)).failed();
        let left = fs::read_dir(local.path()).expect("the client's folder").count();
        assert_eq!(left, 0, "files left by a failed get");
    }
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftpd_hpa_grants_the_blksize_and_knows_no_windows() {
    let trace = trace_of_get(&tftpd_hpa(), Octet, DEFAULT);
    let [request, answer, rest @ ..] = &trace[..] else { panic!("{trace:?}") };
    assert!(request.starts_with("RRQ note octet "), "{request}");
    assert!(request.contains("blksize 1428"), "{request}");
    assert!(request.contains("windowsize 16"), "{request}");
    assert!(answer.starts_with("OACK "), "{answer}");
    assert!(answer.contains("blksize 1428"), "{answer}");
    assert!(!answer.contains("windowsize"), "{answer}");
    assert_eq!(rest, ["ACK 0", "DATA 1: 100 bytes", "ACK 1"]);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftpd_grants_the_blksize_and_the_windowsize() {
    let trace = trace_of_get(&atftpd(), Octet, DEFAULT);
    let [request, answer, rest @ ..] = &trace[..] else { panic!("{trace:?}") };
    assert!(request.starts_with("RRQ note octet "), "{request}");
    assert!(answer.starts_with("OACK "), "{answer}");
    assert!(answer.contains("blksize 1428"), "{answer}");
    assert!(answer.contains("windowsize 16"), "{answer}");
    assert_eq!(rest, ["ACK 0", "DATA 1: 100 bytes", "ACK 1"]);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn without_options_the_request_is_plain() {
    assert_eq!(
        trace_of_get(&atftpd(), Netascii, PLAIN),
        ["RRQ note netascii", "DATA 1: 104 bytes", "ACK 1"]
    );
}

/// The client gets every file, and has what the server serves.
fn gets(daemon: Daemon, files: &[File], mode: Mode, options: &[&str]) {
    let local = TempDir::new().expect("a folder for the client");
    for file in files {
        fs::write(daemon.root().join(&file.name), &file.bytes).expect("a file to serve");
        let mine = local.path().join(&file.name);

        run(get(&mut client(&daemon, mode, options), &file.name, &mine)).succeeded();

        let received = fs::read(&mine).expect("the client's file");
        assert_same(&file.name, &received, &file.bytes);
    }
    drop(daemon);
}

/// The client puts every file of the mode, and the server has it.
fn puts(daemon: Daemon, mode: Mode, options: &[&str]) {
    let local = TempDir::new().expect("a folder for the client");
    for file in files(mode) {
        let mine = local.path().join(&file.name);
        fs::write(&mine, &file.bytes).expect("a file to put");

        run(put(&mut client(&daemon, mode, options), &mine, &file.name)).succeeded();

        let stored = read_when_stored(&daemon.root().join(&file.name), &file.bytes);
        assert_same(&file.name, &stored, &file.bytes);
    }
    drop(daemon);
}

/// What goes over when we get one short file, of 100 bytes with four ends of lines.
fn trace_of_get(daemon: &Daemon, mode: Mode, options: &[&str]) -> Vec<String> {
    let note = format!("{:.<24}\n", "").repeat(4);
    fs::write(daemon.root().join("note"), note).expect("a file to serve");
    let local = TempDir::new().expect("a folder for the client");

    let tap = Tap::before((Ipv4Addr::LOCALHOST, daemon.port()).into());
    let mut command =
        client_of(Command::new(env!("CARGO_BIN_EXE_tftp")), tap.port(), mode, options);
    run(get(&mut command, "note", &local.path().join("note"))).succeeded();
    tap.trace()
}

fn client(daemon: &Daemon, mode: Mode, options: &[&str]) -> Command {
    let command = daemon.command(env!("CARGO_BIN_EXE_tftp"));
    client_of(command, daemon.port(), mode, options)
}

fn client_of(mut command: Command, port: u16, mode: Mode, options: &[&str]) -> Command {
    command.args(["--mode", mode.name()]).args(options).args([
        "127.0.0.1",
        &port.to_string(),
        "-c",
    ]);
    command
}

fn get<'c>(client: &'c mut Command, remote: &str, local: &Path) -> &'c mut Command {
    client.args(["get", remote]).arg(local)
}

fn put<'c>(client: &'c mut Command, local: &Path, remote: &str) -> &'c mut Command {
    client.arg("put").arg(local).arg(remote)
}

/// atftpd acknowledges the last block before it has closed the file, so the end of it comes a moment after the
/// client's, and in netascii a last LF is CR until then.
fn read_when_stored(path: &Path, expected: &[u8]) -> Vec<u8> {
    let give_up = Instant::now() + Duration::from_secs(5);
    loop {
        let stored = fs::read(path);
        if stored.as_ref().is_ok_and(|stored| stored == expected) || Instant::now() > give_up {
            return stored.expect("the server's file");
        }
        thread::yield_now();
    }
}

/// The netascii files with LF for every CR, for dnsmasq.
///
/// dnsmasq 2.90 writes LF as CR LF, and leaves a CR as it is, where RFC 764 has it followed by NUL: of a file
/// with `\r\0x` it sends `\r\0x`, which says `\rx`. What it sends of files without CR is right.
fn without_cr() -> Vec<File> {
    let lf_for_cr = |byte: &u8| if *byte == b'\r' { b'\n' } else { *byte };
    files(Netascii)
        .iter()
        .map(|file| File {
            name: file.name.clone(),
            bytes: file.bytes.iter().map(lf_for_cr).collect(),
        })
        .collect()
}
