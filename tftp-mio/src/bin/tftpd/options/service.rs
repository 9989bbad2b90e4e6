//! How the process starts, runs and ends.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use tftp_mio::server::Config;

use super::value;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct Service {
    /// Read options from this file too: TOML, with the names of the command line, which wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Read everything, bind nothing, and say what would run
    #[arg(long)]
    pub(crate) check: bool,

    /// With --check: say step by step how this request of that client would be decided, such as
    /// --as 192.0.2.7 'RRQ pxelinux.0 octet blksize=1428'; the exit status tells the outcome
    #[arg(long = "as", num_args = 2, value_names = ["IP", "REQUEST"], requires = "check")]
    pub(crate) asked: Option<Vec<OsString>>,

    /// Detach once the sockets are bound; the exit status tells whether that worked
    #[arg(long)]
    pub(crate) background: bool,

    /// We are the process that --background has started
    #[arg(long, hide = true)]
    pub(crate) detached: bool,

    /// Write the process id there, and keep it locked
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,

    /// Serve metrics for Prometheus there: HTTP, at /metrics
    #[arg(long, value_name = "ADDR:PORT", value_parser = value::metrics_address)]
    pub(crate) metrics: Option<SocketAddr>,

    /// After TERM or INT: how long running transfers may go on, in seconds
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = value::seconds)]
    pub(crate) grace: Duration,
}

impl Service {
    pub(super) fn apply(&self, config: &mut Config) {
        config.grace = self.grace;
    }
}
