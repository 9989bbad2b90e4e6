//! What a run of the load generator came to: its one line of JSON.

use serde::{Deserialize, Serialize};

/// What a run came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// `get`, `put` or `stall`.
    pub operation: String,
    /// Transfers that ended well, every byte as it should be.
    pub transfers: u64,
    /// Transfers that did not, and why the first of them.
    pub failed: u64,
    /// What was wrong with the first transfer that failed.
    pub first_failure: Option<String>,
    /// Transfers that were open at once, at most.
    pub concurrent: u64,
    /// Bytes of files moved.
    pub bytes: u64,
    /// From the first request to the end of the last transfer.
    pub seconds: f64,
    /// `bytes / seconds`, in MB (10^6).
    pub megabytes_per_second: f64,
    /// `transfers / seconds`.
    pub transfers_per_second: f64,
    /// What the server granted the first transfer.
    pub granted: Granted,
    /// Requests sent a second time, because nothing came within a second.
    pub requests_repeated: u64,
    /// Packets other than requests that the load generator sent again.
    pub retransmissions: u64,
    /// Datagrams that had been seen before: what the server sent again.
    pub duplicates: u64,
    /// Datagrams that came from another address than the transfer's.
    pub strays: u64,
    /// Datagrams sent and received.
    pub datagrams: u64,
    /// From a transfer's first request to its end.
    pub latency: Latency,
    /// What the load generator itself took of the processors.
    pub cpu_seconds: f64,
}

impl Outcome {
    /// How many transfers failed, and why the first did.
    pub fn what_failed(&self) -> String {
        let why = self.first_failure.as_deref().unwrap_or("for no known reason");
        format!("{} of {}: {why}", self.failed, self.failed + self.transfers)
    }
}

/// The options that a server granted, with the defaults filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Bytes of a block.
    pub blksize: u16,
    /// Blocks of a window.
    pub windowsize: u16,
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// Nine of ten took no longer.
    pub p90: f64,
    /// Ninety-nine of a hundred took no longer.
    pub p99: f64,
    /// All but one of a thousand took no longer.
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    /// The percentiles of times in nanoseconds.
    pub fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let at = |permille: usize| {
            let last = nanos.len().saturating_sub(1);
            nanos.get((nanos.len() * permille / 1000).min(last)).map_or(0.0, |&nanos| {
                #[expect(clippy::cast_precision_loss, reason = "a duration for people")]
                let millis = nanos as f64 / 1e6;
                millis
            })
        };
        Self { p50: at(500), p90: at(900), p99: at(990), p99_9: at(999), max: at(1000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_thousand_and_of_none() {
        let latency = Latency::of((1..=1000).rev().map(|n| n * 1_000_000).collect());
        assert_eq!((latency.p50, latency.p99, latency.p99_9), (501.0, 991.0, 1000.0));
        assert!(Latency::of(Vec::new()).max.abs() < f64::EPSILON);
    }
}
