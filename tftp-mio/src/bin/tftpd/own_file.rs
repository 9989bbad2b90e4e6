//! Files of ours in folders where somebody else may write: the log, the pid file.
//!
//! Root opens them before it becomes the user whose folder that may be. Whoever has taken that user
//! over could leave a link there, to be led to a file of root's at the next start.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    path::Path,
};

/// Opens the file at `path`, or creates it. Returns whether it was created.
///
/// # Errors
/// When that fails, or what is there is anything but a regular file with no other name.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(File, bool)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    loop {
        match options.create_new(false).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(explained(error, path)),
            Ok(file) => {
                is_ours_alone(&file.metadata()?)?;
                return Ok((file, false));
            }
        }
        match options.create_new(true).open(path) {
            // Somebody was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (file, true)),
        }
    }
}

/// Sees whether [`open`] would take what is at `path`, or could create it there, and does neither.
///
/// # Errors
/// As there, as far as that can be seen.
pub(crate) fn look(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) => is_ours_alone(&found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.map_or(Ok(()), |folder| folder.metadata().map(drop))
        }
        Err(error) => Err(error),
    }
}

fn is_ours_alone(found: &Metadata) -> io::Result<()> {
    if found.is_symlink() {
        return Err(io::Error::other(
            "that is a link, which is not followed: name the file itself",
        ));
    }
    if !found.is_file() {
        return Err(io::Error::other("that is no regular file"));
    }
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(found) > 1 {
        return Err(io::Error::other("the file has other names (hard links)"));
    }
    Ok(())
}

/// What the system says in few words of what cannot be opened so.
fn explained(error: io::Error, path: &Path) -> io::Error {
    let found = path.symlink_metadata();
    found.ok().and_then(|found| is_ours_alone(&found).err()).unwrap_or(error)
}
