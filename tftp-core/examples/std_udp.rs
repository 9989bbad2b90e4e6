//! A sender and a receiver over blocking sockets of the standard library, a thread each.
//!
//! `cargo run -p tftp-core --example std_udp` moves a file over the loopback and prints
//!
//! ```text
//! sender: Done, 100000 bytes, windowsize=8
//! receiver: Done, 100000 bytes, all as they were
//! ```

use std::io::{self, ErrorKind, Read, Result, Seek, SeekFrom};
use std::{net::SocketAddr, net::UdpSocket, thread, time};

use tftp_core::{
    Instant, Options, Order, Received, Receiver, Sender, Status, Timing, Transmit, UNKNOWN_TID,
    Verdict, WindowSize,
};

fn main() -> Result<()> {
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let (from, to) = (here.local_addr()?, there.local_addr()?);
    // The request has been read and answered: see `Limits::answer`.
    let options = Options::NONE.with_window_size(WindowSize::new(8).expect("not zero"));
    let sender = Sender::reply(Instant::ZERO, to, options, Some(100_000), Timing::SERVER);
    let receiver = Receiver::request(Instant::ZERO, from, options, Order::Strict, Timing::CLIENT);
    let source = io::Cursor::new(file.clone());
    let sending = thread::spawn(move || send(&here, sender, source));
    let (got, copy) = receive(&there, receiver)?;
    let sent = sending.join().expect("the sender does not panic")?;
    let (Status::Done(sent), Status::Done(got)) = (sent, got) else {
        unreachable!("nothing gets lost for long on the loopback")
    };
    assert!(copy == file, "the copy differs");
    println!("sender: Done, {} bytes, {}", sent.bytes, sent.params.options);
    println!("receiver: Done, {} bytes, all as they were", got.bytes);
    Ok(())
}

fn send(socket: &UdpSocket, mut sender: Sender, mut file: impl Read + Seek) -> Result<Status> {
    let (clock, mut buffer) = (time::Instant::now(), vec![0; 65_535]);
    let now = || Instant::ZERO + clock.elapsed();
    loop {
        while let Some(transmit) = sender.poll_transmit(now(), &mut buffer) {
            match transmit {
                Transmit::Burst(burst) => {
                    // One of its packets at a time: the buffer holds one of any size.
                    let Some(burst) = burst.first(1) else { break };
                    file.seek(SeekFrom::Start(burst.offset()))?;
                    for payload in burst.frame(&mut buffer) {
                        file.read_exact(payload)?;
                    }
                    socket.send_to(&buffer[..burst.framed_len()], sender.peer())?;
                    sender.commit(now(), burst);
                }
                Transmit::Packet(len) => _ = socket.send_to(&buffer[..len], sender.peer())?,
                Transmit::Request => unreachable!("this end was asked"),
            }
        }
        let Some(due) = sender.poll_timeout() else { return Ok(sender.status()) };
        if let Some((len, from)) = wait(socket, &mut buffer, now(), due)? {
            if sender.handle_datagram(now(), from, &buffer[..len]) == Verdict::Stray {
                socket.send_to(UNKNOWN_TID, from)?;
            }
        } else {
            sender.handle_timeout(now());
        }
    }
}

fn receive(socket: &UdpSocket, mut receiver: Receiver) -> Result<(Status, Vec<u8>)> {
    let (clock, mut buffer, mut file) = (time::Instant::now(), vec![0; 65_535], Vec::new());
    let now = || Instant::ZERO + clock.elapsed();
    loop {
        while let Some(transmit) = receiver.poll_transmit(now(), &mut buffer) {
            if let Transmit::Packet(len) = transmit {
                socket.send_to(&buffer[..len], receiver.peer())?;
            }
        }
        let Some(due) = receiver.poll_timeout() else { return Ok((receiver.status(), file)) };
        let Some((len, from)) = wait(socket, &mut buffer, now(), due)? else {
            receiver.handle_timeout(now());
            continue;
        };
        match receiver.handle_datagram(now(), from, &buffer[..len]) {
            Received::Data(chunk) => file.extend_from_slice(chunk.bytes),
            Received::Other(Verdict::Stray) => _ = socket.send_to(UNKNOWN_TID, from)?,
            Received::Other(_) => {}
        }
    }
}

/// Waits for a datagram, or until the session is due.
fn wait(
    socket: &UdpSocket,
    buffer: &mut [u8],
    now: Instant,
    due: Instant,
) -> Result<Option<(usize, SocketAddr)>> {
    let most = due.saturating_duration_since(now);
    if most.is_zero() {
        return Ok(None);
    }
    socket.set_read_timeout(Some(most))?;
    match socket.recv_from(buffer) {
        Ok(arrived) => Ok(Some(arrived)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
