//! What clients send, and that they wait where a socket is full.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use mio::{Interest, Token};
use tftp_core::{Burst, Instant, Mode, Request, SMALL_PACKET, Transmit};

use super::Fleet;
use crate::{
    client::Phase,
    endpoint::{Endpoint, address},
};

/// The most that one send takes.
const LONGEST_SEND: usize = 65_507;

impl Fleet {
    /// Lets those send whose turn it is, as long as not too many wait for answers.
    pub(super) fn send_ready(&mut self) -> io::Result<()> {
        while self.waiting < self.plan.waiting {
            let Some(index) = self.ready.pop_front() else { return Ok(()) };
            self.clients[index as usize].queued = false;
            self.pump(index)?;
        }
        Ok(())
    }

    /// Sends what a client has to send, and goes on to its next transfer when this one is over.
    fn pump(&mut self, index: u32) -> io::Result<()> {
        let now = self.now();
        let mut small = [0; SMALL_PACKET];
        let mut sent = false;
        loop {
            let client = &mut self.clients[index as usize];
            if matches!(client.phase, Phase::Stalled | Phase::Retired) {
                return Ok(());
            }
            let peer = client.peer();
            let result = match client.poll_transmit(now, &mut small) {
                None => break,
                Some(Transmit::Request) => {
                    let file = client.file;
                    let len = self.encode_request(file, &mut small);
                    self.requests += 1;
                    self.send(index, peer, &small[..len])
                }
                Some(Transmit::Packet(len)) => self.send(index, peer, &small[..len]),
                Some(Transmit::Burst(burst)) => self.send_burst(now, index, peer, burst),
            };
            match result {
                Ok(()) => sent = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.await_room(index)?;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
        let client = &mut self.clients[index as usize];
        if let Some(ending) = client.ending() {
            self.end(now, index, ending);
            return Ok(());
        }
        if sent && client.phase == Phase::Busy {
            client.phase = Phase::Waiting;
            self.waiting += 1;
        }
        self.arm(index);
        Ok(())
    }

    fn encode_request(&self, file: u32, out: &mut [u8]) -> usize {
        let name = format!("{}-{file}", self.plan.name);
        let request = Request {
            operation: self.plan.operation,
            filename: name.as_bytes(),
            mode: Mode::Octet,
            options: self.plan.options,
        };
        request.encode(out).expect("a short name without NUL")
    }

    fn send(&mut self, index: u32, peer: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.outcome.datagrams += 1;
        let (endpoint, from) = self.endpoint(index);
        endpoint.send(from, peer, datagram, None)
    }

    /// Frames, sends and commits as much of a burst as one call takes.
    fn send_burst(
        &mut self,
        now: Instant,
        index: u32,
        peer: SocketAddr,
        burst: Burst,
    ) -> io::Result<()> {
        let (endpoint, from) = self.endpoint(index);
        let most = endpoint.most_segments().min(LONGEST_SEND / burst.stride()).max(1);
        let Some(burst) = burst.first(u16::try_from(most).unwrap_or(u16::MAX)) else {
            return Ok(());
        };
        let file = self.clients[index as usize].file;
        let content = self.pattern.bytes(file, burst.offset(), burst.payload_len());
        burst.frame_content(content, &mut self.framed).for_each(drop);
        let (endpoint, _) = self.endpoint(index);
        let framed = &self.framed[..burst.framed_len()];
        endpoint.send(from, peer, framed, Some(burst.stride()))?;
        self.outcome.datagrams += u64::from(burst.packets());
        self.clients[index as usize].commit(now, burst);
        Ok(())
    }

    /// The socket of a client, and its address where it shares that socket.
    fn endpoint(&self, index: u32) -> (&Endpoint, Option<IpAddr>) {
        let endpoint = &self.endpoints[(index / self.plan.per_socket) as usize];
        (endpoint, (self.plan.per_socket > 1).then(|| address(index)))
    }

    /// Has a client go on when its socket has room again.
    fn await_room(&mut self, index: u32) -> io::Result<()> {
        let endpoint = (index / self.plan.per_socket) as usize;
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = &mut self.endpoints[endpoint].socket;
        self.poll.registry().reregister(socket, Token(endpoint), both)
    }

    /// The socket has room again.
    pub(super) fn go_on(&mut self, endpoint: usize) -> io::Result<()> {
        let socket = &mut self.endpoints[endpoint].socket;
        self.poll.registry().reregister(socket, Token(endpoint), Interest::READABLE)?;
        let first = u32::try_from(endpoint).unwrap_or(0) * self.plan.per_socket;
        for index in first..(first + self.plan.per_socket).min(self.plan.clients) {
            self.enqueue(index);
        }
        Ok(())
    }
}
