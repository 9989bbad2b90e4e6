//! Our client and those of others, each with a server that it goes well with.
//!
//! What counts is when the whole file stands under its name: then the user has it. A client may stay
//! longer to repeat its last ACK, which is told beside it.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tftp_benches::Pattern;

use crate::{
    install::Programs,
    process::Daemon,
    run::{Served, median},
    servers::Server,
    workloads::{Load, all},
};

/// The bar beside the floor.
const TIMES_THE_FLOOR: f64 = 1.5;

/// A client that takes longer has failed: some lose a window each round and wait seconds for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often is looked whether the file is there.
const LOOK: Duration = Duration::from_millis(1);

/// The name of the file on the server.
const NAME: &str = "load-0";

/// A transfer by client programs.
pub(crate) struct Race {
    pub(crate) name: &'static str,
    get: bool,
    blksize: u16,
    windowsize: u16,
    size: u64,
}

/// Seconds from the start of a client until the whole file is there, and until the client has ended.
#[derive(Clone, Copy, Debug)]
struct Times {
    there: f64,
    ended: f64,
}

/// A client with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    Ours,
    Floor,
    TftpHpa,
    Atftp,
    AtftpFromRsTftpd,
    Curl,
    RsTftp,
    Rtftp,
}

const PAIRS: [Pair; 8] = [
    Pair::Ours,
    Pair::Floor,
    Pair::RsTftp,
    Pair::Atftp,
    Pair::AtftpFromRsTftpd,
    Pair::Curl,
    Pair::Rtftp,
    Pair::TftpHpa,
];

/// All transfers that clients are compared by.
pub(crate) fn all_races() -> [Race; 4] {
    let race = |name, get, blksize, windowsize, size: u64| Race {
        name,
        get,
        blksize,
        windowsize,
        size: size << 20,
    };
    [
        race("client-get-1428", true, 1428, 64, 256),
        race("client-get-8192", true, 8192, 64, 512),
        race("client-put-1428", false, 1428, 64, 256),
        race("client-put-8192", false, 8192, 64, 512),
    ]
}

impl Race {
    pub(crate) fn title(&self) -> String {
        format!(
            "our client {}, blksize {}, windowsize {}, {} MiB",
            if self.get { "gets" } else { "puts" },
            self.blksize,
            self.windowsize,
            self.size >> 20
        )
    }
}

/// Runs a race, prints it, and returns whether ours is as fast as it should be.
pub(crate) fn hold(
    programs: &Programs,
    race: &Race,
    rounds: usize,
    quick: bool,
) -> io::Result<bool> {
    let race = &Race { size: if quick { race.size / 100 } else { race.size }, ..*race };
    let pairs = if quick { &PAIRS[..2] } else { &PAIRS[..] };
    let load = Load { files: 1, size: race.size, ..all()[0].contestants[0].load };
    let served = Served::with_files_of(load)?;
    let local = Served::with_files_of(load)?;
    let mut times: Vec<Vec<Times>> = pairs.iter().map(|_| Vec::new()).collect();
    let mut failures: Vec<Option<String>> = vec![None; pairs.len()];
    for round in 0..if quick { 1 } else { rounds } {
        for step in 0..pairs.len() {
            let index = (round + step) % pairs.len();
            eprint!("\r{}: round {}, {:20}", race.name, round + 1, pairs[index].label());
            if failures[index].is_none() {
                match pairs[index].run(programs, race, &served, &local) {
                    Ok(time) => times[index].push(time),
                    Err(error) => failures[index] = Some(error.to_string()),
                }
            }
        }
    }
    eprint!("\r{:60}\r", "");

    println!("### {}: {}\n", race.name, race.title());
    println!("| client and server | seconds | MB/s | seconds until the client ends |");
    println!("|---|---:|---:|---:|");
    let mut medians = Vec::new();
    for ((pair, times), failure) in pairs.iter().zip(times).zip(&failures) {
        if let Some(failure) = failure {
            println!("| {} | failed: {failure} | | |", pair.label());
            continue;
        }
        let there = median(times.iter().map(|times| times.there).collect());
        let ended = median(times.iter().map(|times| times.ended).collect());
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let megabytes = race.size as f64 / 1e6;
        println!("| {} | {there:.3} | {:.0} | {ended:.3} |", pair.label(), megabytes / there);
        medians.push((*pair, there));
    }
    println!();
    if quick {
        return Ok(failures.iter().all(Option::is_none));
    }
    Ok(judge(&medians))
}

fn judge(medians: &[(Pair, f64)]) -> bool {
    let of = |wanted: &dyn Fn(Pair) -> bool| {
        let times = medians.iter().filter(|(pair, _)| wanted(*pair)).map(|(_, time)| *time);
        times.min_by(f64::total_cmp).unwrap_or(f64::NAN)
    };
    let ours = of(&|pair| pair == Pair::Ours);
    let floor = ours / of(&|pair| pair == Pair::Floor);
    let peer = ours / of(&|pair| !matches!(pair, Pair::Ours | Pair::Floor));
    let mut all_met = true;
    for (what, ratio, most) in
        [("the floor's", floor, TIMES_THE_FLOOR), ("the fastest other pair's", peer, 1.0)]
    {
        let met = ratio <= most;
        all_met &= met;
        let word = if met { "met" } else { "NOT MET" };
        println!("- {word}: {ratio:.2} x {what} time, at most {most}");
    }
    println!();
    all_met
}

impl Pair {
    fn label(self) -> &'static str {
        match self {
            Self::Ours => "tftp, tftpd",
            Self::Floor => "floor, floor",
            Self::TftpHpa => "tftp-hpa, tftpd-hpa",
            Self::Atftp => "atftp, atftpd",
            Self::AtftpFromRsTftpd => "atftp, rs-tftpd",
            Self::Curl => "curl, rs-tftpd",
            Self::RsTftp => "rs-tftp, rs-tftpd",
            Self::Rtftp => "rtftpc, rtftpd",
        }
    }

    fn server(self) -> Server {
        match self {
            Self::Ours => Server::Ours,
            Self::Floor => Server::Floor,
            Self::TftpHpa => Server::TftpdHpa,
            Self::Atftp => Server::Atftpd,
            Self::AtftpFromRsTftpd | Self::Curl | Self::RsTftp => Server::RsTftpd,
            Self::Rtftp => Server::Rtftpd,
        }
    }

    /// Moves the file once.
    fn run(
        self,
        programs: &Programs,
        race: &Race,
        served: &Served,
        local: &Served,
    ) -> io::Result<Times> {
        let (from, to) = if race.get { (served, local) } else { (local, served) };
        Pattern::default().write(&from.path().join(NAME), 0, race.size)?;
        let arrived = to.path().join(NAME);
        if arrived.exists() {
            fs::remove_file(&arrived)?;
        }
        let daemon = Daemon::start(served.path(), |port| {
            let address = self.server().address(port);
            (address, self.server().command(programs, address, served.path()))
        })?;
        let mut client = self.client(programs, race, daemon.address, local.path());
        client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let mut client = client.spawn()?;
        let mut there = None;
        let status = loop {
            let whole = fs::metadata(&arrived).is_ok_and(|file| file.len() == race.size);
            if there.is_none() && whole {
                there = Some(began.elapsed().as_secs_f64());
            }
            if let Some(status) = client.try_wait()? {
                break status;
            }
            if began.elapsed() > PATIENCE {
                client.kill()?;
                client.wait()?;
                return Err(io::Error::other("not done in half a minute"));
            }
            thread::sleep(LOOK);
        };
        let ended = began.elapsed().as_secs_f64();
        daemon.stop()?;
        if !status.success() {
            return Err(io::Error::other(format!("{status}")));
        }
        if !Pattern::default().is_whole(&arrived, 0, race.size)? {
            return Err(io::Error::other("the file is not what was sent"));
        }
        Ok(Times { there: there.unwrap_or(ended), ended })
    }

    fn client(self, programs: &Programs, race: &Race, server: SocketAddr, local: &Path) -> Command {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        let (blksize, windowsize) = (race.blksize.to_string(), race.windowsize.to_string());
        let verb = if race.get { "get" } else { "put" };
        let mut command = Command::new(match self {
            Self::Ours => programs.our("tftp"),
            Self::Floor => programs.our("tftp-floor"),
            Self::TftpHpa => programs.debian("tftp-hpa"),
            Self::Atftp | Self::AtftpFromRsTftpd => programs.debian("atftp"),
            Self::Curl => programs.debian("curl"),
            Self::RsTftp => programs.crates_io("tftpc"),
            Self::Rtftp => programs.crates_io("rtftpc"),
        });
        command.current_dir(local);
        match self {
            Self::Ours => command.args(["--quiet", "--no-progress", "--blksize", &blksize]).args([
                "--windowsize",
                &windowsize,
                &host,
                &port,
                "-c",
                verb,
                NAME,
            ]),
            Self::Floor => command.args([verb, &server.to_string(), NAME]).args([
                "--blksize",
                &blksize,
                "--windowsize",
                &windowsize,
            ]),
            Self::TftpHpa => command.args(["-m", "binary", &host, &port, "-c", verb, NAME]),
            Self::Atftp | Self::AtftpFromRsTftpd => command
                .args(["--option", &format!("blksize {blksize}")])
                .args(["--option", &format!("windowsize {windowsize}")])
                .args([&format!("--{verb}"), "--local-file", NAME, "--remote-file", NAME])
                .args([&host, &port]),
            Self::Curl => {
                command.args(["--silent", "--fail", "--tftp-blksize", &blksize]);
                if race.get {
                    command.args(["--output", NAME]);
                } else {
                    command.args(["--upload-file", NAME]);
                }
                command.arg(format!("tftp://{server}/{NAME}"))
            }
            Self::RsTftp => command
                .args(["-i", &host, "-p", &port, "-b", &blksize, "-w", &windowsize, "-q"])
                .args([if race.get { "-d" } else { "-u" }, NAME]),
            Self::Rtftp => command
                .args([&format!("--{verb}"), NAME, "--blksize", &blksize])
                .arg(server.to_string()),
        };
        command
    }
}
