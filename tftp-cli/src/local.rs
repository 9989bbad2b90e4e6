//! The local end of a transfer, as far as it is no file: names, standard input and output.

use std::{
    io::{self, Read as _, Write as _},
    path::PathBuf,
};

use tftp_mio::client::{Sink, Source};

use crate::word;

/// The name under which a fetched file is stored unless the user says otherwise: what follows the
/// last slash or backslash. `None` when that is empty, `.` or `..`.
///
/// A server's name never leads out of the local folder this way.
pub(crate) fn last_part(remote: &[u8]) -> Option<PathBuf> {
    // On Windows `C:name` is a path as well.
    let ends_a_folder =
        |byte: &u8| matches!(byte, b'/' | b'\\') || (cfg!(windows) && *byte == b':');
    let last = remote.rsplit(ends_a_folder).next()?;
    match last {
        b"" | b"." | b".." => None,
        name => Some(word::from_bytes(name.to_vec()).into()),
    }
}

/// Standard output as the place for a fetched file.
pub(crate) struct Stdout {
    written: u64,
}

impl Stdout {
    pub(crate) fn sink() -> Box<dyn Sink> {
        Box::new(Self { written: 0 })
    }
}

impl Sink for Stdout {
    fn seekable(&self) -> bool {
        false
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset != self.written {
            return Err(io::ErrorKind::NotSeekable.into());
        }
        io::stdout().write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Standard input, to its end, as a file to send.
///
/// It is read into memory before anything is sent. A server may ask again for what it has not got,
/// and standard input cannot be read twice; with the whole of it in hand the length is known too,
/// so the server learns whether it has room.
pub(crate) struct Stdin {
    bytes: Vec<u8>,
}

impl Stdin {
    pub(crate) fn source() -> io::Result<Box<dyn Source>> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(Box::new(Self { bytes }))
    }
}

impl Source for Stdin {
    fn size(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut rest = self.bytes.get(start..).unwrap_or_default();
        rest.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tftp_mio::client::Source as _;

    use super::{Stdin, Stdout, last_part};

    #[test]
    fn the_last_part_of_a_name_is_a_file_in_the_local_folder() {
        for (remote, local) in [
            ("a", Some("a")),
            ("/srv/boot/a", Some("a")),
            (r"boot\x64\a", Some("a")),
            (r"..\/a", Some("a")),
            ("dir/", None),
            (r"dir\", None),
            ("..", None),
            ("a/.", None),
            ("", None),
        ] {
            let local = local.map(Path::new);
            assert_eq!(last_part(remote.as_bytes()).as_deref(), local, "{remote}");
        }
    }

    #[test]
    fn standard_output_cannot_go_back() {
        let mut sink = Stdout::sink();
        assert!(!sink.seekable());
        assert!(sink.write_at(1, b"a").is_err());
    }

    #[test]
    fn standard_input_can_be_read_again_from_anywhere() {
        let mut source = Stdin { bytes: b"abcdef".to_vec() };
        let mut buffer = [0; 4];
        assert_eq!(source.size(), Some(6));
        assert_eq!(source.read_at(4, &mut buffer).unwrap(), 2);
        assert_eq!(source.read_at(0, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"abcd");
        assert_eq!(source.read_at(u64::MAX, &mut buffer).unwrap(), 0);
    }
}
