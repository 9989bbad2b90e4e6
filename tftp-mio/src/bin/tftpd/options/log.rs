//! What is said, and how much of it.

use clap::ArgAction;
use tracing::Level;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct Log {
    /// Say more; twice: every packet
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what goes wrong
    #[arg(short, long, overrides_with = "verbose")]
    pub(crate) quiet: bool,
}

impl Log {
    pub(crate) fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::WARN,
            (false, 0) => Level::INFO,
            (false, 1) => Level::DEBUG,
            (false, _) => Level::TRACE,
        }
    }
}
