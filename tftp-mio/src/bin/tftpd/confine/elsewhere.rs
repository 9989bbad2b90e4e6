//! Systems where nothing of this is known.

use std::{fmt, fs::File, io, path::Path};

use super::{CannotConfine, Needs};

/// Cannot be had here.
pub(super) enum Identity {}

impl Identity {
    pub(super) fn find(
        user: Option<&str>,
        group: Option<&str>,
        _: &Path,
    ) -> Result<Option<Self>, CannotConfine> {
        match user.or(group) {
            None => Ok(None),
            Some(name) => Err(CannotConfine::Identity {
                whom: name.into(),
                source: io::ErrorKind::Unsupported.into(),
            }),
        }
    }

    pub(super) fn is_within_reach(&self) -> bool {
        match *self {}
    }

    pub(super) fn give(&self, _: &File) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn assume(&self) -> Result<(), CannotConfine> {
        match *self {}
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

pub(super) fn rule_out_new_privileges() -> bool {
    false
}

pub(super) fn current() -> Option<String> {
    None
}

pub(super) fn is_root() -> bool {
    false
}

/// There is none.
pub(super) struct Sandbox;

#[expect(clippy::unnecessary_wraps, reason = "elsewhere they may fail")]
impl Sandbox {
    pub(super) fn prepare(_: &Needs) -> Result<Self, CannotConfine> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "elsewhere there is something to enter")]
    pub(super) fn enter(self) -> Result<String, CannotConfine> {
        Ok("no sandbox on this system".into())
    }
}
