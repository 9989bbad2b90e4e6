//! The log: where it goes, in which form, and how much of it.

mod fields;

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use crate::{
    confine::Confinement,
    options::{Form, Log as Options},
    own_file,
};
use fields::Fields;

/// The log of this process.
pub(crate) struct Log {
    level: reload::Handle<LevelFilter, Registry>,
    output: Arc<Output>,
    /// The log file was made by us.
    is_new: bool,
}

impl Log {
    /// Starts it, for the whole process.
    ///
    /// # Errors
    /// When the log file cannot be opened.
    pub(crate) fn start(options: &Options) -> Result<Self, NoLog> {
        let output = Arc::new(Output { path: options.file.clone(), file: RwLock::default() });
        let is_new = output.reopen()?;
        let (level, handle) = reload::Layer::new(options.level());
        let subscriber = tracing_subscriber::registry().with(level);
        let colour = output.path.is_none()
            && io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none();
        let layer = fmt::layer()
            .with_writer(Arc::clone(&output))
            .with_ansi(colour)
            .with_target(false)
            // It would be said on the very stream that cannot be written, and panic.
            .log_internal_errors(false);
        let layer = match options.form {
            Form::Text => layer.fmt_fields(Fields).boxed(),
            Form::Json => layer
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .boxed(),
        };
        subscriber.with(layer).init();
        Ok(Self { level: handle, output, is_new })
    }

    /// Has a log file that we have made belong to whom the process becomes, who opens it anew. One
    /// that was there already is its owner's.
    pub(crate) fn give_to(&self, confinement: &Confinement) {
        if self.is_new
            && let Some(file) = &*self.output.file.read().unwrap_or_else(PoisonError::into_inner)
            && let Err(error) = confinement.give(file)
        {
            tracing::warn!(
                error = %tftp_mio::of_the_system(&error),
                "the log file stays root's: SIGHUP may not open it anew"
            );
        }
    }

    /// Opens the log file anew, for one that was moved away.
    ///
    /// # Errors
    /// When that fails; the log goes on in the old one.
    pub(crate) fn reopen(&self) -> Result<(), NoLog> {
        self.output.reopen().map(drop)
    }

    /// Takes this level from now on.
    pub(crate) fn set_level(&self, options: &Options) {
        if let Err(error) = self.level.reload(options.level()) {
            tracing::error!(%error, "the log level stays as it is");
        }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to the log file {path}: {}{}", tftp_mio::of_the_system(error), advice(error))]
pub(crate) struct NoLog {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// What to do about a path that leads to no file of ours.
fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(_) => "",
        None => "; without --log-file the log goes to standard error",
    }
}

/// A file, or standard error.
struct Output {
    path: Option<PathBuf>,
    file: RwLock<Option<File>>,
}

impl Output {
    /// Returns whether the file was created.
    fn reopen(&self) -> Result<bool, NoLog> {
        let Some(path) = &self.path else { return Ok(false) };
        let (file, is_new) = own_file::open(path, File::options().append(true))
            .map_err(|error| NoLog { path: path.clone(), error })?;
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(is_new)
    }
}

/// Each call takes a whole line.
impl io::Write for &Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &*self.file.read().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => io::Write::write(&mut &*file, line),
            None => io::Write::write(&mut io::stderr(), line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Neither has a buffer.
        Ok(())
    }
}
