//! A server and a client over blocking sockets of the standard library, a thread each.
//!
//! `cargo run -p tftp-core --example std_udp` moves 100,000 bytes over the loopback in windows of
//! eight blocks and prints how each end saw it: `Lingering`, and `Done`.

use std::{io::Result, net::SocketAddr, net::UdpSocket, thread, time};

use tftp_core::{
    Instant, Options, Order, Received, Receiver, Sender, Status, Timing, Transmit, WindowSize,
};

fn main() -> Result<()> {
    let (reader, writer) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let (to, from) = (reader.local_addr()?, writer.local_addr()?);
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    // The request has been read and answered: see `Limits::answer`.
    let options = Options::NONE.with_window_size(WindowSize::new(8).expect("not zero"));
    thread::scope(|scope| {
        let put = scope.spawn(|| put(&writer, to, options, &file));
        assert!(get(&reader, from, options)? == file, "the copy differs");
        put.join().expect("the sender does not panic")
    })
}

fn put(socket: &UdpSocket, peer: SocketAddr, options: Options, file: &[u8]) -> Result<()> {
    let (clock, mut buffer) = (time::Instant::now(), vec![0; 65_535]);
    let len = Some(file.len() as u64);
    let mut sender = Sender::reply(now(clock), peer, options, len, Timing::SERVER);
    while sender.poll_timeout().is_some() {
        while let Some(transmit) = sender.poll_transmit(now(clock), &mut buffer) {
            let (len, stride) = match transmit {
                Transmit::Burst(burst) => {
                    let bytes = file.iter().skip(usize::try_from(burst.offset()).unwrap_or(0));
                    let places = burst.frame(&mut buffer).flatten();
                    places.zip(bytes).for_each(|(place, byte)| *place = *byte);
                    sender.commit(now(clock), burst);
                    (burst.framed_len(), burst.stride())
                }
                Transmit::Packet(len) => (len, len),
                Transmit::Request => unreachable!("the peer asked"),
            };
            for packet in buffer[..len].chunks(stride) {
                socket.send_to(packet, sender.peer())?;
            }
        }
        if let Some((len, from)) = receive(socket, &mut buffer, sender.poll_timeout(), clock)? {
            let _ = sender.handle_datagram(now(clock), from, &buffer[..len]);
        }
        sender.handle_timeout(now(clock));
    }
    println!("sender: {:?}", sender.status());
    Ok(())
}

fn get(socket: &UdpSocket, peer: SocketAddr, options: Options) -> Result<Vec<u8>> {
    let (clock, mut buffer, mut file) = (time::Instant::now(), vec![0; 65_535], Vec::new());
    let mut receiver = Receiver::request(now(clock), peer, options, Order::Strict, Timing::CLIENT);
    loop {
        while let Some(transmit) = receiver.poll_transmit(now(clock), &mut buffer) {
            if let Transmit::Packet(len) = transmit {
                socket.send_to(&buffer[..len], receiver.peer())?;
            }
        }
        if let Status::Lingering(_) | Status::Failed(_) = receiver.status() {
            println!("receiver: {:?}", receiver.status());
            return Ok(file);
        }
        if let Some((len, from)) = receive(socket, &mut buffer, receiver.poll_timeout(), clock)? {
            let outcome = receiver.handle_datagram(now(clock), from, &buffer[..len]);
            if let Received::Data(chunk) = outcome {
                file.extend_from_slice(chunk.bytes);
            }
        }
        receiver.handle_timeout(now(clock));
    }
}

/// Waits for a datagram, or until the session is to be woken.
fn receive(
    socket: &UdpSocket,
    buffer: &mut [u8],
    due: Option<Instant>,
    clock: time::Instant,
) -> Result<Option<(usize, SocketAddr)>> {
    let Some(due) = due else { return Ok(None) };
    let wait = due.saturating_duration_since(now(clock)).max(time::Duration::from_millis(1));
    socket.set_read_timeout(Some(wait))?;
    Ok(socket.recv_from(buffer).ok())
}

fn now(clock: time::Instant) -> Instant {
    Instant::ZERO + clock.elapsed()
}
