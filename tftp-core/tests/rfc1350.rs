//! RFC 1350 without options: 512-byte blocks in lock-step, TIDs, errors, and how transfers end.

mod trace;

use tftp_core::{ErrorCode, Failure, Ignored, Misconduct, Options, Status, Verdict};
use trace::{
    PEER, REQUEST, ack, at, blksize, blocks, data, error, file, read, serve_read, serve_write,
    write,
};

#[test]
fn section_2_a_read_is_answered_with_data_1_and_each_ack_draws_the_next_block() {
    let file = file(1030);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &[data(1, &file[..512])]).is_silent(1);
    session.gets(10, ack(1)).sends(10, &[data(2, &file[512..1024])]).is_silent(11);
    session.gets(20, ack(2)).sends(20, &[data(3, &file[1024..])]).is_silent(21);
    session.gets(30, ack(3)).is_silent(30).is_done();
}

#[test]
fn section_2_a_write_is_answered_with_ack_0_and_each_block_with_its_own_ack() {
    let content = file(600);
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).is_silent(1);
    session.gets(10, data(1, &content[..512])).sends(10, &[ack(1)]).is_silent(11);
    session.gets(20, data(2, &content[512..])).sends(20, &[ack(2)]).is_silent(21);
    assert_eq!(session.file, content);
}

#[test]
fn section_6_a_file_of_whole_blocks_ends_with_an_empty_data() {
    let file = file(512);
    let mut session = serve_read(Options::NONE, &file);
    session.sends(0, &[data(1, &file)]);
    session.gets(10, ack(1)).sends(10, &[data(2, b"")]);
    session.gets(20, ack(2)).is_silent(20).is_done();
}

#[test]
fn section_6_an_empty_file_is_one_empty_data() {
    let mut session = serve_read(Options::NONE, b"");
    session.sends(0, &[data(1, b"")]).gets(10, ack(1)).is_silent(10).is_done();
}

#[test]
fn section_6_an_empty_data_1_is_a_whole_file() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, b"")).sends(10, &[ack(1)]);
    assert!(matches!(session.status(), Status::Lingering(summary) if summary.bytes == 0));
}

#[test]
fn section_4_a_client_reads_from_the_port_that_answered() {
    let mut session = read(Options::NONE);
    session.sends(0, &[REQUEST]).gets(10, data(1, b"all")).sends(10, &[ack(1)]);
    assert_eq!(peer_of(&session), PEER);
}

#[test]
fn section_4_a_client_writes_to_the_port_that_answered() {
    let mut session = write(Options::NONE, b"all");
    session.sends(0, &[REQUEST]).gets(10, ack(0)).sends(10, &[data(1, b"all")]);
    assert_eq!(peer_of(&session), PEER);
}

#[test]
fn section_2_a_lost_block_is_sent_again_with_the_same_bytes() {
    let file = file(1024);
    let mut session = serve_read(Options::NONE, &file);
    let second = data(2, &file[512..]);
    session.sends(0, &[data(1, &file[..512])]).gets(100, ack(1)).sends(100, &[&second]);
    // The round trip was 100 ms, its variation 50: the time-out is 100 + 4 * 50.
    session.wakes(400).sends(400, &[&second]);
}

#[test]
fn section_2_a_lost_ack_is_sent_again_when_its_block_comes_again() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, file(512))).sends(10, &[ack(1)]);
    session.gets_again(900, data(1, file(512))).sends(900, &[ack(1)]);
}

#[test]
fn f53_an_old_block_is_answered_with_the_current_ack() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, file(512))).sends(10, &[ack(1)]);
    session.gets(20, data(2, file(512))).sends(20, &[ack(2)]);
    session.gets_again(30, data(1, file(512))).sends(30, &[ack(2)]);
}

#[test]
fn f53_data_0_first_is_ignored_by_a_server() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).ignores(10, data(0, b"?"), Ignored::Unexpected).is_silent(10);
}

#[test]
fn f53_data_0_first_is_ignored_by_a_server_that_granted_options() {
    let mut session = serve_write(blksize(8));
    session.poll(0);
    session.ignores(10, data(0, b"?"), Ignored::Unexpected).is_silent(10);
}

#[test]
fn f53_data_0_first_is_ignored_by_a_client() {
    let mut session = read(Options::NONE);
    session.sends(0, &[REQUEST]).ignores(10, data(0, b"?"), Ignored::Unexpected).is_silent(10);
}

#[test]
fn a_block_that_was_never_due_is_ignored() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, file(512))).sends(10, &[ack(1)]);
    session.ignores(20, data(700, file(512)), Ignored::Unexpected).is_silent(20);
}

#[test]
fn section_6_the_receiver_dallies_to_repeat_its_last_ack() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, b"all")).sends(20, &[ack(1)]);
    session.gets_again(5000, data(1, b"all")).sends(5000, &[ack(1)]).is_silent(5001);
    // Ten seconds from the last ACK, whatever comes again in between.
    session.wakes(10_020).is_silent(10_020).is_done();
}

#[test]
fn section_6_a_client_dallies_for_half_a_second() {
    let mut session = read(Options::NONE);
    session.sends(0, &[REQUEST]).gets(10, data(1, b"all")).sends(20, &[ack(1)]);
    session.wakes(520).is_silent(520).is_done();
}

#[test]
fn the_last_ack_waits_until_it_is_polled() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, b"all"));
    assert!(matches!(session.status(), Status::Active(_)));
    assert_eq!(session.timer(), Some(tftp_core::Instant::NEVER));
    // A minute of syncing is nobody's retry, and duplicates change nothing.
    session.handle_timeout(at(60_000));
    session.gets_again(60_001, data(1, b"all")).sends(60_010, &[ack(1)]);
    assert!(matches!(session.status(), Status::Lingering(_)));
}

#[test]
fn an_abort_takes_the_place_of_the_last_ack() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, b"all"));
    session.abort(ErrorCode::DISK_FULL, "disk full").sends(20, &[error(3, "disk full")]);
    let failure = Failure::Aborted { code: ErrorCode::DISK_FULL, text: "disk full" };
    session.is_over(Status::Failed(failure));
}

#[test]
fn an_abort_after_the_last_ack_comes_too_late() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, b"all")).sends(10, &[ack(1)]);
    session.abort(ErrorCode::DISK_FULL, "disk full").is_silent(20);
    session.wakes(10_010).is_done();
}

#[test]
fn an_error_while_lingering_cannot_undo_the_file() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, b"all")).sends(10, &[ack(1)]);
    session.ignores(20, error(0, "too late"), Ignored::Over);
    session.wakes(10_010).is_done();
}

#[test]
fn section_7_an_error_ends_the_session_at_once_and_is_not_answered() {
    let file = file(1024);
    let mut session = serve_read(Options::NONE, &file);
    session
        .sends(0, &[data(1, &file[..512])])
        .gets(10, ack(1))
        .sends(10, &blocks(&file, 512, 2..=2));
    let verdict = session.hear(20, PEER, b"\0\x05\0\x03disk full\0");
    assert_eq!(verdict, Verdict::PeerError { code: ErrorCode::DISK_FULL, message: b"disk full" });
    session.is_silent(20).is_over(Status::Failed(Failure::PeerAborted(ErrorCode::DISK_FULL)));
}

#[test]
fn an_error_in_place_of_the_first_answer_is_a_refusal() {
    for mut session in [read(Options::NONE), write(Options::NONE, b"all")] {
        session.sends(0, &[REQUEST]);
        let verdict = session.hear(20, PEER, b"\0\x05\0\x01no\0");
        assert_eq!(verdict, Verdict::PeerError { code: ErrorCode::FILE_NOT_FOUND, message: b"no" });
        session.is_silent(20).is_over(Status::Failed(Failure::Refused(ErrorCode::FILE_NOT_FOUND)));
    }
}

#[test]
fn f24_an_error_before_the_first_block_is_acknowledged_is_a_probes_end() {
    let mut session = serve_read(blksize(1024), &file(5000));
    session.poll(0);
    let verdict = session.hear(20, PEER, b"\0\x05\0\x08User aborted the transfer\0");
    assert!(matches!(verdict, Verdict::PeerError { .. }));
    session.is_silent(20).is_over(Status::Failed(Failure::Refused(ErrorCode::OPTIONS_REFUSED)));
}

#[test]
fn f51_an_errors_text_may_be_anything_or_nothing() {
    let cases: [(&[u8], ErrorCode, &[u8]); 4] = [
        (b"\0\x05\0\x02no NUL", ErrorCode::ACCESS_VIOLATION, b"no NUL"),
        (b"\0\x05\0\x00", ErrorCode::NOT_DEFINED, b""),
        (b"\0\x05\0\x63\x1b[31m\0", ErrorCode(99), b"\x1b[31m"),
        (b"\0\x05\xff\xffa\0b\0", ErrorCode(0xFFFF), b"a"),
    ];
    for (datagram, code, message) in cases {
        let mut session = serve_read(Options::NONE, b"all");
        session.poll(0);
        assert_eq!(session.hear(10, PEER, datagram), Verdict::PeerError { code, message });
    }
}

#[test]
fn an_abort_is_one_error_and_the_end() {
    let mut session = serve_read(Options::NONE, &file(600));
    session.sends(0, &blocks(&file(600), 512, 1..=1));
    session.abort(ErrorCode::NOT_DEFINED, "file shrank").sends(5, &[error(0, "file shrank")]);
    session.is_silent(6);
    assert_eq!(session.timer(), None);
}

#[test]
fn a_session_that_has_only_its_error_left_to_send_has_no_timer() {
    let mut sender = serve_read(Options::NONE, &file(600));
    sender.poll(0);
    let mut receiver = serve_write(blksize(8));
    receiver.poll(0);
    for mut session in [sender, receiver] {
        session.abort(ErrorCode::NOT_DEFINED, "stopped");
        assert_eq!(session.timer(), Some(tftp_core::Instant::NEVER));
        let before = session.half.clone();
        session.handle_timeout(at(3_600_000));
        assert_eq!(session.half, before);
    }
}

#[test]
fn an_abort_before_any_answer_has_no_tid_to_go_to() {
    for mut session in [read(Options::NONE), write(Options::NONE, b"all")] {
        session.sends(0, &[REQUEST]);
        session.abort(ErrorCode::NOT_DEFINED, "interrupted").is_silent(5);
        assert_eq!(session.timer(), None);
    }
}

#[test]
fn overlong_data_is_refused_and_never_cut_off() {
    let mut session = serve_write(Options::NONE);
    session.sends(0, &[ack(0)]).gets(10, data(1, file(513)));
    session.sends(10, &[error(4, "DATA longer than the agreed blksize")]);
    assert_eq!(session.file, b"");
    session.is_over(Status::Failed(Failure::Protocol(Misconduct::OverlongData)));
}

#[test]
fn packets_of_the_wrong_type_are_ignored() {
    let mut sender = serve_read(Options::NONE, b"all");
    sender.poll(0);
    let mut receiver = serve_write(Options::NONE);
    receiver.poll(0);
    let request = b"\0\x01name\0octet\0";
    sender.ignores(5, data(1, b"?"), Ignored::Unexpected).ignores(5, request, Ignored::Unexpected);
    receiver.ignores(5, ack(0), Ignored::Unexpected).ignores(5, request, Ignored::Unexpected);
}

#[test]
fn f28_an_ack_of_a_block_never_sent_is_ignored() {
    let mut session = serve_read(Options::NONE, &file(5000));
    session.poll(0);
    session.ignores(5, ack(2), Ignored::Unexpected).ignores(5, ack(0xFFFF), Ignored::Unexpected);
    session.gets(10, ack(1)).poll(10);
    session.gets(20, ack(2)).poll(20);
    session.ignores(25, ack(1), Ignored::Unexpected).ignores(25, ack(0), Ignored::Unexpected);
}

#[test]
fn f39_a_read_whose_last_ack_never_comes_ends_unconfirmed() {
    let mut session = serve_read(Options::NONE, &file(520));
    session.sends(0, &blocks(&file(520), 512, 1..=1)).gets(100, ack(1));
    session.sends(100, &blocks(&file(520), 512, 2..=2));
    for wakes in [400, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000] {
        session.wakes(wakes).sends(wakes, &blocks(&file(520), 512, 2..=2));
    }
    session.wakes(65_000).sends(65_000, &[error(0, "timed out")]);
    assert!(matches!(session.status(), Status::Unconfirmed(summary) if summary.bytes == 520));
    assert_eq!(session.timer(), None);
}

/// Its only block was sent, and nobody answered: the client may have the file. One that has said
/// nothing is not sent an ERROR.
#[test]
fn f39_a_file_of_one_block_whose_only_ack_never_comes_ends_unconfirmed() {
    for content in [&b"all"[..], b""] {
        let mut session = serve_read(Options::NONE, content);
        session.sends(0, &[data(1, content)]);
        for wakes in [1000, 3000, 7000, 15_000, 31_000] {
            session.wakes(wakes).sends(wakes, &[data(1, content)]);
        }
        session.wakes(32_000).is_silent(32_000);
        assert!(matches!(session.status(), Status::Unconfirmed(_)), "{:?}", session.status());
        assert_eq!(session.timer(), None);
    }
}

#[test]
fn f35_a_peer_that_cannot_be_reached_ends_the_session_as_the_last_retry_would() {
    let mut asked = [read(Options::NONE), write(Options::NONE, b"all")];
    for session in &mut asked {
        session.sends(0, &[REQUEST]);
        session.handle_unreachable().is_silent(10).is_over(Status::Failed(Failure::NoAnswer));
    }
    let mut reading = read(Options::NONE);
    reading.sends(0, &[REQUEST]);
    reading.gets(10, data(1, file(512))).sends(10, &[ack(1)]).handle_unreachable();
    reading.sends(20, &[error(0, "timed out")]).is_over(Status::Failed(Failure::TimedOut));

    let mut writing = write(Options::NONE, &file(520));
    writing.sends(0, &[REQUEST]).gets(10, ack(0));
    writing.sends(10, &blocks(&file(520), 512, 1..=1)).handle_unreachable();
    writing.sends(20, &[error(0, "timed out")]).is_over(Status::Failed(Failure::TimedOut));

    // All of it was sent: the peer may have it.
    let mut all_sent = write(Options::NONE, b"all");
    all_sent.sends(0, &[REQUEST]).gets(10, ack(0));
    all_sent.sends(10, &[data(1, "all")]).handle_unreachable();
    all_sent.sends(20, &[error(0, "timed out")]);
    assert!(matches!(all_sent.status(), Status::Unconfirmed(_)));
}

fn peer_of(session: &trace::Trace) -> std::net::SocketAddr {
    match &session.half {
        trace::Half::Sender(sender) => sender.peer(),
        trace::Half::Receiver(receiver) => receiver.peer(),
    }
}
