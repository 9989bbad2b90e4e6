//! The command line.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};
use tftp_benches::{Outcome, Pattern, block_size, window_size};
use tftp_core::{BlockSize, Operation, Options, WindowSize};

use crate::{
    fleet::Fleet,
    plan::{Ending, Plan},
};

/// Load generator for TFTP servers
#[derive(Debug, Parser)]
#[command(name = "tftp-load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the files that `get` and `stall` ask for into a folder
    Make {
        /// The folder that the server serves
        folder: PathBuf,
        #[command(flatten)]
        files: Files,
    },
    /// Read files and verify them
    Get(Load),
    /// Write files
    Put {
        #[command(flatten)]
        load: Load,
        /// Verify afterwards what the server stored in this folder
        #[arg(long, value_name = "FOLDER")]
        stored: Option<PathBuf>,
    },
    /// Open reads, take the first block of each and say no more until standard input ends
    Stall {
        #[command(flatten)]
        load: Load,
        /// Say nothing to the first answer already
        #[arg(long)]
        half_open: bool,
    },
}

#[derive(Debug, Args)]
struct Files {
    /// Their names are NAME-0, NAME-1 and so on
    #[arg(long, default_value = "load")]
    name: String,

    /// How many different ones; every upload has a name of its own unless this says otherwise
    #[arg(long = "files", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// How long each is; K, M and G are powers of 1024
    #[arg(long, default_value = "64M", value_parser = size)]
    size: u64,
}

#[derive(Debug, Args)]
struct Load {
    /// Where requests go
    server: SocketAddr,

    #[command(flatten)]
    files: Files,

    /// Transfers at a time
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,

    /// Transfers in all; as many as clients unless this says otherwise
    #[arg(long)]
    transfers: Option<u32>,

    /// Ask for this block size; 512 asks for nothing
    #[arg(long, default_value = "512", value_parser = block_size)]
    blksize: BlockSize,

    /// Ask for this window size; 1 asks for nothing
    #[arg(long, default_value = "1", value_parser = window_size)]
    windowsize: WindowSize,

    /// Clients that share a socket, each with a loopback address of its own
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    per_socket: u32,

    /// Clients that wait for an answer at a time; the others hold their next packet back meanwhile
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..))]
    waiting: u32,

    /// Never sleep, so that waking us does not slow the server down
    #[arg(long)]
    busy_poll: bool,

    /// Give up after so many seconds
    #[arg(long, default_value = "120")]
    patience: u64,
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Make { folder, files } => make(&folder, &files),
        Command::Get(load) => report(load.outcome("get", Operation::Read, Ending::Moved)),
        Command::Put { load, stored } => {
            report(load.outcome("put", Operation::Write, Ending::Moved).and_then(|outcome| {
                match stored {
                    Some(folder) => load.verify_stored(&folder, outcome),
                    None => Ok(outcome),
                }
            }))
        }
        Command::Stall { load, half_open } => {
            let ending = if half_open { Ending::HalfOpen } else { Ending::Stalled };
            report(load.outcome("stall", Operation::Read, ending))
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("tftp-load: {error}");
        ExitCode::FAILURE
    })
}

fn make(folder: &Path, files: &Files) -> io::Result<ExitCode> {
    let pattern = Pattern::default();
    fs::create_dir_all(folder)?;
    for file in 0..files.count.unwrap_or(1) {
        pattern.write(&folder.join(format!("{}-{file}", files.name)), file, files.size)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(outcome: io::Result<Outcome>) -> io::Result<ExitCode> {
    let outcome = outcome?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(if outcome.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Load {
    fn transfers(&self) -> u32 {
        self.transfers.unwrap_or(self.clients).max(self.clients)
    }

    fn outcome(&self, name: &str, operation: Operation, ending: Ending) -> io::Result<Outcome> {
        let own_names = if operation == Operation::Write { self.transfers() } else { 1 };
        let mut options = Options::NONE;
        if self.blksize != BlockSize::DEFAULT {
            options = options.with_block_size(self.blksize);
        }
        if self.windowsize != WindowSize::LOCK_STEP {
            options = options.with_window_size(self.windowsize);
        }
        let plan = Plan {
            server: self.server,
            operation,
            ending,
            name: self.files.name.clone(),
            files: self.files.count.unwrap_or(own_names),
            size: self.files.size,
            clients: self.clients,
            transfers: self.transfers(),
            options,
            per_socket: self.per_socket,
            waiting: self.waiting,
            patience: Duration::from_secs(self.patience),
            busy_poll: self.busy_poll,
        };
        let outcome = Fleet::assemble(plan)?.run()?;
        Ok(Outcome { operation: name.into(), ..outcome })
    }

    fn verify_stored(&self, folder: &Path, outcome: Outcome) -> io::Result<Outcome> {
        let pattern = Pattern::default();
        let mut outcome = outcome;
        for file in 0..self.files.count.unwrap_or(self.transfers()) {
            let path = folder.join(format!("{}-{file}", self.files.name));
            if !becomes_whole(&pattern, &path, file, self.files.size)? {
                outcome.failed += 1;
                outcome
                    .first_failure
                    .get_or_insert(format!("{} is not what was sent", path.display()));
            }
        }
        Ok(outcome)
    }
}

/// Whether a stored file is what was sent, at the latest a little later: some servers acknowledge what
/// they have yet to write.
fn becomes_whole(pattern: &Pattern, path: &Path, file: u32, size: u64) -> io::Result<bool> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let began = Instant::now();
    loop {
        let whole = pattern.is_whole(path, file, size)?;
        if whole || began.elapsed() > PATIENCE {
            return Ok(whole);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "use a number of bytes such as 1428, 64K, 10M or 1G".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_with_and_without_a_unit() {
        assert_eq!([size("7"), size("64K"), size("1G")], [Ok(7), Ok(65_536), Ok(1 << 30)]);
        for wrong in ["", "K", "1T", "-1", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
