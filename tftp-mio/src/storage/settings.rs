//! Files that an operator writes for us to read.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Far more than anybody writes.
const LARGEST: u64 = 16 << 20;

/// Reads a file of settings: a regular one of at most 16 MiB. Nothing else is waited for, as a server
/// reads them while it serves.
///
/// # Errors
/// When that is not what is there, or it cannot be read.
pub fn read_settings(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("that is no regular file"));
    }
    let mut content = Vec::new();
    // It may grow while it is read.
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::other("the file is larger than 16 MiB"));
    }
    Ok(content)
}
