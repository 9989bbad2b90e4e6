//! A running server: when it is ready, and what it has taken of the processors and of memory.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::{Pid, SysconfVar, sysconf},
};

/// How long a server may take to start and to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take a server to lay a transfer down after the client has gone.
const SETTLING: Duration = Duration::from_millis(100);

/// The file by which a server is known to serve.
const PROOF: &str = "proof";

/// A server, or a program that has it as its only child.
pub(crate) struct Daemon {
    child: Child,
    account: Option<Account>,
    server: i32,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Starts a server and waits until it serves. `command` gets a free port and yields the address
    /// that the server will listen on.
    pub(crate) fn start(
        root: &Path,
        command: impl FnOnce(u16) -> (SocketAddr, Command),
    ) -> io::Result<Self> {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (address, mut command) = command(free);
        let proof = root.join(PROOF);
        fs::write(&proof, address.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| about(&command, &error))?;
        let server = child.id().cast_signed();
        let account = Account::open(server).ok();
        let mut daemon = Self { child, account, server, address };
        daemon.await_proof().map_err(|error| about(&command, &error))?;
        fs::remove_file(proof)?;
        Ok(daemon)
    }

    /// The same for a server that another program runs and watches.
    pub(crate) fn start_watched(
        root: &Path,
        command: impl FnOnce(u16) -> (SocketAddr, Command),
    ) -> io::Result<Self> {
        let mut daemon = Self::start(root, command)?;
        let server = children(daemon.server).first().copied();
        daemon.server = server.ok_or_else(|| io::Error::other("the watcher runs nothing"))?;
        Ok(daemon)
    }

    /// Asks for the file that only this server has until it answers, while it lives.
    fn await_proof(&mut self) -> io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let expected = [b"\0\x03\0\x01", self.address.to_string().as_bytes()].concat();
        let request = format!("\0\x01{PROOF}\0octet\0");
        let mut answer = [0; 516];
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended: {status}")));
            }
            socket.send_to(request.as_bytes(), self.address)?;
            let Ok((len, from)) = socket.recv_from(&mut answer) else { continue };
            if answer[..len] != expected {
                return Err(io::Error::other("another server answers there"));
            }
            socket.send_to(b"\0\x04\0\x01", from)?;
            thread::sleep(SETTLING);
            return Ok(());
        }
        Err(io::Error::other("it does not serve"))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.server
    }

    /// Seconds of processor time that it, its threads and its children have taken so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let booked = self.account.as_ref().and_then(Account::cpu_seconds);
        booked.unwrap_or_else(|| {
            family(self.server).into_iter().map(|pid| own_cpu(pid) + reaped_cpu(pid)).sum()
        })
    }

    /// The same, once it has laid everything down.
    pub(crate) fn settled_cpu_seconds(&self) -> f64 {
        thread::sleep(SETTLING);
        self.cpu_seconds()
    }

    /// The most memory that it and its living children have had resident, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        family(self.server).into_iter().map(|pid| status_kib(pid, "VmHWM")).sum()
    }

    /// Ends it, and waits for that.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        kill(Pid::from_raw(self.server), Signal::SIGTERM)?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        // What it has left behind goes with it.
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // All fail for a server that has ended, which is no matter.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.server), Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A control group of a server's own, where the kernel books the time of children too that nobody
/// waits for, as those of tftpd-hpa.
struct Account(PathBuf);

impl Account {
    /// Opens one for a process and the children that it will have. It takes root and a mounted cgroup2.
    fn open(pid: i32) -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let folder = fields.next()?;
            (fields.next()? == "cgroup2").then_some(folder)
        });
        let mount = mount.ok_or(io::ErrorKind::NotFound)?;
        let account = Self(Path::new(mount).join(format!("tftp-compare-{pid}")));
        fs::create_dir(&account.0)?;
        fs::write(account.0.join("cgroup.procs"), pid.to_string())?;
        Ok(account)
    }

    fn cpu_seconds(&self) -> Option<f64> {
        let stat = fs::read_to_string(self.0.join("cpu.stat")).ok()?;
        let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        micros.parse().ok().map(|micros| Duration::from_micros(micros).as_secs_f64())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // The last process of the group may still be on its way out.
        let gone = (0..100).any(|_| {
            let removed = fs::remove_dir(&self.0).is_ok();
            if !removed {
                thread::sleep(Duration::from_millis(5));
            }
            removed
        });
        if !gone {
            eprintln!("{} is left behind", self.0.display());
        }
    }
}

/// A line of `/proc/PID/status`, in KiB.
pub(crate) fn status_kib(pid: i32, key: &str) -> u64 {
    let Ok(status) = fs::File::open(format!("/proc/{pid}/status")) else { return 0 };
    let line = BufReader::new(status)
        .lines()
        .map_while(Result::ok)
        .find(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// A process and its living children.
fn family(pid: i32) -> Vec<i32> {
    let mut family = vec![pid];
    let mut known = 0;
    while let Some(&pid) = family.get(known) {
        family.extend(children(pid));
        known += 1;
    }
    family
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>())
        .collect()
}

/// What a process with all its threads, also those that have ended, has taken.
fn own_cpu(pid: i32) -> f64 {
    let time = clock_getcpuclockid(Pid::from_raw(pid)).and_then(clock_gettime);
    time.map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

/// What the children that a process has waited for have taken, in the kernel's hundredths of a second.
fn reaped_cpu(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything, come the state and eleven numbers more.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u32 = fields.skip(13).take(2).flat_map(str::parse::<u32>).sum();
    let second =
        sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok());
    f64::from(ticks) / f64::from(second.unwrap_or(100))
}

fn about(command: &Command, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", command.get_program().display()))
}
