//! Whose rights the process has.

use std::{
    ffi::CString,
    fmt,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::fchown},
    path::{Path, PathBuf},
};

use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getresgid, getresuid, seteuid, setgroups, setresgid,
    setresuid, setuid,
};
use rustix::{
    fs::{Access, AtFlags, Mode, OFlags, accessat, open},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};

use super::CannotConfine;

/// A user or a group to become.
#[derive(Debug)]
pub(super) struct Identity {
    /// `None`: the user stays the same.
    user: Option<Uid>,
    group: Gid,
    /// All of them.
    groups: Vec<Gid>,
    name: String,
    root: Root,
}

/// The folder that is served, which must be within reach.
#[derive(Debug)]
struct Root {
    path: PathBuf,
    handle: OwnedFd,
}

impl Identity {
    /// Looks up who is meant, by name or by number; nobody where neither is given.
    pub(super) fn find(
        user: Option<&str>,
        group: Option<&str>,
        root: &Path,
    ) -> Result<Option<Self>, CannotConfine> {
        let group = group.map(find_group).transpose()?;
        let Some(name) = user else {
            let Some(group) = group else { return Ok(None) };
            let (groups, name) = (vec![group], format!("a member of group {group}"));
            return Ok(Some(Self { user: None, group, groups, name, root: Root::open(root)? }));
        };
        let account = look_up(name, User::from_name, |number| User::from_uid(number.into()))?;
        let (uid, group, groups) = match (account, name.parse::<u32>()) {
            (Some(account), _) => {
                let group = group.unwrap_or(account.gid);
                (account.uid, group, groups_of(&account.name, group)?)
            }
            (None, Ok(number)) => {
                let group = group.ok_or(CannotConfine::GroupUnknown(number))?;
                (number.into(), group, vec![group])
            }
            (None, Err(_)) => return Err(CannotConfine::NoUser(name.into())),
        };
        let (user, name) = (Some(uid), format!("user {name}"));
        Ok(Some(Self { user, group, groups, name, root: Root::open(root)? }))
    }

    /// Whether we may become it.
    pub(super) fn is_within_reach(&self) -> bool {
        is_root() || self.is_current()
    }

    /// Becomes it for good: none of the old rights are left, and none can be had back.
    pub(super) fn assume(&self) -> Result<(), CannotConfine> {
        self.switch().map_err(|errno| CannotConfine::Identity {
            whom: self.to_string(),
            source: errno.into(),
        })?;
        if !self.is_current() {
            return Err(CannotConfine::NotForGood);
        }
        if self.user.is_some_and(|user| !user.is_root()) {
            drop_what_is_left()?;
        }
        accessat(&self.root.handle, ".", Access::EXEC_OK, AtFlags::EACCESS).map_err(|errno| {
            CannotConfine::Root {
                root: self.root.path.clone(),
                whom: self.to_string(),
                source: errno.into(),
            }
        })
    }

    /// Makes a file this user's, to be opened anew later.
    pub(super) fn give(&self, file: &File) -> io::Result<()> {
        self.user.map_or(Ok(()), |user| fchown(file, Some(user.as_raw()), None))
    }

    fn switch(&self) -> nix::Result<()> {
        // Who is that already may not ask for it.
        if self.is_current() && !Uid::effective().is_root() {
            return Ok(());
        }
        setgroups(&self.groups)?;
        setresgid(self.group, self.group, self.group)?;
        self.user.map_or(Ok(()), |user| setresuid(user, user, user))
    }

    /// Whether we are that in every respect: the real, the effective and the saved one.
    fn is_current(&self) -> bool {
        let user = self.user.unwrap_or(Uid::current());
        getresuid().is_ok_and(|ids| [ids.real, ids.effective, ids.saved] == [user; 3])
            && getresgid().is_ok_and(|ids| [ids.real, ids.effective, ids.saved] == [self.group; 3])
    }
}

impl Root {
    fn open(path: &Path) -> Result<Self, CannotConfine> {
        match open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(handle) => Ok(Self { path: path.into(), handle }),
            Err(errno) => Err(CannotConfine::Folder { folder: path.into(), source: errno.into() }),
        }
    }
}

/// As the operator wrote it.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Drops the capabilities that a process may have without being root, and makes sure that nothing
/// leads back there.
fn drop_what_is_left() -> Result<(), CannotConfine> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).map_err(|_| CannotConfine::NotForGood)?;
    let root = Uid::from_raw(0);
    if setuid(root).is_ok() || seteuid(root).is_ok() {
        return Err(CannotConfine::NotForGood);
    }
    Ok(())
}

/// Finds an account by its name, or by its number if nobody has that name.
fn look_up<T>(
    name: &str,
    by_name: fn(&str) -> nix::Result<Option<T>>,
    by_number: fn(u32) -> nix::Result<Option<T>>,
) -> Result<Option<T>, CannotConfine> {
    match (by_name(name), name.parse()) {
        (Ok(None), Ok(number)) => by_number(number),
        (found, _) => found,
    }
    .map_err(unknown(name))
}

fn find_group(name: &str) -> Result<Gid, CannotConfine> {
    let group = look_up(name, Group::from_name, |number| Group::from_gid(number.into()))?;
    match (group, name.parse::<u32>()) {
        (Some(group), _) => Ok(group.gid),
        (None, Ok(number)) => Ok(number.into()),
        (None, Err(_)) => Err(CannotConfine::NoGroup(name.into())),
    }
}

/// All groups of an account.
fn groups_of(name: &str, group: Gid) -> Result<Vec<Gid>, CannotConfine> {
    CString::new(name)
        .map_err(|_| nix::Error::EINVAL)
        .and_then(|name| getgrouplist(&name, group))
        .map_err(unknown(name))
}

fn unknown(name: &str) -> impl FnOnce(nix::Error) -> CannotConfine {
    move |errno| CannotConfine::Identity { whom: name.into(), source: errno.into() }
}

/// Rules out that a program which we might run has more rights than we. Returns whether the system
/// knows that.
pub(super) fn rule_out_new_privileges() -> bool {
    set_no_new_privs(true).is_ok()
}

/// The user that we are.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there are none")]
pub(super) fn current() -> Option<String> {
    Some(if is_root() { "root".into() } else { format!("user {}", Uid::effective()) })
}

pub(super) fn is_root() -> bool {
    Uid::effective().is_root()
}
