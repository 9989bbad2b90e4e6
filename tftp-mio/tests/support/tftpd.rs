//! Our server, run as a child for one test.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wait_timeout::ChildExt as _;

/// Far above what anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `tftpd` on a port of its own that serves a new folder.
pub(crate) struct Server {
    child: Child,
    addresses: Vec<SocketAddr>,
    root: TempDir,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Takes uploads under new names, on IPv4 only.
    pub(crate) fn start() -> Self {
        Self::with(["--write", "create"])
    }

    /// Adds these options. Where they do not say otherwise it listens on 127.0.0.1 only, and ends
    /// transfers that still run when it is stopped.
    pub(crate) fn with<I: AsRef<OsStr>>(options: impl IntoIterator<Item = I>) -> Self {
        Self::serving(TempDir::new().expect("a folder to serve"), options)
    }

    /// Serves a folder that is there already.
    pub(crate) fn serving<I: AsRef<OsStr>>(
        root: TempDir,
        options: impl IntoIterator<Item = I>,
    ) -> Self {
        let mut command = command(options);
        command.arg(root.path());
        Self::run(root, command)
    }

    /// Runs a command line that [`command`] has begun.
    pub(crate) fn run(root: TempDir, mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tftpd starts");
        let log = Arc::<Log>::default();
        let stderr = child.stderr.take().expect("a pipe from stderr");
        let reader = Some(thread::spawn({
            let log = Arc::clone(&log);
            move || log.fill(stderr)
        }));
        let mut server = Self { child, addresses: Vec::new(), root, log, reader };
        server.addresses = addresses_in(&server.log_line("listening on "));
        assert!(!server.addresses.is_empty(), "no address in the start line");
        server
    }

    /// The first port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.addresses[0].port()
    }

    /// Where it is reached over IPv4, when it listens on 127.0.0.1 or on a wildcard.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// The addresses of the start line.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The folder that it serves.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The first line of the log that holds `text`; waits for it.
    #[track_caller]
    pub(crate) fn log_line(&self, text: &str) -> String {
        let found = self.log.wait_for(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no line with {text:?} in the log:\n{}", self.log.text()))
    }

    /// Waits until the log has so many lines that fit.
    #[track_caller]
    pub(crate) fn log_lines(&self, count: usize, fits: impl Fn(&str) -> bool) {
        let enough = self.log.wait_until(|lines| {
            (lines.iter().filter(|line| fits(line)).count() >= count).then_some(())
        });
        assert!(enough.is_some(), "not {count} such lines in the log:\n{}", self.log.text());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child to signal");
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait_timeout(PATIENCE).expect("waiting for a child");
        status.expect("tftpd ends")
    }

    /// Asks it to stop, as a service manager does, and expects that it does so in peace. Returns
    /// what it has logged.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        self.stopped()
    }

    /// Expects the peaceful end that was asked for before. Returns what it has logged.
    #[track_caller]
    pub(crate) fn stopped(&mut self) -> String {
        let status = self.wait();
        assert!(status.success(), "tftpd ended with {status}");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader of the log");
        }
        let log = self.log.text();
        assert!(!log.contains("panicked"), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail for a server that has stopped, which is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if thread::panicking() {
            eprintln!("tftpd said:\n{}", self.log.text());
        }
    }
}

/// The command line of a `tftpd` that a test can run: what is missing is the folder.
pub(crate) fn command<I: AsRef<OsStr>>(options: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tftpd"));
    command.args(options);
    let given = |option: &str| command.get_args().any(|argument| argument == option);
    let (listen, grace) = (given("--listen"), given("--grace"));
    if !listen {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !grace {
        command.args(["--grace", "0"]);
    }
    command
}

/// What the server has said so far.
#[derive(Default)]
struct Log {
    lines: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn fill(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
            self.changed.notify_all();
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_all();
    }

    /// The first line that fits; `None` when none came in time, or can come any more.
    fn wait_for(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        self.wait_until(|lines| lines.iter().find(|line| fits(line)).cloned())
    }

    /// What `find` finds in the lines once it does.
    fn wait_until<T>(&self, find: impl Fn(&[String]) -> Option<T>) -> Option<T> {
        let give_up = Instant::now() + PATIENCE;
        let mut said = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = find(&said.lines) {
                return Some(found);
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if said.ended || left.is_zero() {
                return None;
            }
            (said, _) =
                self.changed.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }
}

/// The addresses in `listening on 127.0.0.1:1234, [::1]:1234; ...`.
fn addresses_in(line: &str) -> Vec<SocketAddr> {
    let Some((_, rest)) = line.split_once("listening on ") else { return Vec::new() };
    let list = rest.split(';').next().unwrap_or(rest);
    list.split(", ").filter_map(|address| address.parse().ok()).collect()
}
