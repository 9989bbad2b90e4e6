//! Left-overs of uploads that a crash cut off, on systems where files cannot go without names.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use cap_std::fs::{Dir, DirEntry, OpenOptions};

use super::{draft::is_temporary, folder::without_waiting};

/// Folders that wait for their turn at most; in a tree that is wider the rest is not looked at.
const MOST_WAITING: usize = 1 << 16;

/// Goes through a folder and all beneath it, and removes what was left of uploads. What a server
/// that lives is still writing is spared, whichever server that is. Links are not followed.
///
/// [`run`](Self::run) it before or while the folder is served.
#[derive(Debug)]
pub struct Sweep {
    root: Dir,
    waiting: VecDeque<PathBuf>,
    removed: usize,
}

impl Sweep {
    pub(super) fn new(root: Dir) -> Self {
        Self { root, waiting: VecDeque::from([".".into()]), removed: 0 }
    }

    /// Goes on until it is done or the time has come, and returns whether it is done. Folders near
    /// the root come first.
    pub fn run(&mut self, until: Instant) -> bool {
        while let Some(folder) = self.waiting.pop_front() {
            if !self.sweep_folder(&folder, until) {
                self.waiting.push_front(folder);
                return false;
            }
        }
        true
    }

    /// How many files were removed so far.
    pub fn removed(&self) -> usize {
        self.removed
    }

    /// Returns whether that folder is done. One that cannot be read is.
    fn sweep_folder(&mut self, path: &Path, until: Instant) -> bool {
        let Ok(folder) = self.root.open_dir(path) else { return true };
        let Ok(entries) = folder.entries() else { return true };
        let mut inner = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            if Instant::now() >= until {
                return false;
            }
            let name = entry.file_name();
            if is_temporary(&name) {
                self.removed += usize::from(remove_abandoned(&folder, &entry).is_ok());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && self.waiting.len() + inner.len() < MOST_WAITING
            {
                inner.push(path.join(name));
            }
        }
        self.waiting.extend(inner);
        true
    }
}

/// Removes a file that nobody holds the lock of. No server will ever give that name to another.
fn remove_abandoned(folder: &Dir, entry: &DirEntry) -> io::Result<()> {
    if !entry.file_type()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // For writing, because without that NFS gives no lock.
    let mut options = OpenOptions::new();
    without_waiting(options.write(true));
    let file = folder.open_with(entry.file_name(), &options)?.into_std();
    file.try_lock()?;
    folder.remove_file(entry.file_name())
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use cap_std::ambient_authority;
    use tempfile::TempDir;

    use super::*;
    use crate::storage::draft::{Draft, Purpose};

    fn dir(path: &Path) -> Dir {
        Dir::open_ambient_dir(path, ambient_authority()).expect("a folder")
    }

    #[test]
    fn what_a_crash_left_is_removed_and_what_is_being_written_is_not() {
        let root = TempDir::new().expect("a folder");
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).expect("folders");
        fs::create_dir(root.path().join(".tftpd-upload-folder")).expect("a folder");
        for name in ["file", ".tftpd-upload-1", "a/.tftpd-upload-2", "a/b/.tftpd-upload-3"] {
            fs::write(root.path().join(name), "content").expect("a file");
        }
        let draft = Draft::begin_named(dir(&inner), Purpose::Upload).expect("a draft");
        let mut sweep = Sweep::new(dir(root.path()));
        assert!(sweep.run(Instant::now() + Duration::from_secs(30)));
        assert_eq!(sweep.removed(), 3);
        let names = |path: &Path| {
            let entries = fs::read_dir(path).expect("a folder");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&inner).len(), 1);
        drop(draft);
        assert!(names(&inner).is_empty());
        let left = [".tftpd-upload-folder", "a", "file"].map(|name| root.path().join(name));
        assert_eq!(names(root.path()), left);
    }

    #[test]
    fn it_ends_when_its_time_is_over_and_can_go_on() {
        let root = TempDir::new().expect("a folder");
        fs::write(root.path().join(".tftpd-upload-1"), "content").expect("a file");
        let mut sweep = Sweep::new(dir(root.path()));
        assert!(!sweep.run(Instant::now()));
        assert_eq!(sweep.removed(), 0);
        assert!(sweep.run(Instant::now() + Duration::from_secs(30)));
        assert_eq!(sweep.removed(), 1);
    }
}
