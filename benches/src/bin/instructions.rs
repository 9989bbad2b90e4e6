//! How many instructions tftp-core takes for what it does most, counted by callgrind and compared with
//! `benches/instructions.txt`: unlike time, they are the same on a busy machine.
//!
//! ```text
//! cargo run --release -p tftp-benches --bin instructions            # fails where one has grown
//! cargo run --release -p tftp-benches --bin instructions -- write   # after a change that is worth it
//! ```

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
};

use tftp_benches::scenarios::{ALL, Scenario};

/// Turns of the shorter run. What two runs differ in is their turns, not how a process begins.
const TURNS: u32 = 5_000;

/// Growth in a hundred that fails. Compilers differ by less.
const TOLERANCE: u64 = 8;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &arguments[..] {
        [] => compare(),
        [write] if write == "write" => {
            fs::write(expected(), table(&measure_all())).expect("the table can be written");
            ExitCode::SUCCESS
        }
        // What runs under callgrind.
        [name, turns] => {
            let turns = turns.parse().expect("a number of turns");
            let scenario = ALL.iter().find(|scenario| scenario.name == name);
            (scenario.expect("a scenario's name").run)(turns);
            ExitCode::SUCCESS
        }
        _ => panic!("no argument, or `write`"),
    }
}

fn compare() -> ExitCode {
    let was = fs::read_to_string(expected()).expect("the table is checked in");
    let counts = measure_all();
    print!("{}", table(&counts));
    let mut status = ExitCode::SUCCESS;
    for ((scenario, is), line) in ALL.iter().zip(counts).zip(was.lines()) {
        let was = line.strip_prefix(scenario.name).and_then(|rest| rest.split_whitespace().next());
        let was: u64 = was.and_then(|count| count.parse().ok()).expect("a line for each scenario");
        if is * 100 > was * (100 + TOLERANCE) {
            eprintln!("{}: {is} instructions instead of {was}", scenario.name);
            status = ExitCode::FAILURE;
        } else if is * (100 + TOLERANCE) < was * 100 {
            println!("{}: only {is} instead of {was}; `write` would keep that", scenario.name);
        }
    }
    status
}

fn measure_all() -> Vec<u64> {
    ALL.iter().map(measure).collect()
}

/// Instructions a turn.
fn measure(scenario: &Scenario) -> u64 {
    let [short, long] = [TURNS, 2 * TURNS].map(|turns| count(scenario.name, turns));
    (long - short) / u64::from(TURNS)
}

/// Instructions of a process that takes so many turns.
fn count(name: &str, turns: u32) -> u64 {
    let this = env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args([name, &turns.to_string()])
        .output()
        .expect("valgrind is installed");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let collected = report.lines().find_map(|line| line.split_once("Collected : "));
    collected.expect("callgrind counts").1.trim().parse().expect("callgrind counts in digits")
}

fn table(counts: &[u64]) -> String {
    let line = |(scenario, count): (&Scenario, &u64)| {
        format!("{:<20}{count:>6} instructions a {}\n", scenario.name, scenario.unit)
    };
    ALL.iter().zip(counts).map(line).collect()
}

fn expected() -> impl AsRef<Path> {
    concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt")
}
