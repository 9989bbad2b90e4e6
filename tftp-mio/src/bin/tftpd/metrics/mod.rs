//! `--metrics`: the server's counters as `OpenMetrics` text.

mod http;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, text},
    metrics::{MetricType, info::Info},
    registry::{Registry, Unit},
};
use tftp_core::Operation;
use tftp_mio::server::{Counters, Distribution, Outcome, Refused};

/// A bound socket; what it will tell is not known yet.
pub(crate) struct Metrics {
    listener: TcpListener,
}

impl Metrics {
    /// # Errors
    /// When the address is not to be had.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address)? })
    }

    /// Where it is.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Tells these numbers to everybody who asks, on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread or descriptor.
    pub(crate) fn serve(self, counters: Arc<Counters>) -> io::Result<()> {
        let registry = registry(counters);
        http::serve(self.listener, move || {
            let mut page = String::new();
            // Nothing in it fails to be written to a string.
            let _ = text::encode(&mut page, &registry);
            page
        })
    }
}

fn registry(counters: Arc<Counters>) -> Registry {
    let mut registry = Registry::with_prefix("tftpd");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program that serves", build);
    registry.register_collector(Box::new(Numbers(counters)));
    registry
}

/// Reads the counters each time that somebody asks.
#[derive(Debug)]
struct Numbers(Arc<Counters>);

const OPERATIONS: [(Operation, &str); 2] = [(Operation::Read, "read"), (Operation::Write, "write")];

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counters = &self.0;

        let mut family = Family::of(
            &mut encoder,
            MetricType::Counter,
            "transfers",
            "Transfers that have ended",
        )?;
        for (operation, operation_name) in OPERATIONS {
            for outcome in Outcome::ALL {
                let labels = [("operation", operation_name), ("outcome", outcome.name())];
                family.count(&labels, counters.ended(operation, outcome))?;
            }
        }
        let help = "Transfers that have begun";
        let mut family = Family::of(&mut encoder, MetricType::Counter, "transfers_started", help)?;
        for (operation, name) in OPERATIONS {
            family.count(&[("operation", name)], counters.started(operation))?;
        }
        let help = "Bytes of files moved by transfers that have ended";
        let unit = Some(&Unit::Bytes);
        let mut family =
            Family(encoder.encode_descriptor("moved", help, unit, MetricType::Counter)?);
        for (operation, name) in OPERATIONS {
            family.count(&[("operation", name)], counters.bytes(operation))?;
        }
        let help = "Packets of transfers that have ended which were sent a second time";
        Family::of(&mut encoder, MetricType::Counter, "retransmissions", help)?
            .total(counters.retransmissions())?;
        let help = "Datagrams to a listening socket that began no transfer";
        let mut family = Family::of(&mut encoder, MetricType::Counter, "refused", help)?;
        for reason in Refused::ALL {
            family.count(&[("reason", reason.name())], counters.refused(reason))?;
        }
        let help = "Log lines that a flood of requests has kept out of the log";
        Family::of(&mut encoder, MetricType::Counter, "log_lines_withheld", help)?
            .total(counters.unlogged())?;

        let help = "Transfers that run, the half-open ones among them";
        Family::of(&mut encoder, MetricType::Gauge, "active_transfers", help)?
            .stand(counters.active())?;
        let help = "Transfers whose clients have not answered anything yet";
        Family::of(&mut encoder, MetricType::Gauge, "half_open_transfers", help)?
            .stand(counters.half_open())?;
        let help = "Ports of the range that transfers have, the lingering ones among them";
        Family::of(&mut encoder, MetricType::Gauge, "ports_in_use", help)?
            .stand(counters.ports_in_use())?;

        let help = "How long completed transfers took";
        let (unit, kind) = (Unit::Seconds, MetricType::Histogram);
        Family(encoder.encode_descriptor("transfer_duration", help, Some(&unit), kind)?)
            .spread(&counters.durations(), 1e6)?;
        let help = "How fast completed transfers were";
        let (unit, kind) = (Unit::Other("bytes_per_second".into()), MetricType::Histogram);
        Family(encoder.encode_descriptor("transfer_rate", help, Some(&unit), kind)?)
            .spread(&counters.rates(), 1.0)
    }
}

/// The numbers of one name.
struct Family<'e>(MetricEncoder<'e>);

impl<'e> Family<'e> {
    fn of(
        encoder: &'e mut DescriptorEncoder<'_>,
        kind: MetricType,
        name: &'e str,
        help: &str,
    ) -> Result<Self, fmt::Error> {
        Ok(Self(encoder.encode_descriptor(name, help, None, kind)?))
    }

    fn count(&mut self, labels: &impl EncodeLabelSet, number: u64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&number, None)
    }

    fn total(&mut self, number: u64) -> fmt::Result {
        self.0.encode_counter::<NoLabelSet, _, u64>(&number, None)
    }

    fn stand(&mut self, number: u64) -> fmt::Result {
        self.0.encode_gauge(&i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// So many of the distribution's units are one of the metric's.
    #[expect(clippy::cast_precision_loss, reason = "as exact as the format is")]
    fn spread(&mut self, distribution: &Distribution, units: f64) -> fmt::Result {
        let Distribution { up_to, count, sum } = distribution;
        let mut last = 0;
        let mut buckets: Vec<(f64, u64)> = up_to
            .iter()
            .map(|&(bound, number)| {
                // The encoder adds up by itself.
                let own = number - std::mem::replace(&mut last, number);
                (bound as f64 / units, own)
            })
            .collect();
        buckets.push((f64::INFINITY, count - last));
        self.0.encode_histogram::<NoLabelSet>(*sum as f64 / units, *count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_number_and_ends() {
        let mut page = String::new();
        text::encode(&mut page, &registry(Arc::default())).unwrap();
        for line in [
            "# TYPE tftpd_transfers counter",
            "tftpd_transfers_total{operation=\"read\",outcome=\"aborted by client\"} 0",
            "tftpd_transfers_started_total{operation=\"write\"} 0",
            "# UNIT tftpd_moved_bytes bytes",
            "tftpd_moved_bytes_total{operation=\"read\"} 0",
            "tftpd_retransmissions_total 0",
            "tftpd_refused_total{reason=\"not found\"} 0",
            "tftpd_active_transfers 0",
            "tftpd_half_open_transfers 0",
            "tftpd_ports_in_use 0",
            "tftpd_transfer_duration_seconds_bucket{le=\"0.001\"} 0",
            "tftpd_transfer_duration_seconds_bucket{le=\"+Inf\"} 0",
            "tftpd_transfer_rate_bytes_per_second_count 0",
            concat!("tftpd_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# EOF",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in:\n{page}");
        }
    }
}
