//! Netascii on the way in and out: adapters around a source and a sink of local text.

use std::io;

use tftp_core::netascii::{Decoder, Encoder};

use super::{Fetch, Sink, Source};

/// A point in the encoded stream from which it can be produced again.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    /// Encoded bytes before this point.
    encoded: u64,
    /// Local bytes that they took.
    local: u64,
    encoder: Encoder,
}

/// Local text, read as netascii. Offsets are offsets in the encoded stream.
pub(crate) struct NetasciiSource {
    source: Box<dyn Source>,
    here: Checkpoint,
    /// The oldest point that may be asked for again.
    kept: Checkpoint,
    /// Local text from `here` on that was read but not encoded yet.
    ahead: Vec<u8>,
}

const START: Checkpoint = Checkpoint { encoded: 0, local: 0, encoder: Encoder::new() };

/// How much local text is read at once.
const READ: usize = 16 * 1024;

impl NetasciiSource {
    pub(crate) fn new(source: Box<dyn Source>) -> Self {
        Self { source, here: START, kept: START, ahead: Vec::new() }
    }

    fn rewind(&mut self) {
        self.here = self.kept;
        self.ahead.clear();
    }

    /// Encodes from `here` on, and moves it.
    fn encode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < buffer.len() {
            if self.ahead.is_empty() {
                self.ahead.resize(READ, 0);
                let read = self.source.read_at(self.here.local, &mut self.ahead);
                self.ahead.truncate(read.as_ref().map_or(0, |&read| read));
                read?;
            }
            let step = self.here.encoder.encode(&self.ahead, &mut buffer[written..]);
            if step.written == 0 {
                break;
            }
            self.ahead.drain(..step.read);
            self.here.local += step.read as u64;
            self.here.encoded += step.written as u64;
            written += step.written;
        }
        Ok(written)
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let mut discarded = [0; 4096];
        while self.here.encoded < offset {
            let left = usize::try_from(offset - self.here.encoded).unwrap_or(usize::MAX);
            let room = left.min(discarded.len());
            if self.encode(&mut discarded[..room])? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

impl Source for NetasciiSource {
    /// Unknown: only encoding shows it.
    fn size(&self) -> Option<u64> {
        None
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset < self.here.encoded {
            self.rewind();
        }
        self.skip_to(offset)?;
        self.encode(buffer)
    }

    /// Reading has stopped at local text that was not there.
    fn fetch(&mut self, _offset: u64, len: usize) -> Option<Fetch> {
        self.source.fetch(self.here.local, len)
    }

    fn forget_before(&mut self, offset: u64) {
        // The usual case: the next window is about to be read where the last one ended. Otherwise
        // an older point stays good, at the price of encoding a little more after a rewind.
        if self.here.encoded == offset {
            self.kept = self.here;
        }
    }
}

/// Netascii, written as local text. Takes bytes in their order only.
pub(crate) struct NetasciiSink {
    sink: Box<dyn Sink>,
    decoder: Decoder,
    local: u64,
    decoded: Vec<u8>,
}

impl NetasciiSink {
    pub(crate) fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, decoder: Decoder::new(), local: 0, decoded: Vec::new() }
    }
}

impl Sink for NetasciiSink {
    fn seekable(&self) -> bool {
        false
    }

    fn write_at(&mut self, _offset: u64, bytes: &[u8]) -> io::Result<()> {
        // One byte more than comes in is the most that goes out.
        self.decoded.resize(bytes.len() + 1, 0);
        let step = self.decoder.decode(bytes, &mut self.decoded);
        self.sink.write_at(self.local, &self.decoded[..step.written])?;
        self.local += step.written as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(byte) = self.decoder.finish() {
            self.sink.write_at(self.local, &[byte])?;
        }
        self.sink.finish()
    }
}
