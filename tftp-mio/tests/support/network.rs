//! Two hosts and a cable between them, made for one test: network namespaces with a pair of virtual
//! interfaces. It takes root.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    os::fd::AsFd as _,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The two hosts; gone when dropped. Each has an interface `cable`.
pub(crate) struct Network {
    pub(crate) server: Host,
    pub(crate) client: Host,
}

impl Network {
    /// The server has 10.69.0.1 and `fe80::1`, the client 10.69.0.2 and `fe80::2`.
    pub(crate) fn new() -> Self {
        let network = Self { server: Host::new(), client: Host::new() };
        let [server, client] = [&network.server, &network.client].map(|host| host.id().to_string());
        #[rustfmt::skip]
        let cable = [
            "link", "add", "cable", "netns", &server,
            "type", "veth", "peer", "name", "cable", "netns", &client,
        ];
        succeed(Command::new("ip").args(cable));
        for (host, number) in [(&network.server, 1), (&network.client, 2)] {
            // Only the addresses that are given, and those at once.
            host.ip("link set cable addrgenmode none");
            host.ip("link set cable up");
            host.ip("link set lo up");
            host.ip(&format!("addr add 10.69.0.{number}/24 broadcast + dev cable"));
            host.ip(&format!("addr add fe80::{number}/64 dev cable nodad"));
        }
        network
    }
}

/// One host: a process that does nothing but be there.
pub(crate) struct Host(Child);

impl Host {
    fn new() -> Self {
        // It ends with us, whatever becomes of us: its input is our pipe.
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sh", "-c", "echo; exec cat"]);
        let mut child =
            holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "\n", "a network namespace takes root");
        Self(child)
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// Runs `ip` on it.
    #[track_caller]
    pub(crate) fn ip(&self, words: &str) {
        succeed(self.command("ip").args(words.split(' ')));
    }

    /// The beginning of a command line that runs on it.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.id().to_string(), "--"]).arg(program);
        command
    }

    /// Does something on it: whose sockets are made there are its own.
    #[track_caller]
    pub(crate) fn run<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.id())).expect("its namespace");
        let there = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).expect("root may enter it");
            action()
        };
        thread::scope(|scope| match scope.spawn(there).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let status = command.status().expect("the program runs");
    assert!(status.success(), "{command:?}: {status}");
}
