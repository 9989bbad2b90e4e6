//! RFC 2349, the `timeout` and `tsize` options.

mod trace;

use tftp_core::{ErrorCode, Failure, Limits, Misconduct, Options, Refusal, Status, Timeout};
use trace::{
    REQUEST, ack, answer, data, error, file, oack, read, serve_read, serve_write, timeout, write,
};

#[test]
fn f08_a_timeout_is_granted_unchanged_or_left_out() {
    let cases = [
        ("1", Some("1")),
        ("5", Some("5")),
        ("255", Some("255")),
        ("0", None),
        ("256", None),
        ("2000", None),
        ("-1", None),
        ("", None),
        ("5s", None),
    ];
    for (wish, granted) in cases {
        let asked = format!("timeout\0{wish}\0");
        let expected = granted.map_or(ack(0), |value| oack(&format!("timeout={value}")));
        let first = answer(b'\x02', b"octet", asked.as_bytes(), &Limits::default(), None);
        assert_eq!(first, Ok(expected), "{wish:?}");
    }
}

#[test]
fn the_negotiated_timeout_is_the_retransmission_interval() {
    let file = file(1000);
    let mut session = serve_read(timeout(3), &file);
    session.sends(0, &[oack("timeout=3")]).gets(10, ack(0)).sends(10, &[data(1, &file[..512])]);
    for retry in 1..=20 {
        let now = 10 + retry * 3000;
        session.wakes(now).sends(now, &[data(1, &file[..512])]);
    }
    // As patient as with measured time-outs: a minute, and one interval more for the last answer.
    session.wakes(63_010).sends(63_010, &[error(0, "timed out")]);
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn a_long_negotiated_timeout_has_its_six_retries() {
    let mut session = serve_write(timeout(255));
    session.sends(0, &[oack("timeout=255")]).gets(10, data(1, file(512))).sends(10, &[ack(1)]);
    for retry in 1..=6 {
        let now = 10 + retry * 255_000;
        session.wakes(now).sends(now, &[ack(1)]);
    }
    session.wakes(10 + 7 * 255_000).sends(2_000_000, &[error(0, "timed out")]);
}

#[test]
fn the_receiver_dallies_for_the_negotiated_timeout_where_that_is_longer() {
    for (seconds, until) in [(3, 10_010), (20, 20_010)] {
        let mut session = serve_write(timeout(seconds));
        session.poll(0);
        session.gets(10, data(1, b"all")).sends(10, &[ack(1)]).wakes(until).is_done();
    }
}

#[test]
fn a_client_refuses_a_changed_timeout() {
    for granted in ["timeout=4", "timeout=6", "timeout=0", "timeout=261", "timeout=x"] {
        let mut session = read(timeout(5));
        session.sends(0, &[REQUEST]).gets(10, oack(granted));
        session.sends(10, &[error(8, "OACK with an unacceptable value")]);
        session.is_over(Status::Failed(Failure::Protocol(Misconduct::UnacceptableValue)));
    }
}

#[test]
fn a_clients_own_wish_for_a_timeout_is_not_agreed_on_before_the_answer() {
    // F49: the whole ladder of options takes less than 30 seconds when nothing answers.
    for mut session in [read(timeout(255)), write(timeout(255), b"all")] {
        session.sends(0, &[REQUEST]);
        for wakes in [1000, 3000, 7000] {
            session.wakes(wakes).sends(wakes, &[REQUEST]);
        }
        session.wakes(8000).is_silent(8000).is_over(Status::Failed(Failure::NoAnswer));
    }
}

#[test]
fn f59_a_timeout_wished_by_nobody_knows_whom_holds_no_session_longer_than_a_minute() {
    for seconds in [1, 2, 5, 10, 30, 31, 60, 255] {
        let mut session = serve_read(timeout(seconds), b"all");
        let mut sent = session.poll(0).len();
        while let Some(due) = session.timer() {
            session.handle_timeout(due);
            let now = due.as_nanos() / 1_000_000;
            assert!(now <= 60_000, "timeout={seconds} waits until {now} ms");
            sent += session.poll(now).len();
        }
        assert!(sent <= 6, "timeout={seconds}: {sent} packets to an address nobody has proved");
    }
}

#[test]
fn a_granted_timeout_spaces_the_oack_too() {
    let mut session = serve_read(timeout(5), b"all");
    session.sends(0, &[oack("timeout=5")]);
    session.wakes(5000).sends(5000, &[oack("timeout=5")]);
    session.wakes(15_000).sends(15_000, &[oack("timeout=5")]);
}

#[test]
fn f10_tsize_of_a_read_is_the_files_length_whatever_was_asked() {
    for asked in ["0", "1", "99999999999999999999999", "", "abc", "-1"] {
        let asked = format!("tsize\0{asked}\0");
        let first = |size| answer(b'\x01', b"octet", asked.as_bytes(), &Limits::default(), size);
        assert_eq!(first(Some(3)), Ok(oack("tsize=3")));
        assert_eq!(first(Some(5 << 30)), Ok(oack("tsize=5368709120")));
    }
}

#[test]
fn f10_tsize_of_an_empty_file_or_of_an_unknown_length_is_left_out() {
    let asked = b"tsize\x000\0";
    assert_eq!(answer(b'\x01', b"octet", asked, &Limits::default(), Some(0)), Ok(data(1, b"")));
    let first =
        answer(b'\x01', b"netascii", b"tsize\x000\0timeout\x001\0", &Limits::default(), None);
    assert_eq!(first, Ok(oack("timeout=1")));
}

#[test]
fn f11_tsize_of_a_write_is_echoed_or_too_large() {
    let limits = Limits { max_upload: Some(1000), ..Limits::default() };
    let first = |tsize: &str| {
        answer(b'\x02', b"octet", format!("tsize\0{tsize}\0").as_bytes(), &limits, None)
    };
    assert_eq!(first("0"), Ok(oack("tsize=0")));
    assert_eq!(first("1000"), Ok(oack("tsize=1000")));
    assert_eq!(first("1001"), Err(Refusal::TooLarge));
    assert_eq!(first("18446744073709551615"), Err(Refusal::TooLarge));
    assert_eq!(first("18446744073709551616"), Err(Refusal::TooLarge));
    assert_eq!(first("x"), Ok(ack(0)));
    assert_eq!(Refusal::TooLarge.code(), ErrorCode::DISK_FULL);
}

#[test]
fn f11_a_tsize_that_no_64_bits_hold_is_too_large_without_any_limit() {
    let first = |tsize: &str| {
        let asked = format!("tsize\0{tsize}\0");
        let without = answer(b'\x02', b"octet", asked.as_bytes(), &Limits::default(), None);
        let vast = Limits { max_upload: Some(u64::MAX), ..Limits::default() };
        assert_eq!(answer(b'\x02', b"octet", asked.as_bytes(), &vast, None), without);
        without
    };
    assert_eq!(first("18446744073709551614"), Ok(oack("tsize=18446744073709551614")));
    for digits in ["18446744073709551615", "18446744073709551616", "99999999999999999999999"] {
        assert_eq!(first(digits), Err(Refusal::TooLarge));
    }
    for odd in ["99999999999999999999x", "-99999999999999999999", "1e30"] {
        assert_eq!(first(odd), Ok(ack(0)));
    }
}

#[test]
fn a_client_learns_the_files_length_from_any_number() {
    for bytes in [0, 5, u64::MAX] {
        let mut session = read(Options::NONE.with_transfer_size(0));
        session.sends(0, &[REQUEST]).gets(10, oack(&format!("tsize={bytes}")));
        assert!(
            matches!(session.status(), Status::Active(params) if params.transfer_size == Some(bytes))
        );
    }
}

#[test]
fn only_1_to_255_are_timeouts() {
    assert!(Timeout::new(0).is_err());
    assert_eq!(Timeout::new(255).map(Timeout::seconds), Ok(255));
}
