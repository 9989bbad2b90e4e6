//! Received blocks that follow each other, to be written together.

use std::io::{self, IoSlice};

use tftp_core::Chunk;

use crate::storage::Sink;

/// As many packets as the system puts together.
const MOST_GATHERED: usize = 64;

/// Chunks of a file that follow each other, to be written with one call.
pub(super) struct Gathered<'d> {
    offset: u64,
    slices: [IoSlice<'d>; MOST_GATHERED],
    count: usize,
    len: usize,
    /// With them the file is whole.
    pub(super) last: bool,
}

impl<'d> Gathered<'d> {
    pub(super) fn new() -> Self {
        let slices = [IoSlice::new(&[]); MOST_GATHERED];
        Self { offset: 0, slices, count: 0, len: 0, last: false }
    }

    /// Adds a chunk; returns whether it follows the others and there is room.
    pub(super) fn add(&mut self, chunk: &Chunk<'d>) -> bool {
        let follows = self.count == 0 || chunk.offset == self.offset + self.len as u64;
        let Some(free) = self.slices.get_mut(self.count).filter(|_| follows) else { return false };
        if self.count == 0 {
            self.offset = chunk.offset;
        }
        *free = IoSlice::new(chunk.bytes);
        self.count += 1;
        self.len += chunk.bytes.len();
        self.last |= chunk.last;
        true
    }

    pub(super) fn write_to(mut self, sink: &mut dyn Sink) -> io::Result<()> {
        match &mut self.slices[..self.count] {
            [] => Ok(()),
            [one] => sink.write_at(self.offset, one),
            many => sink.write_vectored_at(self.offset, many),
        }
    }
}
