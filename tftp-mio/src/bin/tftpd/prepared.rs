//! What the options name, opened: all that can be done before a socket is bound.

use std::{path::PathBuf, sync::Arc};

use tftp_mio::{
    server::Config,
    storage::{Folder, Mail, Map, MapFaults, Mapped, SharedMap, Storage, WritePolicy},
};

use crate::{fault::Fault, options::Settings};

/// What will be served, and how.
pub(crate) struct Prepared {
    root: PathBuf,
    uploads: WritePolicy,
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    /// The rules for names that are in use.
    pub(crate) map: Arc<SharedMap>,
}

impl Prepared {
    /// # Errors
    /// When what the options name is not to be had.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Fault> {
        let files = &settings.options.files;
        let root = files.root.canonicalize().map_err(Fault::root(&files.root))?;
        let folder = Folder::open(&root, files.uploads()).map_err(Fault::root(&root))?;
        let mut storage: Box<dyn Storage> = Box::new(folder.with_names(files.names()));
        if let Some(folder) = &files.mail {
            let mail = Mail::open(folder, files.uploads(), storage);
            storage = Box::new(mail.map_err(Fault::mail(folder))?);
        }
        let map = Arc::new(SharedMap::new(load_map(settings, files.ignore_case)?));
        Ok(Self {
            root,
            uploads: files.write_policy(),
            config: settings.options.config(),
            storage: Arc::new(Mapped::new(Arc::clone(&map), storage)),
            map,
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

/// Reads the rules for names that the options name, if any.
///
/// # Errors
/// When they make no sense.
pub(crate) fn load_map(settings: &Settings, ignore_case: bool) -> Result<Option<Map>, MapFaults> {
    settings.options.files.map.as_deref().map(|path| Map::load(path, ignore_case)).transpose()
}
