//! What will not be possible later with the rights that are left, said while somebody looks.

use std::path::{Path, PathBuf};

use rustix::{
    fd::OwnedFd,
    fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, open},
};
use tftp_mio::{
    of_the_system,
    storage::{WritePolicy, read_settings},
};

use crate::{options::Options, prepared::Prepared};

/// What the server will want to do again and again. Begin it before the rights are given up.
pub(crate) struct Foresight {
    /// The served folder, where uploads are taken; it need not be within reach by its path.
    uploads: Option<OwnedFd>,
    root: PathBuf,
    config: Option<PathBuf>,
    map: Option<PathBuf>,
    log: Option<PathBuf>,
}

impl Foresight {
    pub(crate) fn new(options: &Options, prepared: &Prepared) -> Self {
        let root = prepared.root().to_owned();
        let uploads = match options.files.write_policy() {
            WritePolicy::Never => None,
            WritePolicy::Create | WritePolicy::Overwrite => {
                // Who cannot serve it is told elsewhere.
                open(&root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
            }
        };
        Self {
            uploads,
            root,
            config: options.service.config.clone(),
            map: options.files.map.clone(),
            log: options.log.file.clone(),
        }
    }

    /// What is not possible any more, each in a sentence about `whom`. Call it once the rights are
    /// given up.
    pub(crate) fn warnings(&self, whom: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        let both = Access::WRITE_OK | Access::EXEC_OK;
        if let Some(root) = &self.uploads
            && accessat(root, ".", both, AtFlags::EACCESS).is_err()
        {
            let root = self.root.display();
            warnings.push(format!(
                "{whom} cannot write into {root} itself: uploads go only into folders beneath it \
                 that are open to {whom}"
            ));
        }
        for (what, path) in [("configuration", &self.config), ("map", &self.map)] {
            if let Some(path) = path
                && let Err(error) = read_settings(path)
            {
                let (path, error) = (path.display(), of_the_system(&error));
                warnings.push(format!(
                    "{whom} cannot read the {what} {path} again ({error}): SIGHUP will change nothing"
                ));
            }
        }
        if let Some(log) = &self.log {
            let folder = log.parent().filter(|parent| !parent.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let may = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
            if log.exists() && !may(log, Access::WRITE_OK) {
                let log = log.display();
                warnings
                    .push(format!("{whom} cannot write to {log}: SIGHUP will not open it anew"));
            } else if !may(folder, both) {
                let folder = folder.display();
                warnings.push(format!(
                    "{whom} cannot make files in {folder}: once the log was moved away, SIGHUP opens \
                     it anew only where log rotation makes the new one, as {whom}'s"
                ));
            }
        }
        warnings
    }
}
