//! What the server has done so far, in numbers: shared by its workers, read by whoever asks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tftp_core::{ErrorCode, Operation, Stats};

use super::histogram::{Distribution, Histogram};

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The file was moved, and both sides know.
    Completed,
    /// All was sent, but the last ACK never came.
    Unconfirmed,
    /// The client wanted nothing but the size.
    Probe,
    /// The client sent ERROR.
    Aborted,
    /// The client fell silent.
    TimedOut,
    /// Anything else: the file, the protocol, the end of the server.
    Failed,
    /// It gave way, before its client had answered anything, to another request.
    Replaced,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::Unconfirmed,
        Self::Probe,
        Self::Aborted,
        Self::TimedOut,
        Self::Failed,
        Self::Replaced,
    ];

    /// A few words for log lines and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Unconfirmed => "unconfirmed",
            Self::Probe => "probe",
            Self::Aborted => "aborted by client",
            Self::TimedOut => "timed out",
            Self::Failed => "failed",
            Self::Replaced => "replaced",
        }
    }
}

/// Why a datagram that came to a listening socket began no transfer. Of those that one peer has sent at
/// once, and that the system hands on together, one is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// Its sender may not ask, by [`Access`](super::Access). Not answered.
    Sender,
    /// From port 0, from our own address, or to a group. Not answered.
    Address,
    /// A packet that does not open a transfer. Not answered.
    NoRequest,
    /// No packet, or one of an unknown type. Answered with ERROR 4.
    Malformed,
    /// There are as many transfers as there may be, or the system gives no more.
    Busy,
    /// The client has as many transfers as one may have.
    ClientBusy,
    /// ERROR 1.
    NotFound,
    /// ERROR 2.
    Forbidden,
    /// ERROR 3.
    NoSpace,
    /// ERROR 6.
    Exists,
    /// ERROR 4 in answer to a request that is well-formed: its mode is not accepted.
    Illegal,
    /// Any other ERROR.
    Other,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Sender,
        Self::Address,
        Self::NoRequest,
        Self::Malformed,
        Self::Busy,
        Self::ClientBusy,
        Self::NotFound,
        Self::Forbidden,
        Self::NoSpace,
        Self::Exists,
        Self::Illegal,
        Self::Other,
    ];

    /// A few words for log lines and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Address => "address",
            Self::NoRequest => "no request",
            Self::Malformed => "malformed",
            Self::Busy => "busy",
            Self::ClientBusy => "client busy",
            Self::NotFound => "not found",
            Self::Forbidden => "forbidden",
            Self::NoSpace => "no space",
            Self::Exists => "exists",
            Self::Illegal => "illegal",
            Self::Other => "other",
        }
    }

    /// The reason that stands behind an ERROR of this code.
    pub(crate) fn by_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::FILE_NOT_FOUND => Self::NotFound,
            ErrorCode::ACCESS_VIOLATION => Self::Forbidden,
            ErrorCode::DISK_FULL => Self::NoSpace,
            ErrorCode::FILE_EXISTS => Self::Exists,
            ErrorCode::ILLEGAL_OPERATION => Self::Illegal,
            ErrorCode::NOT_DEFINED => Self::Busy,
            _ => Self::Other,
        }
    }
}

/// Numbers that only grow, and two that stand for now. All workers of a server write to one of
/// these, once a transfer or refusal, never once a packet.
#[derive(Debug)]
pub struct Counters {
    started: [AtomicU64; 2],
    ended: [[AtomicU64; Outcome::ALL.len()]; 2],
    bytes: [AtomicU64; 2],
    retransmissions: AtomicU64,
    /// In microseconds.
    durations: Histogram,
    /// In bytes a second.
    rates: Histogram,
    refused: [AtomicU64; Refused::ALL.len()],
    unlogged: AtomicU64,
    active: AtomicU64,
    half_open: AtomicU64,
    ports_in_use: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        /// From a millisecond to five minutes.
        const DURATIONS: [u64; 12] = [
            1_000,
            5_000,
            20_000,
            100_000,
            250_000,
            500_000,
            1_000_000,
            2_500_000,
            5_000_000,
            20_000_000,
            60_000_000,
            300_000_000,
        ];
        /// From what a serial line moves to ten gigabits.
        const RATES: [u64; 12] = [
            10_000,
            100_000,
            500_000,
            1_000_000,
            2_500_000,
            5_000_000,
            10_000_000,
            25_000_000,
            50_000_000,
            100_000_000,
            500_000_000,
            1_250_000_000,
        ];
        Self {
            started: Default::default(),
            ended: Default::default(),
            bytes: Default::default(),
            retransmissions: AtomicU64::default(),
            durations: Histogram::new(DURATIONS),
            rates: Histogram::new(RATES),
            refused: Default::default(),
            unlogged: AtomicU64::default(),
            active: AtomicU64::default(),
            half_open: AtomicU64::default(),
            ports_in_use: AtomicU64::default(),
        }
    }
}

impl Counters {
    /// Transfers that have begun.
    pub fn started(&self, operation: Operation) -> u64 {
        read(&self.started[operation as usize])
    }

    /// Transfers that have ended so.
    pub fn ended(&self, operation: Operation, outcome: Outcome) -> u64 {
        read(&self.ended[operation as usize][outcome as usize])
    }

    /// Bytes of files that were moved by transfers which have ended, as they went over the wire,
    /// each once.
    pub fn bytes(&self, operation: Operation) -> u64 {
        read(&self.bytes[operation as usize])
    }

    /// Packets of transfers which have ended that were sent a second time.
    pub fn retransmissions(&self) -> u64 {
        read(&self.retransmissions)
    }

    /// How long completed transfers took, in microseconds.
    pub fn durations(&self) -> Distribution {
        self.durations.read()
    }

    /// How fast completed transfers were, in bytes a second.
    pub fn rates(&self) -> Distribution {
        self.rates.read()
    }

    /// Datagrams that began no transfer for that reason.
    pub fn refused(&self, reason: Refused) -> u64 {
        read(&self.refused[reason as usize])
    }

    /// Lines about refused and unanswered requests that a flood has kept out of the log.
    pub fn unlogged(&self) -> u64 {
        read(&self.unlogged)
    }

    /// Transfers that run now, with those that are half-open, without those that only linger.
    pub fn active(&self) -> u64 {
        read(&self.active)
    }

    /// Transfers whose clients have not answered anything yet.
    pub fn half_open(&self) -> u64 {
        read(&self.half_open)
    }

    /// Ports of the range that transfers have, those that linger among them; always 0 in
    /// single-port mode.
    pub fn ports_in_use(&self) -> u64 {
        read(&self.ports_in_use)
    }

    pub(crate) fn count_start(&self, operation: Operation) {
        add(&self.started[operation as usize], 1);
    }

    pub(crate) fn count_end(
        &self,
        operation: Operation,
        outcome: Outcome,
        stats: &Stats,
        took: Duration,
    ) {
        add(&self.ended[operation as usize][outcome as usize], 1);
        add(&self.bytes[operation as usize], stats.bytes);
        add(&self.retransmissions, stats.retransmissions);
        if outcome == Outcome::Completed {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.durations.add(micros);
            self.rates.add(stats.bytes.saturating_mul(1_000_000) / micros.max(1));
        }
    }

    pub(crate) fn count_refusal(&self, reason: Refused) {
        add(&self.refused[reason as usize], 1);
    }

    pub(crate) fn count_unlogged(&self) {
        add(&self.unlogged, 1);
    }

    pub(crate) fn count_port_in_use(&self, in_use: bool) {
        if in_use {
            add(&self.ports_in_use, 1);
        } else {
            self.ports_in_use.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_occupancy(&self, active: u32, half_open: u32) {
        self.active.store(active.into(), Ordering::Relaxed);
        self.half_open.store(half_open.into(), Ordering::Relaxed);
    }
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

fn add(number: &AtomicU64, by: u64) {
    number.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lists are what the arrays are indexed by.
    #[test]
    fn every_outcome_and_reason_stands_at_its_own_index() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        for (index, reason) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }
}
