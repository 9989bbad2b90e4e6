//! The files that go over.

use std::sync::LazyLock;

/// Around one block, nothing, many blocks, and past the block number's end: at 512 bytes a block it rolls
/// over at 32 MiB.
const SIZES: [usize; 7] = [0, 1, 511, 512, 513, 1 << 20, (33 << 20) + 7];

/// The modes that both our programs and the peers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Octet,
    Netascii,
}

impl Mode {
    /// The mode's name in a request and on every peer's command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Octet => "octet",
            Self::Netascii => "netascii",
        }
    }
}

/// A file to transfer.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All files that are to go over in `mode`.
pub(crate) fn files(mode: Mode) -> &'static [File] {
    static OCTET: LazyLock<Vec<File>> = LazyLock::new(|| blobs().collect());
    static NETASCII: LazyLock<Vec<File>> = LazyLock::new(|| texts().chain(edges()).collect());
    match mode {
        Mode::Octet => &OCTET,
        Mode::Netascii => &NETASCII,
    }
}

/// Says where two contents differ instead of printing them.
#[track_caller]
pub(crate) fn assert_same(what: &str, actual: &[u8], expected: &[u8]) {
    let differs = actual.iter().zip(expected).position(|(a, e)| a != e);
    assert!(
        differs.is_none() && actual.len() == expected.len(),
        "{what}: {} bytes instead of {}, first difference at {differs:?}",
        actual.len(),
        expected.len(),
    );
}

fn blobs() -> impl Iterator<Item = File> {
    SIZES.into_iter().map(|size| File { name: format!("octet-{size}"), bytes: noise(size) })
}

/// Text of each size in which a quarter of the bytes are CR, LF and NUL, so that each of them and each pair of
/// them comes to lie on block edges.
fn texts() -> impl Iterator<Item = File> {
    SIZES.into_iter().map(|size| {
        let mut bytes = noise(size);
        for byte in &mut bytes {
            *byte = match *byte {
                0..=27 => b'\n',
                28..=55 => b'\r',
                56..=63 => 0,
                other => b' ' + other % 95,
            };
        }
        File { name: format!("netascii-{size}"), bytes }
    })
}

/// Each end of line, and what looks like one, at each place around the edge of the first block; in the middle
/// of the file and at its end.
fn edges() -> impl Iterator<Item = File> {
    let specials = ["\n", "\r", "\r\n", "\r\0", "\r\r", "\n\r"];
    specials.into_iter().enumerate().flat_map(|(n, special)| {
        (509..=512).flat_map(move |before| {
            ["", "more"].map(|after| File {
                name: format!("edge-{n}-{before}-{}", after.len()),
                bytes: [&vec![b'.'; before], special.as_bytes(), after.as_bytes()].concat(),
            })
        })
    })
}

/// Bytes without a period that a wrong block could hide in (xorshift64).
fn noise(size: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
