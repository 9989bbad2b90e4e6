//! A file on its way in: visible only when whole, within its limits, and with the right permissions.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, IoSlice},
};

use cap_std::fs::Dir;

use super::{
    Sink,
    draft::{Draft, Purpose},
    room::Room,
};

/// What write requests may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WritePolicy {
    /// Nothing: they are refused.
    #[default]
    Never,
    /// Add files under new names.
    Create,
    /// Add files and replace existing ones.
    Overwrite,
}

/// What uploads may do and take. Plain data; [`Default`] refuses them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// Which names may be written.
    pub policy: WritePolicy,
    /// Permissions of the files, such as `0o644`, whatever the umask. `None`: those of the file that
    /// is replaced, otherwise [`DEFAULT_MODE`](Self::DEFAULT_MODE). Systems other than Unix have
    /// nothing of the kind.
    pub mode: Option<u32>,
    /// Bytes that one file may have.
    pub max_size: Option<u64>,
    /// Bytes that stay free on the file system.
    pub min_free: u64,
}

impl Uploads {
    /// Read by all, written by us.
    pub const DEFAULT_MODE: u32 = 0o644;
}

impl Default for Uploads {
    fn default() -> Self {
        Self { policy: WritePolicy::Never, mode: None, max_size: None, min_free: 64 << 20 }
    }
}

/// The defaults with another policy.
impl From<WritePolicy> for Uploads {
    fn from(policy: WritePolicy) -> Self {
        Self { policy, ..Self::default() }
    }
}

/// One upload. Dropped before it is finished, it is gone.
#[derive(Debug)]
pub(crate) struct Upload {
    draft: Draft,
    room: Room,
    target: OsString,
    replace: bool,
    mode: u32,
}

impl Upload {
    /// Begins a file that will be `target` in `folder`. `replaced` are the permissions of the file
    /// that is there now.
    ///
    /// # Errors
    /// Of the kind `FileTooLarge` or `StorageFull` where it would take too much; any other where
    /// the folder does not take one more file.
    pub(super) fn begin(
        folder: &Dir,
        target: &OsStr,
        uploads: &Uploads,
        announced: Option<u64>,
        replaced: Option<u32>,
    ) -> io::Result<Self> {
        let draft = Draft::begin(folder, Purpose::Upload)?;
        let room = Room::for_upload(uploads, announced, draft.file())?;
        let replace = uploads.policy == WritePolicy::Overwrite;
        let mode = uploads.mode.or(replaced).unwrap_or(Uploads::DEFAULT_MODE) & 0o777;
        Ok(Self { draft, room, target: target.to_owned(), replace, mode })
    }
}

impl Sink for Upload {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.room.take(self.draft.file(), offset, bytes.len() as u64)?;
        write_all(self.draft.file(), offset, bytes)
    }

    fn write_vectored_at(&mut self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        self.room.take(self.draft.file(), offset, bytes)?;
        write_all_vectored(self.draft.file(), offset, buffers)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        permit(self.draft.file(), self.mode)?;
        self.draft.publish(&self.target, self.replace)
    }
}

#[cfg(unix)]
pub(super) fn permit(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub(super) fn permit(_: &File, _: u32) -> io::Result<()> {
    Ok(())
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
