//! Two machines in one: a transfer over smoltcp's IP stack, without an operating system's sockets.
//!
//! `cargo run -p tftp-core --example smoltcp` prints
//!
//! ```text
//! Done, 100000 bytes, all as they were
//! ```

use std::{error::Error, time::Duration};

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Loopback, Medium};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::{time, wire::HardwareAddress, wire::IpAddress, wire::IpCidr, wire::IpEndpoint};
use tftp_core::{
    Instant, Options, Order, Received, Receiver, SMALL_PACKET, Sender, Status, Timing, Transmit,
    WindowSize,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut device = Loopback::new(Medium::Ip);
    let (config, address) = (Config::new(HardwareAddress::Ip), IpAddress::v4(127, 0, 0, 1));
    let mut interface = Interface::new(config, &mut device, time::Instant::ZERO);
    interface.update_ip_addrs(|own| _ = own.push(IpCidr::new(address, 8)));
    let [here, there] = [20_000, 40_000].map(|port| IpEndpoint::new(address, port));
    let mut sockets = SocketSet::new(Vec::new());
    let [sending, receiving] = [here, there].map(|at| {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 4096]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.bind(at).expect("a free port");
        sockets.add(socket)
    });
    // The request has been read and answered: see `Limits::answer`.
    let options = Options::NONE.with_window_size(WindowSize::new(8)?);
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let (now, mut copy, mut small) = (Instant::ZERO, Vec::new(), [0; SMALL_PACKET]);
    let mut sender = Sender::reply(now, there.into(), options, Some(100_000), Timing::SERVER);
    let mut receiver = Receiver::request(now, here.into(), options, Order::Strict, Timing::CLIENT);
    // A minute of this network's own time. Nobody else is on it: there are no strays to answer.
    for millis in 0..60_000_u32 {
        let now = Instant::ZERO + Duration::from_millis(millis.into());
        let socket = sockets.get_mut::<Socket<'_>>(sending);
        while let Some(transmit) = sender.poll_transmit(now, &mut small) {
            if let Transmit::Packet(len) = transmit {
                socket.send_slice(&small[..len], sender.peer())?;
            } else if let Transmit::Burst(burst) = transmit {
                // Straight into the stack's buffer; while that is full, the plan stands.
                let Some(burst) = burst.first(1) else { break };
                let Ok(out) = socket.send(burst.framed_len(), sender.peer()) else { break };
                let _ = burst.frame_content(&file[usize::try_from(burst.offset())?..], out);
                sender.commit(now, burst);
            }
        }
        match socket.recv() {
            Ok((data, from)) => _ = sender.handle_datagram(now, from.endpoint.into(), data),
            Err(_) => sender.handle_timeout(now),
        }
        let socket = sockets.get_mut::<Socket<'_>>(receiving);
        while let Some(transmit) = receiver.poll_transmit(now, &mut small) {
            let Transmit::Packet(len) = transmit else { continue };
            socket.send_slice(&small[..len], receiver.peer())?;
        }
        if let Ok((data, from)) = socket.recv() {
            let what = receiver.handle_datagram(now, from.endpoint.into(), data);
            if let Received::Data(chunk) = what {
                copy.extend_from_slice(chunk.bytes);
            }
        } else {
            receiver.handle_timeout(now);
        }
        interface.poll(time::Instant::from_millis(millis), &mut device, &mut sockets);
    }
    assert!(matches!(receiver.status(), Status::Done(_)) && copy == file);
    println!("Done, {} bytes, all as they were", copy.len());
    Ok(())
}
