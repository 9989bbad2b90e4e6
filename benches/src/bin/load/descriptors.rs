//! The limit of open descriptors.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process have so many descriptors, beyond the hard limit where we may. A limit that is
/// higher stays.
///
/// # Errors
/// When we may not.
pub(crate) fn raise_descriptor_limit(needed: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < needed {
        setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed))?;
    }
    Ok(())
}
