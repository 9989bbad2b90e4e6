//! What the options name, opened: all that can be done before a socket is bound.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tftp_mio::{
    server::Config,
    storage::{Folder, Mail, Map, Mapped, Storage, Sweep, WritePolicy},
};

use crate::{
    confine::{Confinement, Needs},
    fault::Fault,
    options::{Files, Options, Settings},
};

/// What will be served, and how.
pub(crate) struct Prepared {
    root: PathBuf,
    uploads: WritePolicy,
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    /// What an earlier server may have left behind, where uploads are taken.
    pub(crate) sweep: Option<Sweep>,
}

impl Prepared {
    /// # Errors
    /// When what the options name is not to be had.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Fault> {
        Self::with_folders(settings, &settings.options.files)
    }

    /// The same with the folders of other options: a running server keeps those that it has begun
    /// with.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub(crate) fn with_folders(settings: &Settings, folders: &Files) -> Result<Self, Fault> {
        let files = &settings.options.files;
        let root = folders.root.canonicalize().map_err(Fault::root(&folders.root))?;
        let folder = Folder::open(&root, files.uploads()).map_err(Fault::root(&root))?;
        let sweep = match files.write_policy() {
            WritePolicy::Never => None,
            WritePolicy::Create | WritePolicy::Overwrite => Some(folder.sweep()),
        };
        let mut storage: Box<dyn Storage> = Box::new(folder.with_names(files.names()));
        if let Some(folder) = &folders.mail {
            let mail = Mail::open(folder, files.uploads(), storage);
            storage = Box::new(mail.map_err(Fault::mail(folder))?);
        }
        if let Some(path) = &files.map {
            storage = Box::new(Mapped::new(Map::load(path, files.ignore_case)?, storage));
        }
        let mut config = settings.options.config();
        config.limits.mail = folders.mail.is_some();
        Ok(Self {
            root,
            uploads: files.write_policy(),
            config,
            storage: Arc::from(storage),
            sweep: sweep.transpose().map_err(Fault::system("cannot search for left-overs"))?,
        })
    }

    /// What the process will be confined to.
    ///
    /// # Errors
    /// When what the options name is not to be had.
    pub(crate) fn confinement(&self, options: &Options) -> Result<Confinement, Fault> {
        let needs = self.needs(options).map_err(Fault::system("cannot tell the current folder"))?;
        Ok(Confinement::prepare(&options.confinement, &needs)?)
    }

    /// The folders of the files that the options name. Rules are on folders, because editors and
    /// log rotation replace files.
    fn needs(&self, options: &Options) -> io::Result<Needs> {
        let folder_of = |file: Option<&PathBuf>| -> io::Result<Vec<PathBuf>> {
            let file = file.map(std::path::absolute).transpose()?;
            Ok(file.as_deref().and_then(Path::parent).into_iter().map(Into::into).collect())
        };
        let config = folder_of(options.service.config.as_ref())?;
        let map = folder_of(options.files.map.as_ref())?;
        Ok(Needs {
            root: self.root.clone(),
            // A reload of the configuration may take uploads where there were none.
            uploads: self.uploads != WritePolicy::Never || options.service.config.is_some(),
            mail: options.files.mail.clone(),
            read: [config, map].concat(),
            append: folder_of(options.log.file.as_ref())?,
            remove: folder_of(options.service.pid_file.as_ref())?,
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
        let ports = if self.config.single_port {
            "a single port".into()
        } else {
            format!("transfer ports {}-{}", self.config.ports.start(), self.config.ports.end())
        };
        format!(
            "serving {} ({uploads}), listening on {}; {ports}, blksize up to {}, windowsize up to {}",
            self.root.display(),
            addresses.join(", "),
            self.config.limits.max_block_size.get(),
            self.config.limits.max_window_size.get(),
        )
    }
}
