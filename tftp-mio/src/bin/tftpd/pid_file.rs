//! The file that tells which process serves.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process,
};

use crate::own_file;

/// A file with our process id, locked as long as we live: what another process left behind without
/// a lock is stale, and not in the way.
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPidFile {
    /// Another process lives behind it.
    #[error("process {0} holds it: a tftpd runs already")]
    Held(String),
    /// The file cannot be written.
    #[error("{}", tftp_mio::of_the_system(.0))]
    System(#[from] io::Error),
}

impl PidFile {
    /// Creates it, or takes a stale one over.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self, NoPidFile> {
        let path = std::path::absolute(path)?;
        loop {
            let (mut file, _) = own_file::open(&path, File::options().read(true).write(true))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    file.take(20).read_to_string(&mut holder)?;
                    return Err(NoPidFile::Held(holder.trim().escape_debug().to_string()));
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // Its holder may have removed it between our opening and our lock.
            if fs::symlink_metadata(&path).is_ok_and(|found| same(&found, &file)) {
                file.set_len(0)?;
                writeln!(file, "{}", process::id())?;
                return Ok(Self { path, file });
            }
        }
    }
}

fn same(found: &fs::Metadata, file: &File) -> bool {
    file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino()))
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Whoever removed ours may have started another server, whose file it is now.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| !same(&found, &self.file)) {
            return;
        }
        // Without privileges its folder may be closed to us, but the file is open.
        if fs::remove_file(&self.path).is_err()
            && let Err(error) = self.file.set_len(0)
        {
            tracing::warn!(
                path = %self.path.display(),
                error = %tftp_mio::of_the_system(&error),
                "the pid file stays behind"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn it_holds_our_id_while_we_live() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pid");
        let pid_file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        drop(pid_file);
        assert!(!path.exists());
    }

    #[test]
    fn one_that_is_held_stays() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pid");
        let _held = PidFile::create(&path).unwrap();
        let why = PidFile::create(&path).map(|_| ()).unwrap_err().to_string();
        assert!(why.contains(&format!("process {} holds it", process::id())), "{why}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
    }

    #[test]
    fn one_that_took_the_place_of_ours_stays() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pid");
        let ours = PidFile::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _theirs = PidFile::create(&path).unwrap();
        drop(ours);
        assert!(path.exists());
    }

    #[test]
    fn one_that_cannot_be_removed_is_emptied() {
        let folder = TempDir::new().unwrap();
        let (closed, moved) = (folder.path().join("closed"), folder.path().join("moved"));
        fs::create_dir(&closed).unwrap();
        let pid_file = PidFile::create(&closed.join("pid")).unwrap();
        fs::rename(&closed, &moved).unwrap();
        drop(pid_file);
        assert_eq!(fs::read_to_string(moved.join("pid")).unwrap(), "");
    }

    #[test]
    fn a_stale_one_is_taken_over() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "4194304 and more than we write\n").unwrap();
        let _ours = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
    }
}
