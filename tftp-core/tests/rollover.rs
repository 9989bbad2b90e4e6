//! Block numbers beyond 65,535 (INTEROP F30, F31, F54): 0 follows, and from some senders 1.

mod trace;

use tftp_core::{Ignored, Instant, SMALL_PACKET, Sender, Status, Timing, Transmit, Verdict};
use trace::{PEER, Trace, ack, data, oack, serve_read, serve_write, windows_of};

const BLOCK: [u8; 8] = *b"8 bytes!";

#[test]
fn f30_block_65536_is_sent_as_0() {
    let mut session = read_up_to(65_535, 8 * 65_537);
    session.gets(10, ack(65_535)).sends(10, &[data(0, BLOCK)]);
    session.gets(10, ack(0)).sends(10, &[data(1, BLOCK)]);
    session.gets(10, ack(1)).sends(10, &[data(2, b"")]).gets(10, ack(2)).is_silent(10).is_done();
}

#[test]
fn f31_ack_0_after_the_wrap_is_about_block_65536() {
    let mut session = read_up_to(65_535, 8 * 65_537);
    // Block 65,536 was not sent yet: this is the OACK's ACK, very late.
    session.ignores(10, ack(0), Ignored::Unexpected);
    session.gets(10, ack(65_535)).sends(10, &[data(0, BLOCK)]);
    session.gets_again(10, ack(65_535)).is_silent(10);
    session.gets(10, ack(0)).sends(10, &[data(1, BLOCK)]);
}

#[test]
fn f30_a_window_across_the_wrap_is_rewound_across_it() {
    let file = BLOCK.repeat(65_539);
    let mut session = serve_read(windows_of(5), &file);
    session.sends(0, &[oack("blksize=8 windowsize=5")]).gets(10, ack(0)).poll(10);
    for last in (5..=65_530).step_by(5) {
        session.gets(10, ack(u16::try_from(last).unwrap()));
        session.poll(10);
    }
    let window = |numbers: [u16; 5]| numbers.map(|number| data(number, BLOCK));
    session.gets(20, ack(65_534)).sends(20, &window([65_535, 0, 1, 2, 3]));
    let mut second = window([0, 1, 2, 3, 4]);
    second[4] = data(4, b"");
    session.gets(30, ack(65_535)).sends(30, &second);
    session.gets(40, ack(0)).poll(40);
    session.gets(50, ack(4)).is_silent(50).is_done();
}

#[test]
fn f30_a_receiver_takes_0_after_65535() {
    let mut session = written_up_to(65_535);
    session.gets(10, data(0, BLOCK)).sends(10, &[ack(0)]);
    session.gets(10, data(1, BLOCK)).sends(10, &[ack(1)]);
    session.gets(10, data(2, b"end")).sends(10, &[ack(2)]);
    session.gets_again(10, data(2, b"end")).sends(10, &[ack(2)]);
    assert_eq!(session.file.len(), 65_537 * 8 + 3);
}

#[test]
fn f54_in_lock_step_a_receiver_takes_1_directly_after_65535() {
    let mut session = written_up_to(65_535);
    session.gets(10, data(1, BLOCK)).sends(10, &[ack(1)]);
    session.gets_again(10, data(1, BLOCK)).sends(10, &[ack(1)]);
    for number in 2..=65_535 {
        session.gets(10, data(number, BLOCK)).sends(10, &[ack(number)]);
    }
    session.gets(10, data(1, BLOCK)).sends(10, &[ack(1)]);
    session.gets(10, data(2, b"end")).sends(10, &[ack(2)]);
    session.gets_again(10, data(2, b"end")).sends(10, &[ack(2)]);
    assert_eq!(session.file.len(), (2 * 65_535 + 1) * 8 + 3);
}

#[test]
fn f54_block_1_anywhere_else_is_an_old_one() {
    let mut session = written_up_to(65_534);
    session.gets_again(10, data(1, BLOCK)).sends(10, &[ack(65_534)]);
    session.gets(10, data(65_535, BLOCK)).sends(10, &[ack(65_535)]);
    assert_eq!(session.file.len(), 65_535 * 8);
}

#[test]
fn f54_with_windows_1_after_65535_is_behind_a_gap() {
    let mut session = serve_write(windows_of(5));
    session.poll(0);
    for number in 1..=65_535 {
        session.gets(10, data(number, BLOCK));
    }
    session.sends(10, &[ack(65_535)]).gets(20, data(1, BLOCK)).is_silent(20);
    session.gets(20, data(0, BLOCK)).is_silent(20);
    assert_eq!(session.file.len(), 65_537 * 8);
}

#[test]
fn a_file_of_65535_blocks_is_not_begun_again_by_a_late_block_1() {
    let mut session = written_up_to(65_534);
    session.gets(10, data(65_535, b"end")).gets_again(10, data(1, BLOCK));
    session.sends(10, &[ack(65_535)]);
    assert_eq!(session.file.len(), 65_534 * 8 + 3);
}

/// 32 GiB in the smallest blocks. (A receiver's count is tested beside it, in `src/receiver/mod.rs`.)
#[test]
fn f32_a_sender_counts_more_than_four_billion_blocks() {
    const LEN: u64 = 8 * ((1 << 32) + 40_000) + 3;
    let now = Instant::ZERO;
    let mut sender = Sender::reply(now, PEER, windows_of(32_767), Some(LEN), Timing::SERVER);
    let mut out = [0; SMALL_PACKET];
    let mut sent = 0;
    while let Some(transmit) = sender.poll_transmit(now, &mut out) {
        if let Transmit::Burst(burst) = transmit {
            assert_eq!(burst.offset(), 8 * sent);
            sent += u64::from(burst.packets());
            sender.commit(now, burst);
        }
        let last = u16::try_from(sent % (1 << 16)).unwrap();
        assert_eq!(sender.handle_datagram(now, PEER, &ack(last)), Verdict::Accepted);
        assert_eq!(sender.acknowledged(), LEN.min(8 * sent));
    }
    assert_eq!(sent, LEN / 8 + 1);
    assert!(matches!(sender.status(), Status::Done(summary) if summary.bytes == LEN));
}

/// A lock-step read in which all blocks before this one are acknowledged, and it was just sent.
fn read_up_to(block: u16, len: usize) -> Trace {
    let mut session = serve_read(windows_of(1), &BLOCK.repeat(len / 8));
    session.sends(0, &[oack("blksize=8 windowsize=1")]).gets(10, ack(0));
    for number in 1..block {
        session.sends(10, &[data(number, BLOCK)]).gets(10, ack(number));
    }
    session.sends(10, &[data(block, BLOCK)]);
    session
}

/// A lock-step write in which all blocks up to this one have come.
fn written_up_to(block: u16) -> Trace {
    let mut session = serve_write(windows_of(1));
    session.poll(0);
    for number in 1..=block {
        session.gets(10, data(number, BLOCK)).sends(10, &[ack(number)]);
    }
    session
}
