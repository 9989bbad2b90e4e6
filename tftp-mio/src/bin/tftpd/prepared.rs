//! What the options name, opened: all that can be done before a socket is bound.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tftp_mio::{
    server::Config,
    storage::{Folder, Mail, Map, Mapped, Place, Storage, Sweep, WritePolicy},
};

use crate::{
    cannot_run::CannotRun,
    confine::{Confinement, Needs},
    options::{Options, Settings},
};

/// The folders that a server keeps as long as it runs.
#[derive(Clone)]
pub(crate) struct Places {
    root: Place,
    mail: Option<Place>,
}

impl Places {
    fn open(settings: &Settings) -> Result<Self, CannotRun> {
        let open = |folder: &PathBuf| Place::open(folder).map_err(CannotRun::mail(folder));
        let files = &settings.options.files;
        Ok(Self {
            root: Place::open(&files.root).map_err(CannotRun::root(&files.root))?,
            mail: files.mail.as_ref().map(open).transpose()?,
        })
    }

    /// The paths of those that have been replaced or removed since they were opened.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = &Path> {
        let all = std::iter::once(&self.root).chain(&self.mail);
        all.filter(|place| place.is_elsewhere()).map(Place::path)
    }
}

/// What will be served, and how.
pub(crate) struct Prepared {
    /// Without links on the way, as long as it was to be found.
    root: PathBuf,
    pub(crate) places: Places,
    uploads: WritePolicy,
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    /// What an earlier server may have left behind, where uploads are taken.
    pub(crate) sweep: Option<Sweep>,
}

impl Prepared {
    /// # Errors
    /// When what the options name is not to be had.
    pub(crate) fn new(settings: &Settings) -> Result<Self, CannotRun> {
        Self::within(Places::open(settings)?, settings)
    }

    /// The same in folders that are open already: a running server keeps those that it has begun
    /// with, even if others have taken their place.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub(crate) fn within(places: Places, settings: &Settings) -> Result<Self, CannotRun> {
        let files = &settings.options.files;
        let folder = Folder::at(places.root.clone(), files.uploads());
        let sweep = match files.write_policy() {
            WritePolicy::Never => None,
            WritePolicy::Create | WritePolicy::Overwrite => Some(folder.sweep()),
        };
        let mut storage: Box<dyn Storage> = Box::new(folder.with_names(files.names()));
        if let Some(folder) = &places.mail {
            storage = Box::new(Mail::at(folder.clone(), files.uploads(), storage));
        }
        if let Some(path) = &files.map {
            storage = Box::new(Mapped::new(Map::load(path, files.ignore_case)?, storage));
        }
        let mut config = settings.options.config();
        config.limits.mail = places.mail.is_some();
        let root = places.root.path();
        Ok(Self {
            root: root.canonicalize().unwrap_or_else(|_| root.into()),
            places,
            uploads: files.write_policy(),
            config,
            storage: Arc::from(storage),
            sweep: sweep.transpose().map_err(CannotRun::system("cannot search for left-overs"))?,
        })
    }

    /// The served folder, without links on the way.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the process will be confined to.
    ///
    /// # Errors
    /// When what the options name is not to be had.
    pub(crate) fn confinement(&self, options: &Options) -> Result<Confinement, CannotRun> {
        let needs =
            self.needs(options).map_err(CannotRun::system("cannot tell the current folder"))?;
        Ok(Confinement::prepare(&options.confinement, &needs)?)
    }

    /// The folders of the files that the options name. Rules are on folders, because editors and
    /// log rotation replace files.
    fn needs(&self, options: &Options) -> io::Result<Needs> {
        let folder_of = |file: Option<&PathBuf>| -> io::Result<Vec<PathBuf>> {
            let file = file.map(std::path::absolute).transpose()?;
            Ok(file.as_deref().and_then(Path::parent).into_iter().map(Into::into).collect())
        };
        // Where such a file is a link, what it leads to is opened.
        let both_of = |file: Option<&PathBuf>| -> io::Result<Vec<PathBuf>> {
            let behind = file.and_then(|file| file.canonicalize().ok());
            Ok([folder_of(file)?, folder_of(behind.as_ref())?].concat())
        };
        let config = both_of(options.service.config.as_ref())?;
        let map = both_of(options.files.map.as_ref())?;
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
