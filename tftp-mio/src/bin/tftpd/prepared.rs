//! What the options name, opened: all that can be done before a socket is bound.

use std::{path::PathBuf, sync::Arc};

use tftp_mio::{
    server::Config,
    storage::{Folder, Storage, Sweep, WritePolicy},
};

use crate::{
    confine::{Confinement, Needs},
    fault::Fault,
    options::{Options, Settings},
};

/// What will be served, and how.
pub(crate) struct Prepared {
    root: PathBuf,
    uploads: WritePolicy,
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    /// What an earlier server may have left behind, where uploads are taken.
    pub(crate) sweep: Option<Sweep>,
    pub(crate) confinement: Confinement,
}

impl Prepared {
    /// # Errors
    /// When what the options name is not to be had.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Fault> {
        let files = &settings.options.files;
        let root = files.root.canonicalize().map_err(Fault::root(&files.root))?;
        let folder = Folder::open(&root, files.uploads()).map_err(Fault::root(&root))?;
        let sweep = match files.write_policy() {
            WritePolicy::Never => None,
            WritePolicy::Create | WritePolicy::Overwrite => Some(folder.sweep()),
        };
        let needs = needs(&settings.options, root.clone())?;
        let confinement = Confinement::prepare(&settings.options.confinement, &needs)?;
        Ok(Self {
            root,
            uploads: files.write_policy(),
            config: settings.options.config(),
            storage: Arc::new(folder),
            sweep: sweep.transpose().map_err(Fault::system("cannot search for left-overs"))?,
            confinement,
        })
    }

    /// What is served, where and how.
    pub(crate) fn says<A: ToString>(&self, addresses: &[A]) -> String {
        let uploads = match self.uploads {
            WritePolicy::Never => "read-only",
            WritePolicy::Create => "uploads under new names",
            WritePolicy::Overwrite => "uploads may replace files",
        };
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        format!(
            "serving {} ({uploads}), listening on {}; transfer ports {}-{}, blksize up to {}, \
             windowsize up to {}",
            self.root.display(),
            addresses.join(", "),
            self.config.ports.start(),
            self.config.ports.end(),
            self.config.limits.max_block_size.get(),
            self.config.limits.max_window_size.get(),
        )
    }
}

/// The folders of the files that the options name. Rules are on folders, because editors and log
/// rotation replace files.
fn needs(options: &Options, root: PathBuf) -> Result<Needs, Fault> {
    let folder_of = |file: &Option<PathBuf>| {
        let absolute = file.as_ref().map(std::path::absolute).transpose();
        let folder = absolute.map(|path| path?.parent().map(Into::into));
        folder.map_err(Fault::system("cannot tell the current folder"))
    };
    Ok(Needs {
        root,
        uploads: options.files.write_policy() != WritePolicy::Never,
        read: folder_of(&options.service.config)?.into_iter().collect(),
        append: folder_of(&options.log.file)?.into_iter().collect(),
        remove: folder_of(&options.service.pid_file)?.into_iter().collect(),
    })
}
