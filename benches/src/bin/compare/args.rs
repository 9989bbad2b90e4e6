//! The command line.

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{
    bars::Row,
    clients, cold,
    install::Programs,
    memory, run,
    servers::Server,
    workloads::{self, Contestant, Workload},
};

/// Our programs, the raw-UDP floor and the programs of others, side by side
#[derive(Debug, Parser)]
#[command(name = "tftp-compare", version)]
struct Args {
    /// Workloads to run; all unless some are named
    workloads: Vec<String>,

    /// Say what the workloads are, and run nothing
    #[arg(long)]
    list: bool,

    /// How often everybody runs
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Only these servers, repeatable; ours always takes part
    #[arg(long, value_name = "SERVER")]
    only: Vec<String>,

    /// Put the files that must come from a disk beneath this folder; the target folder unless this
    /// says otherwise
    #[arg(long, value_name = "FOLDER")]
    disk: Option<PathBuf>,

    /// Leave system calls uncounted
    #[arg(long)]
    no_strace: bool,

    /// See that the tools work: our server and the floor, once, each workload a hundredth as long, and
    /// no bar is held against the figures
    #[arg(long)]
    quick: bool,
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    match compare(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tftp-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all bars were met.
fn compare(args: &Args) -> io::Result<bool> {
    let mut all = workloads::all();
    if args.list {
        for workload in &all {
            println!("{:16} {}", workload.name, workload.title);
        }
        println!("{:16} {}", memory::NAME, memory::TITLE);
        println!("{:16} {}", cold::NAME, cold::TITLE);
        for race in clients::all_races() {
            println!("{:16} {}", race.name, race.title());
        }
        return Ok(true);
    }
    let programs = Programs::find()?;
    if !args.quick {
        programs.install()?;
    }
    let wanted = |name: &str| {
        args.workloads.is_empty() || args.workloads.iter().any(|wanted| wanted == name)
    };
    let mut all_met = true;
    for workload in all.iter_mut().filter(|workload| wanted(&workload.name)) {
        narrow(args, workload);
        all_met &= hold(args, &programs, workload)?;
    }
    if wanted(memory::NAME) {
        all_met &= memory::hold(&programs, args.quick)?;
    }
    if wanted(cold::NAME) {
        let mut contestants = workloads::cold(args.quick);
        choose(args, &mut contestants);
        let disk = args.disk.as_deref().unwrap_or(programs.target());
        cold::hold(&programs, &contestants, disk, rounds(args))?;
    }
    for race in clients::all_races().iter().filter(|race| wanted(race.name)) {
        all_met &= clients::hold(&programs, race, args.rounds.into(), args.quick)?;
    }
    Ok(all_met)
}

/// Leaves out who is not to take part, and shortens what is only tried.
fn narrow(args: &Args, workload: &mut Workload) {
    choose(args, &mut workload.contestants);
    if args.quick {
        for contestant in &mut workload.contestants {
            contestant.load = contestant.load.quick();
        }
        workload.bars.clear();
    }
}

fn choose(args: &Args, contestants: &mut Vec<Contestant>) {
    contestants.retain(|Contestant { server, .. }| {
        let named = args.only.is_empty() || args.only.iter().any(|name| name == server.name());
        *server == Server::Ours || named && !(args.quick && server.is_peer())
    });
}

fn rounds(args: &Args) -> usize {
    if args.quick { 1 } else { args.rounds.into() }
}

/// Runs a workload and prints what it came to. Returns whether all bars were met.
fn hold(args: &Args, programs: &Programs, workload: &Workload) -> io::Result<bool> {
    let figures = run::workload(programs, workload, rounds(args), !args.no_strace && !args.quick)?;
    let rows: Vec<Row<'_>> = workload.contestants.iter().zip(&figures).collect();
    let mut out = io::stdout().lock();
    run::print(&mut out, workload, &rows)?;
    run::print_bars(&mut out, workload, &rows)
}
