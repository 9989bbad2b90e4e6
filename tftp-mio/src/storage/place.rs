//! Folders that stay those that were opened first.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use cap_std::{ambient_authority, fs::Dir};

/// A folder that is open, and stays the one that it was: whatever its path leads to later, all that
/// is served or stored through it is in this one. Clones are the same folder.
#[derive(Clone, Debug)]
pub struct Place(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    /// From the root of the system on.
    path: PathBuf,
    folder: Dir,
    /// Set once it was said that the folder is gone.
    told_gone: AtomicBool,
}

impl Place {
    /// Opens the folder that `path` leads to now.
    ///
    /// # Errors
    /// When it cannot be opened or is no folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let folder = Dir::open_ambient_dir(&path, ambient_authority())?;
        Ok(Self(Arc::new(Opened { path, folder, told_gone: AtomicBool::new(false) })))
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether its path leads elsewhere by now, or nowhere. Where the system does not let us look,
    /// it is taken to be as it was.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        is_elsewhere(&self.0.folder, &self.0.path)
    }

    pub(super) fn folder(&self) -> &Dir {
        &self.0.folder
    }

    /// Asked when something is missing: says, once, if that is the folder itself.
    pub(super) fn tell_if_gone(&self) {
        if is_removed(&self.0.folder) && !self.0.told_gone.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the served folder has been removed: nothing is found until it is there again and \
                 tftpd is restarted"
            );
        }
    }
}

/// Whether a folder that is open has no name any more.
#[cfg(unix)]
fn is_removed(folder: &Dir) -> bool {
    match rustix::fs::fstat(folder) {
        Ok(found) => found.st_nlink == 0,
        Err(errno) => errno == rustix::io::Errno::STALE,
    }
}

#[cfg(not(unix))]
fn is_removed(_: &Dir) -> bool {
    false
}

#[cfg(unix)]
fn is_elsewhere(folder: &Dir, path: &Path) -> bool {
    use rustix::{fs, io::Errno};
    match (fs::fstat(folder), fs::stat(path)) {
        (Ok(ours), Ok(there)) => (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino),
        (_, Err(errno)) => [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].contains(&errno),
        (Err(errno), Ok(_)) => errno == Errno::STALE,
    }
}

#[cfg(not(unix))]
fn is_elsewhere(_: &Dir, _: &Path) -> bool {
    false
}
