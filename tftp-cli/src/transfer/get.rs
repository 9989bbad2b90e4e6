//! `get`: from the server to a local file or standard output.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use tftp_core::Mode;
use tftp_mio::client::{Download, Report, Sink, TransferError};

use super::{Story, several};
use crate::{
    command::transfer::{Get, Target},
    fault::Fault,
    local,
    remote::Remote,
    session::{Session, Words},
    show,
};

impl Session {
    /// Fetches the files one after the other.
    ///
    /// # Errors
    /// When a file was not fetched. Of several the refused ones have been named by then.
    pub(crate) fn get(&mut self, files: &[Get]) -> Result<(), Fault> {
        several(files, |file| {
            let mut story = self.story_of_get(file);
            let outcome = self.fetch(file, &mut story);
            self.tell(&story, &file.remote, outcome)
        })
    }

    /// Tells programs of files that could not even be asked for.
    pub(crate) fn tell_of_gets_that_cannot_be(&self, files: &[Get], fault: Fault) -> Fault {
        self.tell_of(files.iter().map(|file| self.story_of_get(file)), fault)
    }

    fn story_of_get(&self, file: &Get) -> Story {
        Story {
            operation: "get",
            remote: file.remote.name.clone(),
            local: match &file.to {
                Target::Stdout => None,
                Target::Path(path) => Some(path.clone()),
            },
            mode: self.settings_for(&file.remote).mode,
            server: None,
        }
    }

    fn fetch(&mut self, file: &Get, story: &mut Story) -> Result<Report, Fault> {
        let remote = &file.remote;
        let doing = story.doing();
        let settings = self.settings_for(remote);
        if settings.mode == Mode::Mail {
            return Err(Fault::transfer(&doing, settings.mode, TransferError::MailRead));
        }
        if let Some(path) = &story.local {
            story.local = Some(in_folder(path, remote)?);
        }
        let servers = self.addresses_of_file(remote)?;
        // The data and the bar would overwrite each other on the same screen.
        let show_bar =
            self.wants_bar() && !(story.writes_to_stdout() && io::stdout().is_terminal());
        let (path, way) = (story.local.clone(), story.way());
        let mut opened = match &path {
            Some(path) if is_special(path) => Some(self.open_special(path, &way)?),
            _ => None,
        };
        self.transfer(story, &servers, show_bar, &mut |client, server, progress| {
            // Made only now that signals are heard, so that no temporary file is left behind.
            let sink = match (opened.take(), &path) {
                (Some(sink), _) => sink,
                (None, None) => local::stdout().map_err(|error| Fault::local(&way, error))?,
                (None, Some(path)) => create(path, &way)?,
            };
            client
                .get(server, &remote.name, &settings, sink, progress)
                .map_err(|error| Fault::transfer(&doing, settings.mode, error))
        })
    }

    /// Opens what may let us wait: a pipe does until somebody reads it.
    fn open_special(&self, path: &Path, way: &str) -> Result<Box<dyn Sink>, Fault> {
        let verbose = self.preferences.words == Words::Verbose;
        let (path, way) = (path.to_owned(), way.to_owned());
        self.interrupts.unless_interrupted(move || {
            if verbose {
                show::note(&format!("{way}: opening {}", show::os(&path)));
            }
            create(&path, &way)
        })
    }
}

fn create(path: &Path, way: &str) -> Result<Box<dyn Sink>, Fault> {
    Download::create(path).map_err(|error| Fault::local(way, error))
}

/// Whether it is a pipe or a device.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// The path of a file to write: in a folder, the file gets the last part of its remote name.
fn in_folder(path: &Path, remote: &Remote) -> Result<PathBuf, Fault> {
    if !path.is_dir() {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            let name = show::name(&remote.name);
            let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
            let doing = format!("get {name} -> {}", show::os(path));
            return Err(Fault::local(&doing, missing));
        }
        return Ok(path.to_owned());
    }
    let name = local::last_part(&remote.name).ok_or_else(|| {
        Fault::Usage(format!(
            "get: `{}` does not end in a file name, and {} is a folder; say a file",
            show::name(&remote.name),
            show::os(path)
        ))
    })?;
    Ok(path.join(name))
}
