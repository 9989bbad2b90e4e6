//! `tftp`: a TFTP client with a prompt.
//!
//! The program knows nothing about the protocol: it reads commands (`args`, `command`), keeps
//! what is set (`session`), and has [`tftp_mio::client`] move the files (`transfer`).

mod args;
mod capture;
mod command;
mod exit;
mod fault;
mod interrupt;
mod local;
mod packets;
mod prompt;
mod remote;
mod resolve;
mod script;
mod session;
mod show;
mod transfer;
mod value;
mod word;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use args::{Args, Job};
use command::Command;
use exit::Status;
use fault::Fault;
use interrupt::{Idle, Interrupts};
use session::{Input, Session};

/// The command line, for whoever makes completions or a manual page of it.
pub fn command() -> clap::Command {
    Args::command()
}

/// What `help` says of each command, for a manual page.
pub fn commands() -> Vec<String> {
    command::ALL.iter().map(|spec| command::general::help(Some(spec))).collect()
}

/// What the exit status tells, for a manual page.
pub fn exit_status() -> &'static str {
    args::EXIT_STATUS
}

/// Runs the program, and returns its exit status.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.kind() == ErrorKind::UnknownArgument => {
            let _ = error.print();
            // Other clients have `--get -r NAME`, or `-g`.
            show::note("Files are moved by commands: tftp HOST -c get NAME [LOCAL]");
            return Status::Usage.into();
        }
        // Clap ends the program itself: with 2 when an option makes no sense.
        Err(error) => error.exit(),
    };
    let status = run(&args).unwrap_or_else(|fault| {
        show::fault(&fault);
        fault.status()
    });
    status.into()
}

fn run(args: &Args) -> Result<Status, Fault> {
    let job = args.job()?;
    let (idle, input) = match job {
        Job::One(..) => (Idle::Leave, Input::Free),
        Job::Many(_) if io::stdin().is_terminal() => (Idle::Stay, Input::Free),
        Job::Many(_) => (Idle::Leave, Input::Commands),
    };
    let interrupts = Interrupts::install(idle)
        .map_err(|error| Fault::System { doing: "cannot take Ctrl-C over", error })?;
    let mut session = Session::new(args.preferences(), interrupts, input)?;
    if let Some(path) = args.pcap() {
        session.packets.keep_in(path)?;
    }
    match job {
        Job::One(host, command) => {
            if let Err(fault) = connect(&mut session, host) {
                return Err(session.tell_of_what_cannot_be(&command, fault));
            }
            session.run(command)?;
            Ok(Status::Done)
        }
        Job::Many(host) => {
            connect(&mut session, host)?;
            match input {
                Input::Commands => {
                    let input = io::stdin().lock();
                    Ok(script::run(&mut session, input, args.keep_going()))
                }
                Input::Free => prompt::run(&mut session).map(|()| Status::Done),
            }
        }
    }
}

fn connect(session: &mut Session, host: Option<remote::Host>) -> Result<(), Fault> {
    if let Some(host) = host {
        session.run(Command::Connect(host))?;
    }
    Ok(())
}
