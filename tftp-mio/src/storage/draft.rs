//! A file before it has its name: without any where the system can do that, otherwise under a
//! temporary one beside its target.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    hash::{BuildHasher as _, RandomState},
    io,
};

use cap_std::fs::{Dir, OpenOptions};

/// What a file is that has no name yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What a server takes: nobody's but ours until it is permitted, and synced before it is named.
    Upload,
    /// What a client fetches: as any program creates files, so that the umask counts.
    Download,
}

impl Purpose {
    /// What temporary names begin with. Those of uploads are never served, and never accepted as a
    /// target.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Upload => ".tftpd-upload-",
            Self::Download => ".tftp-download-",
        }
    }

    /// Permissions of the new file.
    const fn mode(self) -> u32 {
        match self {
            Self::Upload => 0o600,
            Self::Download => 0o666,
        }
    }
}

/// Whether a file of that name is an upload on its way, or what a crash left of one. Capitals count
/// as small letters, for some file systems find a file under either.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let (name, prefix) = (name.as_encoded_bytes(), Purpose::Upload.prefix());
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// A new file in `folder`. Dropped before it is published, it is gone.
///
/// While it has a temporary name it is locked: [`sweep`](super::sweep) removes uploads of which nobody
/// holds the lock, for their server has died.
#[derive(Debug)]
pub(crate) struct Draft {
    purpose: Purpose,
    folder: Dir,
    file: File,
    /// `None` while, or once, there is no such name.
    temporary: Option<OsString>,
}

impl Draft {
    /// Begins a file that nobody sees.
    ///
    /// # Errors
    /// When the folder does not take one more file.
    pub(crate) fn begin(folder: &Dir, purpose: Purpose) -> io::Result<Self> {
        let folder = system::syncable(folder)?;
        match system::unnamed(&folder, purpose.mode())? {
            Some(file) => Ok(Self { purpose, folder, file, temporary: None }),
            None => Self::begin_named(folder, purpose),
        }
    }

    /// The same under a temporary name, which any file system can do.
    pub(super) fn begin_named(folder: Dir, purpose: Purpose) -> io::Result<Self> {
        loop {
            let name = temporary_name(purpose);
            let file = match folder.open_with(&name, &writing(purpose.mode())) {
                Ok(file) => file.into_std(),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // A server that starts this very moment may have found it before it was locked.
            if lock(&file) && system::is_linked(&file)? {
                return Ok(Self { purpose, folder, file, temporary: Some(name) });
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Lets the file appear as `target`, an upload once it is written to the disk. Where that exists
    /// already it is replaced if `replace` says so, and who has it open keeps the old one.
    ///
    /// # Errors
    /// Of the kind `AlreadyExists` where it is not to be replaced. The folder is then as it was;
    /// only of a disk that fails in the last sync nothing is known.
    pub(crate) fn publish(mut self, target: &OsStr, replace: bool) -> io::Result<()> {
        if self.purpose == Purpose::Upload {
            self.file.sync_all()?;
        }
        if self.temporary.is_none() {
            match system::link(&self.file, &self.folder, target) {
                // Only a name can be moved over another.
                Err(error) if replace && error.kind() == io::ErrorKind::AlreadyExists => {
                    self.take_temporary_name()?;
                }
                result => {
                    result?;
                    return self.sync_names();
                }
            }
        }
        if let Some(temporary) = &self.temporary {
            let moved = if replace {
                self.folder.rename(temporary, &self.folder, target).map(|()| true)
            } else {
                system::rename_to_new(&self.folder, temporary, target)
            }
            .map_err(|error| self.explained(error, target))?;
            if moved {
                self.temporary = None;
            }
        }
        self.sync_names()
    }

    /// What is in the way of a name. The sandbox allows to replace no folder, and would say just that.
    fn explained(&self, error: io::Error, target: &OsStr) -> io::Error {
        match self.folder.symlink_metadata(target) {
            Ok(found) if found.is_dir() && error.kind() != io::ErrorKind::AlreadyExists => {
                io::ErrorKind::IsADirectory.into()
            }
            _ => error,
        }
    }

    fn sync_names(&self) -> io::Result<()> {
        match self.purpose {
            Purpose::Upload => system::sync_names(&self.folder, &self.file),
            Purpose::Download => Ok(()),
        }
    }

    fn take_temporary_name(&mut self) -> io::Result<()> {
        lock(&self.file);
        loop {
            let name = temporary_name(self.purpose);
            match system::link(&self.file, &self.folder, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result?;
                    self.temporary = Some(name);
                    return Ok(());
                }
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = &self.temporary {
            // Nobody is left to be told; what stays is swept at the next start.
            let _ = self.folder.remove_file(name);
        }
    }
}

/// A name that nobody has had before, also in another container that shares the folder.
fn temporary_name(purpose: Purpose) -> OsString {
    // Its keys are random, and others each time.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{}{random:016x}", purpose.prefix()).into()
}

#[cfg_attr(not(unix), expect(unused_variables, reason = "there is no such thing"))]
fn writing(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::mode(&mut options, mode);
    options
}

/// Takes the lock that keeps others from sweeping the file away. Where there are no locks the file
/// is as good without.
fn lock(file: &File) -> bool {
    !matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

/// What Linux can do without a name.
#[cfg(target_os = "linux")]
mod system {
    use std::{ffi::OsStr, fs::File, io, os::fd::AsRawFd as _, os::unix::fs::MetadataExt as _};

    use cap_std::fs::Dir;
    use rustix::{
        fs::{
            AtFlags, CWD, Mode, OFlags, RenameFlags, fstat, fsync, linkat, openat, renameat_with,
            syncfs,
        },
        io::Errno,
    };

    /// The same folder, open so that it can be synced as long as it may be read. Opened now and not
    /// when the file is whole, because by then descriptors may have run out.
    pub(super) fn syncable(folder: &Dir) -> io::Result<Dir> {
        match folder.open(".") {
            Ok(readable) => Ok(Dir::from_std_file(readable.into_std())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => folder.try_clone(),
            Err(error) => Err(error),
        }
    }

    /// A file without a name, where the file system has such and this process may name it later.
    pub(super) fn unnamed(folder: &Dir, mode: u32) -> io::Result<Option<File>> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file: File = match openat(folder, ".", flags, Mode::from_raw_mode(mode)) {
            Ok(file) => file.into(),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        // The folder itself exists under this name, so all that is missing is the permission.
        let nameable = link(&file, folder, OsStr::new("."));
        let nameable = nameable.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
        Ok(nameable.then_some(file))
    }

    /// Gives an open file a name, which must be new.
    pub(super) fn link(file: &File, folder: &Dir, name: &OsStr) -> io::Result<()> {
        match linkat(file, "", folder, name, AtFlags::EMPTY_PATH) {
            // Before Linux 6.10 this took a privilege; with procfs it does not. In a folder that was
            // removed nothing helps.
            Err(Errno::NOENT) if fstat(folder).is_ok_and(|found| found.st_nlink > 0) => {
                let path = format!("/proc/self/fd/{}", file.as_raw_fd());
                Ok(linkat(CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)?)
            }
            result => Ok(result?),
        }
    }

    pub(super) fn is_linked(file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.nlink() > 0)
    }

    /// Gives a file another name, which must be new. Returns whether the old one is gone.
    pub(super) fn rename_to_new(folder: &Dir, from: &OsStr, to: &OsStr) -> io::Result<bool> {
        match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            // The file system knows no such rename.
            Err(Errno::INVAL | Errno::NOSYS) => folder.hard_link(from, folder, to).map(|()| false),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// A name is durable once its folder is.
    pub(super) fn sync_names(folder: &Dir, file: &File) -> io::Result<()> {
        match fsync(folder) {
            // The folder may be written but not be read: made for uploads.
            Err(Errno::BADF) => Ok(syncfs(file)?),
            result => Ok(result?),
        }
    }
}

/// What every system can do.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::{ffi::OsStr, fs::File, io};

    use cap_std::fs::Dir;

    pub(super) fn syncable(folder: &Dir) -> io::Result<Dir> {
        folder.try_clone()
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    pub(super) fn unnamed(_: &Dir, _: u32) -> io::Result<Option<File>> {
        Ok(None)
    }

    pub(super) fn link(_: &File, _: &Dir, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Where a file cannot be asked for that, its lock keeps others from removing it.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    pub(super) fn is_linked(_: &File) -> io::Result<bool> {
        Ok(true)
    }

    /// A link, unlike a plain rename, fails where the name exists.
    pub(super) fn rename_to_new(folder: &Dir, from: &OsStr, to: &OsStr) -> io::Result<bool> {
        folder.hard_link(from, folder, to).map(|()| false)
    }

    pub(super) fn sync_names(folder: &Dir, _: &File) -> io::Result<()> {
        if cfg!(windows) {
            return Ok(());
        }
        folder.open(".")?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, path::Path};

    use cap_std::ambient_authority;
    use tempfile::TempDir;

    use super::*;

    /// A draft with some content, in a folder of its own; with a temporary name or as the system
    /// likes it.
    fn draft(content: &str, named: bool) -> (TempDir, Draft) {
        let root = TempDir::new().expect("a folder");
        let draft = draft_in(root.path(), content, named);
        (root, draft)
    }

    fn draft_in(root: &Path, content: &str, named: bool) -> Draft {
        let folder = Dir::open_ambient_dir(root, ambient_authority()).expect("the folder");
        let purpose = Purpose::Upload;
        let draft = if named {
            Draft::begin_named(folder, purpose)
        } else {
            Draft::begin(&folder, purpose)
        };
        let draft = draft.expect("a draft");
        draft.file().write_all(content.as_bytes()).expect("room for it");
        draft
    }

    fn names(root: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(root).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        for named in [false, true] {
            let (root, draft) = draft("content", named);
            drop(draft);
            assert!(names(root.path()).is_empty());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn where_the_system_can_a_draft_has_no_name() {
        let (root, _draft) = draft("content", false);
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn a_temporary_name_is_known_as_such() {
        let (root, _draft) = draft("content", true);
        let names = names(root.path());
        assert!(names.len() == 1 && is_temporary(&names[0]), "{names:?}");
        assert!(is_temporary(OsStr::new(".TFTPD-Upload-1")));
        assert!(!is_temporary(OsStr::new(".tftpd-upload")));
        assert!(!is_temporary(OsStr::new("tftpd-upload-1")));
    }

    #[test]
    fn a_new_name_is_given_once_and_no_other_is_left() {
        for named in [false, true] {
            let (root, first) = draft("first", named);
            let second = draft_in(root.path(), "second", named);
            first.publish(OsStr::new("file"), false).expect("a new name");
            let error = second.publish(OsStr::new("file"), false).expect_err("the name is taken");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(names(root.path()), ["file"]);
            assert_eq!(fs::read(root.path().join("file")).expect("the file"), b"first");
        }
    }

    #[test]
    fn a_file_is_replaced_whether_it_exists_or_not() {
        for named in [false, true] {
            let (root, first) = draft("first", named);
            let second = draft_in(root.path(), "second", named);
            first.publish(OsStr::new("file"), true).expect("a new name");
            second.publish(OsStr::new("file"), true).expect("a name to replace");
            assert_eq!(names(root.path()), ["file"]);
            assert_eq!(fs::read(root.path().join("file")).expect("the file"), b"second");
        }
    }

    #[test]
    fn a_folder_is_not_replaced_and_nothing_is_left() {
        for named in [false, true] {
            let (root, draft) = draft("content", named);
            fs::create_dir(root.path().join("dir")).expect("a folder");
            draft.publish(OsStr::new("dir"), true).expect_err("a folder");
            assert_eq!(names(root.path()), ["dir"]);
        }
    }
}
