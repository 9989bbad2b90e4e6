//! The local end of a transfer, as far as it is no file: names, standard input and output.

mod stdin;

use std::{
    env,
    ffi::OsStr,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tftp_mio::client::Sink;

use crate::word;
pub(crate) use stdin::Stdin;

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

/// A path as it is typed: `~` is the home folder, at the prompt as in a shell.
pub(crate) fn path(word: &OsStr) -> PathBuf {
    let path = Path::new(word);
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Stdout, last_part};

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
}
