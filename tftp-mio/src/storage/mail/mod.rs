//! Mail: messages instead of files, delivered into Maildirs (<https://cr.yp.to/proto/maildir.html>).

mod head;
mod letter;
mod recipient;

use std::{io, net::IpAddr, path::Path};

use cap_std::fs::Dir;
use tftp_core::{ErrorCode, Mode};

use super::{Denied, Place, Sink, Source, Storage, Uploads, Wanted, trouble};
use head::Envelope;
use letter::Letter;
use recipient::Recipient;

/// A storage that takes mail, beside one for files.
///
/// A write request in mail mode names a recipient, `user` or `user@host`, and its content becomes a
/// message in the Maildir `user` of the mail folder, whole or not at all. All other requests go to
/// the files. A server asks a storage for mail only where its [`Limits`](tftp_core::Limits) allow
/// that.
pub struct Mail {
    folder: Place,
    /// Our own name, as messages bear it.
    host: String,
    limits: Uploads,
    files: Box<dyn Storage>,
}

const NO_USER: Denied = Denied::new(ErrorCode::NO_SUCH_USER, "no such user");
const NO_PLAIN_USER: Denied =
    Denied::new(ErrorCode::ACCESS_VIOLATION, "mail goes to a plain user name: user or user@host");
const NO_READING: Denied =
    Denied::new(ErrorCode::ILLEGAL_OPERATION, "mail mode is for write requests only");

impl Mail {
    /// Takes mail for the Maildirs in `folder`. Of `limits` count the sizes, and the permissions,
    /// without which only we may read a message.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn open(folder: &Path, limits: Uploads, files: Box<dyn Storage>) -> io::Result<Self> {
        Ok(Self::at(Place::open(folder)?, limits, files))
    }

    /// The same in a folder that is open already.
    #[must_use]
    pub fn at(folder: Place, limits: Uploads, files: Box<dyn Storage>) -> Self {
        Self { folder, host: letter::host_name(), limits, files }
    }

    fn deliver(&self, wanted: &Wanted<'_>) -> Result<Letter, Denied> {
        wanted.means(wanted.name);
        let recipient = Recipient::parse(wanted.name).ok_or_else(|| {
            wanted.note(format_args!("the name is no plain user name"));
            NO_PLAIN_USER
        })?;
        let maildir = self.maildir(recipient.user).map_err(|error| {
            let said = crate::of_the_system(&error);
            wanted.note(format_args!("Maildir \"{}\": {said}", recipient.user));
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NO_USER,
                _ => denied(&error),
            }
        })?;
        wanted.note(format_args!("Maildir \"{}\"", recipient.user));
        let envelope = Envelope::new(wanted.client, &recipient, &self.host);
        Letter::begin(maildir, envelope, &self.limits, wanted.announced)
            .map_err(|error| denied(&error))
    }

    /// The Maildir of a user: a folder with the three that belong into one.
    fn maildir(&self, user: &str) -> io::Result<Dir> {
        let maildir = self.folder.folder().open_dir(user)?;
        for part in ["tmp", "new", "cur"] {
            if !maildir.metadata(part)?.is_dir() {
                return Err(io::ErrorKind::NotFound.into());
            }
        }
        Ok(maildir)
    }
}

impl Storage for Mail {
    fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
        if wanted.mode == Mode::Mail {
            return Err(NO_READING);
        }
        self.files.open(wanted)
    }

    fn create(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied> {
        if wanted.mode == Mode::Mail {
            return Ok(Box::new(self.deliver(wanted)?));
        }
        self.files.create(wanted)
    }
}

fn denied(error: &io::Error) -> Denied {
    match trouble(error) {
        (code @ ErrorCode::DISK_FULL, text) => Denied::new(code, text),
        _ if error.kind() == io::ErrorKind::PermissionDenied => {
            Denied::new(ErrorCode::ACCESS_VIOLATION, "this user's mail cannot be delivered")
        }
        (code, text) => Denied::new(code, text),
    }
}

/// An address as mail has it: `[192.0.2.7]`, `[IPv6:2001:db8::7]` (RFC 5321 section 4.1.3).
fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}
