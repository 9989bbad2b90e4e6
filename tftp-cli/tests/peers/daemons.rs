//! The servers of others, each run as a child for one test.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::harness::{peer, run};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running server with a folder of its own.
pub(crate) struct Daemon {
    child: Child,
    port: u16,
    root: TempDir,
    /// Where it runs, and its clients must: removed after the child has ended.
    namespace: Option<Namespace>,
}

/// tftp-hpa's server, in its chroot, with leave to create files.
pub(crate) fn tftpd_hpa() -> Daemon {
    tftpd_hpa_with(&[])
}

/// The same with rules for names.
pub(crate) fn tftpd_hpa_with_map(rules: &Path) -> Daemon {
    tftpd_hpa_with(&["--map-file".as_ref(), rules.as_os_str()])
}

fn tftpd_hpa_with(options: &[&OsStr]) -> Daemon {
    on_free_port(|port, root| {
        let mut command = Command::new(peer("tftpd-hpa"));
        command
            .args(["--foreground", "--user", "root", "--secure", "--create", "--permissive"])
            .args(["--address", &format!("127.0.0.1:{port}")])
            .args(options)
            .arg(root);
        command
    })
}

pub(crate) fn atftpd() -> Daemon {
    on_free_port(|port, root| {
        let mut command = Command::new(peer("atftpd"));
        command
            .args(["--daemon", "--no-fork", "--user", "root", "--group", "root", "--logfile", "-"])
            .args(["--bind-address", "127.0.0.1", "--port", &port.to_string()])
            .arg(root);
        command
    })
}

/// dnsmasq, which only reads. Its port 69 is compiled in, so it runs in a network namespace.
pub(crate) fn dnsmasq() -> Daemon {
    let namespace = Namespace::new();
    let root = TempDir::new().expect("a folder to serve");
    let mut child = namespace
        .command(peer("dnsmasq"))
        .args(["--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--port=0"])
        .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--enable-tftp"])
        .arg(format!("--tftp-root={}", root.path().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dnsmasq starts");

    // It says so when its sockets are bound.
    let stderr = BufReader::new(child.stderr.take().expect("a pipe from stderr"));
    let (sender, ready) = mpsc::channel();
    thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if line.contains("TFTP root is") {
                sender.send(()).expect("the test waits");
            }
        }
    });
    let daemon = Daemon { child, port: 69, root, namespace: Some(namespace) };
    ready.recv_timeout(PATIENCE).expect("dnsmasq starts to serve");
    daemon
}

impl Daemon {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder that it serves.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A command that can reach it.
    pub(crate) fn command(&self, program: &str) -> Command {
        match &self.namespace {
            Some(namespace) => namespace.command(program.into()),
            None => Command::new(program),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail for a daemon that has ended, which is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a daemon on a port that was free a moment before; another one when it was taken meanwhile.
fn on_free_port(command: impl Fn(u16, &Path) -> Command) -> Daemon {
    let root = TempDir::new().expect("a folder to serve");
    let proof = root.path().join("proof");
    fs::write(&proof, root.path().as_os_str().as_encoded_bytes()).expect("a file to serve");
    let (port, child) = (0..5)
        .find_map(|_| {
            let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let port = free.local_addr().expect("a bound socket").port();
            drop(free);
            let mut command = command(port, root.path());
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = child.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
            if serves_proof(port, root.path(), &mut child) {
                return Some((port, child));
            }
            let _ = child.kill();
            child.wait().expect("waiting for a child");
            None
        })
        .expect("a daemon that serves");
    fs::remove_file(proof).expect("our own file");
    Daemon { child, port, root, namespace: None }
}

/// Asks for the file that only this daemon has until it answers, while it lives.
fn serves_proof(port: u16, root: &Path, child: &mut Child) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let turn = Some(Duration::from_millis(200));
    socket.set_read_timeout(turn).expect("a read time-out");
    let expected = [b"\0\x03\0\x01", root.as_os_str().as_encoded_bytes()].concat();
    let mut answer = [0; 516];
    for _ in 0..150 {
        if child.try_wait().expect("waiting for a child").is_some() {
            return false;
        }
        let request = b"\0\x01proof\0octet\0";
        socket.send_to(request, (Ipv4Addr::LOCALHOST, port)).expect("loopback");
        if let Ok((len, from)) = socket.recv_from(&mut answer) {
            socket.send_to(b"\0\x04\0\x01", from).expect("loopback");
            return answer[..len] == expected;
        }
    }
    false
}

/// A network namespace with nothing but a loopback.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tftp-peers-{}-{number}", process::id());
        run(Command::new("ip").args(["netns", "add", &name])).succeeded();
        let namespace = Self { name };
        run(Command::new("ip").args(["-n", &namespace.name, "link", "set", "lo", "up"]))
            .succeeded();
        namespace
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let removed: io::Result<_> = Command::new("ip").args(["netns", "del", &self.name]).status();
        if !removed.is_ok_and(|status| status.success()) {
            eprintln!("the network namespace {} is left behind", self.name);
        }
    }
}
