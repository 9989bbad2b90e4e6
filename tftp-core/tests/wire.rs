//! Packets as bytes: every malformed shape (INTEROP F12, F13), and nothing lost both ways.

use proptest::prelude::*;
use tftp_core::{
    BlockSize, ErrorCode, Malformed, Mode, Operation, OptionKind, Options, Packet, Request,
    Timeout, UnencodableRequest, WindowSize,
};

#[test]
fn f12_what_is_no_packet() {
    let cases: [(&[u8], Malformed); 21] = [
        (b"", Malformed::TooShort),
        (b"\0", Malformed::TooShort),
        (b"\x01", Malformed::TooShort),
        (b"\0\x03", Malformed::TooShort),
        (b"\0\x03\0", Malformed::TooShort),
        (b"\0\x04\0", Malformed::TooShort),
        (b"\0\x05\0", Malformed::TooShort),
        (b"\0\0", Malformed::UnknownOpcode),
        (b"\0\x07", Malformed::UnknownOpcode),
        (b"\x01\x01f\0octet\0", Malformed::UnknownOpcode),
        (b"\0\x01", Malformed::UnterminatedName),
        (b"\0\x02name", Malformed::UnterminatedName),
        (b"\0\x01\0octet\0", Malformed::EmptyName),
        (b"\0\x01name\0", Malformed::UnterminatedMode),
        (b"\0\x01name\0octet", Malformed::UnterminatedMode),
        (b"\0\x01name\0\0", Malformed::UnknownMode),
        (b"\0\x01name\0binary\0", Malformed::UnknownMode),
        (b"\0\x01name\0octet\0blksize", Malformed::UnterminatedOption),
        (b"\0\x01name\0octet\0blksize\0", Malformed::UnterminatedOption),
        (b"\0\x01name\0octet\0blksize\x00512", Malformed::UnterminatedOption),
        (b"\0\x01name\0octet\0\x00512\0", Malformed::EmptyOptionName),
    ];
    for (datagram, why) in cases {
        assert_eq!(Packet::parse(datagram), Err(why), "{}", datagram.escape_ascii());
    }
}

#[test]
fn f12_a_name_that_fills_the_largest_datagram_has_no_end() {
    let mut datagram = vec![b'a'; 65_507];
    datagram[..2].copy_from_slice(&[0, 1]);
    assert_eq!(Packet::parse(&datagram), Err(Malformed::UnterminatedName));
}

#[test]
fn f13_nuls_to_the_end_are_padding() {
    for options in [&b""[..], b"blksize\x00512\0"] {
        let bare = [b"\0\x01name\0octet\0", options].concat();
        for padding in [1, 2, 3, 480] {
            let padded = [&bare[..], &vec![0; padding]].concat();
            assert_eq!(Packet::parse(&padded), Packet::parse(&bare));
        }
    }
}

#[test]
fn f01_modes_are_case_insensitive() {
    for (name, mode) in [
        ("octet", Mode::Octet),
        ("OCTET", Mode::Octet),
        ("NetAscii", Mode::Netascii),
        ("maIL", Mode::Mail),
    ] {
        let datagram = format!("\0\x01name\0{name}\0");
        assert_eq!(request(datagram.as_bytes()).mode, mode);
    }
}

#[test]
fn names_are_the_bytes_the_peer_sent() {
    let request = request(b"\0\x01dir\\\xff\x1b[2J name\0octet\0");
    assert_eq!(request.filename, b"dir\\\xff\x1b[2J name");
    assert_eq!(request.operation, Operation::Read);
}

#[test]
fn an_option_value_that_makes_no_sense_is_no_option() {
    let datagram = b"\0\x02f\0octet\0blksize\x007\0timeout\x00256\0tsize\0-1\0windowsize\x000\0";
    assert_eq!(request(datagram).options, Options::NONE);
}

#[test]
fn bytes_behind_an_acks_number_and_an_errors_text_do_not_count() {
    // Windows' boot manager sends the size of the next window behind each ACK.
    assert_eq!(
        Packet::parse(b"\0\x04\x01\x02\x10"),
        Ok(Packet::Ack { block: 0x0102, next_window: Some(0x10) })
    );
    let error = Packet::Error { code: ErrorCode(1), message: b"no" };
    assert_eq!(Packet::parse(b"\0\x05\0\x01no\0junk"), Ok(error));
}

#[test]
fn an_oack_ends_in_exactly_one_nul() {
    let Ok(Packet::OptionAck(oack)) = Packet::parse(b"\0\x06blksize\x00512\0\0\0") else {
        panic!("an OACK");
    };
    assert_eq!(oack.iter().collect::<Vec<_>>(), [(&b"blksize"[..], &b"512"[..])]);
    let mut out = [0; 32];
    assert_eq!(Packet::OptionAck(oack).encode(&mut out), Some(14));
    assert_eq!(&out[..14], b"\0\x06blksize\x00512\0");
}

#[test]
fn a_request_that_cannot_be_written_says_why() {
    let ask = |filename| Request {
        operation: Operation::Write,
        filename,
        mode: Mode::Octet,
        options: Options::NONE,
    };
    let mut out = [0; 1000];
    assert_eq!(ask(b"").encode(&mut out), Err(UnencodableRequest::EmptyName));
    assert_eq!(ask(b"a\0b").encode(&mut out), Err(UnencodableRequest::NulInName));
    // 2 + 503 + 1 + "octet" and its NUL: 512.
    assert_eq!(ask(&[b'a'; 503]).encode(&mut out), Ok(512));
    assert_eq!(ask(&[b'a'; 504]).encode(&mut out), Err(UnencodableRequest::TooLong));
    assert_eq!(ask(b"name").encode(&mut out[..12]), Err(UnencodableRequest::TooLong));
    assert_eq!(ask(b"name").encode(&mut out[..13]), Ok(13));
    assert_eq!(&out[..13], b"\0\x02name\0octet\0");
}

#[test]
fn a_packet_that_does_not_fit_is_not_written() {
    let mut out = [0; 4];
    assert_eq!(Packet::Data { block: 1, payload: b"x" }.encode(&mut out), None);
    assert_eq!(Packet::Data { block: 1, payload: b"" }.encode(&mut out), Some(4));
    assert_eq!(Packet::Ack { block: 1, next_window: None }.encode(&mut out[..3]), None);
    let nul = Packet::Error { code: ErrorCode(0), message: b"a\0b" };
    assert_eq!(nul.encode(&mut [0; 64]), None);
}

proptest! {
    #[test]
    fn parsing_is_total_and_stable(datagram in likely_bytes()) {
        if let Ok(packet) = Packet::parse(&datagram) {
            let mut out = vec![0; 70_000];
            // A request of more than 512 bytes is read but never written.
            if let Some(len) = packet.encode(&mut out) {
                let again = Packet::parse(&out[..len]);
                match (packet, again) {
                    // Garbage behind an OACK's options is not written again.
                    (Packet::OptionAck(one), Ok(Packet::OptionAck(other))) => {
                        prop_assert!(one.iter().eq(other.iter()));
                    }
                    (one, other) => prop_assert_eq!(other, Ok(one)),
                }
            } else {
                let is_request = matches!(packet, Packet::Request(_));
                prop_assert!(is_request && datagram.len() > 500);
            }
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written(
        filename in proptest::collection::vec(1u8.., 1..300),
        write in any::<bool>(),
        order in Just(OptionKind::ALL.to_vec()).prop_shuffle(),
        count in 0usize..=4,
        values in (8u16..=65_464, 1u16.., 1u8.., any::<u64>()),
    ) {
        let mut options = Options::NONE;
        for kind in &order[..count] {
            options = match kind {
                OptionKind::BlockSize => options.with_block_size(BlockSize::new(values.0).unwrap()),
                OptionKind::WindowSize => options.with_window_size(WindowSize::new(values.1).unwrap()),
                OptionKind::Timeout => options.with_timeout(Timeout::new(values.2).unwrap()),
                _ => options.with_transfer_size(values.3),
            };
        }
        let operation = if write { Operation::Write } else { Operation::Read };
        let request = Request { operation, filename: &filename, mode: Mode::Octet, options };
        let mut out = [0; Request::MAX_LEN];
        let len = request.encode(&mut out).unwrap();
        prop_assert_eq!(Packet::parse(&out[..len]), Ok(Packet::Request(request)));
    }
}

fn request(datagram: &[u8]) -> Request<'_> {
    match Packet::parse(datagram) {
        Ok(Packet::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Arbitrary bytes, more often than not with an opcode and words that mean something.
fn likely_bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"octet".to_vec()),
        Just(b"netascii".to_vec()),
        Just(b"blksize".to_vec()),
        Just(b"tsize".to_vec()),
        Just(b"WindowSize".to_vec()),
        Just(b"512".to_vec()),
        Just(b"".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let words =
        proptest::collection::vec((word, prop_oneof![9 => Just(true), 1 => Just(false)]), 0..10);
    (0u8..8, words).prop_map(|(opcode, words)| {
        let mut bytes = vec![0, opcode];
        for (word, ends) in words {
            bytes.extend(word);
            bytes.extend(ends.then_some(0));
        }
        bytes
    })
}
