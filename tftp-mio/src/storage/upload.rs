//! A file on its way in: written under a temporary name beside its target, visible only when whole.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, IoSlice},
    sync::atomic::{AtomicU64, Ordering},
};

use cap_std::fs::{Dir, OpenOptions, Permissions};

use super::Sink;

/// What temporary names begin with. They are never served, and never accepted as a target.
const PREFIX: &str = ".tftpd-upload-";

/// Whether a file of that name is an upload on its way, or what a crash left of one.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// One upload. Dropped before it is finished, it is gone.
#[derive(Debug)]
pub(crate) struct Upload {
    folder: Dir,
    temporary: OsString,
    target: OsString,
    overwrite: bool,
    /// What the file that is replaced allows to whom.
    permissions: Option<Permissions>,
    file: File,
}

impl Upload {
    /// Begins a file that will be `target` in `folder`, with the permissions of the one that it
    /// replaces.
    pub(crate) fn begin(
        folder: Dir,
        target: &OsStr,
        overwrite: bool,
        permissions: Option<Permissions>,
    ) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let temporary = OsString::from(format!("{PREFIX}{}-{number}", std::process::id()));
            match folder.open_with(&temporary, &options) {
                Ok(file) => {
                    let (file, target) = (file.into_std(), target.to_owned());
                    return Ok(Self { folder, temporary, target, overwrite, permissions, file });
                }
                // Left by a process that had our number before us.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its name, and fails where that exists by now.
    fn rename_to_new(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::{
                fs::{RenameFlags, renameat_with},
                io::Errno,
            };
            let (folder, flags) = (&self.folder, RenameFlags::NOREPLACE);
            match renameat_with(folder, &self.temporary, folder, &self.target, flags) {
                // The file system knows no such rename.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                renamed => return Ok(renamed?),
            }
        }
        // A link, unlike a plain rename, fails where the name exists.
        self.folder.hard_link(&self.temporary, &self.folder, &self.target)
    }
}

impl Sink for Upload {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all(&self.file, offset, bytes)
    }

    fn write_vectored_at(&mut self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        write_all_vectored(&self.file, offset, buffers)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        if let Some(permissions) = self.permissions.clone() {
            self.folder.set_permissions(&self.temporary, permissions)?;
        }
        self.file.sync_all()?;
        if self.overwrite {
            self.folder.rename(&self.temporary, &self.folder, &self.target)?;
        } else {
            self.rename_to_new()?;
        }
        // The name is durable once its folder is.
        self.folder.open(".")?.sync_all()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After a rename the name is gone already, and nobody is left to be told of anything else.
        let _ = self.folder.remove_file(&self.temporary);
    }
}

#[cfg(unix)]
pub(crate) fn write_all(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(crate) fn write_all(file: &File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        offset += written as u64;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Writes the buffers one behind the other, with one call where the system has one.
#[cfg(target_os = "linux")]
pub(crate) fn write_all_vectored(
    file: &File,
    mut offset: u64,
    mut buffers: &mut [IoSlice<'_>],
) -> io::Result<()> {
    // Empty ones are passed over, so that nothing left means all written.
    IoSlice::advance_slices(&mut buffers, 0);
    while !buffers.is_empty() {
        match rustix::io::pwritev(file, buffers, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut buffers, written);
                offset += written as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn write_all_vectored(
    file: &File,
    mut offset: u64,
    buffers: &mut [IoSlice<'_>],
) -> io::Result<()> {
    for buffer in buffers {
        write_all(file, offset, buffer)?;
        offset += buffer.len() as u64;
    }
    Ok(())
}
