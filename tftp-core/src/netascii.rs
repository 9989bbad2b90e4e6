//! Netascii (RFC 764, as RFC 1350 uses it): lines end in CR LF, and a bare CR is CR NUL.
//!
//! Both codecs are `Copy` and hold at most one byte of state, so a checkpoint to rewind to is an
//! assignment. Local lines end in LF.

/// What a codec did with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that are done with; give the rest again.
    pub read: usize,
    /// Bytes of the output that were written.
    pub written: usize,
}

/// Local text to netascii: LF becomes CR LF, CR becomes CR NUL.
///
/// Feed it with [`encode`](Self::encode) until the input is used up and
/// [`is_settled`](Self::is_settled). The output may be cut anywhere, also between the two bytes of
/// a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Encoder {
    /// The second byte of a pair whose first byte was the last to fit.
    owed: Option<u8>,
}

impl Encoder {
    /// An encoder at the start of a file.
    pub const fn new() -> Self {
        Self { owed: None }
    }

    /// Whether everything taken in has been written out.
    pub const fn is_settled(&self) -> bool {
        self.owed.is_none()
    }

    /// Encodes as much of `input` as `output` has room for.
    pub fn encode(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let room = output.len();
        let (mut rest, mut free) = (input, output);
        loop {
            if self.owed.is_none() {
                (rest, free) = copy_until(|byte| byte == b'\r' || byte == b'\n', rest, free);
            }
            if free.is_empty() {
                break;
            }
            let byte = match self.owed.take() {
                Some(byte) => byte,
                None => match rest.split_off_first() {
                    Some(b'\n') => {
                        self.owed = Some(b'\n');
                        b'\r'
                    }
                    Some(b'\r') => {
                        self.owed = Some(0);
                        b'\r'
                    }
                    Some(&byte) => byte,
                    None => break,
                },
            };
            if let Some(place) = free.split_off_first_mut() {
                *place = byte;
            }
        }
        Progress { read: input.len() - rest.len(), written: room - free.len() }
    }
}

/// Netascii to local text: CR LF becomes LF, CR NUL becomes CR.
///
/// A CR before any other byte is kept as it is, and so is one at the very end: call
/// [`finish`](Self::finish) there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decoder {
    /// The last byte was a CR that has not been written.
    after_cr: bool,
}

impl Decoder {
    /// A decoder at the start of a file.
    pub const fn new() -> Self {
        Self { after_cr: false }
    }

    /// Decodes as much of `input` as `output` has room for. Output one byte longer than the input
    /// takes all of it.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let room = output.len();
        let (mut rest, mut free) = (input, output);
        loop {
            if !self.after_cr {
                (rest, free) = copy_until(|byte| byte == b'\r', rest, free);
            }
            let Some(&byte) = rest.first() else { break };
            let (first, second) = match (self.after_cr, byte) {
                (false, b'\r') => (None, None),
                (false, other) => (Some(other), None),
                (true, b'\n') => (Some(b'\n'), None),
                (true, 0 | b'\r') => (Some(b'\r'), None),
                (true, other) => (Some(b'\r'), Some(other)),
            };
            if free.len() < usize::from(first.is_some()) + usize::from(second.is_some()) {
                break;
            }
            for byte in [first, second].into_iter().flatten() {
                if let Some(place) = free.split_off_first_mut() {
                    *place = byte;
                }
            }
            self.after_cr = byte == b'\r';
            rest = rest.get(1..).unwrap_or_default();
        }
        Progress { read: input.len() - rest.len(), written: room - free.len() }
    }

    /// The CR that a file ended with, if it ended with a bare one.
    pub fn finish(self) -> Option<u8> {
        self.after_cr.then_some(b'\r')
    }
}

/// Copies the input up to a special byte, as far as there is room, and returns what is left of both.
fn copy_until<'i, 'o>(
    is_special: impl Fn(u8) -> bool,
    input: &'i [u8],
    output: &'o mut [u8],
) -> (&'i [u8], &'o mut [u8]) {
    let bytes = input.get(..output.len()).unwrap_or(input);
    // Looking at all of sixteen, whatever the first of them are, is a few vector instructions.
    let (sixteens, _) = bytes.as_chunks::<16>();
    let any_special = |bytes: &[u8; 16]| bytes.iter().fold(false, |any, &b| any | is_special(b));
    let plain = 16 * sixteens.iter().take_while(|bytes| !any_special(bytes)).count();
    let tail = bytes.iter().skip(plain).take_while(|&&byte| !is_special(byte)).count();
    let (from, rest) = input.split_at(plain + tail);
    let (to, free) = output.split_at_mut(plain + tail);
    to.copy_from_slice(from);
    (rest, free)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_ends_and_bare_crs_become_pairs() {
        assert_eq!(encoded(b"a\nb\rc\r\n", 64), b"a\r\nb\r\0c\r\0\r\n");
    }

    #[test]
    fn a_pair_may_be_cut_by_the_end_of_the_output() {
        assert_eq!(encoded(b"\n\n\r", 1), b"\r\n\r\n\r\0");
    }

    #[test]
    fn pairs_become_line_ends_and_bare_crs() {
        assert_eq!(decoded(&[b"a\r\nb\r\0c"]), b"a\nb\rc");
    }

    #[test]
    fn a_pair_may_be_cut_by_the_end_of_the_input() {
        assert_eq!(decoded(&[b"a\r", b"\nb\r", b"\0"]), b"a\nb\r");
    }

    #[test]
    fn a_cr_before_another_byte_or_at_the_end_is_kept() {
        assert_eq!(decoded(&[b"a\rb\r\r\nc\r"]), b"a\rb\r\nc\r");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(
            text in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), any::<u8>()], 0..200),
            room in 1usize..9,
            cut in 1usize..9,
        ) {
            let wire = encoded(&text, room);
            let chunks: Vec<&[u8]> = wire.chunks(cut).collect();
            prop_assert_eq!(decoded(&chunks), text);
        }
    }

    fn encoded(mut input: &[u8], room: usize) -> Vec<u8> {
        let mut encoder = Encoder::new();
        let mut out = Vec::new();
        while !input.is_empty() || !encoder.is_settled() {
            let mut buffer = std::vec![0; room];
            let Progress { read, written } = encoder.encode(input, &mut buffer);
            out.extend_from_slice(&buffer[..written]);
            input = &input[read..];
        }
        out
    }

    fn decoded(chunks: &[&[u8]]) -> Vec<u8> {
        let mut decoder = Decoder::new();
        let mut out = Vec::new();
        for chunk in chunks {
            let mut buffer = std::vec![0; chunk.len() + 1];
            let Progress { read, written } = decoder.decode(chunk, &mut buffer);
            assert_eq!(read, chunk.len());
            out.extend_from_slice(&buffer[..written]);
        }
        out.extend(decoder.finish());
        out
    }
}
