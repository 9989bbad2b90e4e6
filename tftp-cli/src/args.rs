//! The command line.

use std::{
    ffi::OsString,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use clap::Parser;
use tftp_core::{BlockSize, Mode, Timeout, WindowSize};
use tftp_mio::client::Settings;

use crate::{
    command::{self, Command, Misuse, connect, transfer::Get},
    fault::Fault,
    remote::{self, Host},
    resolve::Family,
    session::{Preferences, Words},
    show, value, word,
};

/// What the exit status tells.
pub(crate) const EXIT_STATUS: &str = "\
0 done, 1 refused or not found, 2 wrong usage, 3 no answer, 4 local file trouble,
129 hung up, 130 interrupted, 143 terminated.";

/// Fetches and sends files over TFTP, at a prompt or with one command.
#[derive(Debug, Parser)]
#[command(
    name = "tftp",
    version,
    override_usage = "tftp [OPTIONS] [HOST [PORT]] [-c COMMAND...]\n       \
                      tftp [OPTIONS] tftp://HOST[:PORT]/NAME[;mode=MODE] [LOCAL]",
    after_help = format!("\
Without -c it is a prompt; `help` lists its commands. Commands can be piped in.

  tftp 192.0.2.1                                     a prompt
  tftp 192.0.2.1 -c get pxelinux.0                   one file, into the local folder
  tftp 192.0.2.1 6969 -c put switch.cfg backup/      into a folder on the server
  tftp tftp://192.0.2.1/pxelinux.0 - | sha256sum     a URL, to standard output
  tar c etc | tftp 192.0.2.1 -c put - etc.tar        standard input
  tftp 192.0.2.1 <commands.txt                       commands from a file

Exit status: {EXIT_STATUS}")
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that users type")]
pub(crate) struct Args {
    /// The server, or the URL of a file to get
    #[arg(value_name = "HOST|URL")]
    target: Option<String>,

    /// The server's port [default: 69], or the file to write (- is standard output)
    #[arg(value_name = "PORT|LOCAL")]
    second: Option<OsString>,

    /// What was typed without the -c that it needs.
    #[arg(hide = true)]
    rest: Vec<OsString>,

    /// Carry out one command and leave; everything that follows belongs to it
    #[arg(short, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    command: Option<Vec<OsString>>,

    /// Transfer mode: octet (binary), netascii (ascii), or mail for put
    #[arg(short, long, default_value = "octet")]
    mode: Mode,

    /// Bytes in a block to ask for
    #[arg(short, long, value_name = "N", default_value = "1428", value_parser = value::block_size)]
    blksize: BlockSize,

    /// Blocks in a window to ask for
    #[arg(short, long, value_name = "N", default_value = "16", value_parser = value::window_size)]
    windowsize: WindowSize,

    /// Retransmission time-out to ask for [default: measured]
    #[arg(short, long, value_name = "SECS", value_parser = value::timeout)]
    timeout: Option<Timeout>,

    /// How often to send again before a transfer that has begun is given up
    #[arg(short, long, value_name = "N", default_value = "6", value_parser = value::retries)]
    retries: u8,

    /// Ask for no options: plain RFC 1350
    #[arg(long)]
    no_options: bool,

    /// Local ports to use [default: any]
    #[arg(short = 'R', long, value_name = "FIRST-LAST", value_parser = value::port_range)]
    port_range: Option<RangeInclusive<u16>>,

    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6')]
    ipv6: bool,

    /// Print one JSON object for each transfer; tftp(1) has its fields
    #[arg(long)]
    json: bool,

    /// Keep what is sent and received in a capture file
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,

    /// In piped commands, go on after a failure
    #[arg(long)]
    keep_going: bool,

    /// Say nothing but answers and errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Say more
    #[arg(short, long)]
    verbose: bool,

    /// Show no progress bar
    #[arg(long)]
    no_progress: bool,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// One command, on a server where one is named.
    One(Option<Host>, Command),
    /// The commands that standard input brings.
    Many(Option<Host>),
}

impl Args {
    /// Sorts out what the words beside the options mean.
    ///
    /// # Errors
    /// When they make no sense; the fault says what to type instead.
    pub(crate) fn job(&self) -> Result<Job, Fault> {
        match &self.target {
            Some(url) if remote::is_url(url.as_bytes()) => self.fetch(url),
            Some(url) if remote::is_foreign_url(url.as_bytes()) => {
                Err(Fault::Usage(remote::BadRemote::Scheme(show::name(url.as_bytes())).to_string()))
            }
            _ if let Some(instead) = self.lacks_c() => Err(Fault::Usage(instead)),
            Some(host) => {
                let host = self.host(host).map_err(|Misuse(why)| {
                    Fault::Usage(format!("{why}; usage: tftp HOST [PORT] [-c COMMAND...]"))
                })?;
                self.on(Some(host))
            }
            None => self.on(None),
        }
    }

    /// What holds for the whole session.
    pub(crate) fn preferences(&self) -> Preferences {
        Preferences {
            settings: Settings {
                mode: self.mode,
                options: !self.no_options,
                block_size: self.blksize,
                window_size: self.windowsize,
                timeout: self.timeout,
                retries: self.retries,
                local_ports: self.port_range.clone(),
            },
            family: match (self.ipv4, self.ipv6) {
                (true, _) => Family::V4,
                (false, true) => Family::V6,
                (false, false) => Family::Either,
            },
            words: match (self.quiet, self.verbose) {
                (true, _) => Words::Quiet,
                (false, true) => Words::Verbose,
                (false, false) => Words::Normal,
            },
            progress: !self.no_progress,
            json: self.json,
        }
    }

    /// Where packets are to be kept.
    pub(crate) fn pcap(&self) -> Option<&Path> {
        self.pcap.as_deref()
    }

    /// Whether piped commands go on after a failure.
    pub(crate) fn keep_going(&self) -> bool {
        self.keep_going
    }

    /// What to type instead, where a command was typed without -c.
    fn lacks_c(&self) -> Option<String> {
        let is_command = |word: &OsString| command::names().any(|name| word == name);
        let is_port = |word: &OsString| value::port(&word.to_string_lossy()).is_ok();
        let first = self.target.iter().map(OsString::from);
        let words: Vec<_> = first.chain(self.second.clone()).chain(self.rest.clone()).collect();
        let begins_at = match words.as_slice() {
            [first, second, ..] if is_command(first) && !is_port(second) => 0,
            [_, second, ..] if is_command(second) => 1,
            [_, _, _, ..] => 2,
            _ => return None,
        };
        let words: Vec<_> = words.iter().map(show::os).collect();
        let (server, command) = words.split_at(begins_at);
        let server = if server.is_empty() { "HOST".to_owned() } else { server.join(" ") };
        let command = command.join(" ");
        Some(format!("a command goes behind -c: tftp {server} -c {command}"))
    }

    fn fetch(&self, url: &str) -> Result<Job, Fault> {
        if self.command.is_some() || !self.rest.is_empty() {
            return Err(Fault::Usage(
                "a URL is fetched by itself: tftp URL [LOCAL]; otherwise: tftp HOST [PORT] -c COMMAND"
                    .to_owned(),
            ));
        }
        let file = Get::parse(url.as_ref(), self.second.as_deref())
            .map_err(|Misuse(why)| Fault::Usage(format!("{why}; usage: tftp URL [LOCAL]")))?;
        Ok(Job::One(None, Command::Get(vec![file])))
    }

    fn host(&self, name: &str) -> Result<Host, Misuse> {
        let port = match &self.second {
            Some(port) => Some(value::port(&port.to_string_lossy())?),
            None => None,
        };
        connect::host_on(name, port)
    }

    fn on(&self, host: Option<Host>) -> Result<Job, Fault> {
        let Some(words) = &self.command else {
            return Ok(Job::Many(host));
        };
        // One word may be a whole line in quotes; several have been split by the shell.
        let split = match words.as_slice() {
            [line] => Some(word::split(line.as_encoded_bytes())),
            _ => None,
        };
        let words = match &split {
            Some(Ok(words)) => words,
            Some(Err(error)) => return Err(Fault::Usage(format!("-c: {error}"))),
            None => words,
        };
        match command::parse(words)? {
            Some(command) => Ok(Job::One(host, command)),
            None => Err(Fault::Usage(format!(
                "-c needs a command, such as: -c get NAME; `{}` is none",
                show::os(words.first().cloned().unwrap_or_default())
            ))),
        }
    }
}
