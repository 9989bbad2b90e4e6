//! `get` and `put` carried out: addresses, local ends, progress, and the line at the end.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tftp_core::Mode;
use tftp_mio::client::{Client, Download, Progress, Report, Settings, TransferError, Upload};

use crate::{
    command::transfer::{Get, Origin, Put, Target},
    fault::Fault,
    local,
    progress::Bar,
    remote::Remote,
    session::{Input, Session, Words},
    show,
    summary::summary,
};

/// What a transfer is called in messages, and with whom it is.
struct Job<'a> {
    doing: &'a str,
    server: SocketAddr,
    settings: &'a Settings,
    show_bar: bool,
}

impl Session {
    /// Fetches the files one after the other.
    ///
    /// Of several, one that the server refuses does not keep the others from being fetched;
    /// whatever would happen to the others too ends the command.
    ///
    /// # Errors
    /// When a file was not fetched. Of several the refused ones have been named by then.
    pub(crate) fn get(&mut self, files: &[Get]) -> Result<(), Fault> {
        if let [file] = files {
            return self.get_one(file);
        }
        let mut refused = 0;
        for file in files {
            match self.get_one(file) {
                Ok(()) => {}
                Err(fault) if fault.is_refusal() => {
                    show::fault(&fault);
                    refused += 1;
                }
                Err(fault) => return Err(fault),
            }
        }
        match refused {
            0 => Ok(()),
            refused => Err(Fault::SomeRefused { refused, all: files.len() }),
        }
    }

    /// Sends a file.
    ///
    /// # Errors
    /// When the server did not take it whole, or it cannot be read; then nothing has been sent.
    pub(crate) fn put(&mut self, put: &Put) -> Result<(), Fault> {
        let from = match &put.from {
            Origin::Stdin => "standard input".to_owned(),
            Origin::Path(path) => show::os(path),
        };
        let doing = format!("put {from}");
        let source = match &put.from {
            Origin::Stdin if self.input == Input::Commands => {
                return Err(Fault::Usage(
                    "put -: standard input is where the commands come from; use -c".to_owned(),
                ));
            }
            Origin::Stdin => local::Stdin::source(),
            Origin::Path(path) => Upload::open(path),
        };
        let source = source.map_err(|error| Fault::local(&doing, error))?;
        let settings = self.settings_for(&put.remote);
        let job = Job {
            doing: &doing,
            server: self.address_of_file(&put.remote)?,
            settings: &settings,
            show_bar: self.wants_bar(),
        };
        let report = self.transfer(&job, |client, progress| {
            client
                .put(job.server, &put.remote.name, job.settings, source, progress)
                .map_err(|error| Fault::transfer(&doing, job.settings.mode, error))
        })?;
        if report.unconfirmed {
            show::note(&format!(
                "tftp: {doing}: everything was sent, but the server never confirmed the end; \
                 check the file there"
            ));
        }
        let arrow = format!("{doing} -> {}", show::name(&put.remote.name));
        self.tell(&summary(&arrow, &report), false);
        Ok(())
    }

    fn get_one(&mut self, file: &Get) -> Result<(), Fault> {
        let remote = &file.remote;
        let doing = format!("get {}", show::name(&remote.name));
        let settings = self.settings_for(remote);
        if settings.mode == Mode::Mail {
            return Err(Fault::transfer(&doing, settings.mode, TransferError::MailRead));
        }
        let server = self.address_of_file(remote)?;
        let to_stdout = file.to == Target::Stdout;
        let job = Job {
            doing: &doing,
            server,
            settings: &settings,
            // The data and the bar would overwrite each other on the same screen.
            show_bar: self.wants_bar() && !(to_stdout && io::stdout().is_terminal()),
        };
        let (path, to) = match &file.to {
            Target::Stdout => (None, "standard output".to_owned()),
            Target::Path(path) => {
                let path = in_folder(path, remote)?;
                let to = show::os(&path);
                (Some(path), to)
            }
        };
        let report = self.transfer(&job, |client, progress| {
            // Made only now that signals are heard, so that no temporary file is left behind.
            let sink = match path {
                None => local::Stdout::sink(),
                Some(path) => Download::create(&path)
                    .map_err(|error| Fault::local(&format!("{doing} -> {to}"), error))?,
            };
            client
                .get(server, &remote.name, job.settings, sink, progress)
                .map_err(|error| Fault::transfer(&doing, job.settings.mode, error))
        })?;
        self.tell(&summary(&format!("{doing} -> {to}"), &report), to_stdout);
        Ok(())
    }

    /// Runs a transfer that signals end and a bar shows.
    fn transfer(
        &mut self,
        job: &Job<'_>,
        run: impl FnOnce(&mut Client, &mut dyn FnMut(Progress)) -> Result<Report, Fault>,
    ) -> Result<Report, Fault> {
        self.mention(&format!(
            "{}: asking {} in mode {}",
            job.doing, job.server, job.settings.mode
        ));
        let mut bar = Bar::new(job.doing.to_owned(), job.show_bar);
        let canceller = self.client.canceller();
        let cancel = move || canceller.cancel();
        let client = &mut self.client;
        let result = self.interrupts.during(cancel, |watch| {
            if watch.interrupted() {
                return Err(Fault::transfer(
                    job.doing,
                    job.settings.mode,
                    TransferError::Cancelled,
                ));
            }
            run(client, &mut |progress| bar.update(progress))
        });
        drop(bar);
        result
    }

    /// What is set, and the mode of the URL where it names one.
    fn settings_for(&self, remote: &Remote) -> Settings {
        let settings = self.preferences.settings.clone();
        match remote.mode {
            Some(mode) => Settings { mode, ..settings },
            None => settings,
        }
    }

    /// The server's address; a `HOST:NAME` that fails may have been meant as a name.
    fn address_of_file(&self, remote: &Remote) -> Result<SocketAddr, Fault> {
        self.address_of(remote.host.as_ref()).map_err(|fault| match fault {
            Fault::Unresolved { host, why } => {
                let name = show::name(&remote.name);
                let why =
                    format!("{why}; if the colon is part of the file's name, write :{host}:{name}");
                Fault::Unresolved { host, why }
            }
            fault => fault,
        })
    }

    fn wants_bar(&self) -> bool {
        self.preferences.progress && self.preferences.words != Words::Quiet
    }

    /// Prints the line of a finished transfer, beside the data where that is standard output.
    fn tell(&self, line: &str, stdout_is_data: bool) {
        if self.preferences.words == Words::Quiet {
            return;
        }
        if stdout_is_data {
            show::note(line);
        } else {
            show::line(line);
        }
    }
}

/// The path of a file to write: in a folder, the file gets the last part of its remote name.
fn in_folder(path: &Path, remote: &Remote) -> Result<PathBuf, Fault> {
    if !path.is_dir() {
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
