//! Received blocks that follow each other, to be written together.

use std::io::{self, IoSlice};

use arrayvec::ArrayVec;
use tftp_core::Chunk;

use crate::storage::Sink;

/// As many packets as the system puts together.
const MOST_GATHERED: usize = 64;

/// Chunks of a file that follow each other, to be written with one call.
#[derive(Default)]
pub(super) struct Gathered<'d> {
    offset: u64,
    slices: ArrayVec<IoSlice<'d>, MOST_GATHERED>,
    len: usize,
    /// With them the file is whole.
    pub(super) last: bool,
}

impl<'d> Gathered<'d> {
    /// Adds a chunk; returns whether it follows the others and there is room.
    pub(super) fn add(&mut self, chunk: &Chunk<'d>) -> bool {
        if self.slices.is_empty() {
            self.offset = chunk.offset;
        }
        let follows = chunk.offset == self.offset + self.len as u64;
        if !follows || self.slices.try_push(IoSlice::new(chunk.bytes)).is_err() {
            return false;
        }
        self.len += chunk.bytes.len();
        self.last |= chunk.last;
        true
    }

    pub(super) fn write_to(&mut self, sink: &mut dyn Sink) -> io::Result<()> {
        match &mut *self.slices {
            [] => Ok(()),
            [one] => sink.write_at(self.offset, one),
            many => sink.write_vectored_at(self.offset, many),
        }
    }
}
