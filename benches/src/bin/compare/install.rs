//! Where the programs are, and how those of others get there.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::servers::Server;

/// Crates with servers and clients of others, and the features that bring all their programs.
const CRATES: [(&str, &[&str]); 3] =
    [("tftpd", &["--features", "client"]), ("rtftp", &[]), ("r-tftpd", &[])];

/// The folders that hold the programs.
#[derive(Debug)]
pub(crate) struct Programs {
    ours: PathBuf,
    debian: PathBuf,
    crates: PathBuf,
}

impl Programs {
    /// Finds our programs beside this one, and those of others in the target folder.
    pub(crate) fn find() -> io::Result<Self> {
        let this = env::current_exe()?;
        let ours = this.parent().unwrap_or(Path::new(".")).to_owned();
        let target = ours.parent().unwrap_or(Path::new("."));
        Ok(Self { debian: target.join("peers"), crates: target.join("peer-crates"), ours })
    }

    /// Installs the programs of others that are not there yet.
    pub(crate) fn install(&self) -> io::Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/peers.sh");
        succeed(Command::new(script).arg(&self.debian))?;
        for (name, features) in CRATES {
            succeed(
                Command::new("cargo")
                    .args(["install", "--quiet", "--locked", name])
                    .args(features)
                    .arg("--root")
                    .arg(&self.crates)
                    .env("CARGO_TARGET_DIR", self.crates.join("build")),
            )?;
        }
        Ok(())
    }

    pub(crate) fn server(&self, server: Server) -> PathBuf {
        match server {
            Server::Ours => self.our("tftpd"),
            Server::Floor => self.our("tftp-floor"),
            Server::TftpdHpa => self.debian("tftpd-hpa"),
            Server::Atftpd => self.debian("atftpd"),
            Server::Dnsmasq => self.debian("dnsmasq"),
            Server::RsTftpd => self.crates_io("tftpd"),
            Server::Rtftpd => self.crates_io("rtftpd"),
            Server::RTftpd => self.crates_io("r-tftpd"),
        }
    }

    /// Where everything is built.
    pub(crate) fn target(&self) -> &Path {
        self.ours.parent().unwrap_or(Path::new("."))
    }

    /// A program of this workspace.
    pub(crate) fn our(&self, name: &str) -> PathBuf {
        self.ours.join(name)
    }

    /// A program that Debian packages.
    pub(crate) fn debian(&self, name: &str) -> PathBuf {
        self.debian.join("bin").join(name)
    }

    /// A program that was installed from a crate.
    pub(crate) fn crates_io(&self, name: &str) -> PathBuf {
        self.crates.join("bin").join(name)
    }
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let status = command.stdout(io::stderr()).status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?} failed: {status}")))
}
