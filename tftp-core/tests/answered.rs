//! When a driver need not look whether more has come: once a sender's peer has acknowledged all that it
//! was sent. Blocks of 8 bytes.

mod trace;

use tftp_core::MsftWindow;
use trace::{Half, Trace, ack, blksize, blocks, file, oack, serve_read, windows_of};

#[track_caller]
fn is_answered(session: &Trace) -> bool {
    match &session.half {
        Half::Sender(sender) => sender.is_answered(),
        Half::Receiver(_) => panic!("it is a receiver"),
    }
}

#[test]
fn in_lock_step_the_ack_of_the_block_that_was_sent_answers_it() {
    let file = file(80);
    let mut session = serve_read(blksize(8), &file);
    session.sends(0, &[oack("blksize=8")]);
    assert!(!is_answered(&session), "the OACK is not acknowledged");
    session.gets(100, ack(0));
    assert!(!is_answered(&session), "no block was sent");
    session.sends(100, &blocks(&file, 8, 1..=1));
    assert!(!is_answered(&session), "block 1 is not acknowledged");
    session.gets_again(150, ack(0));
    assert!(!is_answered(&session), "nor by what came again");
    session.gets(200, ack(1));
    assert!(is_answered(&session));
    session.sends(200, &blocks(&file, 8, 2..=2));
    assert!(!is_answered(&session), "there is a new one");
    session.wakes(500).sends(500, &blocks(&file, 8, 2..=2)).gets(600, ack(2));
    assert!(is_answered(&session), "both ACKs of a block sent twice draw one");
}

/// An ACK that comes again can mean that the first block of a window was lost.
#[test]
fn with_windows_all_that_has_come_counts() {
    let file = file(80);
    let mut session = serve_read(windows_of(4), &file);
    session.poll(0);
    session.gets(100, ack(0)).sends(100, &blocks(&file, 8, 1..=4)).gets(200, ack(4));
    assert!(!is_answered(&session));
}

/// The window behind one of a single block may have more.
#[test]
fn with_msftwindow_all_that_has_come_counts() {
    let file = file(80);
    let granted = blksize(8).with_msft_window(MsftWindow::Granted { most: 6 });
    let mut session = serve_read(granted, &file);
    session.poll(0);
    session.gets(100, [0, 4, 0, 0, 1]).sends(100, &blocks(&file, 8, 1..=1));
    session.gets(200, [0, 4, 0, 1, 1]);
    assert!(!is_answered(&session));
}

#[test]
fn when_the_session_is_over_nothing_counts() {
    let file = file(5);
    let mut session = serve_read(blksize(8), &file);
    session.poll(0);
    session.gets(100, ack(0)).sends(100, &blocks(&file, 8, 1..=1)).gets(200, ack(1)).is_done();
    assert!(is_answered(&session));
}
