//! One transfer: what it costs to move its datagrams, and nothing else.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    os::unix::fs::FileExt as _,
};

use mio::net::UdpSocket;
use nix::sys::{
    socket::{setsockopt, sockopt},
    uio::{preadv, pwritev},
};
use tftp_core::{Operation, Options, Packet, Params, SMALL_PACKET};

/// Opcode and block number.
const HEADER: usize = 4;

/// The most that one call sends or receives.
const LONGEST: usize = 65_507;

/// Datagrams that one segmented send makes at most.
const MOST_SEGMENTS: usize = 64;

/// What is read ahead in lock-step.
const AHEAD: usize = 64 * 1024;

pub(crate) struct Buffers {
    packets: Box<[u8]>,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self { packets: vec![0; 65_536].into() }
    }
}

/// What a transfer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    More,
    Over,
}

pub(crate) struct Transfer {
    operation: Operation,
    peer: SocketAddr,
    file: File,
    size: u64,
    block_size: usize,
    window: u64,
    /// The last block that was sent or received.
    block: u64,
    /// The last block that was acknowledged, of an upload.
    acknowledged: u64,
    /// The part of the file that begins at this offset, in lock-step.
    ahead: (u64, Vec<u8>),
}

impl Transfer {
    pub(crate) fn new(
        operation: Operation,
        peer: SocketAddr,
        file: File,
        size: u64,
        params: Params,
    ) -> Self {
        Self {
            operation,
            peer,
            file,
            size,
            block_size: params.block_size.get().into(),
            window: params.window_size.get().into(),
            block: 0,
            acknowledged: 0,
            ahead: (0, Vec::new()),
        }
    }

    /// Has the kernel cut what is sent into datagrams.
    pub(crate) fn prepare(&self, socket: &UdpSocket) -> io::Result<()> {
        let segment = if self.window == 1 { 0 } else { i32::try_from(self.stride()).unwrap_or(0) };
        Ok(setsockopt(socket, sockopt::UdpGsoSegment, &segment)?)
    }

    fn stride(&self) -> usize {
        self.block_size + HEADER
    }

    /// Answers the request.
    pub(crate) fn open(
        &mut self,
        socket: &UdpSocket,
        granted: &Options,
        buffers: &mut Buffers,
    ) -> io::Result<()> {
        if granted.is_empty() {
            return match self.operation {
                Operation::Read => self.send_window(socket, buffers),
                Operation::Write => self.acknowledge(socket),
            };
        }
        let mut oack = [0; SMALL_PACKET];
        let mut len = 2;
        oack[1] = 6;
        for (kind, value) in granted.iter() {
            let pair = format!("{}\0{value}\0", kind.name());
            oack[len..len + pair.len()].copy_from_slice(pair.as_bytes());
            len += pair.len();
        }
        socket.send_to(&oack[..len], self.peer).map(drop)
    }

    /// Does what the datagrams that have come ask for.
    pub(crate) fn go_on(&mut self, socket: &UdpSocket, buffers: &mut Buffers) -> io::Result<Next> {
        match self.operation {
            Operation::Read => self.serve(socket, buffers),
            Operation::Write => self.store(socket, buffers),
        }
    }

    fn serve(&mut self, socket: &UdpSocket, buffers: &mut Buffers) -> io::Result<Next> {
        let mut ack = [0; SMALL_PACKET];
        let mut behind = None;
        // The ACK of all that was sent is the last one; others may stand before it, and only where
        // there are such does it take another receive to know the latest.
        while behind != Some(0) {
            let (len, _) = match socket.recv_from(&mut ack) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                result => result?,
            };
            let Ok(Packet::Ack { block, .. }) = Packet::parse(&ack[..len]) else {
                return Ok(Next::Over);
            };
            let sent = u16::try_from(self.block & 0xFFFF).unwrap_or(0);
            behind = Some(u64::from(sent.wrapping_sub(block)));
        }
        let Some(behind) = behind else { return Ok(Next::More) };
        self.block = self.block.saturating_sub(behind);
        if self.block * self.block_size as u64 > self.size {
            return Ok(Next::Over);
        }
        self.send_window(socket, buffers)?;
        Ok(Next::More)
    }

    fn send_window(&mut self, socket: &UdpSocket, buffers: &mut Buffers) -> io::Result<()> {
        // A file of whole blocks ends with an empty one.
        let last = self.size / self.block_size as u64 + 1;
        let end = last.min(self.block + self.window);
        let most = (LONGEST / self.stride()).clamp(1, MOST_SEGMENTS) as u64;
        while self.block < end {
            let blocks = most.min(end - self.block);
            let len = if self.window == 1 {
                self.frame_from_ahead(buffers)?
            } else {
                self.frame_from_file(blocks, buffers)?
            };
            socket.send_to(&buffers.packets[..len], self.peer)?;
            self.block += blocks;
        }
        Ok(())
    }

    /// Reads blocks to where they stand behind their headers. Returns the packets' length.
    fn frame_from_file(&self, blocks: u64, buffers: &mut Buffers) -> io::Result<usize> {
        let stride = self.stride();
        let mut payloads = Vec::with_capacity(MOST_SEGMENTS);
        let packets = buffers.packets.chunks_mut(stride).zip(self.block + 1..=self.block + blocks);
        for (packet, block) in packets {
            let (header, payload) = packet.split_at_mut(HEADER);
            header.copy_from_slice(&data_header(block));
            payloads.push(IoSliceMut::new(payload));
        }
        let offset =
            i64::try_from(self.block).unwrap_or(0) * i64::try_from(self.block_size).unwrap_or(0);
        let read = preadv(&self.file, &mut payloads, offset)?;
        Ok(read + payloads.len() * HEADER)
    }

    /// The one block of lock-step, from what was read ahead.
    fn frame_from_ahead(&mut self, buffers: &mut Buffers) -> io::Result<usize> {
        let offset = self.block * self.block_size as u64;
        let len = usize::try_from(self.size - offset).unwrap_or(usize::MAX).min(self.block_size);
        let (start, content) = &mut self.ahead;
        if content.len() as u64 + *start < offset + len as u64 {
            let rest = usize::try_from(self.size - offset).unwrap_or(usize::MAX);
            content.resize(rest.min(AHEAD), 0);
            let read = self.file.read_at(content, offset)?;
            content.truncate(read);
            *start = offset;
        }
        let from = usize::try_from(offset - *start).unwrap_or(0);
        buffers.packets[..HEADER].copy_from_slice(&data_header(self.block + 1));
        buffers.packets[HEADER..HEADER + len].copy_from_slice(&content[from..from + len]);
        Ok(HEADER + len)
    }

    /// Takes what there is of a window, and acknowledges its end.
    fn store(&mut self, socket: &UdpSocket, buffers: &mut Buffers) -> io::Result<Next> {
        loop {
            let (len, _) = match socket.recv_from(&mut buffers.packets) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::More),
                result => result?,
            };
            let payloads: Vec<IoSlice<'_>> = buffers.packets[..len]
                .chunks(self.stride())
                .filter_map(|packet| packet.get(HEADER..).map(IoSlice::new))
                .collect();
            let offset = i64::try_from(self.block).unwrap_or(0)
                * i64::try_from(self.block_size).unwrap_or(0);
            if len > HEADER {
                pwritev(&self.file, &payloads, offset)?;
            }
            self.block += payloads.len() as u64;
            let last = payloads.last().is_some_and(|payload| payload.len() < self.block_size);
            if last || self.block >= self.acknowledged + self.window {
                self.acknowledge(socket)?;
            }
            if last {
                return Ok(Next::Over);
            }
            if self.block == self.acknowledged {
                return Ok(Next::More);
            }
        }
    }

    fn acknowledge(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let [high, low] = on_wire(self.block);
        socket.send_to(&[0, 4, high, low], self.peer)?;
        self.acknowledged = self.block;
        Ok(())
    }
}

fn data_header(block: u64) -> [u8; HEADER] {
    let [high, low] = on_wire(block);
    [0, 3, high, low]
}

fn on_wire(block: u64) -> [u8; 2] {
    let [.., high, low] = block.to_be_bytes();
    [high, low]
}
