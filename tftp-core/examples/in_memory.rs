//! A whole transfer without a network: both halves, a clock that stands still, and every packet.
//!
//! `cargo run -p tftp-core --example in_memory` prints the OACK, ACK 0, three DATA in windows of
//! two, their ACKs, and `17 bytes arrived`.

use std::net::{Ipv4Addr, SocketAddr};

use tftp_core::{
    BlockSize, Instant, Options, Order, Packet, Received, Receiver, SMALL_PACKET, Sender, Timing,
    Transmit, WindowSize,
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
        let (framed, stride) = match transmit {
            Transmit::Burst(burst) => {
                let mut rest = file.get(usize::try_from(burst.offset())?..).unwrap_or_default();
                let mut framed = vec![0; burst.framed_len()];
                for payload in burst.frame(&mut framed) {
                    let (bytes, behind) = rest.split_at(payload.len());
                    payload.copy_from_slice(bytes);
                    rest = behind;
                }
                sender.commit(now, burst);
                (framed, burst.stride())
            }
            Transmit::Packet(len) => (out[..len].to_vec(), len),
            Transmit::Request => unreachable!("the receiver asked"),
        };
        for datagram in framed.chunks(stride) {
            println!("server: {:?}", Packet::parse(datagram)?);
            if let Received::Data(chunk) = receiver.handle_datagram(now, server, datagram) {
                assert_eq!(chunk.offset, arrived.len() as u64);
                arrived.extend_from_slice(chunk.bytes);
            }
        }
        while let Some(Transmit::Packet(len)) = receiver.poll_transmit(now, &mut out) {
            println!("client: {:?}", Packet::parse(&out[..len])?);
            let _ = sender.handle_datagram(now, client, &out[..len]);
        }
    }
    assert_eq!(arrived, file);
    println!("{} bytes arrived: {:?}", arrived.len(), sender.status());
    Ok(())
}
