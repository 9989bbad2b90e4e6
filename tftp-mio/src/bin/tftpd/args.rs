//! The command line of `tftpd`.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Parser, ValueEnum};
use tftp_core::{BlockSize, FLOOR, Limits, OptionKind, OptionSet, Timing, WindowSize};
use tftp_mio::{server::Config, storage::WritePolicy};

/// The port of TFTP (RFC 1350 section 4).
const PORT: u16 = 69;

/// TFTP server: serves the files of one folder.
#[derive(Debug, Parser)]
#[command(name = "tftpd", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder to serve
    #[arg(default_value = ".")]
    pub(crate) root: PathBuf,

    // As a doc comment, rustdoc would take `[v6]` for a link.
    #[arg(
        help = "Address to take requests on, repeatable: v4:port, [v6]:port, or without a port (69)"
    )]
    #[arg(short, long, value_name = "ADDR[:PORT]", value_parser = listen_address)]
    listen: Vec<SocketAddr>,

    /// Uploads: refused, under new names only, or replacing files too
    #[arg(short, long, value_name = "POLICY", default_value = "never")]
    write: Write,

    /// Transfer ports, handed out in turn
    #[arg(long, value_name = "FIRST-LAST", default_value = "20000-29999", value_parser = port_range)]
    ports: RangeInclusive<u16>,

    /// Answer every transfer from the listening port, for NAT and load balancers
    #[arg(long)]
    single_port: bool,

    /// Poll loops, each on a thread of its own; without it one a core
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,

    /// Largest block size granted, 8 to 65464
    #[arg(long, value_name = "BYTES", default_value = "65464", value_parser = block_size)]
    max_blksize: BlockSize,

    /// Largest window granted, 1 to 65535
    #[arg(long, value_name = "BLOCKS", default_value = "64", value_parser = window_size)]
    max_windowsize: WindowSize,

    /// Never negotiate this option, repeatable
    #[arg(long, value_name = "OPTION", value_parser = option_kind)]
    refuse: Vec<OptionKind>,

    /// Negotiate this option too, repeatable: utimeout, blksize2, rollover, msftwindow
    #[arg(long, value_name = "OPTION", value_parser = option_kind)]
    offer: Vec<OptionKind>,

    /// Ceiling of the measured time-out, in seconds
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = positive_seconds)]
    timeout: Duration,

    /// Retransmissions that count before a silent client is given up
    #[arg(long, value_name = "N", default_value = "6")]
    retries: u8,

    /// After TERM or INT: how long running transfers may go on, in seconds
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    grace: Duration,

    /// Say more; twice: every packet
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what goes wrong
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  tftpd /srv/tftp                                read-only on port 69, as root
  tftpd --listen 127.0.0.1:6969 .                this folder, this machine only, any user
  tftpd --listen '[::]:6969' --write create in   take uploads under new names";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Write {
    Never,
    Create,
    Overwrite,
}

impl Args {
    pub(crate) fn write_policy(&self) -> WritePolicy {
        match self.write {
            Write::Never => WritePolicy::Never,
            Write::Create => WritePolicy::Create,
            Write::Overwrite => WritePolicy::Overwrite,
        }
    }

    fn options(&self) -> OptionSet {
        let offered = self.offer.iter().copied().fold(OptionSet::STANDARD, OptionSet::with);
        self.refuse.iter().copied().fold(offered, OptionSet::without)
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config {
            ports: self.ports.clone(),
            limits: Limits {
                options: self.options(),
                max_block_size: self.max_blksize,
                max_window_size: self.max_windowsize,
                ..Limits::default()
            },
            timing: Timing::SERVER.with_ceiling(self.timeout).with_retries(self.retries),
            grace: self.grace,
            single_port: self.single_port,
            ..Config::default()
        };
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        if let Some(workers) = self.workers {
            config.workers = workers;
        }
        config
    }
}

/// Reads `v4:port`, `[v6]:port`, `[v6]` or a bare address.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse()
        .or_else(|_| bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)))
        .or_else(|error| {
            // `:6969`, as many programs have it.
            let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
            port.map(|port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).ok_or(error)
        })
        .map_err(|_| "use an address such as 192.0.2.1:69, [2001:db8::1]:69 or 0.0.0.0".into())
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("use FIRST-LAST, such as 20000-29999".into()),
    }
}

fn block_size(text: &str) -> Result<BlockSize, String> {
    let bytes = text.parse().map_err(|_| "use a number from 8 to 65464")?;
    BlockSize::new(bytes).map_err(|error| error.to_string())
}

fn window_size(text: &str) -> Result<WindowSize, String> {
    let blocks = text.parse().map_err(|_| "use a number from 1 to 65535")?;
    WindowSize::new(blocks).map_err(|error| error.to_string())
}

/// A time-out of no time would be one that nobody can keep.
fn positive_seconds(text: &str) -> Result<Duration, String> {
    let duration = seconds(text)?;
    if duration < FLOOR {
        return Err(format!("use at least {} seconds", FLOOR.as_secs_f64()));
    }
    Ok(duration)
}

fn option_kind(text: &str) -> Result<OptionKind, String> {
    OptionKind::from_name(text.as_bytes()).ok_or_else(|| {
        let names = OptionKind::ALL.map(OptionKind::name).join(", ");
        format!("the options are {names}")
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|&seconds| (0.0..=86_400.0).contains(&seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "use seconds, such as 1 or 0.25".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn addresses_with_and_without_port() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:69"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("::1", "[::1]:69"),
            ("[::1]", "[::1]:69"),
            ("[::1]:7", "[::1]:7"),
            (":6969", "[::]:6969"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        assert!(listen_address("example.org").is_err());
        assert!(listen_address("192.0.2.1:70000").is_err());
    }

    #[test]
    fn ranges_of_ports() {
        assert_eq!(port_range("7-9"), Ok(7..=9));
        assert_eq!(port_range("7"), Ok(7..=7));
        for wrong in ["", "9-7", "0-7", "7-", "7-70000", "a-b"] {
            assert!(port_range(wrong).is_err(), "{wrong}");
        }
    }
}
