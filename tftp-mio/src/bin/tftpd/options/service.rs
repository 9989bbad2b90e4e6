//! How the process starts, runs and ends.

use std::{path::PathBuf, time::Duration};

use tftp_mio::server::Config;

use super::value;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct Service {
    /// After TERM or INT: how long running transfers may go on, in seconds
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = value::seconds)]
    grace: Duration,

    /// Read options from this file too: TOML, with the names of the command line, which wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl Service {
    pub(super) fn apply(&self, config: &mut Config) {
        config.grace = self.grace;
    }
}
