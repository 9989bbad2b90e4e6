//! What tftp-core does for a server and a client, without any I/O: each scenario does it as often as
//! it is told, allocates nothing, and is what the criterion benches time, what callgrind counts the
//! instructions of, and what a test watches for allocations.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tftp_core::{
    BlockSize, Instant, Limits, Options, Order, Packet, Received, Receiver, SMALL_PACKET, Sender,
    Timing, Transmit, Verdict, WindowSize,
    netascii::{Decoder, Encoder},
};

/// One of them.
pub struct Scenario {
    /// Its name in tables.
    pub name: &'static str,
    /// What is done once a turn.
    pub unit: &'static str,
    /// Does it so many times.
    pub run: fn(u32),
}

/// All of them.
pub const ALL: [Scenario; 10] = [
    Scenario { name: "parse DATA", unit: "packet", run: parse_data },
    Scenario { name: "parse ACK", unit: "packet", run: parse_ack },
    Scenario { name: "answer RRQ", unit: "request", run: answer_request },
    Scenario { name: "netascii encode", unit: "KiB", run: encode_text },
    Scenario { name: "netascii decode", unit: "KiB", run: decode_text },
    Scenario { name: "send 1428 x 1", unit: "block", run: |blocks| send(1, blocks) },
    Scenario { name: "send 1428 x 16", unit: "block", run: |blocks| send(16, blocks) },
    Scenario { name: "send 1428 x 64", unit: "block", run: |blocks| send(64, blocks) },
    Scenario { name: "receive 1428 x 1", unit: "block", run: |blocks| receive(1, blocks) },
    Scenario { name: "receive 1428 x 16", unit: "block", run: |blocks| receive(16, blocks) },
];

const BLOCK_SIZE: u16 = 1428;
const STRIDE: usize = BLOCK_SIZE as usize + 4;
const LARGEST_WINDOW: usize = 64;
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
const REQUEST: &[u8] =
    b"\0\x01boot/vmlinuz\0octet\0tsize\x000\0blksize\x001468\0windowsize\x0016\0timeout\x005\0";
/// A line of 64 bytes.
const LINE: &[u8; 64] = b"a line of text, with a CR (\r) in the middle, as long as lines. \n";

fn parse_data(times: u32) {
    let mut datagram = [0; STRIDE];
    datagram[1] = 3;
    for _ in 0..times {
        assert!(matches!(Packet::parse(black_box(&datagram)), Ok(Packet::Data { .. })));
    }
}

fn parse_ack(times: u32) {
    for _ in 0..times {
        assert!(matches!(Packet::parse(black_box(&[0, 4, 0, 1])), Ok(Packet::Ack { .. })));
    }
}

/// Parses a request with four options, decides what is granted, and makes the OACK.
fn answer_request(times: u32) {
    let limits = Limits::default();
    let mut out = [0; SMALL_PACKET];
    for _ in 0..times {
        let Ok(Packet::Request(request)) = Packet::parse(black_box(REQUEST)) else {
            unreachable!()
        };
        let granted = limits.answer(&request, Some(10_000_000)).expect("nothing is refused");
        let mut sender =
            Sender::reply(Instant::ZERO, PEER, granted, Some(10_000_000), Timing::SERVER);
        let oack = sender.poll_transmit(Instant::ZERO, &mut out);
        assert!(matches!(black_box(oack), Some(Transmit::Packet(_))));
    }
}

fn encode_text(kibibytes: u32) {
    let mut text = [0; 1024];
    text.chunks_exact_mut(LINE.len()).for_each(|line| line.copy_from_slice(LINE));
    let mut out = [0; 2048];
    let mut encoder = Encoder::new();
    for _ in 0..kibibytes {
        let progress = encoder.encode(black_box(&text), &mut out);
        assert_eq!(progress.read, text.len());
    }
}

fn decode_text(kibibytes: u32) {
    let mut text = [0; 1024];
    text.chunks_exact_mut(LINE.len()).for_each(|line| line.copy_from_slice(LINE));
    let mut out = [0; 2048];
    let mut decoder = Decoder::new();
    for _ in 0..kibibytes {
        let progress = decoder.decode(black_box(&text), &mut out);
        assert_eq!(progress.read, text.len());
    }
}

/// A server's read: each ACK draws a window, which is framed and committed. The payloads stay as
/// they are, for reading the file is not measured.
#[expect(clippy::large_stack_arrays, reason = "a scenario allocates nothing")]
fn send(window_size: u16, blocks: u32) {
    let now = Instant::ZERO;
    let len = u64::from(blocks) * u64::from(BLOCK_SIZE) - 1;
    let mut sender = Sender::reply(now, PEER, options(window_size), Some(len), Timing::SERVER);
    let mut small = [0; SMALL_PACKET];
    let mut framed = [0; LARGEST_WINDOW * STRIDE];
    let mut sent = 0;
    while let Some(transmit) = sender.poll_transmit(now, &mut small) {
        if let Transmit::Burst(burst) = transmit {
            burst.frame(&mut framed).for_each(drop);
            black_box(&framed);
            sent += u32::from(burst.packets());
            sender.commit(now, burst);
        }
        let [.., high, low] = sent.to_be_bytes();
        let ack = [0, 4, high, low];
        let verdict = sender.handle_datagram(now, PEER, &ack);
        assert_eq!(verdict, Verdict::Accepted);
    }
    assert_eq!(sent, blocks);
}

/// A server's write: each block is returned as a chunk, each window acknowledged.
fn receive(window_size: u16, blocks: u32) {
    let now = Instant::ZERO;
    let mut session = Receiver::reply(now, PEER, options(window_size), Order::Any, Timing::SERVER);
    let mut small = [0; SMALL_PACKET];
    let mut datagram = [0; STRIDE];
    datagram[1] = 3;
    let _ = session.poll_transmit(now, &mut small);
    for block in 1..=blocks {
        let [.., high, low] = block.to_be_bytes();
        [datagram[2], datagram[3]] = [high, low];
        let received = session.handle_datagram(now, PEER, black_box(&datagram));
        assert!(matches!(received, Received::Data(_)));
        let ack = session.poll_transmit(now, &mut small);
        assert_eq!(ack.is_some(), block.is_multiple_of(window_size.into()));
    }
}

fn options(window_size: u16) -> Options {
    Options::NONE
        .with_block_size(BlockSize::new(BLOCK_SIZE).expect("in range"))
        .with_window_size(WindowSize::new(window_size).expect("not zero"))
}
