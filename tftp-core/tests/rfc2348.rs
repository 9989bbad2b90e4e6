//! RFC 2348, the `blksize` option.

mod trace;

use tftp_core::{BlockSize, Failure, Limits, Misconduct, Status};
use trace::{
    REQUEST, ack, answer, blksize, blocks, data, error, file, oack, read, serve_read, serve_write,
};

#[test]
fn f07_a_block_size_is_granted_lowered_or_left_out() {
    // Wish, and what is granted where the server's most is 1428.
    let cases: [(&str, Option<&str>); 22] = [
        ("8", Some("8")),
        ("512", Some("512")),
        ("1428", Some("1428")),
        ("0001000", Some("1000")),
        ("1429", Some("1428")),
        ("65464", Some("1428")),
        ("65465", Some("1428")),
        ("65536", Some("1428")),
        ("65544", Some("1428")),
        ("4294967295", Some("1428")),
        ("7", None),
        ("1", None),
        ("0", None),
        ("-512", None),
        ("+512", None),
        (" 512", None),
        ("512 ", None),
        ("", None),
        ("abc", None),
        ("1e3", None),
        ("0x200", None),
        ("18446744073709552128", None),
    ];
    let limits = Limits { max_block_size: BlockSize::new(1428).unwrap(), ..Limits::default() };
    for (wish, granted) in cases {
        let asked = format!("blksize\0{wish}\0");
        let expected = granted.map_or(ack(0), |size| oack(&format!("blksize={size}")));
        let first = answer(b'\x02', b"octet", asked.as_bytes(), &limits, None);
        assert_eq!(first, Ok(expected), "{wish:?}");
    }
}

#[test]
fn the_granted_size_is_what_is_sent() {
    let file = file(20);
    let mut session = serve_read(blksize(8), &file);
    session.sends(0, &[oack("blksize=8")]).gets(10, ack(0));
    session.sends(10, &blocks(&file, 8, 1..=1)).gets(20, ack(1));
    session.sends(20, &blocks(&file, 8, 2..=2)).gets(30, ack(2));
    session.sends(30, &[data(3, &file[16..])]).gets(40, ack(3)).is_silent(40).is_done();
}

#[test]
fn f25_a_file_of_whole_blocks_ends_with_an_empty_data() {
    let file = file(16);
    let mut session = serve_read(blksize(8), &file);
    session.sends(0, &[oack("blksize=8")]).gets(10, ack(0)).sends(10, &blocks(&file, 8, 1..=1));
    session.gets(20, ack(1)).sends(20, &blocks(&file, 8, 2..=2));
    session.gets(30, ack(2)).sends(30, &[data(3, b"")]);
    session.gets(40, ack(3)).is_silent(40).is_done();
}

#[test]
fn the_largest_block_fills_a_datagram() {
    let file = file(65_464 + 1);
    let mut session = serve_read(blksize(65_464), &file);
    session.sends(0, &[oack("blksize=65464")]).gets(10, ack(0));
    session.sends(10, &[data(1, &file[..65_464])]);
    session.gets(20, ack(1)).sends(20, &[data(2, &file[65_464..])]);
}

#[test]
fn f40_data_longer_than_granted_is_refused() {
    let mut session = serve_write(blksize(8));
    session.sends(0, &[oack("blksize=8")]).gets(10, data(1, b"8 bytes!")).sends(10, &[ack(1)]);
    session.gets(20, data(2, b"9 bytes!!"));
    session.sends(20, &[error(4, "DATA longer than the agreed blksize")]);
    assert_eq!(session.file, b"8 bytes!");
    session.is_over(Status::Failed(Failure::Protocol(Misconduct::OverlongData)));
}

#[test]
fn a_client_takes_the_lower_size_that_the_server_grants() {
    let mut session = read(blksize(1024));
    session.sends(0, &[REQUEST]).gets(10, oack("blksize=8")).sends(10, &[ack(0)]);
    session.gets(20, data(1, b"8 bytes!")).sends(20, &[ack(1)]);
    session.gets(30, data(2, b"7 bytes")).sends(30, &[ack(2)]);
    assert!(matches!(session.status(), Status::Lingering(summary) if summary.bytes == 15));
}

#[test]
fn only_8_to_65464_are_block_sizes() {
    for bytes in [0, 1, 7, 65_465, 65_535] {
        assert!(BlockSize::new(bytes).is_err(), "{bytes}");
    }
    for bytes in [8, 512, 65_464] {
        assert_eq!(BlockSize::new(bytes).map(BlockSize::get), Ok(bytes));
    }
}
