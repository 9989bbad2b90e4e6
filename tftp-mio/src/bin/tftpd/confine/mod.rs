//! Giving up, for good, all rights that serving does not take.
//!
//! What needs rights comes first: sockets are bound, files and folders opened. Then the process
//! becomes another user, rules out that a program which it might run gains any rights, and has the
//! kernel confine it to the folders that it needs. Threads that run already would not be confined:
//! they come last.

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod identity;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod sandbox;

use std::{
    fmt,
    fs::File,
    io,
    net::{Ipv4Addr, UdpSocket},
    path::PathBuf,
};

use identity::Identity;
#[cfg(not(target_os = "linux"))]
use identity::Sandbox;
#[cfg(target_os = "linux")]
use sandbox::Sandbox;
use tftp_mio::of_the_system;

use crate::options;

/// The folders that the process needs, each with all beneath it.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    /// The one that is served.
    pub(crate) root: PathBuf,
    /// Uploads are taken there.
    pub(crate) uploads: bool,
    /// Where mail is delivered: a Maildir for each recipient.
    pub(crate) mail: Option<PathBuf>,
    /// Others, where files are only read: a configuration, a map.
    pub(crate) read: Vec<PathBuf>,
    /// Where a file is opened anew, or created, to append to it: a log that was rotated.
    pub(crate) append: Vec<PathBuf>,
    /// Where a file is removed at the end.
    pub(crate) remove: Vec<PathBuf>,
}

/// All that is to be given up, looked up and opened while everything may be.
pub(crate) struct Confinement {
    identity: Option<Identity>,
    sandbox: Option<Sandbox>,
}

/// Why the process cannot be confined as it was told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotConfine {
    /// Nobody has that name.
    #[error("there is no user {0:?}")]
    NoUser(String),
    /// Nobody has that name.
    #[error("there is no group {0:?}")]
    NoGroup(String),
    /// A number without an account tells no group.
    #[error("user {0} has no account that would tell a group: use --group too")]
    GroupUnknown(u32),
    /// Only root may become another.
    #[error("cannot become {whom}: {}", of_the_system(source))]
    Identity {
        /// The user or the group.
        whom: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system took it, and yet there is a way back.
    #[error("cannot give up the rights of root for good")]
    NotForGood,
    /// A folder that is needed cannot be had.
    #[error("cannot open the folder {}: {}", folder.display(), of_the_system(source))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is to be served is out of reach then.
    #[error("{whom} cannot enter {}: {}", root.display(), of_the_system(source))]
    Root {
        /// The folder that is served.
        root: PathBuf,
        /// The user or the group.
        whom: String,
        /// What the system said.
        source: io::Error,
    },
    /// Transfers would find no port then.
    #[error("transfer port {0} takes the rights of root, which --user gives up: see --ports")]
    Ports(u16),
    /// The system refused.
    #[error("cannot confine the process: {0}; --no-sandbox does without")]
    Sandbox(Box<dyn std::error::Error + Send + Sync>),
}

impl CannotConfine {
    /// Whether the options name what does not exist.
    pub(crate) fn is_misuse(&self) -> bool {
        matches!(self, Self::NoUser(_) | Self::NoGroup(_) | Self::GroupUnknown(_))
    }
}

impl Confinement {
    /// Looks everything up.
    ///
    /// # Errors
    /// When the user or the group is unknown, or a folder cannot be opened.
    pub(crate) fn prepare(
        options: &options::Confinement,
        needs: &Needs,
    ) -> Result<Self, CannotConfine> {
        let (user, group) = (options.user.as_deref(), options.group.as_deref());
        let identity = Identity::find(user, group, &needs.root)?;
        let sandbox = if options.no_sandbox { None } else { Some(Sandbox::prepare(needs)?) };
        Ok(Self { identity, sandbox })
    }

    /// Whom the process is to become and cannot, as it is not root's.
    pub(crate) fn is_beyond_us(&self) -> Option<String> {
        let identity = self.identity.as_ref()?;
        (!identity.is_within_reach()).then(|| identity.to_string())
    }

    /// Makes a file that we have just made, and that will be opened again without the rights of root,
    /// the new user's.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn give(&self, file: &File) -> io::Result<()> {
        self.identity.as_ref().map_or(Ok(()), |identity| identity.give(file))
    }

    /// Gives the rights up: those of this thread, and of those that it will start. What is left
    /// must do for transfer ports from `port` on.
    ///
    /// # Errors
    /// When the system refuses a part. End the process then, for it has more rights than its
    /// operator thinks.
    pub(crate) fn apply(self, port: u16) -> Result<Confined, CannotConfine> {
        let given_up = self.identity.is_some();
        let whom = match self.identity {
            Some(identity) => {
                identity.assume()?;
                Some(identity.to_string())
            }
            None => identity::current(),
        };
        let no_new_privileges = identity::rule_out_new_privileges();
        let sandbox = match self.sandbox {
            None => "no sandbox".into(),
            Some(sandbox) => sandbox.enter()?,
        };
        if given_up && !can_bind(port) {
            return Err(CannotConfine::Ports(port));
        }
        Ok(Confined { whom, is_root: identity::is_root(), no_new_privileges, sandbox })
    }
}

/// Whether we may bind this port. That another program has it is another matter.
fn can_bind(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))
        .map_or_else(|error| error.kind() != io::ErrorKind::PermissionDenied, |_| true)
}

/// What the process is confined by, for the start line.
#[derive(Debug)]
pub(crate) struct Confined {
    /// Whose rights the process has, where that can be told.
    whom: Option<String>,
    /// It still has all rights.
    pub(crate) is_root: bool,
    no_new_privileges: bool,
    sandbox: String,
}

impl Confined {
    /// Whose rights the process has.
    pub(crate) fn whom(&self) -> &str {
        self.whom.as_deref().unwrap_or("this process")
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(whom) = &self.whom {
            write!(f, "as {whom}, ")?;
        }
        if self.no_new_privileges {
            write!(f, "no new privileges, ")?;
        }
        f.write_str(&self.sandbox)
    }
}
