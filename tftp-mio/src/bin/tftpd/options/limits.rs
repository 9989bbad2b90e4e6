//! How much at most, and for whom.

use std::num::NonZeroUsize;

use tftp_mio::server::{Access, Capacity, Config, Network};

use super::value;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Transfers at a time [default: as many as ports and descriptors allow]
    #[arg(long, value_name = "N", value_parser = value::count)]
    max_transfers: Option<NonZeroUsize>,

    /// Transfers of one address at a time [default: any]
    #[arg(long, value_name = "N", value_parser = value::count)]
    max_transfers_per_client: Option<NonZeroUsize>,

    /// Transfers at a time whose clients have answered nothing yet; beyond it the oldest of them
    /// gives way [default: 3/4 of all]
    #[arg(long, value_name = "N", value_parser = value::count)]
    max_half_open: Option<NonZeroUsize>,

    /// Networks that may ask, repeatable; what comes from others is dropped unseen [default: all]
    #[arg(long, value_name = "CIDR")]
    allow: Vec<Network>,

    /// Networks that may not ask, repeatable; wins over --allow
    #[arg(long, value_name = "CIDR")]
    deny: Vec<Network>,
}

impl Limits {
    pub(super) fn apply(&self, config: &mut Config) {
        config.capacity = Capacity {
            transfers: self.max_transfers,
            per_client: self.max_transfers_per_client,
            half_open: self.max_half_open,
        };
        config.access = Access { allow: self.allow.clone(), deny: self.deny.clone() };
    }
}
