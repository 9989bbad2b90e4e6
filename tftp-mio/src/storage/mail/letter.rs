//! A message on its way into a Maildir: written in `tmp`, moved to `new` when it is whole.

use std::{
    fs::File,
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use cap_std::fs::{Dir, OpenOptions};

use super::{
    super::{Sink, Uploads, room::Room, upload::permit, write_all},
    head::{self, Envelope},
};

/// Only we may read a message, unless the operator says otherwise.
const MODE: u32 = 0o600;

/// One message. Dropped before it is finished, it is gone.
pub(super) struct Letter {
    unread: Unread,
    room: Room,
    mode: u32,
    envelope: Envelope,
    /// Text that has come before the head is written: it may begin with fields of its own.
    begun: Option<Vec<u8>>,
    /// Bytes that the client has sent, which its limits are about.
    body: u64,
    written: u64,
}

impl Letter {
    pub(super) fn begin(
        maildir: Dir,
        envelope: Envelope,
        limits: &Uploads,
        announced: Option<u64>,
    ) -> io::Result<Self> {
        let unread = Unread::create(maildir, envelope.host())?;
        let room = Room::for_upload(limits, announced, &unread.file)?;
        let mode = limits.mode.unwrap_or(MODE);
        Ok(Self { unread, room, mode, envelope, begun: Some(Vec::new()), body: 0, written: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all(&self.unread.file, self.written, bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes the head, once it is known which one.
    fn append_head(&mut self, is_whole: bool) -> io::Result<()> {
        let Some(begun) = &self.begun else { return Ok(()) };
        let Some(has_own) = head::has_own(begun, is_whole) else { return Ok(()) };
        let begun = self.begun.take().unwrap_or_default();
        self.append(self.envelope.head(&self.unread.name, has_own).as_bytes())?;
        self.append(&begun)
    }
}

impl Sink for Letter {
    fn seekable(&self) -> bool {
        false
    }

    fn write_at(&mut self, _offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.room.take(&self.unread.file, self.body, bytes.len() as u64)?;
        self.body += bytes.len() as u64;
        match &mut self.begun {
            Some(begun) => {
                begun.extend_from_slice(bytes);
                self.append_head(false)
            }
            None => self.append(bytes),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.append_head(true)?;
        permit(&self.unread.file, self.mode)?;
        self.unread.deliver()
    }
}

/// A file in a Maildir that nobody reads yet.
struct Unread {
    maildir: Dir,
    name: String,
    file: File,
    delivered: bool,
}

impl Unread {
    fn create(maildir: Dir, host: &str) -> io::Result<Self> {
        let name = unique_name(host);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, MODE);
        let file = maildir.open_with(in_tmp(&name), &options)?.into_std();
        Ok(Self { maildir, name, file, delivered: false })
    }

    fn deliver(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let to = format!("new/{}", self.name);
        self.maildir.rename(in_tmp(&self.name), &self.maildir, to)?;
        self.delivered = true;
        // The name is durable once its folder is. Whose mail it is may have made a pipe of it, which
        // would be waited at; with the dot only a folder is opened.
        if cfg!(unix) { self.maildir.open("new/.")?.sync_all() } else { Ok(()) }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if !self.delivered {
            // What stays is cleared away by whoever reads the Maildir, after 36 hours.
            let _ = self.maildir.remove_file(in_tmp(&self.name));
        }
    }
}

fn in_tmp(name: &str) -> String {
    format!("tmp/{name}")
}

/// A name that no other message has: of this moment, this process, and this host.
fn unique_name(host: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let (seconds, micros, process) = (now.as_secs(), now.subsec_micros(), std::process::id());
    format!("{seconds}.M{micros}P{process}Q{count}.{host}")
}

/// The name of this host, as far as it is one for mail.
pub(super) fn host_name() -> String {
    #[cfg(unix)]
    {
        let system = rustix::system::uname();
        let name = system.nodename().to_string_lossy();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if !name.is_empty() && name.bytes().all(is_plain) {
            return name.into_owned();
        }
    }
    "localhost".into()
}
