//! What a storage is asked for.

use std::{cell::Cell, fmt, net::IpAddr};

use tftp_core::{Mode, Operation, Request};

use super::name;

/// Who asks a [`Storage`](super::Storage) for what.
///
/// A storage that passes the question on to another may change the fields before:
///
/// ```
/// # use tftp_mio::storage::{Denied, Source, Storage, Wanted};
/// # struct Prefixed<S>(S);
/// # impl<S: Storage> Prefixed<S> {
/// fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
///     let name = [b"boot/", wanted.name].concat();
///     wanted.note(format_args!("everything is beneath boot/"));
///     self.0.open(&Wanted { name: &name, ..*wanted })
/// }
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The client's address. An IPv4 client has its IPv4 address here, also on a dual-stack socket.
    pub client: IpAddr,
    /// Whether the file is to be read or written.
    pub operation: Operation,
    /// The name as the client sent it: bytes without NUL, not empty, otherwise anything.
    pub name: &'a [u8],
    /// How the file will travel. The content is local text all the same: netascii is translated
    /// outside of the storage.
    pub mode: Mode,
    /// The length in bytes of a file that is to be written, where the client told it.
    pub announced: Option<u64>,
    /// Whom the way of the decision is told.
    pub listener: Option<Listener<'a>>,
    /// Takes the name of the file that is meant, beneath the root and in its plain form.
    pub file: Option<&'a Cell<Box<[u8]>>>,
}

/// Takes one step of a decision, in words.
pub type Listener<'a> = &'a dyn Fn(fmt::Arguments<'_>);

impl<'a> Wanted<'a> {
    /// What a request of this client is about, with nobody who listens.
    pub fn new(client: IpAddr, request: &Request<'a>) -> Self {
        Self {
            client: client.to_canonical(),
            operation: request.operation,
            name: request.filename,
            mode: request.mode,
            announced: match request.operation {
                Operation::Read => None,
                Operation::Write => request.options.transfer_size(),
            },
            listener: None,
            file: None,
        }
    }

    /// Tells one step of the decision to whoever wants to follow it, such as `tftpd --check --as`.
    /// Escape what the client sent.
    pub fn note(&self, step: fmt::Arguments<'_>) {
        if let Some(listener) = self.listener {
            listener(step);
        } else {
            tracing::debug!(client = %self.client, "{step}");
        }
    }

    /// Tells which file is meant, by its path beneath the root, before it is looked for. Where
    /// several are, the last one counts.
    pub fn means(&self, file: &[u8]) {
        if let Some(told) = self.file {
            told.set(file.into());
        }
    }
}

/// The file that a request has led to, where that is another than it names.
pub(crate) fn other_file(requested: &[u8], file: Box<[u8]>) -> Option<Box<[u8]>> {
    let plain = || name::plain(requested).is_some_and(|plain| *plain == *file);
    let same = file.is_empty() || requested == &*file || plain();
    (!same).then_some(file)
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("client", &self.client)
            .field("operation", &self.operation)
            .field("name", &format_args!("\"{}\"", self.name.escape_ascii()))
            .field("mode", &self.mode)
            .field("announced", &self.announced)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_told_only_where_it_is_another() {
        let other = |requested: &[u8], file: &[u8]| other_file(requested, file.into()).is_some();
        for same in [&b"name"[..], b"/name", b".//name", b"\\name"] {
            assert!(!other(same, b"name"), "{}", same.escape_ascii());
        }
        assert!(!other(b"../name", b"../name") && !other(b"name", b""));
        assert!(other(b"name", b"another"));
    }
}
