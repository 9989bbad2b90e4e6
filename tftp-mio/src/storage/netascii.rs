//! Netascii on the way in and out: adapters around a source and a sink of local text.

use std::{
    cmp::Ordering,
    io::{self, IoSlice, IoSliceMut},
};

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
///
/// It keeps points of that stream and no text, for a server has many of these.
pub(crate) struct NetasciiSource {
    source: Box<dyn Source>,
    /// The end of what was encoded last.
    here: Checkpoint,
    /// Where the last read began: the next one may begin in its midst, if not all of it left.
    begun: Checkpoint,
    /// The latest point known before all that may be asked for again.
    kept: Checkpoint,
    /// Nothing before this is asked for again.
    acknowledged: u64,
}

const START: Checkpoint = Checkpoint { encoded: 0, local: 0, encoder: Encoder::new() };

/// How much local text is read or written at once.
const TEXT: usize = 16 * 1024;

impl NetasciiSource {
    pub(crate) fn new(source: Box<dyn Source>) -> Self {
        Self { source, here: START, begun: START, kept: START, acknowledged: 0 }
    }

    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        if offset < self.here.encoded {
            self.here = if offset < self.begun.encoded { self.kept } else { self.begun };
        }
        match offset.cmp(&self.here.encoded) {
            Ordering::Less => return Err(io::ErrorKind::NotSeekable.into()),
            Ordering::Equal => {}
            Ordering::Greater => self.skip_to(offset)?,
        }
        self.begun = self.here;
        // The work of coming here is done once, wherever the peer goes on.
        if offset <= self.acknowledged {
            self.kept = self.here;
            self.source.forget_before(self.kept.local);
        }
        Ok(())
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let mut discarded = [0; TEXT];
        while self.here.encoded < offset {
            let left = usize::try_from(offset - self.here.encoded).unwrap_or(usize::MAX);
            let room = left.min(discarded.len());
            if self.encode(room, [&mut discarded[..room]])? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Encodes from `here` on into `buffers`, which hold `len` bytes together, and moves it.
    fn encode<'b>(
        &mut self,
        len: usize,
        buffers: impl IntoIterator<Item = &'b mut [u8]>,
    ) -> io::Result<usize> {
        let (mut read, mut text) = ([0; TEXT], &[][..]);
        let mut written = 0;
        for mut buffer in buffers {
            while !buffer.is_empty() {
                if text.is_empty() {
                    // It never becomes shorter, so that no more of it has room.
                    let most = read.len().min(len - written);
                    let there = self.read_text(&mut read[..most])?;
                    text = &read[..there];
                }
                let step = self.here.encoder.encode(text, buffer);
                if step.written == 0 {
                    return Ok(written);
                }
                text = &text[step.read..];
                buffer = &mut buffer[step.written..];
                self.here.local += step.read as u64;
                self.here.encoded += step.written as u64;
                written += step.written;
            }
        }
        Ok(written)
    }

    /// Reads local text from `here` on: none at the end, which is where it was at first.
    fn read_text(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.here.local;
        let Some(size) = self.source.size() else { return self.source.read_at(at, buffer) };
        let left = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = left.min(buffer.len());
        match self.source.read_at(at, &mut buffer[..len])? {
            read if read == len => Ok(read),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Source for NetasciiSource {
    /// Unknown: only encoding shows it.
    fn size(&self) -> Option<u64> {
        None
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.go_to(offset)?;
        self.encode(buffer.len(), [buffer])
    }

    fn read_vectored_at(
        &mut self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        self.go_to(offset)?;
        let len = buffers.iter().map(|buffer| buffer.len()).sum();
        self.encode(len, buffers.iter_mut().map(|buffer| &mut **buffer))
    }

    /// Reading has stopped at local text that was not there.
    fn fetch(&mut self, _offset: u64, len: usize) -> Option<Fetch> {
        self.source.fetch(self.here.local, len)
    }

    fn may_be_read_ahead(&self) -> bool {
        self.source.may_be_read_ahead()
    }

    fn is_whole(&self) -> io::Result<bool> {
        self.source.is_whole()
    }

    fn forget_before(&mut self, offset: u64) {
        self.acknowledged = offset;
    }
}

/// Netascii, written as local text. Takes bytes in their order only.
pub(crate) struct NetasciiSink {
    sink: Box<dyn Sink>,
    decoder: Decoder,
    local: u64,
}

impl NetasciiSink {
    pub(crate) fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, decoder: Decoder::new(), local: 0 }
    }

    fn write_text(&mut self, text: &[u8]) -> io::Result<()> {
        self.sink.write_at(self.local, text)?;
        self.local += text.len() as u64;
        Ok(())
    }
}

impl Sink for NetasciiSink {
    fn seekable(&self) -> bool {
        false
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_vectored_at(offset, &mut [IoSlice::new(bytes)])
    }

    fn write_vectored_at(&mut self, _offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        let (mut text, mut filled) = ([0; TEXT], 0);
        for buffer in buffers {
            let mut rest = &**buffer;
            while !rest.is_empty() {
                let step = self.decoder.decode(rest, &mut text[filled..]);
                rest = &rest[step.read..];
                filled += step.written;
                if !rest.is_empty() {
                    self.write_text(&text[..filled])?;
                    filled = 0;
                }
            }
        }
        self.write_text(&text[..filled])
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(byte) = self.decoder.finish() {
            self.write_text(&[byte])?;
        }
        self.sink.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A text that tells what is done with it.
    struct Told {
        text: Vec<u8>,
        size: Option<u64>,
        done: Arc<Mutex<Done>>,
    }

    #[derive(Debug, Default)]
    struct Done {
        calls: usize,
        bytes: usize,
        forgotten: u64,
    }

    impl Source for Told {
        fn size(&self) -> Option<u64> {
            self.size
        }

        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = &self.text[usize::try_from(offset).unwrap().min(self.text.len())..];
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            let mut done = self.done.lock().unwrap();
            assert!(offset >= done.forgotten, "{offset} {done:?}");
            (done.calls, done.bytes) = (done.calls + 1, done.bytes + read);
            Ok(read)
        }

        fn forget_before(&mut self, offset: u64) {
            self.done.lock().unwrap().forgotten = offset;
        }
    }

    impl Sink for Told {
        fn seekable(&self) -> bool {
            false
        }

        fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            self.done.lock().unwrap().calls += 1;
            assert_eq!(self.text[usize::try_from(offset).unwrap()..][..bytes.len()], *bytes);
            Ok(())
        }

        fn finish(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    const BLOCK: usize = 512;

    fn text(len: usize) -> Vec<u8> {
        b"a line of text\nand \r\n another\n".iter().copied().cycle().take(len).collect()
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut encoded = vec![0; 2 * text.len()];
        let step = Encoder::new().encode(text, &mut encoded);
        encoded.truncate(step.written);
        encoded
    }

    fn told(text: &[u8], size: Option<u64>) -> (Box<Told>, Arc<Mutex<Done>>) {
        let done = Arc::default();
        (Box::new(Told { text: text.into(), size, done: Arc::clone(&done) }), done)
    }

    /// Reads windows of 64 blocks, of which each time so many are acknowledged.
    fn read_in_windows(source: &mut NetasciiSource, acknowledged: usize) -> Vec<u8> {
        let mut received = Vec::new();
        loop {
            let mut window = vec![[0; BLOCK]; 64];
            let mut buffers: Vec<_> =
                window.iter_mut().map(|block| IoSliceMut::new(block)).collect();
            let offset = received.len() as u64;
            source.forget_before(offset);
            let read = source.read_vectored_at(offset, &mut buffers).unwrap();
            let arrived = read.min(acknowledged * BLOCK);
            received.extend(&window.as_flattened()[..arrived]);
            if read < window.as_flattened().len() && arrived == read {
                return received;
            }
        }
    }

    #[test]
    fn a_window_is_read_and_written_by_few_calls_and_kept_nowhere() {
        let text = text(20 * 64 * BLOCK);
        let (source, done) = told(&text, Some(text.len() as u64));
        let encoded = encoded(&text);
        assert!(read_in_windows(&mut NetasciiSource::new(source), 64) == encoded);
        let done = done.lock().unwrap();
        assert!(done.calls <= 3 * (encoded.len() / (64 * BLOCK) + 1), "{done:?}");
        assert!(done.bytes <= text.len() + text.len() / 4, "{done:?}");

        let (sink, done) = told(&text, None);
        let mut sink = NetasciiSink::new(sink);
        for (window, offset) in encoded.chunks(64 * BLOCK).zip((0..).step_by(64 * BLOCK)) {
            let mut buffers: Vec<_> = window.chunks(BLOCK).map(IoSlice::new).collect();
            sink.write_vectored_at(offset, &mut buffers).unwrap();
        }
        assert_eq!(sink.local, text.len() as u64);
        let calls = done.lock().unwrap().calls;
        assert!(calls <= 3 * (encoded.len() / (64 * BLOCK) + 1), "{calls}");
    }

    #[test]
    fn a_peer_that_acknowledges_less_than_a_window_has_little_read_again() {
        let text = text(50 * 64 * BLOCK);
        let encoded = encoded(&text);
        for size in [Some(text.len() as u64), None] {
            let (source, done) = told(&text, size);
            assert!(read_in_windows(&mut NetasciiSource::new(source), 63) == encoded);
            let done = done.lock().unwrap();
            assert!(done.bytes <= 3 * text.len(), "{} {done:?}", text.len());
            assert!(done.forgotten + 64 * BLOCK as u64 >= text.len() as u64, "{done:?}");
        }
    }

    #[test]
    fn a_window_of_which_each_time_less_leaves_than_was_read_is_not_encoded_from_its_beginning() {
        let text = text(500 * BLOCK);
        let encoded = encoded(&text);
        let (source, done) = told(&text, Some(text.len() as u64));
        let mut source = NetasciiSource::new(source);
        let mut left: Vec<u8> = Vec::new();
        while left.len() < encoded.len() {
            let mut piece = [0; 4 * BLOCK];
            let read = source.read_at(left.len() as u64, &mut piece).unwrap();
            left.extend(&piece[..read.min(2 * BLOCK)]);
        }
        assert!(left == encoded);
        let bytes = done.lock().unwrap().bytes;
        assert!(bytes <= 4 * text.len(), "{} {bytes}", text.len());
        // And all of it again, as after a time-out.
        let mut again = vec![0; encoded.len()];
        assert_eq!(source.read_at(0, &mut again).unwrap(), encoded.len());
        assert!(again == encoded);
    }

    #[test]
    fn what_was_acknowledged_cannot_be_read_again() {
        let (source, _) = told(&text(5000), Some(5000));
        let mut source = NetasciiSource::new(source);
        source.read_at(0, &mut [0; BLOCK]).unwrap();
        source.forget_before(BLOCK as u64);
        source.read_at(BLOCK as u64, &mut [0; BLOCK]).unwrap();
        let error = source.read_at(0, &mut [0; BLOCK]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotSeekable);
    }

    #[test]
    fn the_end_is_where_it_was_at_first() {
        let text = text(5000);
        let (source, _) = told(&text, Some(4000));
        assert_eq!(read_in_windows(&mut NetasciiSource::new(source), 64), encoded(&text[..4000]));
        let (source, _) = told(&text[..4999], Some(5000));
        let error = NetasciiSource::new(source).read_at(0, &mut [0; 10_000]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
