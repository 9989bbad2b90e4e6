//! Why the program ends before it has served, or with a failure, and what to do about it.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use tftp_mio::{of_the_system, server::BindError, storage::MapFaults};

use crate::{confine::CannotConfine, log::NoLog, options::Misuse, pid_file::NoPidFile};

/// Stopped as asked.
pub(crate) const STOPPED: u8 = 0;
/// Failed while starting or running.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage or configuration, as clap has it too.
const USAGE: u8 = 2;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotRun {
    #[error(transparent)]
    Misuse(#[from] Misuse),
    #[error("cannot serve {path}: {}", of_the_system(error))]
    Root { path: PathBuf, error: io::Error },
    #[error("cannot deliver mail into {path}: {}", of_the_system(error))]
    Mail { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Map(#[from] MapFaults),
    #[error("{0}")]
    Question(String),
    #[error(
        "the service manager has passed sockets to this process, which --background would leave: \
         run without it"
    )]
    Background,
    #[error(transparent)]
    LogFile(#[from] NoLog),
    #[error("cannot write the pid file {path}: {error}")]
    PidFile { path: PathBuf, error: NoPidFile },
    #[error("{0}{advice}", advice = advice(.0))]
    Bind(#[from] BindError),
    #[error(transparent)]
    Confine(#[from] CannotConfine),
    #[error("cannot serve metrics on {address}: {}", of_the_system(error))]
    Metrics { address: SocketAddr, error: io::Error },
    #[error("{doing}: {}", of_the_system(error))]
    System { doing: &'static str, error: io::Error },
}

impl CannotRun {
    /// Makes an error of what the system says while we are `doing` that.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { doing, error }
    }

    pub(crate) fn root(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Root { path: path.into(), error }
    }

    pub(crate) fn mail(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Mail { path: path.into(), error }
    }

    /// Says it on standard error, and returns the status that the process ends with.
    pub(crate) fn tell(&self) -> ExitCode {
        match self {
            // Help and version are among them, and no misuse.
            Self::Misuse(Misuse::CommandLine(error)) => error.exit(),
            // Each line begins with the place.
            Self::Misuse(Misuse::File(faults)) => eprintln!("{faults}"),
            Self::Map(faults) => eprintln!("{faults}"),
            _ => eprintln!("tftpd: {self}"),
        }
        ExitCode::from(match self {
            Self::Misuse(_)
            | Self::Root { .. }
            | Self::Mail { .. }
            | Self::Map(_)
            | Self::Question(_)
            | Self::Background => USAGE,
            Self::Confine(error) if error.is_misuse() => USAGE,
            _ => FAILED,
        })
    }
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
            SocketAddr::new(address.ip(), 6969)
        ),
        io::ErrorKind::InvalidInput if lacks_interface(address) => format!(
            "\nA link-local address is one of an interface: --listen '[{}%eth0]:{}'",
            address.ip(),
            address.port()
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

fn lacks_interface(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.scope_id() == 0 && v6.ip().is_unicast_link_local())
}
