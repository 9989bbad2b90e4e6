//! `put`: local files or standard input to the server.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use glob::{MatchOptions, glob_with};
use tftp_mio::client::{Report, Source, Upload};

use super::{Story, several};
use crate::{
    command::transfer::{Origin, Put, all_apart},
    fault::Fault,
    local::Stdin,
    remote::Remote,
    session::{Input, Session, Words},
    show,
};

/// One file to send, its name on the server settled.
struct One {
    from: Origin,
    remote: Remote,
}

/// Wildcards as a shell has them.
const AS_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

impl Session {
    /// Sends files one after the other. Nothing is sent unless all of them can be read.
    ///
    /// # Errors
    /// When the server did not take one whole, or one cannot be read. Of several the refused ones
    /// have been named by then.
    pub(crate) fn put(&mut self, put: &Put) -> Result<(), Fault> {
        let files = Self::files_of(put)?;
        if files.len() > 1 {
            for file in &files {
                if let Origin::Path(path) = &file.from {
                    open(path)?;
                }
            }
        }
        several(&files, |file| {
            let mut story = self.story_of_put(&file.from, &file.remote);
            let outcome = self.send(file, &mut story);
            self.tell(&story, &file.remote, outcome)
        })
    }

    /// Tells programs of files that could not even be offered.
    pub(crate) fn tell_of_puts_that_cannot_be(&self, put: &Put, fault: Fault) -> Fault {
        let stories = put.from.iter().map(|from| {
            let remote = put.remote_of(from).unwrap_or_else(|_| put.to.clone());
            self.story_of_put(from, &remote)
        });
        self.tell_of(stories, fault)
    }

    fn story_of_put(&self, from: &Origin, remote: &Remote) -> Story {
        Story {
            operation: "put",
            remote: remote.name.clone(),
            local: match from {
                Origin::Stdin => None,
                Origin::Path(path) => Some(path.clone()),
            },
            mode: self.settings_for(remote).mode,
            server: None,
        }
    }

    /// The files that the words name, wildcards resolved.
    fn files_of(put: &Put) -> Result<Vec<One>, Fault> {
        let mut files = Vec::new();
        for from in &put.from {
            for from in matching(from)? {
                let remote = put.remote_of(&from).map_err(|misuse| Fault::Usage(misuse.0))?;
                files.push(One { from, remote });
            }
        }
        if files.len() > 1 && !put.to.name.is_empty() && !put.to.is_folder() {
            let (number, name) = (files.len(), show::name(&put.to.name));
            return Err(Fault::Usage(format!(
                "put: {number} files cannot all be called `{name}`; end it with / to name a folder"
            )));
        }
        all_apart(files.iter().map(|file| show::name(&file.remote.name)))
            .map_err(|misuse| Fault::Usage(format!("put: {}", misuse.0)))?;
        Ok(files)
    }

    fn send(&mut self, file: &One, story: &mut Story) -> Result<Report, Fault> {
        let doing = story.doing();
        let settings = self.settings_for(&file.remote);
        let mut source: Box<dyn FnMut() -> Result<Box<dyn Source>, Fault>> = match &file.from {
            Origin::Path(path) => {
                // Before the server's name is looked up, let alone anything sent.
                let mut opened = Some(open(path)?);
                let path = path.clone();
                Box::new(move || opened.take().map_or_else(|| open(&path), Ok))
            }
            Origin::Stdin => {
                let stdin = self.stdin(&doing)?;
                let canceller = self.client.canceller();
                Box::new(move || {
                    let canceller = canceller.clone();
                    Ok(stdin.source(move || canceller.wake()))
                })
            }
        };
        let servers = self.addresses_of_file(&file.remote)?;
        let show_bar = self.wants_bar();
        self.transfer(story, &servers, show_bar, &mut |client, server, progress| {
            client
                .put(server, &file.remote.name, &settings, source()?, progress)
                .map_err(|error| Fault::transfer(&doing, settings.mode, error))
        })
    }

    /// Standard input, from which something has come or nothing will.
    fn stdin(&self, doing: &str) -> Result<Stdin, Fault> {
        if self.input == Input::Commands {
            return Err(Fault::Usage(
                "put -: standard input is where the commands come from; use -c".to_owned(),
            ));
        }
        if io::stdin().is_terminal() && self.preferences.words != Words::Quiet {
            show::note("what you type is sent, and Ctrl-D ends it");
        }
        let stdin = Stdin::read().map_err(|error| Fault::local(doing, error))?;
        let wait = stdin.wait_for_the_first();
        self.interrupts.unless_interrupted(move || {
            wait();
            Ok(())
        })?;
        Ok(stdin)
    }
}

fn open(path: &Path) -> Result<Box<dyn Source>, Fault> {
    Upload::open(path).map_err(|error| Fault::local(&format!("put {}", show::os(path)), error))
}

/// What a word stands for: itself, or if it has wildcards and is no file, all files that it matches.
fn matching(from: &Origin) -> Result<Vec<Origin>, Fault> {
    let literal = || Ok(vec![from.clone()]);
    let Origin::Path(path) = from else { return literal() };
    let Some(pattern) = path.to_str() else { return literal() };
    if !pattern.contains(['*', '?', '[']) || path.exists() {
        return literal();
    }
    // A `[` that is not closed stands for itself, as in a shell.
    let Ok(found) = glob_with(pattern, AS_A_SHELL) else { return literal() };
    // What cannot be looked into is passed over, as in a shell.
    let files: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| !path.is_dir()).collect();
    if files.is_empty() {
        let doing = format!("put {}", show::os(path));
        let nothing = io::Error::new(io::ErrorKind::NotFound, "no file matches");
        return Err(Fault::local(&doing, nothing));
    }
    Ok(files.into_iter().map(Origin::Path).collect())
}
