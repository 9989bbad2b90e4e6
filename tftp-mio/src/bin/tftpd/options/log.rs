//! What is said, in which form, and where.

use std::path::PathBuf;

use clap::{ArgAction, ValueEnum};
use tracing::level_filters::LevelFilter;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct Log {
    /// Say more; twice: every packet
    #[arg(short, long, action = ArgAction::Count, overrides_with = "quiet")]
    verbose: u8,

    /// Say only what goes wrong
    #[arg(short, long, overrides_with = "verbose")]
    quiet: bool,

    /// Lines for people, or one JSON object a line for machines
    #[arg(long = "log-format", value_name = "FORM", default_value = "text")]
    pub(crate) form: Form,

    /// Append to this file, which HUP opens anew [default: standard error]
    #[arg(long = "log-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// The form of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Text,
    Json,
}

impl Log {
    pub(crate) fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::WARN,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        }
    }
}
