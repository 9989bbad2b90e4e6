//! When a driver need not look whether more has come: once a sender's peer has acknowledged all that it
//! was sent. Blocks of 8 bytes.

mod trace;

use trace::{Half, Trace, ack, blksize, blocks, file, oack, serve_read, windows_of};

#[track_caller]
fn is_answered(session: &Trace) -> bool {
    match &session.half {
        Half::Sender(sender) => sender.is_answered(),
        Half::Receiver(_) => panic!("it is a receiver"),
    }
}

#[test]
fn only_the_ack_of_all_blocks_that_were_sent_answers_them() {
    let file = file(80);
    let mut session = serve_read(windows_of(4), &file);
    session.sends(0, &[oack("blksize=8 windowsize=4")]);
    assert!(!is_answered(&session), "the OACK is not acknowledged");
    session.gets(100, ack(0));
    assert!(!is_answered(&session), "no block was sent");
    session.sends(100, &blocks(&file, 8, 1..=4));
    assert!(!is_answered(&session), "no block is acknowledged");
    session.gets(200, ack(2));
    assert!(!is_answered(&session), "two of four are acknowledged");
    session.sends(200, &blocks(&file, 8, 3..=6)).gets(300, ack(6));
    assert!(is_answered(&session));
    session.sends(300, &blocks(&file, 8, 7..=10));
    assert!(!is_answered(&session), "there are new ones");
}

#[test]
fn with_windows_blocks_that_were_sent_twice_may_draw_one_more_ack() {
    let file = file(80);
    for (options, window, answered) in [(windows_of(4), 4, false), (blksize(8), 1, true)] {
        let mut session = serve_read(options, &file);
        session.poll(0);
        session.gets(100, ack(0)).sends(100, &blocks(&file, 8, 1..=window));
        session.wakes(400).sends(400, &blocks(&file, 8, 1..=window)).gets(500, ack(window));
        assert_eq!(is_answered(&session), answered, "a window of {window}");
    }
}

#[test]
fn when_the_session_is_over_nothing_counts() {
    let file = file(5);
    let mut session = serve_read(blksize(8), &file);
    session.poll(0);
    session.gets(100, ack(0)).sends(100, &blocks(&file, 8, 1..=1)).gets(200, ack(1)).is_done();
    assert!(is_answered(&session));
}
