//! Files that several transfers read at a time, opened once: a rack that boots asks for the same few.

use std::{
    collections::HashMap,
    fs::File,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use cap_std::fs::Metadata;

/// The files that are open for transfers, by what they are.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    files: HashMap<Identity, Weak<File>>,
    /// How many there may be before those that are closed are forgotten.
    most: usize,
}

/// Two descriptors with the same one read the same bytes.
///
/// Device and number say that of a file that is open. The rest is for file systems that show a copy
/// under the same number (overlayfs, once a file is written to).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    number: u64,
    modified: (i64, i64),
    size: u64,
}

impl OpenFiles {
    /// The file that was opened already, if this is one of those. `found` is what it is.
    pub(super) fn share(&self, file: File, found: &Metadata) -> Arc<File> {
        let Some(identity) = Identity::of(found) else { return Arc::new(file) };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.files.get(&identity).and_then(Weak::upgrade) {
            return same;
        }
        if known.files.len() >= known.most {
            known.files.retain(|_, file| file.strong_count() > 0);
            known.most = (2 * known.files.len()).max(64);
        }
        let file = Arc::new(file);
        known.files.insert(identity, Arc::downgrade(&file));
        file
    }
}

impl Identity {
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere the system does not tell")]
    fn of(found: &Metadata) -> Option<Self> {
        use cap_std::fs::MetadataExt as _;
        Some(Self {
            device: found.dev(),
            number: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            size: found.size(),
        })
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, path::Path};

    use cap_std::{ambient_authority, fs::Dir};

    use super::*;

    fn open(files: &OpenFiles, folder: &Path, name: &str) -> Arc<File> {
        let folder = Dir::open_ambient_dir(folder, ambient_authority()).unwrap();
        let file = folder.open(name).unwrap();
        let found = file.metadata().unwrap();
        files.share(file.into_std(), &found)
    }

    #[test]
    fn readers_of_one_file_share_it_by_whatever_name_and_others_do_not() {
        let (files, folder) = (OpenFiles::default(), tempfile::tempdir().unwrap());
        let path = folder.path();
        fs::write(path.join("one"), "same").unwrap();
        fs::write(path.join("other"), "same").unwrap();
        fs::hard_link(path.join("one"), path.join("link")).unwrap();
        let one = open(&files, path, "one");
        assert!(Arc::ptr_eq(&one, &open(&files, path, "one")));
        assert!(Arc::ptr_eq(&one, &open(&files, path, "link")));
        assert!(!Arc::ptr_eq(&one, &open(&files, path, "other")));
        fs::rename(path.join("other"), path.join("one")).unwrap();
        assert!(!Arc::ptr_eq(&one, &open(&files, path, "one")));
    }

    #[test]
    fn what_nobody_reads_is_closed_and_forgotten() {
        let (files, folder) = (OpenFiles::default(), tempfile::tempdir().unwrap());
        for number in 0..1000 {
            let name = number.to_string();
            fs::write(folder.path().join(&name), "content").unwrap();
            assert_eq!(Arc::strong_count(&open(&files, folder.path(), &name)), 1);
        }
        let known = files.0.lock().unwrap();
        assert!(known.files.len() <= 64, "{}", known.files.len());
    }
}
