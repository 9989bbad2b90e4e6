//! The plan of a sender: which bytes of the file go out next, as which DATA packets.

use core::slice::Chunks;

use crate::{
    numbers::Rollover,
    wire::{DATA_HEADER, data_header},
};

/// A run of DATA packets that may leave now: plain data that borrows nothing.
///
/// A burst says which bytes of the file to read ([`offset`](Self::offset),
/// [`payload_len`](Self::payload_len)) and how to lay them out: [`frame`](Self::frame) writes the
/// packets' headers into a buffer, one packet every [`stride`](Self::stride) bytes, and yields the
/// places for their payloads. Send the packets, in one segmented call or one by one, then give the
/// burst to [`Sender::commit`](crate::Sender::commit). What is not committed was not sent: the same
/// plan comes again. To send less, commit [`first`](Self::first)`(n)` of it.
#[must_use = "a burst that is not committed comes again"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Burst {
    pub(crate) first: u64,
    pub(crate) count: u16,
    pub(crate) block_size: u16,
    pub(crate) rollover: Rollover,
    /// Payload of the last packet; less than `block_size` only at the end of the file.
    pub(crate) last_len: u16,
    /// The length of the file, where the caller has found its end.
    pub(crate) file_len: Option<u64>,
}

impl Burst {
    /// Where in the file the first packet's payload begins, in bytes.
    pub fn offset(&self) -> u64 {
        (self.first.saturating_sub(1)).saturating_mul(self.block_size.into())
    }

    /// Bytes of the file in all packets together. Zero for the empty DATA that ends a file whose
    /// length is a multiple of the block size.
    pub fn payload_len(&self) -> usize {
        usize::from(self.count.saturating_sub(1)) * usize::from(self.block_size)
            + usize::from(self.last_len)
    }

    /// Bytes from the start of one packet to the start of the next: block size and header. It is
    /// the segment size for segmentation offload.
    pub fn stride(&self) -> usize {
        usize::from(self.block_size) + usize::from(DATA_HEADER)
    }

    /// Packets in the burst, at least 1.
    pub fn packets(&self) -> u16 {
        self.count
    }

    /// Bytes of all packets together, headers included: the least that [`frame`](Self::frame)
    /// needs.
    pub fn framed_len(&self) -> usize {
        self.payload_len() + usize::from(self.count) * usize::from(DATA_HEADER)
    }

    /// The first `n` packets of the burst; all of them where it has fewer. `None` for no packet.
    pub fn first(self, n: u16) -> Option<Self> {
        match n {
            0 => None,
            n if n >= self.count => Some(self),
            n => Some(Self { count: n, last_len: self.block_size, ..self }),
        }
    }

    /// The burst with the end of the file after `n` of its bytes, for a file whose length was not
    /// known: the packets behind the end are gone, and the last one is cut short. Nothing changes
    /// where `n` is more than [`payload_len`](Self::payload_len).
    ///
    /// Where `n` is exactly `payload_len`, the empty DATA that ends the file comes as the next
    /// burst.
    pub fn end_after(self, n: usize) -> Self {
        if n > self.payload_len() {
            return self;
        }
        let block_size = usize::from(self.block_size);
        let full = n / block_size;
        let tail = n % block_size;
        let file_len = Some(self.offset().saturating_add(n as u64));
        match u16::try_from(full) {
            Ok(full) if full < self.count => Self {
                count: full + 1,
                last_len: u16::try_from(tail).unwrap_or(self.last_len),
                file_len,
                ..self
            },
            _ => Self { file_len, ..self },
        }
    }

    /// Writes the packets' headers into `out` and yields the place of each payload in turn. The
    /// packets are then the first [`framed_len`](Self::framed_len) bytes of `out`, cut every
    /// [`stride`](Self::stride) bytes.
    ///
    /// Where `out` is shorter than that, only whole packets that fit are framed: commit
    /// [`first`](Self::first) of as many.
    pub fn frame<'b>(&self, out: &'b mut [u8]) -> Payloads<'b> {
        Payloads { out, left: *self }
    }

    /// Frames content that is in memory, and yields the packets to send. `content` begins with the
    /// byte at [`offset`](Self::offset); what stands behind
    /// [`payload_len`](Self::payload_len) is not looked at.
    ///
    /// Where `content` or `out` is shorter than the burst, only whole packets that it covers are
    /// framed: commit [`first`](Self::first) of as many as are sent.
    pub fn frame_content<'b>(&self, content: &[u8], out: &'b mut [u8]) -> Chunks<'b, u8> {
        let mut rest = content;
        let mut framed = 0;
        for payload in self.frame(out) {
            let Some((block, behind)) = rest.split_at_checked(payload.len()) else { break };
            payload.copy_from_slice(block);
            rest = behind;
            framed += usize::from(DATA_HEADER) + block.len();
        }
        let (packets, _) = out.split_at(framed);
        packets.chunks(self.stride())
    }
}

/// The places for the payloads of a burst, in the file's order. See [`Burst::frame`].
#[derive(Debug)]
pub struct Payloads<'b> {
    out: &'b mut [u8],
    left: Burst,
}

impl<'b> Iterator for Payloads<'b> {
    type Item = &'b mut [u8];

    fn next(&mut self) -> Option<&'b mut [u8]> {
        let Burst { first, count, block_size, rollover, last_len, .. } = self.left;
        let payload_len = match count {
            0 => return None,
            1 => last_len,
            _ => block_size,
        };
        let (header, rest) = core::mem::take(&mut self.out).split_first_chunk_mut()?;
        let (payload, rest) = rest.split_at_mut_checked(payload_len.into())?;
        *header = data_header(rollover.on_wire(first));
        self.out = rest;
        self.left.first = first.saturating_add(1);
        self.left.count = count - 1;
        Some(payload)
    }
}
