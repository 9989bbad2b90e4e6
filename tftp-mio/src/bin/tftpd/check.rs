//! `--check`: says what would run, or what would be decided of one request, and binds nothing.

mod question;

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use tftp_core::{Operation, Packet, Request};
use tftp_mio::server::{self, Decision};

use crate::{
    cannot_run::{CannotRun, STOPPED},
    foresight::Foresight,
    log::NoLog,
    options::{Options, Settings},
    own_file,
    prepared::Prepared,
};
use question::Question;

/// The request would not be granted.
const REFUSED: u8 = 1;

/// Looks at the files that a server would make for itself, and makes none.
///
/// # Errors
/// Where the start would fail of one.
pub(crate) fn files(options: &Options) -> Result<(), CannotRun> {
    if let Some(path) = &options.log.file {
        own_file::look(path).map_err(|error| NoLog { path: path.clone(), error })?;
    }
    if let Some(path) = &options.service.pid_file {
        own_file::look(path)
            .map_err(|error| CannotRun::PidFile { path: path.clone(), error: error.into() })?;
    }
    Ok(())
}

/// Gives up the rights that a server would give up, as it would be no use to say what could not run.
/// What will not be possible any more is said on standard error.
///
/// # Errors
/// Where the start would fail of it.
pub(crate) fn confine(options: &Options, prepared: &Prepared) -> Result<(), CannotRun> {
    let confinement = prepared.confinement(options)?;
    let foresight = Foresight::new(options, prepared);
    if let Some(whom) = confinement.is_beyond_us() {
        eprintln!("tftpd: warning: whether {whom} can serve this is only seen by root");
        return Ok(());
    }
    let confined = confinement.apply(*prepared.config.ports.start())?;
    for warning in foresight.warnings(confined.whom()) {
        eprintln!("tftpd: warning: {warning}");
    }
    Ok(())
}

/// Writes it to standard output, as a configuration file that says the same.
pub(crate) fn tell(settings: &Settings, prepared: &Prepared) {
    println!("# {}", prepared.says(&prepared.config.listen));
    print!("{settings}");
}

/// Writes to standard output how one request would be decided, step by step. `asked` is the
/// client's address, and the request as people write it.
///
/// # Errors
/// When the question makes no sense.
pub(crate) fn explain(prepared: &Prepared, asked: &[OsString]) -> Result<ExitCode, CannotRun> {
    let question = Question::parse(asked).map_err(CannotRun::Question)?;
    let request = match Packet::parse(&question.datagram) {
        Ok(Packet::Request(request)) => request,
        // What is wrong with a packet is told as the server tells it.
        Ok(_) => return Err(CannotRun::Question("the question is no request".into())),
        Err(malformed) => {
            println!("refused: ERROR 4 \"{malformed}\"");
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let Request { operation, filename, mode, .. } = request;
    let verb = match operation {
        Operation::Read => "RRQ",
        Operation::Write => "WRQ",
    };
    println!("{verb} \"{}\" {mode} by {}", filename.escape_ascii(), question.client);
    for (kind, text) in &question.options {
        match kind {
            None => println!("  option {text}: not known, as if it were not there"),
            Some(kind) if !request.options.iter().any(|(asked, _)| asked == *kind) => {
                println!("  option {text}: no value for it, as if it were not there");
            }
            Some(_) => {}
        }
    }
    let storage = Arc::clone(&prepared.storage);
    let decision = server::explain(&prepared.config, storage, question.client, &request, &|step| {
        println!("  {step}");
    });
    Ok(ExitCode::from(match decision {
        Decision::Granted(options) if options.is_empty() => {
            println!("granted, without options");
            STOPPED
        }
        Decision::Granted(options) => {
            println!("granted: {options}");
            STOPPED
        }
        Decision::Refused(denied) => {
            println!("refused: ERROR {} \"{denied}\"", denied.code.0);
            REFUSED
        }
        Decision::Dropped => {
            println!("dropped without an answer");
            REFUSED
        }
    }))
}
