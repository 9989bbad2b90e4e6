//! Options that no RFC defines: `utimeout`, `blksize2` and `rollover` as tftp-hpa speaks them, and
//! Microsoft's `msftwindow`. All are off until a server's limits allow them.

mod trace;

use tftp_core::{
    BlockSize, Failure, FineTimeout, Instant, Limits, Misconduct, MsftWindow, OptionKind,
    OptionSet, Options, Rollover, Status,
};
use trace::{
    Trace, ack, answer, blksize, blocks, data, error, file, oack, read, serve_read, write,
};

const BLOCK: &[u8] = b"8 bytes.";

#[test]
fn none_of_them_is_granted_by_default() {
    let asked = b"utimeout\x00100000\0blksize2\x001024\0rollover\x001\0msftwindow\x0031416\0";
    let first = answer(1, b"octet", asked, &Limits::default(), None);
    assert_eq!(first, Ok(data(1, b"abc")));
}

#[test]
fn an_rfcs_option_that_is_refused_is_left_out() {
    let limits = Limits {
        options: OptionSet::STANDARD.without(OptionKind::WindowSize),
        ..Limits::default()
    };
    let first = answer(1, b"octet", b"windowsize\x0016\0blksize\x001024\0", &limits, None);
    assert_eq!(first, Ok(oack("blksize=1024")));
}

#[test]
fn values_are_granted_lowered_or_left_out() {
    let cases: [(&str, &str); 16] = [
        ("utimeout=10000", "utimeout=10000"),
        ("utimeout=255000000", "utimeout=255000000"),
        ("utimeout=9999", ""),
        ("utimeout=255000001", ""),
        ("blksize2=1024", "blksize2=1024"),
        ("blksize2=1468", "blksize2=1024"),
        ("blksize2=8", "blksize2=8"),
        ("blksize2=7", ""),
        ("blksize2=65536", "blksize2=32768"),
        ("rollover=0", "rollover=0"),
        ("rollover=1", "rollover=1"),
        ("rollover=2", ""),
        ("msftwindow=31416", "msftwindow=27182"),
        ("msftwindow=4", ""),
        // Two names for one thing: the first one named decides.
        ("blksize2=4096 blksize=1468", "blksize2=4096"),
        ("timeout=2 utimeout=20000", "timeout=2"),
    ];
    for (asked, granted) in cases {
        let wire = asked.replace(['=', ' '], "\0") + "\0";
        let first = answer(1, b"octet", wire.as_bytes(), &everything(), None);
        let expected = if granted.is_empty() { data(1, b"abc") } else { oack(granted) };
        assert_eq!(first, Ok(expected), "{asked}");
    }
}

#[test]
fn msftwindow_is_for_reads() {
    let first = answer(2, b"octet", b"msftwindow\x0031416\0", &everything(), None);
    assert_eq!(first, Ok(ack(0)));
}

#[test]
fn utimeout_is_the_retransmission_interval() {
    let granted = Options::NONE.with_fine_timeout(FineTimeout::new(30_000).unwrap());
    let mut session = serve_read(granted, &file(600));
    session.sends(0, &[oack("utimeout=30000")]).gets(5, ack(0));
    session.sends(5, &blocks(&file(600), 512, 1..=1)).is_silent(34);
    for ms in [35, 65, 95, 125] {
        session.wakes(ms).sends(ms, &blocks(&file(600), 512, 1..=1));
    }
}

/// Six retries, like anybody; then it doubles, and a second at most. A minute is a minute.
#[test]
fn an_interval_shorter_than_a_second_is_kept_for_six_retries_and_then_doubles() {
    let granted = Options::NONE.with_fine_timeout(FineTimeout::new(10_000).unwrap());
    let mut session = serve_read(granted, &file(600));
    session.poll(0);
    session.gets(1, ack(0)).poll(1);
    let mut now = 1;
    let doubled = [20, 40, 80, 160, 320, 640];
    for pause in [10; 7].into_iter().chain(doubled).chain([1000; 59]) {
        now += pause;
        session.wakes(now).sends(now, &blocks(&file(600), 512, 1..=1));
    }
    assert!(now > 60_000, "{now} ms");
    session.wakes(now + 1000).sends(now + 1000, &[error(0, "timed out")]);
    session.is_over(Status::Failed(Failure::TimedOut));
}

#[test]
fn an_interval_shorter_than_a_second_gives_way_to_the_measured_time_out() {
    let granted = Options::NONE.with_fine_timeout(FineTimeout::new(10_000).unwrap());
    let mut session = serve_read(granted, &file(600));
    session.sends(0, &[oack("utimeout=10000")]).gets(100, ack(0));
    session.sends(100, &blocks(&file(600), 512, 1..=1));
    // The round trip was 100 ms, its variation 50.
    session.wakes(400).sends(400, &blocks(&file(600), 512, 1..=1));
}

#[test]
fn blksize2_is_the_block_size() {
    let granted = Options::NONE.with_block_size2(BlockSize::new(16).unwrap());
    let mut session = serve_read(granted, &file(20));
    session.sends(0, &[oack("blksize2=16")]).gets(5, ack(0));
    session.sends(5, &blocks(&file(20), 16, 1..=1)).gets(10, ack(1));
    session.sends(10, &blocks(&file(20), 16, 2..=2)).gets(15, ack(2)).is_silent(15).is_done();
}

#[test]
fn rollover_1_goes_on_with_1_in_both_halves() {
    let agreed = blksize(8).with_rollover(Rollover::ToOne);
    let mut sender = serve_read(agreed, &BLOCK.repeat(65_540));
    sender.sends(0, &[oack("blksize=8 rollover=1")]).gets(10, ack(0)).poll(10);
    let mut receiver = read(agreed);
    receiver.poll(0);
    receiver.gets(5, oack("blksize=8 rollover=1")).sends(5, &[ack(0)]);
    for number in 1..=65_535 {
        receiver.gets(10, data(number, BLOCK)).sends(10, &[ack(number)]);
        sender.gets(10, ack(number)).sends(10, &[data(number.checked_add(1).unwrap_or(1), BLOCK)]);
    }
    for number in 1..=4 {
        receiver.gets(20, data(number, BLOCK)).sends(20, &[ack(number)]);
        sender.gets(20, ack(number)).poll(20);
    }
    assert_eq!(receiver.file.len(), 65_539 * 8);
    // The last block, 65,540, is full: number 5. The empty one behind it is number 6.
    sender.gets(30, ack(5)).sends(30, &[data(6, b"")]);
    sender.gets(30, ack(6)).is_silent(30).is_done();
}

#[test]
fn msftwindow_each_ack_tells_the_next_window() {
    let content = file(8 * 40);
    let mut session = msft(&content, 6);
    session.gets(10, told(0, 2)).sends(10, &blocks(&content, 8, 1..=2));
    session.gets(20, told(2, 4)).sends(20, &blocks(&content, 8, 3..=6));
    // More than the server allows.
    session.gets(30, told(6, 200)).sends(30, &blocks(&content, 8, 7..=12));
    // None, or nothing: as before.
    session.gets(40, told(12, 0)).sends(40, &blocks(&content, 8, 13..=18));
    session.gets(50, ack(18)).sends(50, &blocks(&content, 8, 19..=24));
    session.gets(60, told(24, 1)).sends(60, &blocks(&content, 8, 25..=25));
}

#[test]
fn msftwindow_an_ack_that_is_ignored_tells_nothing() {
    let content = file(8 * 40);
    let mut session = msft(&content, 6);
    session.gets(10, told(0, 2)).sends(10, &blocks(&content, 8, 1..=2));
    session.gets_again(11, told(0, 6)).is_silent(11);
    session.gets(20, ack(2)).sends(20, &blocks(&content, 8, 3..=4));
}

/// The ACK of a block that came twice leaves what is on its way alone, and a smaller window has no
/// room for more: then the timer runs.
#[test]
fn msftwindow_a_window_that_shrinks_while_it_is_on_its_way_does_not_stop_the_transfer() {
    let content = file(8 * 40);
    let mut session = msft(&content, 6);
    session.gets(10, told(0, 6)).sends(10, &blocks(&content, 8, 1..=6)).wakes(210);
    session.sends(210, &blocks(&content, 8, 1..=6)).gets(220, told(4, 6));
    session.sends(220, &blocks(&content, 8, 5..=10)).gets(221, told(5, 2)).is_silent(221);
    let again = session.timer().unwrap();
    assert!(again < Instant::NEVER, "nobody would ever speak again");
    session.handle_timeout(again);
    session.sends(1000, &blocks(&content, 8, 6..=7));
}

#[test]
fn msftwindow_a_client_that_asked_tells_its_window() {
    let mut session = read(blksize(8).with_msft_window(MsftWindow::Asked));
    session.poll(0);
    session.gets(5, oack("blksize=8 msftwindow=27182")).sends(5, &[told(0, 1)]);
    session.gets(10, data(1, BLOCK)).sends(10, &[told(1, 1)]);
}

#[test]
fn an_oack_that_changes_one_of_them_is_refused() {
    let asked = Options::NONE
        .with_fine_timeout(FineTimeout::new(50_000).unwrap())
        .with_block_size2(BlockSize::new(1024).unwrap())
        .with_rollover(Rollover::ToZero)
        .with_msft_window(MsftWindow::Asked);
    for wrong in ["utimeout=50001", "blksize2=2048", "rollover=1", "rollover=2", "msftwindow=31416"]
    {
        let mut session = write(asked, b"");
        session.poll(0);
        session.gets(5, oack(wrong));
        let failure = Failure::Protocol(Misconduct::UnacceptableValue);
        assert_eq!(session.status(), Status::Failed(failure), "{wrong}");
    }
}

fn everything() -> Limits {
    let options = OptionKind::ALL.into_iter().fold(OptionSet::NONE, OptionSet::with);
    Limits { options, ..Limits::default() }
}

/// A server's read of blocks of 8 bytes with `msftwindow` of at most `most`, its OACK sent.
fn msft(content: &[u8], most: u8) -> Trace {
    let granted = blksize(8).with_msft_window(MsftWindow::Granted { most });
    let mut session = serve_read(granted, content);
    session.sends(0, &[oack("blksize=8 msftwindow=27182")]);
    session
}

/// An ACK that tells the next window.
fn told(block: u16, window: u8) -> Vec<u8> {
    [ack(block), vec![window]].concat()
}
