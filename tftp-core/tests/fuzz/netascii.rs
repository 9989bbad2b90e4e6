//! Encoding in any chunks gives the same bytes, and decoding in any chunks gives the text back.

use tftp_core::netascii::{Decoder, Encoder, Progress};

/// Four bytes of chunk sizes, then the text.
pub fn check(input: &[u8]) {
    let Some((sizes, text)) = input.split_first_chunk::<4>() else {
        return;
    };
    let [feed, room, cut, space] = sizes.map(|size| 1 + usize::from(size % 32));
    let wire = encoded(text, feed, room);
    assert_eq!(wire, encoded(text, usize::MAX, 2 * text.len() + 1), "chunks change the encoding");
    assert_eq!(decoded(&wire, cut, space + 1), text, "decoding does not undo encoding");
    assert_eq!(decoded(text, cut, space + 1), meant(text), "any bytes can be decoded");
}

/// What a text in netascii means, pair by pair; a CR that begins no pair stands for itself.
fn meant(wire: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = wire;
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match (first, behind) {
            (b'\r', [b'\n', behind @ ..]) => (b'\n', behind),
            (b'\r', [0, behind @ ..]) => (b'\r', behind),
            (&other, behind) => (other, behind),
        };
        text.push(byte);
        rest = behind;
    }
    text
}

fn encoded(text: &[u8], feed: usize, room: usize) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut wire = Vec::new();
    let mut rest = text;
    while !rest.is_empty() || !encoder.is_settled() {
        let mut buffer = vec![0; room];
        let Progress { read, written } = encoder.encode(&rest[..rest.len().min(feed)], &mut buffer);
        wire.extend_from_slice(&buffer[..written]);
        rest = &rest[read..];
    }
    wire
}

fn decoded(wire: &[u8], feed: usize, room: usize) -> Vec<u8> {
    let mut decoder = Decoder::new();
    let mut text = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let mut buffer = vec![0; room];
        let Progress { read, written } = decoder.decode(&rest[..rest.len().min(feed)], &mut buffer);
        assert!(read > 0, "two bytes of room are enough to go on");
        text.extend_from_slice(&buffer[..written]);
        rest = &rest[read..];
    }
    text.extend(decoder.finish());
    text
}
