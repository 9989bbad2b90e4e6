//! The local end of a transfer, as far as it is no file: names, standard input and output.

mod stdin;

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use tftp_mio::client::{Download, Sink};

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

/// Standard output as the place for a fetched file: past the buffer of the standard library, which
/// would write line by line.
///
/// # Errors
/// When the system has no descriptor left.
pub(crate) fn stdout() -> io::Result<Box<dyn Sink>> {
    #[cfg(unix)]
    use std::os::fd::AsFd as _;
    #[cfg(windows)]
    use std::os::windows::io::AsHandle as _;

    let stdout = io::stdout();
    #[cfg(unix)]
    let own = stdout.as_fd().try_clone_to_owned()?;
    #[cfg(windows)]
    let own = stdout.as_handle().try_clone_to_owned()?;
    Ok(Download::to(own.into()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::last_part;

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
}
