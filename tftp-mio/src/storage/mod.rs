//! Content: where the bytes of a transfer come from and go to.
//!
//! [`Storage`] is the one door through which the server reaches content; [`Folder`] is the one it
//! comes with. A [`Source`] is one file being read, a [`Sink`] one being written; the client uses
//! the same two for local files.

mod client;
mod draft;
mod folder;
mod lookup;
mod mail;
mod map;
mod name;
pub(crate) mod netascii;
mod open_files;
mod place;
mod real_path;
mod regular_file;
mod room;
mod settings;
mod sweep;
mod upload;
mod wanted;

use std::{
    borrow::Cow,
    io::{self, IoSlice, IoSliceMut},
};

use tftp_core::ErrorCode;

pub use client::{ClientFolders, NoClientFolders};
pub(crate) use draft::{Draft, Purpose};
pub use folder::Folder;
pub use lookup::Names;
pub use mail::Mail;
pub use map::{Map, MapFaults, Mapped};
pub use place::Place;
pub(crate) use regular_file::RegularFile;
pub use settings::read_settings;
pub use sweep::Sweep;
pub use upload::{Uploads, WritePolicy};
pub(crate) use upload::{write_all, write_all_vectored};
pub(crate) use wanted::other_file;
pub use wanted::{Listener, Wanted};

/// Where a server's files live. All threads of a server share one. Both calls must return quickly and
/// never block on a device.
pub trait Storage: Send + Sync {
    /// Opens the file that a read request names.
    ///
    /// # Errors
    /// When it is not to be had; the client is answered with what the error says.
    fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied>;

    /// Prepares to store the file that a write request names.
    ///
    /// # Errors
    /// When it is not to be stored; the client is answered with what the error says.
    fn create(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied>;
}

/// A refusal: the ERROR that the client is answered with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Denied {
    /// The code. For reads use 1 or 2 where asking again is useless: U-Boot asks for ever after
    /// any other.
    pub code: ErrorCode,
    /// Printable ASCII that names no path of the server.
    pub text: Cow<'static, str>,
}

impl Denied {
    /// For want of descriptors or memory. The server then drops a transfer that never began, and
    /// asks once more.
    pub const BUSY: Self = Self::new(ErrorCode::NOT_DEFINED, "server is busy, try again");

    /// Whether it is for want of what the server itself should have.
    pub(crate) fn is_our_trouble(&self) -> bool {
        *self == Self::BUSY || self.text == NO_SPACE
    }

    /// A refusal with a fixed text.
    pub const fn new(code: ErrorCode, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }
}

/// Brings content from where reading it takes long; see [`Source::fetch`].
pub type Fetch = Box<dyn FnOnce() + Send>;

/// One file being read.
pub trait Source: Send {
    /// The length in bytes, where it is known exactly.
    fn size(&self) -> Option<u64>;

    /// Fills `buffer` with the bytes from `offset` on, and returns how many there are: fewer than
    /// the buffer holds only at the end.
    ///
    /// # Errors
    /// When the bytes cannot be read; the transfer is then ended with an ERROR to the peer. With
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) it is not: they are asked for again. The client
    /// does it at once after [`Canceller::wake`](crate::client::Canceller::wake), a server once
    /// it has done what [`fetch`](Self::fetch) returns.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Fills `buffers`, one behind the other, as [`read_at`](Self::read_at) fills one; where the
    /// system can, with one call.
    ///
    /// # Errors
    /// As there.
    fn read_vectored_at(
        &mut self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        let mut filled = 0;
        for buffer in buffers {
            let read = self.read_at(offset + filled as u64, buffer)?;
            filled += read;
            if read < buffer.len() {
                break;
            }
        }
        Ok(filled)
    }

    /// What a server has one of its helper threads do after a read would have blocked, so that its
    /// other transfers go on meanwhile: bring the `len` bytes from `offset` on to where reading them
    /// is quick. They are read again afterwards, also where that has failed. `None`, the default,
    /// says that nothing can be done: the transfer is then ended with an ERROR to the peer.
    fn fetch(&mut self, offset: u64, len: usize) -> Option<Fetch> {
        let _ = (offset, len);
        None
    }

    /// Whether more may be read at once than is sent, and less of it be used: `false` where what is not
    /// there yet would have to be waited for. By default where the length is known.
    fn may_be_read_ahead(&self) -> bool {
        self.size().is_some()
    }

    /// Whether all of a length known at first can still be read, where it was read ahead: a file may be
    /// cut off meanwhile.
    ///
    /// # Errors
    /// When the system does not tell.
    fn is_whole(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// The peer has everything before `offset`: it is never read again, and a source that cannot
    /// be read twice may forget it.
    fn forget_before(&mut self, offset: u64) {
        let _ = offset;
    }
}

/// One file being written. Dropped before [`finish`](Self::finish) has succeeded, it leaves nothing
/// behind.
pub trait Sink: Send {
    /// Whether bytes may be written at any offset, or only one after the other.
    fn seekable(&self) -> bool;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// When not all could be written; the transfer is then ended with an ERROR to the peer.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Writes all of `buffers`, one behind the other, at `offset`; where the system can, with one
    /// call. What the buffers hold afterwards is of no use any more.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn write_vectored_at(&mut self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut offset = offset;
        for buffer in buffers {
            self.write_at(offset, buffer)?;
            offset += buffer.len() as u64;
        }
        Ok(())
    }

    /// Makes the file durable and visible under its name, before its last ACK leaves. It may take
    /// its time: a server calls it outside of its loop.
    ///
    /// # Errors
    /// When the file could not be stored; the transfer has then failed.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// The ERROR that tells a peer about trouble with our own file.
pub(crate) fn trouble(error: &io::Error) -> (ErrorCode, &'static str) {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorCode::DISK_FULL, NO_SPACE)
        }
        io::ErrorKind::FileTooLarge => {
            (ErrorCode::DISK_FULL, "the file is larger than is taken here")
        }
        io::ErrorKind::AlreadyExists => (ErrorCode::FILE_EXISTS, "file already exists"),
        io::ErrorKind::NotFound => (ErrorCode::ACCESS_VIOLATION, "the folder is gone"),
        io::ErrorKind::IsADirectory => {
            (ErrorCode::ACCESS_VIOLATION, "there is a folder of that name")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorCode::ACCESS_VIOLATION, "access denied")
        }
        io::ErrorKind::UnexpectedEof => {
            (ErrorCode::NOT_DEFINED, "the file became shorter while it was read")
        }
        io::ErrorKind::InvalidData => {
            (ErrorCode::NOT_DEFINED, "the file is not as long as its tsize")
        }
        _ => (ErrorCode::NOT_DEFINED, ANY_TROUBLE),
    }
}

const ANY_TROUBLE: &str = "input/output error";
const NO_SPACE: &str = "no space left";

/// The same for our own log: in the words of the system where the peer is told nothing exact.
pub(crate) fn trouble_in_full(error: &io::Error) -> String {
    match trouble(error) {
        (_, ANY_TROUBLE) => crate::of_the_system(error),
        (_, text) => text.into(),
    }
}

/// Whether it is not the peer who has brought that trouble.
pub(crate) fn is_our_trouble(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, FileTooLarge, InvalidData};
    !matches!(error.kind(), AlreadyExists | FileTooLarge | InvalidData)
}
