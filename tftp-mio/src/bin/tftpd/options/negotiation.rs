//! What is negotiated, and how patient transfers are.

use std::time::Duration;

use tftp_core::{BlockSize, OptionKind, OptionSet, Timing, WindowSize};
use tftp_mio::server::Config;

use super::value;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Negotiation")]
pub(crate) struct Negotiation {
    /// Largest block size granted, 8 to 65464
    #[arg(long, value_name = "BYTES", default_value = "65464", value_parser = value::block_size)]
    max_blksize: BlockSize,

    /// Largest window granted, 1 to 32767
    #[arg(long, value_name = "BLOCKS", default_value = "64", value_parser = value::window_size)]
    max_windowsize: WindowSize,

    /// Never grant a block size that would be fragmented on the route to the client
    #[arg(long)]
    mtu_fit: bool,

    /// Never negotiate this option, repeatable
    #[arg(long, value_name = "OPTION", value_parser = value::option_kind)]
    refuse: Vec<OptionKind>,

    /// Negotiate this option too, repeatable: utimeout, blksize2, rollover, msftwindow
    #[arg(long, value_name = "OPTION", value_parser = value::further_option)]
    offer: Vec<OptionKind>,

    /// Ceiling of the measured time-out, in seconds
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = value::positive_seconds)]
    timeout: Duration,

    /// Retransmissions that count before a silent client is given up
    #[arg(long, value_name = "N", default_value = "6", value_parser = value::retries)]
    retries: u8,
}

impl Negotiation {
    pub(super) fn apply(&self, config: &mut Config) {
        config.limits.options = self.options();
        config.limits.max_block_size = self.max_blksize;
        config.limits.max_window_size = self.max_windowsize;
        config.mtu_fit = self.mtu_fit;
        config.timing = Timing::SERVER.with_ceiling(self.timeout).with_retries(self.retries);
    }

    fn options(&self) -> OptionSet {
        let offered = self.offer.iter().copied().fold(OptionSet::STANDARD, OptionSet::with);
        self.refuse.iter().copied().fold(offered, OptionSet::without)
    }
}
