//! A whole transfer without a network: both halves, a clock that stands still, and every packet.
//!
//! `cargo run -p tftp-core --example in_memory` prints
//!
//! ```text
//! server: OACK
//! client: ACK 0
//! server: DATA 1, 8 bytes
//! server: DATA 2, 8 bytes
//! client: ACK 2
//! server: DATA 3, 1 bytes
//! client: ACK 3
//! 17 bytes arrived, all as they were
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use tftp_core::{
    BlockSize, Instant, Malformed, Options, Order, Packet, Received, Receiver, SMALL_PACKET,
    Sender, Status, Timing, Transmit, WindowSize,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = Instant::ZERO;
    let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000));
    let options =
        Options::NONE.with_block_size(BlockSize::new(8)?).with_window_size(WindowSize::new(2)?);
    let file = b"all of the file\r\n";
    let len = Some(file.len() as u64);
    let mut sender = Sender::reply(now, client, options, len, Timing::SERVER);
    let mut receiver = Receiver::request(now, server, options, Order::Any, Timing::CLIENT);
    let mut out = [0; SMALL_PACKET];
    // The request: it is what made the server create its sender.
    assert_eq!(receiver.poll_transmit(now, &mut out), Some(Transmit::Request));

    let mut arrived = Vec::new();
    while let Some(transmit) = sender.poll_transmit(now, &mut out) {
        let packets = match transmit {
            Transmit::Burst(burst) => {
                let rest = &file[usize::try_from(burst.offset())?..];
                let packets = burst.frame_content(rest, &mut out);
                sender.commit(now, burst);
                packets
            }
            Transmit::Packet(len) => out[..len].chunks(len),
            Transmit::Request => unreachable!("the receiver asked"),
        };
        for datagram in packets {
            println!("server: {}", shown(datagram)?);
            if let Received::Data(chunk) = receiver.handle_datagram(now, server, datagram) {
                assert_eq!(chunk.offset, arrived.len() as u64);
                arrived.extend_from_slice(chunk.bytes);
            }
        }
        while let Some(Transmit::Packet(len)) = receiver.poll_transmit(now, &mut out) {
            println!("client: {}", shown(&out[..len])?);
            let _ = sender.handle_datagram(now, client, &out[..len]);
        }
    }
    assert_eq!(arrived, file);
    assert!(matches!(sender.status(), Status::Done(_)));
    println!("{} bytes arrived, all as they were", arrived.len());
    Ok(())
}

fn shown(datagram: &[u8]) -> Result<String, Malformed> {
    Ok(match Packet::parse(datagram)? {
        Packet::Data { block, payload } => format!("DATA {block}, {} bytes", payload.len()),
        Packet::Ack { block, .. } => format!("ACK {block}"),
        Packet::OptionAck(_) => "OACK".into(),
        other => format!("{other:?}"),
    })
}
