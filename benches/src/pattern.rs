//! What the files of a measurement hold: bytes that tell when a block stands in the wrong place, made
//! and checked without reading a file.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Write as _},
    path::Path,
};

/// A prime, so that blocks of every size begin at ever new places of the period; and small enough for
/// a processor's cache, so that checking costs the load generator little.
const PERIOD: usize = 65_521;

/// The longest slice that can be asked for.
const LONGEST: usize = 65_536;

/// The content of every file: the same random bytes over and over, begun elsewhere in each file.
#[derive(Debug)]
pub struct Pattern(Box<[u8]>);

impl Default for Pattern {
    fn default() -> Self {
        let mut state = 0_u64;
        let mut bytes: Vec<u8> =
            std::iter::repeat_with(|| splitmix(&mut state).to_le_bytes()[0]).take(PERIOD).collect();
        bytes.extend_from_within(..);
        bytes.truncate(PERIOD + LONGEST);
        bytes.extend_from_within(..PERIOD + LONGEST - bytes.len());
        Self(bytes.into())
    }
}

impl Pattern {
    /// The `len` bytes of a file from `offset` on.
    ///
    /// # Panics
    /// When `len` is above 65,536.
    pub fn bytes(&self, file: u32, offset: u64, len: usize) -> &[u8] {
        let start = (offset + u64::from(file) * 7919) % PERIOD as u64;
        let start = usize::try_from(start).expect("less than the period");
        assert!(len <= LONGEST, "slices of at most {LONGEST} bytes");
        &self.0[start..start + len]
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path, file: u32, size: u64) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for (offset, len) in pieces(size) {
            out.write_all(self.bytes(file, offset, len))?;
        }
        out.flush()
    }

    /// Whether a file holds what it should, and nothing more.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_whole(&self, path: &Path, file: u32, size: u64) -> io::Result<bool> {
        let mut content = BufReader::new(File::open(path)?);
        let mut buffer = vec![0; LONGEST];
        for (offset, len) in pieces(size) {
            let piece = &mut buffer[..len];
            match content.read_exact(piece) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                result => result?,
            }
            if piece != self.bytes(file, offset, len) {
                return Ok(false);
            }
        }
        Ok(content.read(&mut buffer)? == 0)
    }
}

/// A file cut into pieces that can be asked for, as offsets and lengths.
fn pieces(size: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..size).step_by(LONGEST).map(move |offset| {
        (offset, usize::try_from(size - offset).map_or(LONGEST, |rest| rest.min(LONGEST)))
    })
}

/// The next number of a random sequence, always the same one.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_only_with_its_own_bytes_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let pattern = Pattern::default();
        for size in [0, 1, 65_521, 65_536, 200_000] {
            pattern.write(&path, 3, size).unwrap();
            assert!(pattern.is_whole(&path, 3, size).unwrap(), "{size}");
            assert!(!pattern.is_whole(&path, 3, size + 1).unwrap(), "{size}");
            assert_eq!(size == 0, pattern.is_whole(&path, 4, size).unwrap(), "{size}");
        }
        assert!(!pattern.is_whole(&path, 3, 199_999).unwrap());
    }

    #[test]
    fn blocks_of_the_usual_sizes_differ_from_their_neighbours() {
        let pattern = Pattern::default();
        for block in [512_u16, 1428, 8192, 65_464] {
            let at = |number: u64| pattern.bytes(0, number * u64::from(block), 512);
            assert!((1..500).all(|number| at(number) != at(0)), "{block}");
        }
    }
}
