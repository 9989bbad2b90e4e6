//! Hosts that drive our two halves as a driver must, and check in passing what always holds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tftp_core::{
    Burst, Instant, Limits, Mode, Operation, Options, Order, Packet, Received, Receiver, Request,
    SMALL_PACKET, Sender, Status, Timing, Transmit, Verdict,
    netascii::{Decoder, Encoder},
};

pub const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 20_000);
const ASKED: SocketAddr = SocketAddr::new(SERVER.ip(), 69);

/// One end of the link.
pub trait Host {
    fn handle(&mut self, now: Instant, datagram: &[u8]);
    fn timeout(&mut self, now: Instant);
    /// What it sends now, at most `room` datagrams; `false` where there was no room for all.
    fn transmit(&mut self, now: Instant, room: u16, out: &mut Vec<Vec<u8>>) -> bool;
    /// When its timer goes off; `None` when it waits for nothing any more.
    fn due(&self) -> Option<Instant>;
    /// Its transfer has ended, whether or not it still lingers.
    fn is_finished(&self) -> bool;
}

/// Who opened the transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// RRQ: the receiver is the client.
    Receiver,
    /// WRQ: the sender is the client.
    Sender,
}

/// A transfer, before it begins.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    pub opener: Opener,
    pub file: &'a [u8],
    pub asked: Options,
    pub limits: Limits,
    pub mode: Mode,
    pub order: Order,
    /// The sender's driver finds the file's end only by reading. In netascii always so.
    pub unknown_len: bool,
}

impl<'a> Job<'a> {
    pub fn new(opener: Opener, file: &'a [u8], asked: Options) -> Self {
        Self {
            opener,
            file,
            asked,
            limits: Limits::default(),
            mode: Mode::Octet,
            order: Order::Any,
            unknown_len: false,
        }
    }

    pub fn request(&self) -> Vec<u8> {
        let operation = match self.opener {
            Opener::Receiver => Operation::Read,
            Opener::Sender => Operation::Write,
        };
        let request =
            Request { operation, filename: b"name", mode: self.mode, options: self.asked };
        let mut out = vec![0; Request::MAX_LEN];
        let len = request.encode(&mut out).unwrap();
        out.truncate(len);
        out
    }

    fn len(&self) -> Option<u64> {
        let known = !self.unknown_len && self.mode == Mode::Octet;
        known.then_some(self.file.len() as u64)
    }

    /// What the server's answer to this datagram is, if it is the first request.
    fn answer(&self, datagram: &[u8]) -> Option<Options> {
        let Ok(Packet::Request(request)) = Packet::parse(datagram) else { return None };
        self.limits.answer(&request, self.len()).ok()
    }

    /// Blocks of the file on the wire when sent in blocks of this size.
    pub fn blocks(&self, block_size: u16) -> u64 {
        let more = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let pairs =
            if self.mode == Mode::Octet { 0 } else { self.file.iter().filter(more).count() };
        (self.file.len() + pairs) as u64 / u64::from(block_size) + 1
    }
}

/// Our sender and its driver. A server's comes to life with the request.
pub struct Sending<'a> {
    pub session: Option<Sender>,
    /// DATA sent, repeated ones included.
    pub data_sent: u64,
    job: Job<'a>,
    request: Vec<u8>,
    checkpoint: Checkpoint,
    /// The largest window that an ACK has told of (`msftwindow`).
    told: u64,
}

/// Where encoding goes on: nothing before it is asked for again.
#[derive(Clone, Copy, Default)]
struct Checkpoint {
    encoder: Encoder,
    read: usize,
    written: u64,
}

impl<'a> Sending<'a> {
    pub fn new(job: Job<'a>) -> Self {
        let session = (job.opener == Opener::Sender)
            .then(|| Sender::request(Instant::ZERO, ASKED, job.asked, job.len(), Timing::CLIENT));
        let checkpoint = Checkpoint::default();
        Self { session, data_sent: 0, job, request: job.request(), checkpoint, told: 0 }
    }

    pub fn status(&self) -> Option<Status> {
        self.session.as_ref().map(Sender::status)
    }

    /// The whole file was sent, and acknowledged.
    pub fn is_done(&self) -> bool {
        matches!(self.status(), Some(Status::Done(_)))
    }

    fn peer(&self) -> SocketAddr {
        if self.job.opener == Opener::Sender { SERVER } else { CLIENT }
    }

    /// Reads, frames and sends the first packets of a plan, and returns what it committed.
    fn send(&mut self, mut burst: Burst, room: u16, out: &mut Vec<Vec<u8>>) -> Option<Burst> {
        let session = self.session.as_ref()?;
        let acknowledged = session.acknowledged();
        let (block_size, window) = {
            let params = session.params();
            let told = params.options.msft_window().map_or(0, |_| self.told);
            (u64::from(params.block_size.get()), u64::from(params.window_size.get()).max(told))
        };
        assert!(burst.offset() >= acknowledged, "acknowledged bytes are sent again");
        let bytes = self.read(burst.offset(), burst.payload_len(), acknowledged);
        if bytes.len() < burst.payload_len() || self.ends_with(burst.offset(), bytes.len()) {
            burst = burst.end_after(bytes.len());
        }
        let behind = burst.offset() + u64::from(burst.packets()) * block_size;
        let window_end = acknowledged - acknowledged % block_size + window * block_size;
        assert!(behind <= window_end, "more than a window is in flight");
        let burst = burst.first(room)?;
        let mut framed = vec![0; burst.framed_len()];
        let mut left = &bytes[..];
        for payload in burst.frame(&mut framed) {
            let (head, tail) = left.split_at(payload.len());
            payload.copy_from_slice(head);
            left = tail;
        }
        out.extend(framed.chunks(burst.stride()).map(<[u8]>::to_vec));
        self.data_sent += u64::from(burst.packets());
        Some(burst)
    }

    fn ends_with(&self, offset: u64, len: usize) -> bool {
        self.job.len().is_none()
            && self.job.mode == Mode::Octet
            && offset + len as u64 == self.job.file.len() as u64
    }

    /// The bytes on the wire from `offset`, fewer at the end of the file.
    fn read(&mut self, offset: u64, len: usize, acknowledged: u64) -> Vec<u8> {
        match self.job.mode {
            Mode::Octet => {
                let file = &self.job.file[usize::try_from(offset).unwrap()..];
                if self.job.len().is_some() {
                    assert!(len <= file.len(), "the plan goes beyond the file");
                }
                file[..len.min(file.len())].to_vec()
            }
            Mode::Netascii | Mode::Mail => {
                let file = self.job.file;
                self.checkpoint.advance(file, acknowledged - self.checkpoint.written);
                let mut ahead = self.checkpoint;
                ahead.advance(file, offset - acknowledged);
                ahead.advance(file, len as u64)
            }
        }
    }
}

impl Checkpoint {
    /// Encodes so many bytes more; fewer at the end.
    fn advance(&mut self, file: &[u8], bytes: u64) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(bytes).unwrap()];
        let progress = self.encoder.encode(&file[self.read..], &mut out);
        self.read += progress.read;
        self.written += progress.written as u64;
        out.truncate(progress.written);
        out
    }
}

impl Host for Sending<'_> {
    fn handle(&mut self, now: Instant, datagram: &[u8]) {
        let peer = self.peer();
        if let Ok(Packet::Ack { next_window: Some(told), .. }) = Packet::parse(datagram) {
            self.told = self.told.max(told.into());
        }
        match &mut self.session {
            None => {
                self.session = self.job.answer(datagram).map(|answer| {
                    Sender::reply(now, CLIENT, answer, self.job.len(), Timing::SERVER)
                });
            }
            Some(session) if self.job.opener == Opener::Receiver && datagram == self.request => {
                session.handle_repeated_request(now);
            }
            Some(session) => {
                let verdict = session.handle_datagram(now, peer, datagram);
                assert_ne!(verdict, Verdict::Stray, "the peer was taken for a stranger");
            }
        }
    }

    fn timeout(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
        }
    }

    fn transmit(&mut self, now: Instant, mut room: u16, out: &mut Vec<Vec<u8>>) -> bool {
        let mut small = [0; SMALL_PACKET];
        while let Some(session) = &mut self.session {
            if room == 0 {
                return false;
            }
            match session.poll_transmit(now, &mut small) {
                None => return true,
                Some(Transmit::Request) => out.push(self.request.clone()),
                Some(Transmit::Packet(len)) => out.push(small[..len].to_vec()),
                Some(Transmit::Burst(burst)) => {
                    if let Some(sent) = self.send(burst, room, out)
                        && let Some(session) = &mut self.session
                    {
                        session.commit(now, sent);
                        room -= sent.packets();
                        continue;
                    }
                }
            }
            room -= 1;
        }
        true
    }

    fn due(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    fn is_finished(&self) -> bool {
        let over = |status| !matches!(status, Status::Opening | Status::Active(_));
        self.status().is_some_and(over)
    }
}

/// Our receiver and its driver. A server's comes to life with the request.
pub struct Receiving<'a> {
    pub session: Option<Receiver>,
    /// The file as the driver has it, decoded.
    pub received: Vec<u8>,
    /// Packets sent but the request.
    pub acks_sent: u64,
    job: Job<'a>,
    request: Vec<u8>,
    /// Blocks that were delivered: none may come twice.
    delivered: Vec<bool>,
    decoder: Decoder,
}

impl<'a> Receiving<'a> {
    pub fn new(job: Job<'a>) -> Self {
        let session = (job.opener == Opener::Receiver).then(|| {
            Receiver::request(Instant::ZERO, ASKED, job.asked, order(&job), Timing::CLIENT)
        });
        Self {
            session,
            received: Vec::new(),
            acks_sent: 0,
            job,
            request: job.request(),
            delivered: Vec::new(),
            decoder: Decoder::new(),
        }
    }

    pub fn status(&self) -> Option<Status> {
        self.session.as_ref().map(Receiver::status)
    }

    /// The whole file has come, as far as the session knows.
    pub fn is_done(&self) -> bool {
        matches!(self.status(), Some(Status::Done(_) | Status::Lingering(_)))
    }

    fn peer(&self) -> SocketAddr {
        if self.job.opener == Opener::Sender { CLIENT } else { SERVER }
    }

    fn write(&mut self, offset: u64, bytes: &[u8], last: bool, block_size: usize) {
        let start = usize::try_from(offset).unwrap();
        let block = start / block_size;
        if self.delivered.len() <= block {
            self.delivered.resize(block + 1, false);
        }
        let again = std::mem::replace(&mut self.delivered[block], true);
        assert!(!again, "a byte came twice");
        assert!(start.is_multiple_of(block_size), "a block between the blocks");
        match self.job.mode {
            Mode::Octet => {
                let end = start + bytes.len();
                if self.received.len() < end {
                    self.received.resize(end, 0xAA);
                }
                self.received[start..end].copy_from_slice(bytes);
            }
            Mode::Netascii | Mode::Mail => {
                let mut text = vec![0; bytes.len() + 1];
                let progress = self.decoder.decode(bytes, &mut text);
                assert_eq!(progress.read, bytes.len());
                self.received.extend(&text[..progress.written]);
                if last {
                    self.received.extend(self.decoder.finish());
                }
            }
        }
        assert!(!last || self.delivered.iter().all(|&block| block), "the last chunk, but not all");
    }
}

fn order(job: &Job<'_>) -> Order {
    if job.mode == Mode::Octet { job.order } else { Order::Strict }
}

impl Host for Receiving<'_> {
    fn handle(&mut self, now: Instant, datagram: &[u8]) {
        let peer = self.peer();
        match &mut self.session {
            None => {
                self.session = self.job.answer(datagram).map(|answer| {
                    Receiver::reply(now, CLIENT, answer, order(&self.job), Timing::SERVER)
                });
            }
            Some(session) if self.job.opener == Opener::Sender && datagram == self.request => {
                session.handle_repeated_request(now);
            }
            Some(session) => match session.handle_datagram(now, peer, datagram) {
                Received::Data(chunk) => {
                    let block_size = usize::from(session.params().block_size.get());
                    self.write(chunk.offset, chunk.bytes, chunk.last, block_size);
                }
                Received::Other(verdict) => {
                    assert_ne!(verdict, Verdict::Stray, "the peer was taken for a stranger");
                }
            },
        }
    }

    fn timeout(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
        }
    }

    fn transmit(&mut self, now: Instant, room: u16, out: &mut Vec<Vec<u8>>) -> bool {
        let mut small = [0; SMALL_PACKET];
        for _ in 0..room {
            let transmit = self.session.as_mut().and_then(|it| it.poll_transmit(now, &mut small));
            match transmit {
                None => return true,
                Some(Transmit::Request) => out.push(self.request.clone()),
                Some(Transmit::Packet(len)) => {
                    self.acks_sent += 1;
                    out.push(small[..len].to_vec());
                }
                Some(Transmit::Burst(_)) => panic!("a receiver has no bursts"),
            }
        }
        false
    }

    fn due(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    fn is_finished(&self) -> bool {
        let over = |status| !matches!(status, Status::Opening | Status::Active(_));
        self.status().is_some_and(over)
    }
}

/// A file whose bytes tell their place.
pub fn file(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xFF).unwrap()).collect()
}
