//! The same servers, and the clients that people have: what each makes of them, as a table.
//!
//! `.ci/peers.sh && cargo test -p tftp-cli --test hostile -- --ignored --nocapture`

use std::{
    fmt, fs,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

use tempfile::tempdir;
use wait_timeout::ChildExt as _;

use crate::{Case, End, OLD, PLAIN, common::Server, file, get, harness::peer, put};

/// What a client may take before it is given up; ours takes less in all of these cases.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs at the same time; most of them wait.
const WORKERS: usize = 48;

const CLIENTS: &[&str] = &["tftp", "tftp-hpa", "atftp", "curl"];

/// What a client made of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Status 0, and the file arrived.
    Whole,
    /// A status other than 0, and nothing changed.
    Failed,
    /// A status other than 0, and the old file is gone or changed.
    Spoilt,
    /// Status 0, and the file did not arrive.
    Lied,
    /// No end.
    Hung,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Whole => "whole",
            Self::Failed => "fails",
            Self::Spoilt => "fails, old file spoilt",
            Self::Lied => "status 0, not the file",
            Self::Hung => "still there after 20 s",
        })
    }
}

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn what_other_clients_make_of_them() {
    let cases: Vec<_> = get::CASES.iter().chain(put::CASES).collect();
    let runs = cases.iter().flat_map(|case| CLIENTS.iter().map(move |client| (*case, *client)));
    let results = run_all(runs.collect());
    let padded: Vec<_> = CLIENTS.iter().map(|name| format!("{name:<22}")).collect();
    println!("\n| {:<47} | {} |", "server", padded.join(" | "));
    println!("|{}|{}", "-".repeat(49), "------------------------|".repeat(CLIENTS.len()));
    for (case, made) in cases.iter().zip(results.chunks(CLIENTS.len())) {
        let made: Vec<_> = made.iter().map(|made| format!("{made:<22}")).collect();
        let name = format!("{} {}", case.operation, case.name.replace('_', " "));
        println!("| {name:<47} | {} |", made.join(" | "));
    }
    for (number, client) in CLIENTS.iter().enumerate() {
        let made: Vec<_> = results.iter().skip(number).step_by(CLIENTS.len()).collect();
        let count = |what| made.iter().filter(|made| ***made == what).count();
        let [whole, failed] = [Made::Whole, Made::Failed].map(count);
        let [spoilt, lied, hung] = [Made::Spoilt, Made::Lied, Made::Hung].map(count);
        println!(
            "{client}: whole {whole}, fails {failed}, spoilt {spoilt}, lied {lied}, hung {hung}"
        );
    }
    let ours = results.iter().step_by(CLIENTS.len());
    assert!(ours.into_iter().all(|made| matches!(made, Made::Whole | Made::Failed)));
}

/// Each run's result, in their order.
fn run_all(runs: Vec<(&'static Case, &'static str)>) -> Vec<Made> {
    let results = Mutex::new(vec![Made::Hung; runs.len()]);
    let left = Mutex::new(runs.into_iter().enumerate());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((number, (case, client))) = next else { return };
                    let made = made_of(case, client);
                    results.lock().unwrap()[number] = made;
                }
            });
        }
    });
    results.into_inner().unwrap()
}

fn made_of(case: &'static Case, client: &str) -> Made {
    let folder = tempdir().unwrap();
    let before = if case.operation == "get" { OLD.to_vec() } else { file() };
    fs::write(folder.path().join("a"), &before).unwrap();
    // What the client does not do as ours would ends the script, and the test does not mind.
    let server = Server::start(case.script);
    let mut command = command(client, case, &server.port, folder.path());
    let streams = command.current_dir(folder.path()).stdin(Stdio::null());
    let mut child = streams.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let Some(status) = child.wait_timeout(PATIENCE).unwrap() else {
        child.kill().unwrap();
        child.wait().unwrap();
        return Made::Hung;
    };
    let after = fs::read(folder.path().join("a")).unwrap_or_default();
    // Whether a file that was sent has arrived only the script knows.
    let sent = || matches!(case.end, End::Whole(_)) && server.ends_well();
    let arrived = if case.operation == "get" { after == file() } else { sent() };
    match (status.success(), arrived) {
        (true, true) => Made::Whole,
        (true, false) => Made::Lied,
        (false, _) if after == before => Made::Failed,
        (false, _) => Made::Spoilt,
    }
}

fn command(client: &str, case: &Case, port: &str, folder: &Path) -> Command {
    let plain = case.args.starts_with(PLAIN);
    let (get, url) = (case.operation == "get", format!("tftp://127.0.0.1:{port}/a"));
    if client == "tftp" {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tftp"));
        command.args(["127.0.0.1", port]).args(case.args).args(["-c", case.operation, "a"]);
        return command;
    }
    let mut command = Command::new(peer(client));
    match client {
        "tftp-hpa" => {
            command.args(["-m", "octet", "127.0.0.1", port, "-c", case.operation, "a"]);
        }
        "atftp" => {
            let options = ["--option", "blksize 512", "--option", "windowsize 4"];
            command.args(if plain { &[][..] } else { &options });
            let operation = if get { "--get" } else { "--put" };
            command.args([operation, "-r", "a", "-l", "a", "127.0.0.1", port]);
        }
        _ => {
            command.arg("--silent").args(plain.then_some("--tftp-no-options"));
            let local = folder.join("a");
            command.arg(if get { "--output" } else { "--upload-file" }).arg(local).arg(url);
        }
    }
    command
}
