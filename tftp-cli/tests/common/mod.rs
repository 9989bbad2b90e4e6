//! The program under test, and a server that does what a test tells it.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Longer than anything here takes; only a test that fails ever waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A run of `tftp` in a folder of its own.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs `tftp` in `folder` with `input` piped in.
pub(crate) fn tftp<A: AsRef<OsStr>>(
    folder: &Path,
    args: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Run {
    let mut child = spawn(folder, args);
    // A program that has nothing to read may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input);
    Run::of(child)
}

/// Starts `tftp` in `folder`, with all its streams piped.
pub(crate) fn spawn<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Child {
    // Under nohup, and in some CI, SIGHUP is ignored by all that is started.
    let mut command = if cfg!(target_os = "linux") {
        let mut env = Command::new("env");
        env.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_tftp")]);
        env
    } else {
        Command::new(env!("CARGO_BIN_EXE_tftp"))
    };
    command
        .args(args)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends a signal, such as `-INT`.
#[cfg(unix)]
pub(crate) fn kill(signal: &str, child: &Child) {
    let mut kill = Command::new("kill");
    let kill = kill.args([signal, &child.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

impl Run {
    /// Waits for the end of a run.
    pub(crate) fn of(child: Child) -> Self {
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        Self {
            status: status.code().expect("ended by itself"),
            stdout,
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Asserts the exit status, and shows what was said if it is another.
    #[track_caller]
    pub(crate) fn ends_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stderr: {}", self.stderr);
        self
    }

    /// What was printed, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }
}

/// Names of the entries of a folder.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A socket that takes requests, and the thread that answers them.
pub(crate) struct Server {
    pub(crate) port: String,
    script: JoinHandle<Listener>,
}

impl Server {
    /// Starts a server on a free port that does what `script` says.
    pub(crate) fn start(script: impl FnOnce(&mut Listener) + Send + 'static) -> Self {
        Self::start_on("127.0.0.1", script)
    }

    /// The same on an address of this machine.
    pub(crate) fn start_on(
        address: &'static str,
        script: impl FnOnce(&mut Listener) + Send + 'static,
    ) -> Self {
        let mut listener = Listener { socket: Socket::bind(address), address };
        let port = listener.socket.port();
        let script = thread::spawn(move || {
            script(&mut listener);
            listener
        });
        Self { port, script }
    }

    /// A server that sends the first block of `a`, tells so, and then waits for the ERROR of a user
    /// who has had enough.
    pub(crate) fn stalling() -> (Self, Receiver<()>) {
        let (running, wait) = channel();
        let server = Self::start(move |listener| {
            let mut peer = listener.accept(b"\0\x01a\0octet\0");
            peer.send_data(1, &[0; 512]);
            peer.expect_ack(1);
            running.send(()).unwrap();
            assert_eq!(peer.receive(), b"\0\x05\0\0cancelled by the user\0");
        });
        (server, wait)
    }

    /// Runs `tftp 127.0.0.1 PORT ARGS` and then waits for the script's end.
    #[track_caller]
    pub(crate) fn run(self, folder: &Path, args: &[&str], input: &[u8]) -> Run {
        let run = tftp(folder, ["127.0.0.1", &self.port].iter().chain(args), input);
        self.finish();
        run
    }

    /// Whether the script comes to its end, and not by failing, soon after the program's own.
    pub(crate) fn ends_well(self) -> bool {
        let (script, (done, end)) = (self.script, channel());
        thread::spawn(move || done.send(script.join().is_ok()));
        end.recv_timeout(Duration::from_secs(1)).unwrap_or(false)
    }

    /// Waits for the script's end, after the program's own; what failed there fails here, and so
    /// does a request that the script did not take.
    #[track_caller]
    pub(crate) fn finish(self) {
        match self.script.join() {
            Ok(listener) => assert_eq!(listener.socket.left_over(), None, "not in the script"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Where requests arrive.
pub(crate) struct Listener {
    socket: Socket,
    address: &'static str,
}

impl Listener {
    /// Takes a request, which must be `expected`, and answers from a port of its own.
    #[track_caller]
    pub(crate) fn accept(&mut self, expected: &[u8]) -> Peer {
        let (request, peer) = self.accept_any();
        assert_eq!(shown(&request), shown(expected));
        peer
    }

    /// Takes a request and answers from a port of its own.
    pub(crate) fn accept_any(&mut self) -> (Vec<u8>, Peer) {
        let (request, address) = self.socket.receive();
        let socket = Socket::bind(self.address);
        (request, Peer { socket, address })
    }
}

impl Listener {
    /// Takes a request that is not one of the last client once more, and the port it came from.
    pub(crate) fn accept_new(&mut self) -> (Vec<u8>, u16) {
        let (request, address) = self.socket.receive();
        (request, address.port())
    }
}

/// A server's end of one transfer.
pub(crate) struct Peer {
    socket: Socket,
    address: SocketAddr,
}

impl Peer {
    pub(crate) fn send(&self, packet: &[u8]) {
        self.socket.udp.send_to(packet, self.address).unwrap();
    }

    pub(crate) fn send_data(&self, block: u16, bytes: &[u8]) {
        self.send(&[&[0, 3], &block.to_be_bytes()[..], bytes].concat());
    }

    pub(crate) fn send_error(&self, code: u16, text: &[u8]) {
        self.send(&[&[0, 5], &code.to_be_bytes()[..], text, &[0]].concat());
    }

    pub(crate) fn send_ack(&self, block: u16) {
        self.send(&[&[0, 4], &block.to_be_bytes()[..]].concat());
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        self.socket.receive().0
    }

    /// Takes the next packet, which must be the ACK of that block.
    #[track_caller]
    pub(crate) fn expect_ack(&mut self, block: u16) {
        assert_eq!(self.receive(), [&[0, 4], &block.to_be_bytes()[..]].concat());
    }

    /// Takes the next packet, which must be the last one once more.
    #[track_caller]
    pub(crate) fn expect_the_same_again(&mut self) {
        let packet = self.socket.next().expect("a packet in time");
        assert_eq!(Some(packet), self.socket.last);
    }

    /// Takes the next packet that is an ERROR; what is repeated before it is passed over.
    #[track_caller]
    pub(crate) fn expect_error(&mut self) {
        while !self.receive().starts_with(b"\0\x05") {}
    }

    /// Whether the client has sent an ERROR by now. Takes a moment to look.
    pub(crate) fn has_given_up(&mut self) -> bool {
        self.socket.udp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let given_up = self.socket.next().is_ok_and(|(packet, _)| packet.starts_with(b"\0\x05"));
        self.socket.udp.set_read_timeout(Some(PATIENCE)).unwrap();
        given_up
    }

    /// Takes the next packet, which must be that DATA.
    #[track_caller]
    pub(crate) fn expect_data(&mut self, block: u16, bytes: &[u8]) {
        let expected = [&[0, 3], &block.to_be_bytes()[..], bytes].concat();
        assert!(self.receive() == expected, "not DATA {block} as expected");
    }

    /// Sends `file` as a server of RFC 1350 does.
    #[track_caller]
    pub(crate) fn serve(&mut self, file: &[u8]) {
        for block in 1..=file.len() / 512 + 1 {
            let bytes = file.chunks(512).nth(block - 1).unwrap_or_default();
            let block = u16::try_from(block).unwrap();
            self.send_data(block, bytes);
            self.expect_ack(block);
        }
    }
}

/// Somebody else who sends to the client of `peer`, from an address of this machine.
pub(crate) fn stranger(address: &str, peer: &Peer) -> Peer {
    Peer { socket: Socket::bind(address), address: peer.address }
}

/// A socket that hears a packet once, however often it is sent again: on a busy machine the program
/// may run out of patience before the script gets to its turn.
struct Socket {
    udp: UdpSocket,
    last: Option<(Vec<u8>, SocketAddr)>,
}

impl Socket {
    fn bind(address: &str) -> Self {
        let udp = UdpSocket::bind((address, 0)).unwrap();
        udp.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { udp, last: None }
    }

    fn port(&self) -> String {
        self.udp.local_addr().unwrap().port().to_string()
    }

    fn receive(&mut self) -> (Vec<u8>, SocketAddr) {
        loop {
            let packet = self.next().expect("a packet in time");
            if self.last.as_ref() != Some(&packet) {
                self.last = Some(packet.clone());
                return packet;
            }
        }
    }

    /// What has arrived and was not received, other than repetitions.
    fn left_over(&self) -> Option<String> {
        self.udp.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.next().ok())
            .find(|packet| self.last.as_ref() != Some(packet))
            .map(|(packet, _)| shown(&packet))
    }

    fn next(&self) -> io::Result<(Vec<u8>, SocketAddr)> {
        let mut packet = vec![0; 65536];
        let (len, address) = self.udp.recv_from(&mut packet)?;
        packet.truncate(len);
        Ok((packet, address))
    }
}

fn shown(packet: &[u8]) -> String {
    packet.escape_ascii().to_string()
}
