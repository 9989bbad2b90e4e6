//! `get` and `put` carried out: addresses, local ends, progress, and what is told at the end.

mod get;
mod progress;
mod put;
mod record;
mod summary;

use std::{io, net::SocketAddr};

use tftp_core::{Mode, Operation};
use tftp_mio::client::{Client, Progress, Report, Settings};

use crate::{
    exit::Status,
    fault::{Asked, Fault},
    remote::Remote,
    session::{Session, Words},
    show,
};
use progress::Bar;

/// One transfer, as it is told of.
struct Story {
    /// `get` or `put`.
    operation: &'static str,
    /// The file's name on the server.
    remote: Vec<u8>,
    /// The file's name here; `None` is a standard stream.
    local: Option<std::path::PathBuf>,
    mode: Mode,
    /// The server, once its address is known.
    server: Option<SocketAddr>,
}

impl Story {
    /// What the transfer is called in messages.
    fn doing(&self) -> String {
        match self.operation {
            "put" => format!("put {}", self.local()),
            operation => format!("{operation} {}", show::name(&self.remote)),
        }
    }

    /// From where to where.
    fn way(&self) -> String {
        let to = match self.operation {
            "put" => show::name(&self.remote),
            _ => self.local(),
        };
        format!("{} -> {to}", self.doing())
    }

    fn local(&self) -> String {
        match (&self.local, self.operation) {
            (Some(path), _) => show::os(path),
            (None, "put") => "standard input".to_owned(),
            (None, _) => "standard output".to_owned(),
        }
    }

    fn writes_to_stdout(&self) -> bool {
        self.operation == "get" && self.local.is_none()
    }
}

/// What the engine is to do with one address of the server.
type Run<'a> =
    dyn FnMut(&mut Client, SocketAddr, &mut dyn FnMut(Progress)) -> Result<Report, Fault> + 'a;

impl Session {
    /// Runs a transfer that signals end and a bar shows, with the first address of the server at
    /// which something listens.
    fn transfer(
        &mut self,
        story: &mut Story,
        servers: &[SocketAddr],
        show_bar: bool,
        run: &mut Run<'_>,
    ) -> Result<Report, Fault> {
        let mut last = Err(Fault::Interrupted);
        for &server in servers {
            if let Err(fault) = &last
                && story.server.is_some()
            {
                self.mention(&format!("{fault}"));
            }
            story.server = Some(server);
            last = self.transfer_with(story, server, show_bar, run);
            match &last {
                Err(fault) if fault.is_nobody_there() => {}
                _ => break,
            }
        }
        last
    }

    fn transfer_with(
        &mut self,
        story: &Story,
        server: SocketAddr,
        show_bar: bool,
        run: &mut Run<'_>,
    ) -> Result<Report, Fault> {
        let doing = story.doing();
        self.mention(&format!("{doing}: asking {server} in mode {}", story.mode));
        let (observer, showing) = self.packets.observer(self.input);
        self.client.observe(observer);
        let mut bar = Bar::new(doing.clone(), show_bar && !self.packets.trace);
        let canceller = self.client.canceller();
        let cancel = move || canceller.cancel();
        let client = &mut self.client;
        let result = self
            .interrupts
            .during(cancel, || run(client, server, &mut |progress| bar.update(progress)));
        drop(bar);
        drop(showing);
        let operation = if story.operation == "put" { Operation::Write } else { Operation::Read };
        result.map_err(|fault| fault.of(Asked { operation, server }))
    }

    /// What is set, and the mode of the URL where it names one.
    fn settings_for(&self, remote: &Remote) -> Settings {
        let settings = self.preferences.settings.clone();
        match remote.mode {
            Some(mode) => Settings { mode, ..settings },
            None => settings,
        }
    }

    /// The server's addresses; a `HOST:NAME` that fails may have been meant as a name.
    fn addresses_of_file(&self, remote: &Remote) -> Result<Vec<SocketAddr>, Fault> {
        self.addresses_of(remote.host.as_ref()).map_err(|fault| match fault {
            Fault::Unresolved { host, why } if remote.host.is_some() => {
                let name = show::name(&remote.name);
                let why =
                    format!("{why}; if the colon is part of the file's name, write :{host}:{name}");
                Fault::Unresolved { host, why }
            }
            fault => fault,
        })
    }

    /// Says what may have been meant by the name of a server that could not be reached.
    fn tell_of_port(remote: &Remote, fault: Fault) -> Fault {
        if fault.status() == Status::NoAnswer
            && let Some(url) = remote.as_url_with_port()
        {
            show::note(&format!("tftp: what is behind HOST: is a name; with a port it is {url}"));
        }
        fault
    }

    fn wants_bar(&self) -> bool {
        self.preferences.progress && self.preferences.words != Words::Quiet
    }

    /// Tells how a transfer went: an object for programs, a line for people.
    ///
    /// # Errors
    /// The fault of the transfer, or else that no program can be told.
    fn tell(
        &self,
        story: &Story,
        remote: &Remote,
        outcome: Result<Report, Fault>,
    ) -> Result<(), Fault> {
        let outcome = outcome.map_err(|fault| Self::tell_of_port(remote, fault));
        let line = match &outcome {
            _ if self.preferences.json => record::record(story, outcome.as_ref()),
            Ok(report) if self.preferences.words != Words::Quiet => {
                summary::summary(&story.way(), report)
            }
            _ => return outcome.map(drop),
        };
        // Beside the data, where that is standard output.
        let told =
            if story.writes_to_stdout() { show::try_note(&line) } else { show::try_line(&line) };
        outcome?;
        match told {
            Err(error) if self.preferences.json && error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Fault::local("--json", error))
            }
            _ => Ok(()),
        }
    }
}

/// Runs `each` over several files: one that the server refuses does not keep the others from their
/// turn; whatever would happen to the others too ends it.
fn several<T>(files: &[T], mut each: impl FnMut(&T) -> Result<(), Fault>) -> Result<(), Fault> {
    if let [file] = files {
        return each(file);
    }
    let mut refused = 0;
    for file in files {
        match each(file) {
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

#[cfg(test)]
mod tests {
    use std::{io, net::SocketAddr};

    use clap::Parser as _;
    use tftp_core::Mode;
    use tftp_mio::client::TransferError;

    use super::Story;
    use crate::{
        args::Args,
        fault::Fault,
        interrupt::{Idle, Interrupts},
        session::{Input, Session},
    };

    /// Which of three addresses are asked, when those fail of which `fails` says how.
    fn asked(fails: impl Fn(SocketAddr) -> Option<TransferError>) -> Vec<u16> {
        let preferences = Args::parse_from(["tftp"]).preferences();
        let interrupts = Interrupts::detached(Idle::Leave);
        let mut session = Session::new(preferences, interrupts, Input::Free).unwrap();
        let mut story = Story {
            operation: "get",
            remote: b"a".to_vec(),
            local: None,
            mode: Mode::Octet,
            server: None,
        };
        let servers = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut asked = Vec::new();
        let result = session.transfer(&mut story, &servers, false, &mut |_, server, _| {
            asked.push(server.port());
            let error = fails(server).unwrap_or(TransferError::NoAnswer);
            Err(Fault::transfer("get a", Mode::Octet, error))
        });
        assert!(result.is_err());
        assert_eq!(story.server.map(|server| server.port()), asked.last().copied());
        asked
    }

    fn nobody() -> TransferError {
        TransferError::Network(io::ErrorKind::ConnectionRefused.into())
    }

    #[test]
    fn where_nothing_listens_the_next_address_of_the_host_is_asked() {
        assert_eq!(asked(|server| (server.port() == 1).then(nobody)), [1, 2]);
        assert_eq!(asked(|_| Some(nobody())), [1, 2, 3]);
    }

    #[test]
    fn a_server_that_is_there_is_not_replaced_by_another() {
        assert_eq!(asked(|_| None), [1]);
    }
}
