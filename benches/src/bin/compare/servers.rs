//! The servers: how each is started.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

use crate::install::Programs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Ours,
    Floor,
    TftpdHpa,
    Atftpd,
    Dnsmasq,
    RsTftpd,
    Rtftpd,
    RTftpd,
}

impl Server {
    /// The servers of others.
    pub(crate) const PEERS: [Self; 6] =
        [Self::RsTftpd, Self::RTftpd, Self::Rtftpd, Self::Atftpd, Self::TftpdHpa, Self::Dnsmasq];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "tftpd",
            Self::Floor => "floor",
            Self::TftpdHpa => "tftpd-hpa",
            Self::Atftpd => "atftpd",
            Self::Dnsmasq => "dnsmasq",
            Self::RsTftpd => "rs-tftpd",
            Self::Rtftpd => "rtftpd",
            Self::RTftpd => "r-tftpd",
        }
    }

    pub(crate) fn is_peer(self) -> bool {
        !matches!(self, Self::Ours | Self::Floor)
    }

    /// Whether it takes uploads at all.
    pub(crate) fn stores(self) -> bool {
        !matches!(self, Self::Dnsmasq | Self::RTftpd)
    }

    /// Where it is to listen: at a free port that the caller found, but for one that knows only 69.
    pub(crate) fn address(self, free_port: u16) -> SocketAddr {
        match self {
            // An address that nobody else has.
            Self::Dnsmasq => SocketAddr::from((Ipv4Addr::new(127, 0, 69, 69), 69)),
            _ => SocketAddr::from((Ipv4Addr::LOCALHOST, free_port)),
        }
    }

    /// The command that serves `root` in the foreground and logs nothing it need not.
    pub(crate) fn command(self, programs: &Programs, address: SocketAddr, root: &Path) -> Command {
        let mut command = Command::new(programs.server(self));
        let port = address.port().to_string();
        match self {
            Self::Ours => command
                .args(["--quiet", "--write", "overwrite", "--listen", &address.to_string()])
                .arg(root),
            Self::Floor => command.args(["serve", "--listen", &address.to_string()]).arg(root),
            Self::TftpdHpa => command
                .args(["--foreground", "--user", "root", "--secure", "--create", "--permissive"])
                .args(["--address", &address.to_string()])
                .arg(root),
            Self::Atftpd => command
                .args(["--daemon", "--no-fork", "--user", "root", "--group", "root"])
                .args(["--logfile", "/dev/null", "--verbose=3", "--maxthread", "2000"])
                .args(["--bind-address", "127.0.0.1", "--port", &port])
                .arg(root),
            Self::Dnsmasq => command
                .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="])
                .args(["--user=root", "--port=0", "--quiet-tftp", "--log-facility=/dev/null"])
                .args(["--bind-interfaces", "--enable-tftp", "--tftp-max=2000"])
                .arg(format!("--listen-address={}", address.ip()))
                .arg(format!("--tftp-root={}", root.display())),
            Self::RsTftpd => command
                .args(["-i", "127.0.0.1", "-p", &port, "--overwrite", "-q", "-q", "-d"])
                .arg(root),
            // Two threads, as it comes, would keep most of many clients waiting.
            Self::Rtftpd => {
                command.args(["-u", "0", "-g", "0", "-t", "1000", "-p", &port]).arg(root)
            }
            Self::RTftpd => command
                .args(["-l", "127.0.0.1", "-p", &port, "-m", "2000", "--disable-proxy"])
                .env("RUST_LOG", "error")
                .current_dir(root),
        };
        command
    }
}
