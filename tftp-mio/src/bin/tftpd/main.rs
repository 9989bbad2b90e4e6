//! `tftpd`: serves a folder until it is told to stop.

mod confine;
mod options;
mod sweep;

use std::{
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    sync::Arc,
    thread,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use tftp_mio::{
    server::{BindError, Config, Server, Stopper},
    storage::{Folder, WritePolicy},
};

use confine::{Confinement, Need, Purpose};
use options::{CommandLine, Log, Misuse, Options};

/// Stopped as asked.
const STOPPED: u8 = 0;
/// Failed while starting or running.
const FAILED: u8 = 1;
/// Wrong usage or configuration, as clap has it too.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match CommandLine::of_process().read() {
        Ok(options) => options,
        // Help and version are among them, and no misuse.
        Err(Misuse::CommandLine(error)) => error.exit(),
        Err(Misuse::File(faults)) => {
            eprintln!("{faults}");
            return ExitCode::from(USAGE);
        }
    };
    start_log(&options.log);
    ExitCode::from(serve(&options))
}

fn serve(options: &Options) -> u8 {
    let files = &options.files;
    let root = match files.root.canonicalize() {
        Ok(root) => root,
        Err(error) => {
            eprintln!("tftpd: cannot serve {}: {error}", files.root.display());
            return USAGE;
        }
    };
    let folder = match Folder::open(&root, files.uploads()) {
        Ok(folder) => Arc::new(folder),
        Err(error) => {
            eprintln!("tftpd: cannot serve {}: {error}", root.display());
            return USAGE;
        }
    };
    let needs = [served(&root, files.write_policy())];
    let confinement = match Confinement::prepare(&options.confinement, &needs) {
        Ok(confinement) => confinement,
        Err(error) => {
            eprintln!("tftpd: {error}");
            return USAGE;
        }
    };
    let config = options.config();
    raise_descriptor_limit();
    let server = match Server::bind(&config, Arc::clone(&folder) as _) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("tftpd: {error}{}", advice(&error));
            return FAILED;
        }
    };
    let confined = match confinement.apply(*config.ports.start()) {
        Ok(confined) => confined,
        Err(error) => {
            eprintln!("tftpd: {error}");
            return FAILED;
        }
    };
    if let Err(error) = folder.reach() {
        eprintln!("tftpd: cannot serve {} {confined}: {error}", root.display());
        return FAILED;
    }
    if let Err(error) = stop_on_signals(server.stopper()) {
        eprintln!("tftpd: cannot watch for signals: {error}");
        return FAILED;
    }
    let uploads = match files.write_policy() {
        WritePolicy::Never => "read-only",
        WritePolicy::Create => "uploads under new names",
        WritePolicy::Overwrite => "uploads may replace files",
    };
    tracing::info!("serving {} ({uploads}), {}; {confined}", root.display(), how(&server, &config));
    if confined.is_root {
        tracing::warn!("running as root: --user gives up its rights once the sockets are bound");
    }
    if files.write_policy() != WritePolicy::Never {
        sweep::start(&folder);
    }
    match server.run() {
        Ok(()) => {
            tracing::info!("stopped");
            STOPPED
        }
        Err(error) => {
            eprintln!("tftpd: the poll loop failed: {error}");
            FAILED
        }
    }
}

/// The folder that is served, as something that the process needs.
fn served(root: &Path, policy: WritePolicy) -> Need {
    let purpose = if policy == WritePolicy::Never { Purpose::Read } else { Purpose::Store };
    Need { folder: root.into(), purpose }
}

/// Where and how, for the start line.
fn how(server: &Server, config: &Config) -> String {
    let addresses: Vec<String> = server.local_addrs().iter().map(ToString::to_string).collect();
    format!(
        "listening on {}; transfer ports {}-{}, blksize up to {}, windowsize up to {}",
        addresses.join(", "),
        config.ports.start(),
        config.ports.end(),
        config.limits.max_block_size.get(),
        config.limits.max_window_size.get(),
    )
}

/// What to do about a socket that cannot be bound.
fn advice(error: &BindError) -> String {
    let (address, source) = match error {
        BindError::Listen { address, source } => (address, source),
        BindError::Ports { .. } => {
            return "\nPorts below 1024 need privileges. Choose others with --ports, or run tftpd as \
                    root."
                .into();
        }
        _ => return String::new(),
    };
    match source.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "\nPorts below 1024 need privileges. Run tftpd as root, or give the program the right \
             once with\n  setcap cap_net_bind_service=+ep $(command -v tftpd)\nor take another \
             port, such as --listen '{}'",
            std::net::SocketAddr::new(address.ip(), 6969)
        ),
        io::ErrorKind::AddrInUse => {
            "\nAnother program listens there. `ss -ulnp` shows which; --listen takes another \
             address or port."
                .into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "\nNo interface of this machine has that address.".into()
        }
        _ => String::new(),
    }
}

/// A transfer holds up to three descriptors: as many as the system lets this process have.
#[cfg(unix)]
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
fn raise_descriptor_limit() {}

/// TERM and INT stop the server, a second one at once.
fn stop_on_signals(stopper: Stopper) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new().name("tftpd-signals".into()).spawn(move || {
        for _ in signals.forever() {
            stopper.stop();
        }
    })?;
    Ok(())
}

fn start_log(log: &Log) {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(log.level())
        .with_ansi(colour)
        .with_target(false)
        // It would be said on the very stream that cannot be written, and panic.
        .log_internal_errors(false)
        .init();
}
