//! A folder of files: every name is resolved beneath it by the kernel, and only regular files count.

use std::{
    io,
    path::{Path, PathBuf},
};

use cap_std::fs::{Dir, Metadata, OpenOptions};
use tftp_core::ErrorCode;

use super::{
    Denied, Names, Place, Sink, Source, Storage, Sweep, Uploads, Wanted, WritePolicy,
    draft::is_temporary, lookup::Lookup, name, open_files::OpenFiles, real_path::real_path,
    regular_file::RegularFile, trouble, upload::Upload,
};

/// A folder that is served.
///
/// No name leaves it, whatever its spelling: `..`, absolute paths and symbolic links that point
/// outside are refused by the kernel at the moment of opening (`openat2` with `RESOLVE_BENEATH` on
/// Linux, step by step elsewhere). Links that stay inside work.
#[derive(Debug)]
pub struct Folder {
    root: Place,
    uploads: Uploads,
    names: Names,
    open_files: OpenFiles,
}

const NOT_FOUND: Denied = Denied::new(ErrorCode::FILE_NOT_FOUND, "file not found");
const NOT_ALLOWED: Denied = Denied::new(ErrorCode::ACCESS_VIOLATION, "access denied");
const NO_FILE: Denied = Denied::new(ErrorCode::ACCESS_VIOLATION, "not a regular file");
const NO_FOLDER: Denied = Denied::new(ErrorCode::ACCESS_VIOLATION, "no such folder");
const NO_NAME: Denied = Denied::new(ErrorCode::ACCESS_VIOLATION, "no file can have that name");

impl Folder {
    /// Serves the folder at `root`, and takes uploads as told: by a [`WritePolicy`], or in full by
    /// [`Uploads`].
    ///
    /// # Errors
    /// When it cannot be opened or is no folder.
    pub fn open(root: &Path, uploads: impl Into<Uploads>) -> io::Result<Self> {
        Ok(Self::at(Place::open(root)?, uploads))
    }

    /// Serves a folder that is open already.
    pub fn at(root: Place, uploads: impl Into<Uploads>) -> Self {
        let (names, open_files) = (Names::default(), OpenFiles::default());
        Self { root, uploads: uploads.into(), names, open_files }
    }

    /// Finds files by more than their plain names.
    #[must_use]
    pub fn with_names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Removes what uploads left that a crash of a server cut off. Only on systems where files
    /// cannot go without names is there anything to find.
    ///
    /// # Errors
    /// When the system gives no further descriptor.
    pub fn sweep(&self) -> io::Result<Sweep> {
        Ok(Sweep::new(self.root().try_clone()?))
    }

    fn root(&self) -> &Dir {
        self.root.folder()
    }

    /// Where an upload goes: into the folder where the name would be looked for first.
    fn path_to_write(&self, wanted: &Wanted<'_>) -> Result<PathBuf, Denied> {
        let path = name::to_path(wanted.name).ok_or(NO_FILE)?;
        let lookup = Lookup::new(self.root(), &self.names, wanted);
        let base = lookup.bases(&path).into_iter().next().unwrap_or_default();
        let path = if self.names.ignore_case {
            lookup.as_spelled(&base, &path).map_err(|error| unwritable(&error))?
        } else {
            base.join(path)
        };
        let path = self.target(path)?;
        let file = path.as_os_str().as_encoded_bytes();
        wanted.means(file);
        wanted.note(format_args!("file \"{}\" is to be written", file.escape_ascii()));
        if lookup.is_anothers(&path) { Err(NOT_ALLOWED) } else { Ok(path) }
    }

    /// The same through a link to what it stands for, which must be inside as well.
    fn target(&self, path: PathBuf) -> Result<PathBuf, Denied> {
        match self.root().symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                real_path(self.root(), &path).map_err(|error| unwritable(&error))
            }
            _ => Ok(path),
        }
    }

    /// Opens the file that a path leads to, in one of the folders where it is looked for.
    fn open_anywhere(&self, wanted: &Wanted<'_>, path: &Path) -> Result<RegularFile, Denied> {
        let lookup = Lookup::new(self.root(), &self.names, wanted);
        for base in lookup.bases(path) {
            let exact = base.join(path);
            let mut found = self.open_one(&lookup, wanted, &exact);
            if self.names.ignore_case && found.as_ref().is_err_and(|refusal| *refusal == NOT_FOUND)
            {
                let spelled = lookup.as_spelled(&base, path).map_err(|error| denied(&error))?;
                if spelled != exact {
                    found = self.open_one(&lookup, wanted, &spelled);
                }
            }
            match found {
                Err(refusal) if refusal == NOT_FOUND => {}
                found => return found,
            }
        }
        Err(NOT_FOUND)
    }

    fn open_one(
        &self,
        lookup: &Lookup<'_>,
        wanted: &Wanted<'_>,
        path: &Path,
    ) -> Result<RegularFile, Denied> {
        let file = path.as_os_str().as_encoded_bytes();
        wanted.means(file);
        let found = if lookup.is_anothers(path) { Err(NOT_FOUND) } else { self.open_regular(path) };
        let shown = file.escape_ascii();
        match &found {
            Ok(file) => {
                let size = file.size().unwrap_or_default();
                wanted.note(format_args!("file \"{shown}\": {size} bytes"));
            }
            Err(refusal) => wanted.note(format_args!("file \"{shown}\": {refusal}")),
        }
        found
    }

    fn open_regular(&self, path: &Path) -> Result<RegularFile, Denied> {
        // Without one it ends in `..`, which is a folder wherever that leads.
        let file_name = path.file_name().ok_or(NO_FILE)?;
        if is_temporary(file_name) {
            return Err(NOT_FOUND);
        }
        // Asked before the file is opened, because opening a device may already do something; and
        // once more of what was opened, because it may have been replaced in between.
        let found = self.root().metadata(path).map_err(|error| denied(&error))?;
        if !found.is_file() {
            return Err(NO_FILE);
        }
        let file = self.root().open_with(path, &reading()).map_err(|error| denied(&error))?;
        let opened = file.metadata().map_err(|error| denied(&error))?;
        if !opened.is_file() {
            return Err(NO_FILE);
        }
        let file = self.open_files.share(file.into_std(), &opened);
        Ok(RegularFile::without_waiting(file, opened.len()))
    }
}

impl Storage for Folder {
    fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
        let open = |name| self.open_anywhere(wanted, &name::to_path(name).ok_or(NO_FILE)?);
        let file = match (open(wanted.name), name::without_rom_padding(wanted.name)) {
            (Err(refusal), Some(shorter)) if refusal == NOT_FOUND => open(shorter),
            (found, _) => found,
        };
        match file {
            Ok(file) => Ok(Box::new(file)),
            Err(refusal) => {
                if refusal == NOT_FOUND {
                    self.root.tell_if_gone();
                }
                Err(refusal)
            }
        }
    }

    fn create(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied> {
        if self.uploads.policy == WritePolicy::Never {
            return Err(Denied::new(
                ErrorCode::ACCESS_VIOLATION,
                "uploads are off: the server was started without --write create or overwrite",
            ));
        }
        let path = self.path_to_write(wanted)?;
        let (Some(parent), Some(file_name)) = (path.parent(), path.file_name()) else {
            return Err(NO_FILE);
        };
        if is_temporary(file_name) {
            return Err(NOT_ALLOWED);
        }
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let folder = self.root().open_dir(parent).map_err(|error| {
            let refusal = unwritable(&error);
            if refusal == NO_FOLDER {
                self.root.tell_if_gone();
            }
            refusal
        })?;
        let mut replaced = None;
        match folder.symlink_metadata(file_name) {
            Ok(found) if found.is_dir() => return Err(NO_FILE),
            Ok(_) if self.uploads.policy == WritePolicy::Create => {
                return Err(Denied::new(
                    ErrorCode::FILE_EXISTS,
                    "file already exists: replacing it takes --write overwrite",
                ));
            }
            Ok(found) if !found.is_file() => return Err(NO_FILE),
            Ok(found) if found.permissions().readonly() => {
                return Err(Denied::new(ErrorCode::ACCESS_VIOLATION, "the file is read-only"));
            }
            Ok(found) => replaced = mode(&found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(&error)),
        }
        let begun = Upload::begin(&folder, file_name, &self.uploads, wanted.announced, replaced);
        match begun {
            Ok(upload) => Ok(Box::new(upload)),
            Err(error) => Err(match trouble(&error) {
                (code @ ErrorCode::DISK_FULL, text) => Denied::new(code, text),
                _ => unwritable(&error),
            }),
        }
    }
}

/// The permissions of a file, where there is such a thing.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is not")]
fn mode(metadata: &Metadata) -> Option<u32> {
    use cap_std::fs::MetadataExt;
    Some(metadata.mode())
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<u32> {
    None
}

/// How files are opened for reading.
fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    without_waiting(options.read(true));
    options
}

/// Has a file opened without waiting for the other end of a pipe: it may be one by now.
#[cfg_attr(not(unix), expect(unused_variables, reason = "there is no such thing"))]
pub(super) fn without_waiting(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        use rustix::fs::OFlags;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
}

/// What a client is told when a name could not be opened. Codes 1 and 2 tell it not to ask again.
fn denied(error: &io::Error) -> Denied {
    use io::ErrorKind;
    match error.kind() {
        // The last of them is what NFS says of a folder that is gone.
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::InvalidFilename
        | ErrorKind::StaleNetworkFileHandle => NOT_FOUND,
        _ if out_of_descriptors(error) => Denied::BUSY,
        _ => NOT_ALLOWED,
    }
}

/// What a client is told when a name cannot be written.
fn unwritable(error: &io::Error) -> Denied {
    match denied(error) {
        refusal if refusal != NOT_FOUND => refusal,
        _ if error.kind() == io::ErrorKind::InvalidFilename => NO_NAME,
        _ => NO_FOLDER,
    }
}

#[cfg(unix)]
fn out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(not(unix))]
fn out_of_descriptors(_: &io::Error) -> bool {
    false
}
