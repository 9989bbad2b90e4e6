//! What tftp-core costs per packet and per block, without any I/O.

use std::{
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tftp_core::{
    BlockSize, Instant, Limits, Options, Order, Packet, Received, Receiver, SMALL_PACKET, Sender,
    Timing, Transmit, WindowSize,
    netascii::{Decoder, Encoder},
};

criterion_group!(benches, codec, negotiation, netascii, transfer);
criterion_main!(benches);

const REQUEST: &[u8] =
    b"\0\x01boot/vmlinuz\0octet\0tsize\x000\0blksize\x001468\0windowsize\x0016\0timeout\x005\0";

fn codec(c: &mut Criterion) {
    let data = [&[0, 3, 0, 1], &[0; 1468][..]].concat();
    let mut out = [0; 2048];
    c.bench_function("codec/parse DATA", |b| b.iter(|| Packet::parse(black_box(&data))));
    c.bench_function("codec/parse ACK", |b| b.iter(|| Packet::parse(black_box(&[0, 4, 0, 1]))));
    c.bench_function("codec/parse RRQ with four options", |b| {
        b.iter(|| Packet::parse(black_box(REQUEST)));
    });
    let request = Packet::parse(REQUEST).expect("a request");
    c.bench_function("codec/encode RRQ with four options", |b| {
        b.iter(|| black_box(&request).encode(&mut out));
    });
}

fn negotiation(c: &mut Criterion) {
    let Ok(Packet::Request(request)) = Packet::parse(REQUEST) else { unreachable!() };
    let limits = Limits::default();
    c.bench_function("negotiation/answer", |b| {
        b.iter(|| limits.answer(black_box(&request), Some(10_000_000)));
    });
}

fn netascii(c: &mut Criterion) {
    let text = "a line of text, as long as lines are\n".repeat(1000);
    let mut wire = vec![0; 2 * text.len()];
    let len = Encoder::new().encode(text.as_bytes(), &mut wire).written;
    let mut out = vec![0; 2 * text.len()];
    let mut group = c.benchmark_group("netascii");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("encode", |b| {
        b.iter(|| Encoder::new().encode(black_box(text.as_bytes()), &mut out));
    });
    group.bench_function("decode", |b| {
        b.iter(|| Decoder::new().decode(black_box(&wire[..len]), &mut out));
    });
    group.finish();
}

/// A whole transfer through both machines; the time is per block.
fn transfer(c: &mut Criterion) {
    const BLOCKS: u16 = 4096;
    let mut group = c.benchmark_group("transfer");
    group.throughput(Throughput::Elements(BLOCKS.into()));
    for (block_size, window_size) in [(512, 1), (1468, 1), (1468, 16), (1468, 64), (8192, 16)] {
        let options = Options::NONE
            .with_block_size(BlockSize::new(block_size).expect("in range"))
            .with_window_size(WindowSize::new(window_size).expect("not zero"));
        let len = u64::from(BLOCKS) * u64::from(block_size) - 1;
        let name = BenchmarkId::from_parameter(format!("{block_size} x {window_size}"));
        group.bench_function(name, |b| b.iter(|| in_memory(options, len)));
    }
    group.finish();
}

/// Moves a file of zeros and returns the bytes that arrived.
fn in_memory(options: Options, len: u64) -> u64 {
    let now = Instant::ZERO;
    let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000));
    let mut sender = Sender::reply(now, client, options, Some(len), Timing::SERVER);
    let mut receiver = Receiver::request(now, server, options, Order::Any, Timing::CLIENT);
    let mut small = [0; SMALL_PACKET];
    let mut framed = vec![0; 64 * 8196];
    let mut arrived = 0;
    loop {
        match sender.poll_transmit(now, &mut small) {
            Some(Transmit::Burst(burst)) => {
                // The payloads stay as they are: reading the file is not measured.
                burst.frame(&mut framed).for_each(drop);
                let bytes = &framed[..burst.framed_len()];
                sender.commit(now, burst);
                for packet in bytes.chunks(burst.stride()) {
                    if let Received::Data(chunk) = receiver.handle_datagram(now, server, packet) {
                        arrived += chunk.bytes.len() as u64;
                    }
                }
            }
            Some(Transmit::Packet(oack)) => {
                let _ = receiver.handle_datagram(now, server, &small[..oack]);
            }
            Some(Transmit::Request) | None => return arrived,
        }
        while let Some(transmit) = receiver.poll_transmit(now, &mut small) {
            if let Transmit::Packet(ack) = transmit {
                let _ = sender.handle_datagram(now, client, &small[..ack]);
            }
        }
    }
}
