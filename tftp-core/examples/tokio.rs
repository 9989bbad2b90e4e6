//! A server on tokio: every session is a task with a socket of its own.
//!
//! `cargo run -p tftp-core --example tokio` sends a file over the loopback and prints
//!
//! ```text
//! Done, 100000 bytes, all as they were
//! ```

use std::{io::Result, net::SocketAddr};

use tftp_core::{
    Instant, Limits, Options, Packet, Sender, Status, Timing, Transmit, UNKNOWN_TID, Verdict,
};
use tokio::{net::UdpSocket, runtime, task, time};

fn main() -> Result<()> {
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (listener, mut buffer) = (UdpSocket::bind("127.0.0.1:0").await?, [0; 1024]);
        let client = task::spawn(get(listener.local_addr()?));
        // A server does this in a loop, and answers a refusal with an ERROR.
        let (len, peer) = listener.recv_from(&mut buffer).await?;
        let Ok(Packet::Request(request)) = Packet::parse(&buffer[..len]) else { panic!() };
        let granted = Limits::default().answer(&request, Some(100_000)).expect("no refusal");
        let status = task::spawn(send(peer, granted, file.clone())).await??;
        assert!(matches!(status, Status::Done(_)) && client.await?? == file);
        println!("Done, {} bytes, all as they were", file.len());
        Ok(())
    })
}

async fn send(peer: SocketAddr, granted: Options, file: Vec<u8>) -> Result<Status> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let (clock, mut buffer) = (time::Instant::now(), vec![0; 65_535]);
    let now = || Instant::ZERO + clock.elapsed();
    let mut sender = Sender::reply(now(), peer, granted, Some(file.len() as u64), Timing::SERVER);
    loop {
        while let Some(transmit) = sender.poll_transmit(now(), &mut buffer) {
            if let Transmit::Packet(len) = transmit {
                socket.send_to(&buffer[..len], peer).await?;
            } else if let Transmit::Burst(burst) = transmit {
                // One of its packets at a time: the buffer holds one of any size.
                let Some(burst) = burst.first(1) else { break };
                let content = &file[usize::try_from(burst.offset()).expect("in memory")..];
                for packet in burst.frame_content(content, &mut buffer) {
                    socket.send_to(packet, peer).await?;
                }
                sender.commit(now(), burst);
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

/// The client, by hand: it asks, and acknowledges every block. On the loopback nothing gets lost.
async fn get(server: SocketAddr) -> Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let (mut file, mut buffer) = (Vec::new(), [0; 1024]);
    socket.send_to(b"\0\x01file\0octet\0", server).await?;
    while file.len() < 100_000 {
        let (len, session) = socket.recv_from(&mut buffer).await?;
        file.truncate(512 * (usize::from(buffer[2]) * 256 + usize::from(buffer[3]) - 1));
        file.extend_from_slice(&buffer[4..len]);
        socket.send_to(&[0, 4, buffer[2], buffer[3]], session).await?;
    }
    Ok(file)
}
