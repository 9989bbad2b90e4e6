//! What of the system the process can reach: by Landlock, the folders that it needs and nothing
//! else.
//!
//! The rules are on folders, never on files, which editors and log rotation replace. What is open
//! already stays open: sockets, and the log.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};

use super::{CannotConfine, Needs};

/// The newest rules that this program was tried with. Older kernels enforce what they know.
const RULES: ABI = ABI::V7;

/// Rules that are ready to be enforced.
pub(super) struct Sandbox(RulesetCreated);

impl Sandbox {
    /// Opens the folders.
    pub(super) fn prepare(needs: &Needs) -> Result<Self, CannotConfine> {
        // What is handled is forbidden, unless a rule allows it. UDP is not among it.
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(RULES))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(RULES)))
            .and_then(|ruleset| ruleset.scope(scope()))
            .and_then(Ruleset::create)
            .map_err(refused)?;
        for (folder, rights) in rights(needs) {
            let rule = PathBeneath::new(open(folder)?, rights);
            ruleset = ruleset.add_rule(rule).map_err(refused)?;
        }
        Ok(Self(ruleset))
    }

    /// Enforces the rules, for good. Returns which they are, in words.
    pub(super) fn enter(self) -> Result<String, CannotConfine> {
        let status = self.0.restrict_self().map_err(refused)?;
        Ok(match (status.ruleset, status.landlock) {
            (RulesetStatus::FullyEnforced, _) => "sandboxed (Landlock)".into(),
            (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, .. }) => {
                format!("sandboxed (Landlock, as far as version {} goes)", effective_abi as i32)
            }
            (_, LandlockStatus::NotEnabled) => "no sandbox (Landlock is off in this kernel)".into(),
            _ => "no sandbox (this kernel has no Landlock)".into(),
        })
    }
}

/// Signals, and sockets in the namespace of abstract names, end at our own process. Where systemd
/// listens there it must hear us.
fn scope() -> BitFlags<Scope> {
    let all = Scope::from_all(RULES);
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) if socket.as_encoded_bytes().starts_with(b"@") => {
            all & !BitFlags::from(Scope::AbstractUnixSocket)
        }
        _ => all,
    }
}

/// What may be done beneath which folder. Nothing may be run.
fn rights(needs: &Needs) -> impl Iterator<Item = (&Path, BitFlags<AccessFs>)> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let append = make_bitflags!(AccessFs::{WriteFile | MakeReg});
    let remove = make_bitflags!(AccessFs::{RemoveFile});
    let served = if needs.uploads { read | append | remove } else { read };
    // A message is written in one folder and moved to another.
    let mail = read | append | remove | AccessFs::Refer;
    let each = [(&needs.read, read), (&needs.append, append), (&needs.remove, remove)];
    let others = each
        .into_iter()
        .flat_map(|(folders, rights)| folders.iter().map(move |folder| (&**folder, rights)));
    let mail = needs.mail.iter().map(move |folder| (&**folder, mail));
    std::iter::once((&*needs.root, served)).chain(mail).chain(others)
}

fn open(folder: &Path) -> Result<PathFd, CannotConfine> {
    PathFd::new(folder).map_err(|error| CannotConfine::Folder {
        folder: folder.into(),
        source: match error {
            landlock::PathFdError::OpenCall { source, .. } => source,
            error => std::io::Error::other(error),
        },
    })
}

fn refused(error: RulesetError) -> CannotConfine {
    CannotConfine::Sandbox(error.into())
}
