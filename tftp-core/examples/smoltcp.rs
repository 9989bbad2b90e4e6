//! Two machines in one: a transfer over smoltcp's IP stack and its loopback device, without sockets
//! of an operating system, and on a clock that stands still while there is something to do.
//!
//! `cargo run -p tftp-core --example smoltcp` prints
//!
//! ```text
//! sender: Done, 100000 bytes, blksize=1428 windowsize=8
//! receiver: Done, 100000 bytes, all as they were
//! ```

use std::{error::Error, io::Read as _};

use smoltcp::iface::{Config, Interface, PollResult, SocketSet};
use smoltcp::phy::{Loopback, Medium};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::{time, wire::HardwareAddress, wire::IpAddress, wire::IpCidr, wire::IpEndpoint};
use tftp_core::{
    BlockSize, Instant, Options, Order, Received, Receiver, SMALL_PACKET, Sender, Status, Timing,
    Transmit, WindowSize,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut device = Loopback::new(Medium::Ip);
    let config = Config::new(HardwareAddress::Ip);
    let mut interface = Interface::new(config, &mut device, time::Instant::ZERO);
    let address = IpAddress::v4(127, 0, 0, 1);
    let [here, there] = [20_000, 40_000].map(|port| IpEndpoint::new(address, port));
    interface.update_ip_addrs(|own| _ = own.push(IpCidr::new(address, 8)));
    let mut sockets = SocketSet::new(Vec::new());
    let [sending, receiving] = [here, there].map(|at| {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 4096]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.bind(at).expect("a free port");
        sockets.add(socket)
    });

    // The request has been read and answered: see `Limits::answer`.
    let (size, window) = (BlockSize::new(1428)?, WindowSize::new(8)?);
    let options = Options::NONE.with_block_size(size).with_window_size(window);
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let (mut copy, mut small) = (vec![0; file.len()], [0; SMALL_PACKET]);
    let (mut now, len) = (Instant::ZERO, Some(100_000));
    let mut sender = Sender::reply(now, there.into(), options, len, Timing::SERVER);
    let mut receiver = Receiver::request(now, here.into(), options, Order::Any, Timing::CLIENT);
    loop {
        let socket = sockets.get_mut::<Socket<'_>>(sending);
        while let Some(transmit) = sender.poll_transmit(now, &mut small) {
            match transmit {
                // Straight into the stack's buffer; while that is full, the plan stands.
                Transmit::Burst(burst) => {
                    let Some(burst) = burst.first(1) else { break };
                    let Ok(out) = socket.send(burst.framed_len(), sender.peer()) else { break };
                    let mut rest = &file[usize::try_from(burst.offset())?..];
                    for payload in burst.frame(out) {
                        rest.read_exact(payload)?;
                    }
                    sender.commit(now, burst);
                }
                Transmit::Packet(len) => socket.send_slice(&small[..len], sender.peer())?,
                Transmit::Request => unreachable!("this end was asked"),
            }
        }
        let mut idle = true;
        if let Ok((datagram, from)) = socket.recv() {
            let _ = sender.handle_datagram(now, from.endpoint.into(), datagram);
            idle = false;
        } else {
            sender.handle_timeout(now);
        }

        let socket = sockets.get_mut::<Socket<'_>>(receiving);
        while let Some(transmit) = receiver.poll_transmit(now, &mut small) {
            if let Transmit::Packet(len) = transmit {
                socket.send_slice(&small[..len], receiver.peer())?;
            }
        }
        if let Ok((datagram, from)) = socket.recv() {
            let what = receiver.handle_datagram(now, from.endpoint.into(), datagram);
            if let Received::Data(chunk) = what {
                let place = usize::try_from(chunk.offset)?;
                copy[place..][..chunk.bytes.len()].copy_from_slice(chunk.bytes);
            }
            idle = false;
        } else {
            receiver.handle_timeout(now);
        }

        let due = sender.poll_timeout().into_iter().chain(receiver.poll_timeout()).min();
        let Some(due) = due else { break };
        let at = time::Instant::from_micros(i64::try_from(now.as_nanos() / 1000)?);
        idle &= interface.poll(at, &mut device, &mut sockets) == PollResult::None;
        if idle {
            now = due.max(now);
        }
    }
    let (Status::Done(sent), Status::Done(got)) = (sender.status(), receiver.status()) else {
        unreachable!("nothing gets lost")
    };
    assert!(copy == file, "the copy differs");
    println!("sender: Done, {} bytes, {}", sent.bytes, sent.params.options);
    println!("receiver: Done, {} bytes, all as they were", got.bytes);
    Ok(())
}
