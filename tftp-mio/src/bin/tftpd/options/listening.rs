//! Where requests are taken, and from which ports they are answered.

use std::{net::SocketAddr, num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use tftp_mio::server::Config;

use super::value;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct Listening {
    // As a doc comment, rustdoc would take `[v6]` for a link.
    #[arg(
        help = "Address to take requests on, repeatable: v4:port, [v6]:port, or without a port (69)"
    )]
    #[arg(short, long, value_name = "ADDR[:PORT]", value_parser = value::listen_address)]
    listen: Vec<SocketAddr>,

    /// Transfer ports, handed out in turn
    #[arg(long, value_name = "FIRST-LAST", default_value = "20000-29999")]
    #[arg(value_parser = value::port_range)]
    ports: RangeInclusive<u16>,

    /// Answer every transfer from the listening port, for NAT and load balancers
    #[arg(long)]
    single_port: bool,

    /// Poll loops, each on a thread of its own [default: number of cores]
    #[arg(long, value_name = "N", value_parser = value::count)]
    workers: Option<NonZeroUsize>,

    /// Poll that long before sleeping while transfers are active: faster, for a processor's time
    #[arg(long, value_name = "MICROSECONDS", default_value = "0")]
    #[arg(value_parser = value::microseconds)]
    busy_poll: Duration,

    /// Also answer requests that were sent to a broadcast or multicast address
    #[arg(long)]
    broadcast: bool,
}

impl Listening {
    pub(super) fn apply(&self, config: &mut Config) {
        config.ports = self.ports.clone();
        config.single_port = self.single_port;
        if let Some(workers) = self.workers {
            config.workers = workers;
        }
        config.busy_poll = self.busy_poll;
        config.broadcast = self.broadcast;
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
    }
}
