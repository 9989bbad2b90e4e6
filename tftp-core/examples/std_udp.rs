//! A client over a blocking socket of the standard library.
//!
//! `cargo run -p tftp-core --example std_udp` reads a file from a thread nearby and prints
//!
//! ```text
//! Done, 100000 bytes, all as they were
//! ```

use std::{error::Error, io, io::ErrorKind, net::SocketAddr, net::UdpSocket, thread, time};

use tftp_core::{
    Instant, Mode, Operation, Options, Order, Packet, Received, Receiver, Request, Status, Timing,
    Transmit, UNKNOWN_TID, Verdict,
};

fn main() -> Result<(), Box<dyn Error>> {
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let server = UdpSocket::bind("127.0.0.1:0")?;
    let (address, content) = (server.local_addr()?, file.clone());
    thread::spawn(move || serve(&server, &content));
    let (status, copy) = get(address, b"file")?;
    let Status::Done(summary) = status else { return Err(format!("{status:?}").into()) };
    assert!(copy == file, "the copy differs");
    println!("Done, {} bytes, all as they were", summary.bytes);
    Ok(())
}

fn get(server: SocketAddr, filename: &[u8]) -> Result<(Status, Vec<u8>), Box<dyn Error>> {
    let (operation, mode, options) = (Operation::Read, Mode::Octet, Options::NONE);
    let mut request = [0; Request::MAX_LEN];
    let asked = Request { operation, filename, mode, options }.encode(&mut request)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let (clock, mut buffer, mut file) = (time::Instant::now(), vec![0; 65_535], Vec::new());
    let now = || Instant::ZERO + clock.elapsed();
    let mut receiver = Receiver::request(now(), server, options, Order::Strict, Timing::CLIENT);
    loop {
        while let Some(transmit) = receiver.poll_transmit(now(), &mut buffer) {
            match transmit {
                Transmit::Request => socket.send_to(&request[..asked], server)?,
                Transmit::Packet(len) => socket.send_to(&buffer[..len], receiver.peer())?,
                Transmit::Burst(_) => unreachable!("a receiver sends no DATA"),
            };
        }
        let Some(due) = receiver.poll_timeout() else { return Ok((receiver.status(), file)) };
        // A socket's time-out must not be zero; waiting a little too long does no harm.
        let wait = due.saturating_duration_since(now()).max(time::Duration::from_millis(1));
        socket.set_read_timeout(Some(wait))?;
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => match receiver.handle_datagram(now(), from, &buffer[..len]) {
                Received::Data(chunk) => file.extend_from_slice(chunk.bytes),
                Received::Other(Verdict::Stray) => _ = socket.send_to(UNKNOWN_TID, from)?,
                Received::Other(_) => {}
            },
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                receiver.handle_timeout(now());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The peer, by hand: a block, its ACK, the next block. On the loopback nothing gets lost.
fn serve(socket: &UdpSocket, file: &[u8]) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let (_, client) = socket.recv_from(&mut buffer)?;
    for (block, payload) in (1..).zip(file.chunks(512)) {
        let len = Packet::Data { block, payload }.encode(&mut buffer).expect("room for a block");
        socket.send_to(&buffer[..len], client)?;
        let [high, low] = block.to_be_bytes();
        while buffer[..4] != [0, 4, high, low] {
            socket.recv(&mut buffer)?;
        }
    }
    Ok(())
}
