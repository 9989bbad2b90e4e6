//! RFC 2347: how options are asked for, granted and refused. Requests and answers are raw bytes.

mod trace;

use tftp_core::{
    ErrorCode, Failure, Ignored, Limits, Misconduct, Mode, OptionKind, Options, Packet, Refusal,
    Status, WindowSize,
};
use trace::{
    ASKED, PEER, REQUEST, ack, answer, asking, blksize, blocks, data, error, file, oack, read,
    serve_read, serve_write, write,
};

#[test]
fn granted_options_of_a_read_are_acknowledged_before_data_1() {
    let file = file(20);
    let mut session = serve_read(blksize(8), &file);
    session.sends(0, &[oack("blksize=8")]).is_silent(1);
    session.gets(10, ack(0)).sends(10, &blocks(&file, 8, 1..=1)).is_silent(11);
}

#[test]
fn granted_options_of_a_write_are_acknowledged_by_data_1_and_there_is_no_ack_0() {
    let mut session = serve_write(blksize(8));
    session.sends(0, &[oack("blksize=8")]).is_silent(1);
    session.gets(10, data(1, b"8 bytes!")).sends(10, &[ack(1)]);
}

#[test]
fn a_client_that_reads_acknowledges_the_oack_with_ack_0() {
    let mut session = read(blksize(8));
    session.sends(0, &[REQUEST]).gets(10, oack("blksize=8")).sends(10, &[ack(0)]);
    session.gets(20, data(1, b"8 bytes!")).sends(20, &[ack(1)]);
}

#[test]
fn a_client_that_writes_answers_the_oack_with_data_1() {
    let file = file(20);
    let mut session = write(blksize(8), &file);
    session.sends(0, &[REQUEST]).gets(10, oack("blksize=8"));
    session.sends(10, &blocks(&file, 8, 1..=1)).is_silent(11);
}

#[test]
fn f47_a_server_that_ignores_the_options_of_a_read_is_followed_with_defaults() {
    let mut session = read(asking(2000, 16));
    session.sends(0, &[REQUEST]).gets(10, data(1, file(512))).sends(10, &[ack(1)]);
    session.gets(20, data(2, b"rest")).sends(20, &[ack(2)]);
}

#[test]
fn f47_a_server_that_ignores_the_options_of_a_write_is_followed_with_defaults() {
    let file = file(1000);
    let mut session = write(asking(2000, 16), &file);
    session.sends(0, &[REQUEST]).gets(10, ack(0)).sends(10, &blocks(&file, 512, 1..=1));
    session.gets(20, ack(1)).sends(20, &blocks(&file, 512, 2..=2));
}

#[test]
fn a_server_may_leave_out_any_option() {
    let mut session = read(asking(2000, 16));
    session.sends(0, &[REQUEST]).gets(10, oack("windowsize=2")).sends(10, &[ack(0)]);
    session.gets(20, data(1, file(512))).is_silent(20);
    session.gets(20, data(2, file(512))).sends(20, &[ack(2)]);
}

#[test]
fn f48_an_oack_that_must_not_be_is_refused_with_error_8() {
    use Misconduct::{RepeatedOption, UnacceptableValue, UnaskedOption};
    let cases = [
        ("tsize=5", UnaskedOption),
        ("multicast=224.0.0.1,1758,1", UnaskedOption),
        ("blksize=1024 timeout=1", UnaskedOption),
        ("blksize=1024 windowsize=4 blksize=1024", RepeatedOption),
        ("blksize=512 BLKSIZE=1024", RepeatedOption),
        ("blksize=1025", UnacceptableValue),
        ("blksize=7", UnacceptableValue),
        ("blksize=0", UnacceptableValue),
        ("blksize=65536", UnacceptableValue),
        ("blksize=abc", UnacceptableValue),
        ("blksize=", UnacceptableValue),
        ("windowsize=17", UnacceptableValue),
        ("windowsize=0", UnacceptableValue),
        ("windowsize=-1", UnacceptableValue),
        ("windowsize=65552", UnacceptableValue),
    ];
    for (answer, misconduct) in cases {
        for mut session in [read(asking(1024, 16)), write(asking(1024, 16), b"all")] {
            session.sends(0, &[REQUEST]).gets(10, oack(answer));
            session.sends(10, &[error(8, misconduct.text())]);
            assert_eq!(peer_of(&session), PEER, "{answer}");
            session.is_over(Status::Failed(Failure::Protocol(misconduct)));
        }
    }
}

#[test]
fn f48_garbage_behind_a_well_formed_oack_is_tolerated() {
    for garbage in [&b"\0"[..], b"\0\0\0\0\0\0", b"blks", b"\0windowsize\x0099\0", b"\xff\xff"] {
        let mut session = read(blksize(1024));
        let packet = [&oack("blksize=1000")[..], garbage].concat();
        session.sends(0, &[REQUEST]).gets(10, packet).sends(10, &[ack(0)]);
        session.gets(20, data(1, file(1000))).sends(20, &[ack(1)]);
    }
}

/// Read as if it were not there, it would leave both sides with different block sizes.
#[test]
fn an_option_that_is_cut_off_is_no_garbage() {
    for cut_off in [
        &b"blksize\x00256"[..],
        b"blksize\0",
        b"blksize",
        b"blks",
        b"windowsize\x004\0BlkSize\x0025",
    ] {
        let mut session = read(asking(1024, 16));
        let packet = [b"\0\x06", cut_off].concat();
        session.sends(0, &[REQUEST]).gets(10, packet);
        session.sends(10, &[error(8, Misconduct::UnacceptableValue.text())]);
    }
}

#[test]
fn names_in_an_oack_are_case_insensitive() {
    let mut session = read(blksize(1024));
    session.sends(0, &[REQUEST]).gets(10, oack("BLKSIZE=8")).sends(10, &[ack(0)]);
    session.gets(20, data(1, b"8 bytes!")).sends(20, &[ack(1)]);
}

#[test]
fn f50_a_repeated_oack_is_acknowledged_again_until_data_comes() {
    let mut session = read(blksize(8));
    session.sends(0, &[REQUEST]).gets(10, oack("blksize=8")).sends(10, &[ack(0)]);
    session.gets(500, oack("blksize=8")).sends(500, &[ack(0)]);
    session.gets(510, data(1, b"8 bytes!")).sends(510, &[ack(1)]);
    session.ignores(520, oack("blksize=8"), Ignored::Unexpected).is_silent(520);
}

#[test]
fn f36_an_oack_draws_nothing_from_a_server() {
    for mut session in
        [serve_write(Options::NONE), serve_write(blksize(8)), serve_read(blksize(8), b"all")]
    {
        session.poll(0);
        session.ignores(10, oack("blksize=8"), Ignored::Unexpected).is_silent(10);
        session.ignores(11, oack(""), Ignored::Unexpected).is_silent(11);
    }
}

#[test]
fn f50_a_repeated_oack_neither_restarts_nor_doubles_a_write() {
    let file = file(20);
    let mut session = write(blksize(8), &file);
    session.sends(0, &[REQUEST]).gets(10, oack("blksize=8")).sends(10, &blocks(&file, 8, 1..=1));
    session.ignores(15, oack("blksize=8"), Ignored::Unexpected).is_silent(15);
    session.gets(20, ack(1)).sends(20, &blocks(&file, 8, 2..=2));
    session.ignores(25, oack("blksize=8"), Ignored::Unexpected).is_silent(25);
}

#[test]
fn f27_a_late_duplicate_of_ack_0_does_not_restart_a_read() {
    let file = file(20);
    let mut session = serve_read(blksize(8), &file);
    session.poll(0);
    session.gets(10, ack(0)).sends(10, &blocks(&file, 8, 1..=1));
    session.gets_again(11, ack(0)).is_silent(11);
    session.gets(20, ack(1)).sends(20, &blocks(&file, 8, 2..=2));
    session.gets_again(21, ack(0)).is_silent(21);
}

#[test]
fn an_ack_other_than_0_does_not_confirm_an_oack() {
    let mut session = serve_read(blksize(8), &file(20));
    session.poll(0);
    session.ignores(10, ack(1), Ignored::Unexpected).ignores(10, ack(0xFFFF), Ignored::Unexpected);
}

#[test]
fn options_are_answered_in_the_requests_order_each_once_in_lower_case() {
    // F02, F04, F05, F06: what is asked, and the first packet of the answer.
    let cases: [(&[u8], &str); 7] = [
        (b"tsize\x000\0blksize\x001024\0", "tsize=5000 blksize=1024"),
        (b"blksize\x001024\0tsize\x000\0", "blksize=1024 tsize=5000"),
        (b"WindowSize\x004\0BLKSIZE\x00512\0TiMeOuT\x003\0", "windowsize=4 blksize=512 timeout=3"),
        (b"blksize\x001024\0blksize\x002048\0", "blksize=1024"),
        (b"blksize\0no\0blksize\x002048\0timeout\x001\0", "timeout=1"),
        (b"multicast\0\0blksize\x00800\0x\0y\0", "blksize=800"),
        (b"msftwindow\x0031416\0windowsize\x008\0", "windowsize=8"),
    ];
    for (asked, granted) in cases {
        let first = answer(b'\x01', b"octet", asked, &Limits::default(), Some(5000));
        assert_eq!(first, Ok(oack(granted)), "{}", asked.escape_ascii());
    }
}

#[test]
fn f03_without_a_known_option_the_answer_is_data_1_or_ack_0() {
    for asked in [&b""[..], b"multicast\0\0", b"blksize\x007\0", b"windowsize\x000\0timeout\x000\0"]
    {
        let limits = Limits::default();
        assert_eq!(answer(b'\x01', b"octet", asked, &limits, Some(3)), Ok(data(1, b"abc")));
        assert_eq!(answer(b'\x02', b"octet", asked, &limits, None), Ok(ack(0)));
    }
}

#[test]
fn f01_mail_is_refused_unless_allowed_and_always_for_reads() {
    let plain = Limits::default();
    let mail = Limits { mail: true, ..plain };
    assert_eq!(answer(b'\x01', b"MAIL", b"", &plain, None), Err(Refusal::MailRead));
    assert_eq!(answer(b'\x01', b"mail", b"", &mail, None), Err(Refusal::MailRead));
    assert_eq!(answer(b'\x02', b"mail", b"", &plain, None), Err(Refusal::Mail));
    assert_eq!(answer(b'\x02', b"mail", b"", &mail, None), Ok(ack(0)));
    assert_eq!(Refusal::Mail.code(), ErrorCode::ILLEGAL_OPERATION);
    assert_eq!(Refusal::MailRead.code(), ErrorCode::ILLEGAL_OPERATION);
}

#[test]
fn f49_the_ladder_is_all_options_then_sizes_only_then_none() {
    let all = asking(1024, 16).with_transfer_size(0);
    let request = tftp_core::Request {
        operation: tftp_core::Operation::Read,
        filename: b"name",
        mode: Mode::Octet,
        options: all,
    };
    let refused = Failure::Refused(ErrorCode::OPTIONS_REFUSED);
    let second = request.fewer(&refused).expect("there is a window to give up");
    let kinds: Vec<_> = second.options.iter().collect();
    assert_eq!(kinds, [(OptionKind::BlockSize, 1024), (OptionKind::TransferSize, 0)]);
    let third = second.fewer(&Failure::NoAnswer).expect("there are sizes to give up");
    assert_eq!(third.options, Options::NONE);
    assert_eq!(third.fewer(&refused), None);
}

#[test]
fn f49_a_request_with_sizes_only_falls_straight_to_none() {
    let mut out = [0; 512];
    let request = request_of(b"\0\x01name\0octet\0blksize\x001024\0");
    let fewer = request.fewer(&Failure::Refused(ErrorCode::NOT_DEFINED)).expect("one rung left");
    let len = fewer.encode(&mut out).expect("it fits");
    assert_eq!(&out[..len], b"\0\x01name\0octet\0");
}

#[test]
fn f49_only_what_may_be_about_options_is_asked_again() {
    let request = request_of(b"\0\x01name\0octet\0windowsize\x004\0");
    let again = [0, 4, 8].map(|code| Failure::Refused(ErrorCode(code)));
    for failure in again.into_iter().chain([Failure::NoAnswer]) {
        assert!(request.fewer(&failure).is_some(), "{failure}");
    }
    let never = [1, 2, 3, 5, 6, 7, 9].map(|code| Failure::Refused(ErrorCode(code)));
    let others = [
        Failure::TimedOut,
        Failure::PeerAborted(ErrorCode::OPTIONS_REFUSED),
        Failure::Protocol(Misconduct::UnaskedOption),
    ];
    for failure in never.into_iter().chain(others) {
        assert_eq!(request.fewer(&failure), None, "{failure}");
    }
    // It is the mode that is refused.
    let mail = request_of(b"\0\x02user\0mail\0windowsize\x004\0");
    assert_eq!(mail.fewer(&Failure::Refused(ErrorCode::ILLEGAL_OPERATION)), None);
    assert!(mail.fewer(&Failure::Refused(ErrorCode::OPTIONS_REFUSED)).is_some());
}

#[test]
fn a_refused_oack_is_told_to_the_port_it_came_from() {
    let mut session = read(Options::NONE.with_window_size(WindowSize::new(4).unwrap()));
    assert_eq!(peer_of(&session), ASKED);
    session.sends(0, &[REQUEST]).gets(10, oack("windowsize=5"));
    assert_eq!(peer_of(&session), PEER);
}

fn peer_of(session: &trace::Trace) -> std::net::SocketAddr {
    match &session.half {
        trace::Half::Sender(sender) => sender.peer(),
        trace::Half::Receiver(receiver) => receiver.peer(),
    }
}

fn request_of(datagram: &[u8]) -> tftp_core::Request<'_> {
    match Packet::parse(datagram) {
        Ok(Packet::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}
