//! Local files of the client: one that is sent, and one that appears whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::storage::{RegularFile, Sink, Source, write_all};

/// A local file to send.
#[derive(Debug)]
pub struct Upload;

impl Upload {
    /// Opens `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Box<dyn Source>> {
        let found = fs::metadata(path)?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Box::new(RegularFile::new(File::open(path)?)?))
    }
}

/// A local file to receive.
#[derive(Debug)]
pub struct Download;

impl Download {
    /// Prepares to write `path`. A regular file is written beside it under a temporary name and
    /// renamed at the end; a device or a pipe is written directly.
    ///
    /// # Errors
    /// When `path` is a folder, or its folder cannot be written.
    pub fn create(path: &Path) -> io::Result<Box<dyn Sink>> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                return Ok(Box::new(Device(OpenOptions::new().write(true).open(path)?)));
            }
            Ok(found) if found.permissions().readonly() => {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Through a link to the file that it stands for: a rename would replace the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tftp-download-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any program creates files: the umask takes from it.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder)?;
        Ok(Box::new(Whole { file, target }))
    }
}

/// A file under a temporary name, gone when it is dropped.
struct Whole {
    file: NamedTempFile,
    target: PathBuf,
}

impl Sink for Whole {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all(self.file.as_file(), offset, bytes)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        // A replaced file keeps its permissions.
        if let Ok(old) = fs::metadata(&self.target) {
            self.file.as_file().set_permissions(old.permissions())?;
        }
        self.file.persist(&self.target)?;
        Ok(())
    }
}

/// Something that is not a regular file: it takes bytes as they come.
struct Device(File);

impl Sink for Device {
    fn seekable(&self) -> bool {
        false
    }

    fn write_at(&mut self, _offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}
