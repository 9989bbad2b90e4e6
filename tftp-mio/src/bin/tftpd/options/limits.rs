//! How much at most, and for whom.

use tftp_mio::server::Config;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {}

impl Limits {
    #[expect(clippy::unused_self, reason = "the first limits are on their way")]
    pub(super) fn apply(&self, _config: &mut Config) {}
}
