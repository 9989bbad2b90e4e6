//! Our server, used by the clients that people have: tftp-hpa's, atftp, curl and busybox's.
//!
//! Each test is one client, one direction and one mode; it moves every file of that mode, and the bytes on the
//! other side are compared. What the client asked and what it was answered is pinned by the traces at the end.
//!
//! Run by `.ci/run`, or by hand: `.ci/peers.sh && cargo test -p tftp-mio --test peers -- --ignored`.
#![cfg(target_os = "linux")]

mod clients;
mod harness;
#[expect(dead_code, reason = "shared with the tests in ../daemon, which use all of it")]
#[path = "../support/tftpd.rs"]
mod server;

use std::{collections::BTreeSet, fs, path::Path};

use clients::{
    ATFTP, ATFTP_WITH_OPTIONS, ATFTP_WITH_WINDOWS, BUSYBOX, BUSYBOX_WITH_OPTIONS, CURL,
    CURL_WITH_OPTIONS, Client, Direction, TFTP_HPA, Transfer,
};
use harness::{Mode, Tap, assert_same, files, run};
use server::Server;
use tempfile::TempDir;

use Direction::{Get, Put};
use Mode::{Netascii, Octet};

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftp_hpa_gets_octet() {
    gets(TFTP_HPA, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftp_hpa_gets_netascii() {
    gets(TFTP_HPA, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftp_hpa_puts_octet() {
    puts(TFTP_HPA, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftp_hpa_puts_netascii() {
    puts(TFTP_HPA, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_gets_octet() {
    gets(ATFTP, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_gets_octet_with_options() {
    gets(ATFTP_WITH_OPTIONS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_gets_octet_with_windows() {
    gets(ATFTP_WITH_WINDOWS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_gets_netascii() {
    gets(ATFTP, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_gets_netascii_with_options() {
    gets(ATFTP_WITH_OPTIONS, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_gets_netascii_with_windows() {
    gets(ATFTP_WITH_WINDOWS, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_puts_octet() {
    puts(ATFTP, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_puts_octet_with_options() {
    puts(ATFTP_WITH_OPTIONS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_puts_octet_with_windows() {
    puts(ATFTP_WITH_WINDOWS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_puts_netascii() {
    puts(ATFTP, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_puts_netascii_with_options() {
    puts(ATFTP_WITH_OPTIONS, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_gets_octet() {
    gets(CURL, Octet);
}

/// The empty file too: curl cannot take an empty file of which it is told `tsize 0` (F10, M02).
#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_gets_octet_with_options() {
    gets(CURL_WITH_OPTIONS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_gets_netascii() {
    gets(CURL, Netascii);
}

/// curl gives up on a file that is longer than the `tsize` it was told (M03).
#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_gets_netascii_with_options() {
    gets(CURL_WITH_OPTIONS, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_puts_octet() {
    puts(CURL, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_puts_octet_with_options() {
    puts(CURL_WITH_OPTIONS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_puts_netascii() {
    puts(CURL, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_puts_netascii_with_options() {
    puts(CURL_WITH_OPTIONS, Netascii);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn busybox_gets_octet() {
    gets(BUSYBOX, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn busybox_gets_octet_with_options() {
    gets(BUSYBOX_WITH_OPTIONS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn busybox_puts_octet() {
    puts(BUSYBOX, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn busybox_puts_octet_with_options() {
    puts(BUSYBOX_WITH_OPTIONS, Octet);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn every_client_understands_the_refusals() {
    let server = Server::start();
    fs::write(server.root().join("taken"), "old").expect("a file to serve");
    let local = TempDir::new().expect("a folder for the client");
    let mine = local.path().join("mine");
    let missing = Transfer::new(Get, Octet, server.port(), "missing", &mine);
    let taken = Transfer::new(Put, Octet, server.port(), "taken", &mine);

    for client in [ATFTP, CURL, BUSYBOX] {
        run(&mut client.command(&missing)).failed();
        fs::write(&mine, "new").expect("a file to put");
        run(&mut client.command(&taken)).failed();
    }
    // tftp-hpa's client ends with status 0 whatever it was told, but it says what that was.
    let said = run(&mut TFTP_HPA.command(&missing)).said;
    assert!(said.contains("Error code 1: "), "{said}");
    fs::write(&mine, "new").expect("a file to put");
    let said = run(&mut TFTP_HPA.command(&taken)).said;
    assert!(said.contains("Error code 6: "), "{said}");

    assert_same("taken", &fs::read(server.root().join("taken")).expect("the file"), b"old");
    server.stop();
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftp_hpa_asks_for_no_options() {
    assert_eq!(trace(TFTP_HPA, Get, Netascii), ["RRQ note netascii", "DATA 1: 104 bytes", "ACK 1"]);
    assert_eq!(
        trace(TFTP_HPA, Put, Netascii),
        ["WRQ note netascii", "ACK 0", "DATA 1: 104 bytes", "ACK 1"]
    );
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_is_granted_all_that_it_asks() {
    assert_eq!(
        trace(ATFTP_WITH_OPTIONS, Get, Octet),
        [
            "RRQ note octet tsize 0 timeout 2 blksize 1428 windowsize 8",
            "OACK tsize 100 timeout 2 blksize 1428 windowsize 8",
            "ACK 0",
            "DATA 1: 100 bytes",
            "ACK 1",
        ]
    );
    assert_eq!(
        trace(ATFTP_WITH_OPTIONS, Put, Octet),
        [
            "WRQ note octet tsize 100 timeout 2 blksize 1428 windowsize 8",
            "OACK tsize 100 timeout 2 blksize 1428 windowsize 8",
            "DATA 1: 100 bytes",
            "ACK 1",
        ]
    );
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn atftp_without_options_is_plain() {
    assert_eq!(trace(ATFTP, Get, Netascii), ["RRQ note netascii", "DATA 1: 104 bytes", "ACK 1"]);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_is_granted_all_that_it_asks() {
    assert_eq!(
        trace(CURL_WITH_OPTIONS, Get, Octet),
        [
            "RRQ note octet tsize 0 blksize 1428 timeout 6",
            "OACK tsize 100 blksize 1428 timeout 6",
            "ACK 0",
            "DATA 1: 100 bytes",
            "ACK 1",
        ]
    );
    assert_eq!(
        trace(CURL_WITH_OPTIONS, Put, Octet),
        [
            "WRQ note octet tsize 100 blksize 1428 timeout 6",
            "OACK tsize 100 blksize 1428 timeout 6",
            "DATA 1: 100 bytes",
            "ACK 1",
        ]
    );
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn curl_without_options_is_plain() {
    assert_eq!(trace(CURL, Get, Netascii), ["RRQ note netascii", "DATA 1: 104 bytes", "ACK 1"]);
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn busybox_is_granted_all_that_it_asks() {
    assert_eq!(
        trace(BUSYBOX_WITH_OPTIONS, Get, Octet),
        [
            "RRQ note octet blksize 1428 tsize 0",
            "OACK blksize 1428 tsize 100",
            "ACK 0",
            "DATA 1: 100 bytes",
            "ACK 1",
        ]
    );
    assert_eq!(
        trace(BUSYBOX, Put, Octet),
        ["WRQ note octet tsize 100", "OACK tsize 100", "DATA 1: 100 bytes", "ACK 1",]
    );
}

/// The client gets every file of the mode, and has what we serve.
fn gets(client: Client, mode: Mode) {
    let server = Server::start();
    let local = TempDir::new().expect("a folder for the client");
    for file in files(mode) {
        fs::write(server.root().join(&file.name), &file.bytes).expect("a file to serve");
        let mine = local.path().join(&file.name);
        let transfer = Transfer::new(Get, mode, server.port(), &file.name, &mine);

        run(&mut client.command(&transfer)).succeeded();

        let received = fs::read(&mine).expect("the client's file");
        assert_same(&file.name, &received, &client.form(file, mode));
    }
    server.stop();
}

/// The client puts every file of the mode, and we have what it has, and nothing else. A file that the client
/// believes to be delivered is in place already (F38).
fn puts(client: Client, mode: Mode) {
    let server = Server::start();
    let local = TempDir::new().expect("a folder for the client");
    for file in files(mode) {
        let mine = local.path().join(&file.name);
        fs::write(&mine, client.form(file, mode)).expect("a file to put");
        let transfer = Transfer::new(Put, mode, server.port(), &file.name, &mine);
        let put = || {
            run(&mut client.command(&transfer)).succeeded();
            fs::read(server.root().join(&file.name)).expect("the server's file")
        };

        let mut stored = put();
        for _ in 1..client.attempts_to_put(mode) {
            if stored == file.bytes {
                break;
            }
            fs::remove_file(server.root().join(&file.name)).expect("the server's file");
            stored = put();
        }
        assert_same(&file.name, &stored, &file.bytes);
    }
    let expected = files(mode).iter().map(|file| file.name.clone()).collect();
    assert_eq!(names_in(server.root()), expected, "the served folder");
    server.stop();
}

/// What goes over when the client moves one short file, of 100 bytes with four ends of lines.
fn trace(client: Client, direction: Direction, mode: Mode) -> Vec<String> {
    let server = Server::start();
    let local = TempDir::new().expect("a folder for the client");
    let mine = local.path().join("note");
    let note = format!("{:.<24}\n", "").repeat(4);
    match direction {
        Get => fs::write(server.root().join("note"), note).expect("a file to serve"),
        Put => fs::write(&mine, note).expect("a file to put"),
    }

    let tap = Tap::before(server.address());
    let transfer = Transfer::new(direction, mode, tap.port(), "note", &mine);
    run(&mut client.command(&transfer)).succeeded();
    let trace = tap.trace();

    server.stop();
    trace
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the served folder");
    let names = entries.map(|entry| entry.expect("an entry of the served folder").file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}
