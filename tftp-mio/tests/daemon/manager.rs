//! A service manager that is nothing but the socket on which it is told how a service fares.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, ExitStatus},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wait_timeout::ChildExt as _;

/// Far above what anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the socket");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out above zero");
        Self { folder, socket }
    }

    /// A folder of the test's own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a service, which will tell us when it is ready.
    pub(crate) fn start(&self, command: &mut Command) -> Service {
        let socket = self.folder.path().join("notify");
        let said = File::options().append(true).create(true).open(self.folder.path().join("said"));
        command.env("NOTIFY_SOCKET", socket).stderr(said.expect("a file for what it says"));
        Service(command.spawn().expect("it starts"))
    }

    /// The next message with this line in it; all others are passed over.
    #[track_caller]
    pub(crate) fn told(&self, line: &str) -> String {
        loop {
            let mut message = [0; 4096];
            let len = match self.socket.recv(&mut message) {
                Ok(len) => len,
                // A child of another test has ended.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("nobody has told {line}: {error}"),
            };
            let message = std::str::from_utf8(&message[..len]).expect("text");
            if message.lines().any(|found| found == line) {
                return message.to_owned();
            }
        }
    }

    /// Waits until the service is ready, and returns where it is reached over IPv4.
    #[track_caller]
    pub(crate) fn ready(&self) -> SocketAddr {
        let message = self.told("READY=1");
        let (_, rest) = message.split_once("listening on ").expect("the start line");
        let address: SocketAddr =
            rest.split([';', ',']).next().and_then(|text| text.parse().ok()).expect("an address");
        (Ipv4Addr::LOCALHOST, address.port()).into()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if thread::panicking()
            && let Ok(said) = fs::read_to_string(self.folder.path().join("said"))
        {
            eprintln!("the service said:\n{said}");
        }
    }
}

/// A process that ends with the test.
pub(crate) struct Service(pub(crate) Child);

impl Service {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("a child to signal");
    }

    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait_timeout(PATIENCE).expect("waiting for a child").expect("it ends")
    }

    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "it ended with {status}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail for one that has stopped, which is no matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
