//! `tftpd`: serves a folder until it is told to stop.

#[cfg(unix)]
mod background;
mod cannot_run;
mod check;
mod confine;
mod control;
#[cfg(unix)]
mod foresight;
#[cfg(test)]
mod generated;
mod log;
mod metrics;
mod options;
mod own_file;
#[cfg(unix)]
mod pid_file;
mod prepared;
mod sweep;
#[cfg(unix)]
mod systemd;

use std::{env, net::SocketAddr, process::ExitCode};

use tftp_mio::server::Server;

use background::Detached;
use cannot_run::{CannotRun, STOPPED};
use control::{Control, Signals};
use foresight::Foresight;
use log::Log;
use metrics::Metrics;
use options::{CommandLine, Settings};
use pid_file::PidFile;
use prepared::Prepared;

fn main() -> ExitCode {
    run().unwrap_or_else(|fault| fault.tell())
}

fn run() -> Result<ExitCode, CannotRun> {
    let line = CommandLine::new(env::args_os());
    let settings = line.read()?;
    let service = &settings.options.service;
    if service.check {
        let prepared = Prepared::new(&settings)?;
        if let Some(asked) = &service.asked {
            return check::explain(&prepared, asked);
        }
        check::files(&settings.options)?;
        check::confine(&settings.options, &prepared)?;
        check::tell(&settings, &prepared);
    } else if service.background && !service.detached {
        if systemd::are_sockets_passed() {
            return Err(CannotRun::Background);
        }
        return background::start().map_err(CannotRun::system("cannot start in the background"));
    } else {
        serve(line, settings)?;
    }
    Ok(ExitCode::from(STOPPED))
}

/// Serves until told to stop. The order is that of rights: what needs them comes first, threads
/// come last.
fn serve(line: CommandLine, settings: Settings) -> Result<(), CannotRun> {
    let (service, logging) = (&settings.options.service, &settings.options.log);
    let detached = service
        .detached
        .then(Detached::begin)
        .transpose()
        .map_err(CannotRun::system("cannot detach"))?;
    let sockets = systemd::sockets().map_err(CannotRun::system("cannot take the sockets over"))?;
    let log = Log::start(logging)?;
    let signals = Signals::take().map_err(CannotRun::system("cannot watch for signals"))?;

    let prepared = Prepared::new(&settings)?;
    let confinement = prepared.confinement(&settings.options)?;
    raise_descriptor_limit();
    let server = if sockets.is_empty() {
        Server::bind(&prepared.config, prepared.storage.clone())?
    } else {
        Server::adopt(sockets, &prepared.config, prepared.storage.clone())?
    };
    let metrics = service.metrics.map(metrics).transpose()?;
    let pid_file = service
        .pid_file
        .as_deref()
        .map(|path| {
            PidFile::create(path).map_err(|error| CannotRun::PidFile { path: path.into(), error })
        })
        .transpose()?;

    let start = format!(
        "{}, {} with receive buffers of {} KiB",
        prepared.says(server.local_addrs()),
        match server.workers() {
            1 => "1 worker".into(),
            workers => format!("{workers} workers"),
        },
        server.receive_buffer() / 1024
    );
    log.give_to(&confinement);
    let foresight = Foresight::new(&settings.options, &prepared);
    let confined = confinement.apply(*prepared.config.ports.start())?;
    let start = format!("{start}; {confined}");
    if let Some(sweep) = prepared.sweep {
        sweep::start(sweep);
    }
    if service.background && logging.file.is_none() {
        tracing::warn!("in the background without --log-file: nothing more will be logged");
    }
    tracing::info!("{start}");
    if confined.is_root {
        tracing::warn!("running as root: --user gives up its rights once the sockets are bound");
    }
    for warning in foresight.warnings(confined.whom()) {
        tracing::warn!("{warning}");
    }
    let control = Control::new(line, settings, prepared.places, log, &server);
    control.watch(signals).map_err(CannotRun::system("cannot watch for signals"))?;
    if let Some(metrics) = metrics {
        metrics.serve(server.counters()).map_err(CannotRun::system("cannot serve the metrics"))?;
    }
    systemd::feed_watchdog(server.pulse())
        .map_err(CannotRun::system("cannot feed the watchdog"))?;
    systemd::ready(&start);
    if let Some(detached) = detached {
        detached.serves().map_err(CannotRun::system("cannot leave the terminal"))?;
    }

    server.run().map_err(CannotRun::system("the poll loop failed"))?;
    tracing::info!("stopped");
    drop(pid_file);
    Ok(())
}

/// Binds the socket of the metrics, and says where it is.
fn metrics(address: SocketAddr) -> Result<Metrics, CannotRun> {
    let bound = Metrics::bind(address)
        .and_then(|metrics| Ok((metrics.address()?, metrics)))
        .map_err(|error| CannotRun::Metrics { address, error })?;
    tracing::info!("metrics at http://{}/metrics", bound.0);
    Ok(bound.1)
}

/// A transfer holds up to three descriptors: as many as the system lets this process have.
#[cfg(unix)]
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(
            error = %tftp_mio::of_the_system(&error.into()),
            "the limit of open files stays as it is"
        );
    }
}

#[cfg(not(unix))]
fn raise_descriptor_limit() {}
