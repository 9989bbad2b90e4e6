//! A sender and a receiver as tasks of tokio, each the canonical loop over a socket of its own.
//!
//! `cargo run -p tftp-core --example tokio` moves a file over the loopback and prints
//!
//! ```text
//! sender: Done, 100000 bytes, windowsize=8
//! receiver: Done, 100000 bytes, all as they were
//! ```

use std::io::{self, Read, Result, Seek, SeekFrom};

use tftp_core::{
    Instant, Options, Order, Received, Receiver, Sender, Status, Timing, Transmit, UNKNOWN_TID,
    Verdict, WindowSize,
};
use tokio::{net::UdpSocket, runtime, task, time};

fn main() -> Result<()> {
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let options = Options::NONE.with_window_size(WindowSize::new(8).expect("not zero"));
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (here, there) =
            (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
        let (from, to) = (here.local_addr()?, there.local_addr()?);
        let sender = Sender::reply(Instant::ZERO, to, options, Some(100_000), Timing::SERVER);
        let receiver =
            Receiver::request(Instant::ZERO, from, options, Order::Strict, Timing::CLIENT);
        let sending = task::spawn(send(here, sender, io::Cursor::new(file.clone())));
        let (status, copy) = receive(there, receiver).await?;
        assert!(copy == file, "the copy differs");
        let (Status::Done(sent), Status::Done(got)) = (sending.await??, status) else {
            unreachable!("nothing gets lost for long on the loopback")
        };
        println!("sender: Done, {} bytes, {}", sent.bytes, sent.params.options);
        println!("receiver: Done, {} bytes, all as they were", got.bytes);
        Ok(())
    })
}

async fn send(socket: UdpSocket, mut sender: Sender, mut file: impl Read + Seek) -> Result<Status> {
    let (clock, mut buffer) = (time::Instant::now(), vec![0; 65_535]);
    let now = || Instant::ZERO + clock.elapsed();
    loop {
        while let Some(transmit) = sender.poll_transmit(now(), &mut buffer) {
            match transmit {
                Transmit::Burst(burst) => {
                    file.seek(SeekFrom::Start(burst.offset()))?;
                    for payload in burst.frame(&mut buffer) {
                        file.read_exact(payload)?;
                    }
                    for packet in buffer[..burst.framed_len()].chunks(burst.stride()) {
                        socket.send_to(packet, sender.peer()).await?;
                    }
                    sender.commit(now(), burst);
                }
                Transmit::Packet(len) => {
                    socket.send_to(&buffer[..len], sender.peer()).await?;
                }
                Transmit::Request => unreachable!("this end was asked"),
            }
        }
        let Some(due) = sender.poll_timeout() else { return Ok(sender.status()) };
        let wait = due.saturating_duration_since(now());
        if let Ok(arrived) = time::timeout(wait, socket.recv_from(&mut buffer)).await {
            let (len, from) = arrived?;
            if sender.handle_datagram(now(), from, &buffer[..len]) == Verdict::Stray {
                socket.send_to(UNKNOWN_TID, from).await?;
            }
        } else {
            sender.handle_timeout(now());
        }
    }
}

async fn receive(socket: UdpSocket, mut receiver: Receiver) -> Result<(Status, Vec<u8>)> {
    let (clock, mut buffer, mut file) = (time::Instant::now(), vec![0; 65_535], Vec::new());
    let now = || Instant::ZERO + clock.elapsed();
    loop {
        while let Some(transmit) = receiver.poll_transmit(now(), &mut buffer) {
            if let Transmit::Packet(len) = transmit {
                socket.send_to(&buffer[..len], receiver.peer()).await?;
            }
        }
        let Some(due) = receiver.poll_timeout() else { return Ok((receiver.status(), file)) };
        let wait = due.saturating_duration_since(now());
        let Ok(arrived) = time::timeout(wait, socket.recv_from(&mut buffer)).await else {
            receiver.handle_timeout(now());
            continue;
        };
        let (len, from) = arrived?;
        match receiver.handle_datagram(now(), from, &buffer[..len]) {
            Received::Data(chunk) => file.extend_from_slice(chunk.bytes),
            Received::Other(Verdict::Stray) => _ = socket.send_to(UNKNOWN_TID, from).await?,
            Received::Other(_) => {}
        }
    }
}
