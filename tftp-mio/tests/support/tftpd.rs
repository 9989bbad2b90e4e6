//! Our server, run as a child for one test.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wait_timeout::ChildExt as _;

const PATIENCE: Duration = Duration::from_secs(30);

/// A `tftpd` on a port of its own that serves a new folder and takes new names.
pub(crate) struct Server {
    child: Child,
    port: u16,
    root: TempDir,
    log: Option<JoinHandle<String>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let root = TempDir::new().expect("a folder to serve");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tftpd"))
            .args(["--listen", "127.0.0.1:0", "--write", "create"])
            .arg(root.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tftpd starts");

        let stderr = BufReader::new(child.stderr.take().expect("a pipe from stderr"));
        let (ports, port) = mpsc::channel();
        let log = thread::spawn(move || {
            let mut log = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(port) = port_in(&line) {
                    // Nobody waits for a second port.
                    let _ = ports.send(port);
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let mut server = Self { child, port: 0, root, log: Some(log) };
        server.port =
            port.recv_timeout(PATIENCE).expect("a line `listening on 127.0.0.1:PORT` from tftpd");
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder that it serves.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Asks it to stop, as a service manager does, and expects that it does so in peace.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a child to signal");
        let status = self.child.wait_timeout(PATIENCE).expect("waiting for a child");
        let status = status.expect("tftpd stops on SIGTERM");
        assert!(status.success(), "tftpd ended with {status} on SIGTERM");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail for a server that has stopped, which is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log.take().and_then(|log| log.join().ok());
        if thread::panicking() {
            eprintln!("tftpd said:\n{}", log.unwrap_or_default());
        }
    }
}

fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}
