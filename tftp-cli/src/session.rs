//! What the prompt remembers between commands, and how each command is carried out.

use std::{env, fmt, fs, net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use tftp_mio::client::{Client, Settings};

use crate::{
    command::{self, Change, Command, general},
    fault::Fault,
    interrupt::Interrupts,
    packets::Packets,
    remote::Host,
    resolve::{self, Family},
    show, word,
};

/// How much is said beside answers and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Nothing.
    Quiet,
    /// A line a transfer.
    Normal,
    /// What is being done as well.
    Verbose,
}

/// What standard input is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Commands, so `put -` cannot have it.
    Commands,
    /// Whatever a command wants from it.
    Free,
}

/// What the command line says about the session as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Preferences {
    /// What to ask servers for.
    pub(crate) settings: Settings,
    /// Which addresses to use.
    pub(crate) family: Family,
    /// How much to say.
    pub(crate) words: Words,
    /// Whether a progress bar is wanted.
    pub(crate) progress: bool,
    /// Whether transfers are told of as JSON.
    pub(crate) json: bool,
}

/// Whether the program goes on after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next command may come.
    Continue,
    /// The user said goodbye.
    Leave,
}

/// The state between commands. The local folder is the process's own.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) interrupts: Interrupts,
    pub(crate) preferences: Preferences,
    pub(crate) input: Input,
    pub(crate) packets: Packets,
    server: Option<Server>,
}

/// The connected server.
struct Server {
    host: Host,
    /// At least one; the first at which something listens is used.
    addresses: Vec<SocketAddr>,
}

impl Session {
    /// A session without a server.
    ///
    /// # Errors
    /// When the system refuses what the engine needs.
    pub(crate) fn new(
        preferences: Preferences,
        interrupts: Interrupts,
        input: Input,
    ) -> Result<Self, Fault> {
        let client =
            Client::new().map_err(|error| Fault::System { doing: "cannot start", error })?;
        Ok(Self {
            client,
            interrupts,
            preferences,
            input,
            packets: Packets::default(),
            server: None,
        })
    }

    /// Carries out a line of words; an empty one does nothing.
    ///
    /// # Errors
    /// When it makes no sense or failed; the session goes on as before.
    pub(crate) fn run_line(&mut self, line: &[u8]) -> Result<Next, Fault> {
        let words = word::split(line).map_err(|error| Fault::Usage(error.to_string()))?;
        match command::parse(&words)? {
            Some(command) => self.run(command),
            None => Ok(Next::Continue),
        }
    }

    /// Carries out one command.
    ///
    /// # Errors
    /// When it failed; the session goes on as before. [`Fault::Ended`] when a signal ended the
    /// program meanwhile, however the command went.
    pub(crate) fn run(&mut self, command: Command) -> Result<Next, Fault> {
        let result = self.carry_out(command);
        self.interrupts.end().map_or(result, |end| Err(Fault::Ended(end)))
    }

    /// Tells programs of the transfers of a command that cannot begin because of `fault`.
    pub(crate) fn tell_of_what_cannot_be(&self, command: &Command, fault: Fault) -> Fault {
        match command {
            Command::Get(files) => self.tell_of_gets_that_cannot_be(files, fault),
            Command::Put(put) => self.tell_of_puts_that_cannot_be(put, fault),
            _ => fault,
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<Next, Fault> {
        let settings = &mut self.preferences.settings;
        match command {
            Command::Connect(host) => self.connect(host)?,
            Command::Get(files) => self.get(&files)?,
            Command::Put(put) => self.put(&put)?,
            Command::Mode(change) => set(&mut settings.mode, change, "mode", ToString::to_string),
            Command::BlockSize(change) => {
                set(&mut settings.block_size, change, "blksize", |size| size.get().to_string());
            }
            Command::WindowSize(change) => {
                set(&mut settings.window_size, change, "windowsize", |size| size.get().to_string());
            }
            Command::Timeout(change) => set(&mut settings.timeout, change, "timeout", |timeout| {
                timeout.map_or("auto".to_owned(), |timeout| timeout.seconds().to_string())
            }),
            Command::Retries(change) => {
                set(&mut settings.retries, change, "retries", ToString::to_string);
            }
            Command::Options(change) => {
                set(&mut settings.options, change, "options", |&on| on_off(on).to_owned());
            }
            Command::Ports(change) => {
                let ports = &mut settings.local_ports;
                match change {
                    Change::Show => show::line(&format!("ports {}", shown_ports(ports.as_ref()))),
                    Change::To(new) => *ports = new.map(|(first, last)| first..=last),
                }
            }
            Command::Family(change) => {
                set(&mut self.preferences.family, change, "family", ToString::to_string);
            }
            Command::Progress(change) => {
                set(&mut self.preferences.progress, change, "progress", |&on| on_off(on).into());
            }
            Command::Verbose(on) => self.set_verbose(on),
            Command::Trace(on) => self.set_trace(on),
            Command::Status => self.show_status(),
            Command::LocalCd(folder) => change_folder(folder)?,
            Command::LocalPwd => show::line(&show::os(current_folder()?)),
            Command::LocalLs(folder) => list_folder(folder)?,
            Command::Help(about) => show::line(&general::help(about)),
            Command::Bye => return Ok(Next::Leave),
        }
        Ok(Next::Continue)
    }

    /// The addresses for a file: of the host that it names, or of the connected server.
    ///
    /// # Errors
    /// When there is neither, or the host is unknown.
    pub(crate) fn addresses_of(&self, host: Option<&Host>) -> Result<Vec<SocketAddr>, Fault> {
        match (host, &self.server) {
            (Some(host), _) => self.resolve(host),
            (None, Some(server)) => Ok(server.addresses.clone()),
            (None, None) => Err(Fault::Usage(
                "no server yet; `connect HOST` chooses one, or name it as HOST:REMOTE".to_owned(),
            )),
        }
    }

    /// The connected server, as it was named.
    pub(crate) fn host(&self) -> Option<&str> {
        self.server.as_ref().map(|server| server.host.name.as_str())
    }

    /// Says something that only a user who asked for more words wants to know.
    pub(crate) fn mention(&self, text: &str) {
        if self.preferences.words == Words::Verbose {
            show::note(text);
        }
    }

    fn connect(&mut self, host: Host) -> Result<(), Fault> {
        let addresses = self.resolve(&host)?;
        let server = Server { host, addresses };
        self.mention(&format!("server {server}"));
        self.server = Some(server);
        Ok(())
    }

    fn resolve(&self, host: &Host) -> Result<Vec<SocketAddr>, Fault> {
        let (named, family) = (host.clone(), self.preferences.family);
        let addresses =
            self.interrupts.unless_interrupted(move || resolve::resolve(&named, family))?;
        if addresses.iter().any(resolve::lacks_interface) {
            let name = show::name(host.name.as_bytes());
            show::note(&format!(
                "tftp: {name} may be on any link; say on which if it does not answer, as in \
                 {name}%eth0"
            ));
        }
        Ok(addresses)
    }

    fn set_verbose(&mut self, on: Option<bool>) {
        let words = &mut self.preferences.words;
        let on = on.unwrap_or(*words != Words::Verbose);
        *words = if on { Words::Verbose } else { Words::Normal };
        show::line(&format!("verbose {}", on_off(on)));
    }

    fn set_trace(&mut self, on: Option<bool>) {
        let trace = &mut self.packets.trace;
        *trace = on.unwrap_or(!*trace);
        show::line(&format!("trace {}", on_off(*trace)));
    }

    fn show_status(&self) {
        let settings = &self.preferences.settings;
        let server = match &self.server {
            Some(server) => server.to_string(),
            None => "none; `connect HOST` chooses one".to_owned(),
        };
        let timeout = settings
            .timeout
            .map_or("auto".to_owned(), |timeout| format!("{} s", timeout.seconds()));
        let folder = current_folder().map_or("gone".to_owned(), show::os);
        for (what, value) in [
            ("server", server),
            ("mode", settings.mode.to_string()),
            ("options", on_off(settings.options).to_owned()),
            ("blksize", settings.block_size.get().to_string()),
            ("windowsize", settings.window_size.get().to_string()),
            ("timeout", timeout),
            ("retries", settings.retries.to_string()),
            ("ports", shown_ports(settings.local_ports.as_ref())),
            ("family", self.preferences.family.to_string()),
            ("local folder", folder),
            ("progress", on_off(self.preferences.progress).to_owned()),
            ("verbose", on_off(self.preferences.words == Words::Verbose).to_owned()),
            ("trace", on_off(self.packets.trace).to_owned()),
        ] {
            show::line(&format!("{what:<12} {value}"));
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let name = show::name(self.host.name.as_bytes());
        write!(f, "{name} ({})", addresses.join(", "))
    }
}

/// Changes a setting without a word, or shows it.
fn set<T>(setting: &mut T, change: Change<T>, name: &str, shown: impl Fn(&T) -> String) {
    match change {
        Change::Show => show::line(&format!("{name} {}", shown(setting))),
        Change::To(value) => *setting = value,
    }
}

fn shown_ports(ports: Option<&RangeInclusive<u16>>) -> String {
    ports.map_or("any".to_owned(), |ports| format!("{}-{}", ports.start(), ports.end()))
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn current_folder() -> Result<PathBuf, Fault> {
    env::current_dir().map_err(|error| Fault::local("lpwd", error))
}

fn change_folder(folder: Option<PathBuf>) -> Result<(), Fault> {
    let folder = folder
        .or_else(env::home_dir)
        .ok_or_else(|| Fault::Usage("lcd: there is no home folder; say DIR".to_owned()))?;
    env::set_current_dir(&folder)
        .map_err(|error| Fault::local(&format!("lcd {}", show::os(&folder)), error))
}

fn list_folder(folder: Option<PathBuf>) -> Result<(), Fault> {
    let folder = folder.unwrap_or_else(|| ".".into());
    let trouble = |error| Fault::local(&format!("lls {}", show::os(&folder)), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(trouble)? {
        let entry = entry.map_err(trouble)?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        names.push(show::os(entry.file_name()) + if is_folder { "/" } else { "" });
    }
    names.sort_unstable();
    for name in names {
        show::line(&name);
    }
    Ok(())
}
