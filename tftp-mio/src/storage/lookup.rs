//! Where in a folder the file may be that a name means: in which part of it, and in which case.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Component, Path, PathBuf},
};

use cap_std::fs::Dir;

use super::{ClientFolders, Wanted, draft::is_temporary, real_path::real_path};

/// How a folder finds files, beyond their plain names. Plain data; [`Default`] is nothing of it.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Folders beneath the root that belong to one client each. A client's own one, where it exists,
    /// is searched before the root, and takes all that the client writes. Nobody else gets anything
    /// from it, and nobody anything else that lies beside it, as in `clients` for `clients/{ip}`.
    pub client_folders: Option<ClientFolders>,
    /// Whether a name that does not exist as it was asked for may stand for one that differs in the
    /// case of its letters, of ASCII only. Of several such, the first in the order of bytes is meant.
    pub ignore_case: bool,
}

/// Names in folders that are looked at for one path in another case. What lies beyond is not found,
/// so that a request costs no more in a huge folder.
const MOST_ENTRIES: usize = 4096;

/// The search for one client's file.
pub(super) struct Lookup<'a> {
    root: &'a Dir,
    names: &'a Names,
    wanted: &'a Wanted<'a>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(root: &'a Dir, names: &'a Names, wanted: &'a Wanted<'a>) -> Self {
        Self { root, names, wanted }
    }

    /// The folders, relative to the root, in which a path is looked for; the first one is where it
    /// is written. Paths with steps upwards are none of a client's folder: they would lead out of it.
    pub(super) fn bases(&self, path: &Path) -> Vec<PathBuf> {
        let mut bases = vec![PathBuf::new()];
        if let Some(folders) = &self.names.client_folders
            && !path.components().any(|step| step == Component::ParentDir)
        {
            let own = folders.of(self.wanted.client);
            let exists = self.root.metadata(&own).is_ok_and(|found| found.is_dir());
            let what = if exists { "comes first" } else { "does not exist" };
            self.wanted.note(format_args!("the client's folder {} {what}", own.display()));
            if exists {
                bases.insert(0, own);
            }
        }
        bases
    }

    /// Whether a path leads, by whatever steps and links, into what belongs to other clients.
    pub(super) fn is_anothers(&self, path: &Path) -> bool {
        let Some(folders) = &self.names.client_folders else { return false };
        // What does not exist is found to be missing by whoever opens it.
        let Ok(real) = real_path(self.root, path) else { return false };
        let within =
            |folder: &Path| real_path(self.root, folder).is_ok_and(|folder| leads(&folder, &real));
        let belongs_to_somebody = match folders.common_parent() {
            Some(parent) => within(parent),
            None => folders.is_like(&real),
        };
        let anothers = belongs_to_somebody && !within(&folders.of(self.wanted.client));
        if anothers {
            self.wanted.note(format_args!("{} belongs to other clients", real.display()));
        }
        anothers
    }

    /// The path as it is spelled in the folder `base`, which each component is on its own: as it
    /// was asked for where that exists, otherwise in another case where that does.
    ///
    /// # Errors
    /// When a folder on the way cannot be read.
    pub(super) fn as_spelled(&self, base: &Path, path: &Path) -> io::Result<PathBuf> {
        let mut spelled = base.to_owned();
        let mut left = MOST_ENTRIES;
        let mut steps = path.iter();
        while let Some(step) = steps.next() {
            let exact = spelled.join(step);
            if self.root.symlink_metadata(&exact).is_ok() {
                spelled = exact;
                continue;
            }
            let is_last = steps.as_path().as_os_str().is_empty();
            let Some(found) = self.find(&spelled, step, is_last, &mut left)? else {
                let rest = steps.as_path();
                return Ok(if is_last { exact } else { exact.join(rest) });
            };
            spelled.push(found);
        }
        if spelled != base.join(path) {
            let shown = spelled.as_os_str().as_encoded_bytes().escape_ascii();
            self.wanted.note(format_args!("in another case there is \"{shown}\""));
        }
        Ok(spelled)
    }

    /// The first name in a folder that is `wanted` in another case.
    fn find(
        &self,
        folder: &Path,
        wanted: &OsStr,
        is_last: bool,
        left: &mut usize,
    ) -> io::Result<Option<OsString>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = match self.root.open_dir(folder).and_then(|folder| folder.entries()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        let mut best: Option<OsString> = None;
        for entry in entries {
            if *left == 0 {
                self.wanted.note(format_args!("there are too many names to look for other cases"));
                break;
            }
            *left -= 1;
            let entry = entry?;
            let name = entry.file_name();
            if !name.eq_ignore_ascii_case(wanted) || is_temporary(&name) {
                continue;
            }
            // On the way there must be folders, or links to them.
            if !is_last && entry.file_type()?.is_file() {
                continue;
            }
            if best.as_ref().is_none_or(|best| name < *best) {
                best = Some(name);
            }
        }
        Ok(best)
    }
}

/// Whether `path` is `folder` or lies in it. Case does not count: for some file systems it does not.
fn leads(folder: &Path, path: &Path) -> bool {
    let mut steps = path.iter();
    folder.iter().all(|step| steps.next().is_some_and(|other| other.eq_ignore_ascii_case(step)))
}
