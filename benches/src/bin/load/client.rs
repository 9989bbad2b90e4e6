//! One client: a machine of tftp-core, and what is measured of it.

use std::net::SocketAddr;

use tftp_core::{
    Instant, Operation, Options, Order, Params, Received, Receiver, Sender, Stats, Status, Timing,
    Transmit, Verdict,
};

/// A client on its way through one transfer after another.
pub(crate) struct Client {
    machine: Machine,
    /// Which file it moves.
    pub(crate) file: u32,
    pub(crate) began: Instant,
    /// The deadline that stands in the heap for it.
    pub(crate) armed: Instant,
    pub(crate) phase: Phase,
    /// It stands in the queue of those that may have something to send.
    pub(crate) queued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has something to send, or will have soon.
    Busy,
    /// It has sent something and has had nothing since.
    Waiting,
    /// It says no more.
    Stalled,
    /// It has no more transfers.
    Retired,
}

enum Machine {
    Get(Receiver),
    Put(Sender),
}

/// Calls the method that both machines have by the same name.
macro_rules! machine {
    ($machine:expr => $method:ident($($argument:expr),*)) => {
        match $machine {
            Machine::Get(receiver) => receiver.$method($($argument),*),
            Machine::Put(sender) => sender.$method($($argument),*),
        }
    };
}

impl Client {
    pub(crate) fn new(
        now: Instant,
        operation: Operation,
        file: u32,
        size: u64,
        server: SocketAddr,
        options: Options,
    ) -> Self {
        let timing = Timing::CLIENT;
        let machine = match operation {
            Operation::Read => {
                Machine::Get(Receiver::request(now, server, options, Order::Any, timing))
            }
            Operation::Write => {
                Machine::Put(Sender::request(now, server, options, Some(size), timing))
            }
        };
        let phase = Phase::Busy;
        Self { machine, file, began: now, armed: Instant::NEVER, phase, queued: false }
    }

    pub(crate) fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d [u8],
    ) -> Received<'d> {
        match &mut self.machine {
            Machine::Get(receiver) => receiver.handle_datagram(now, from, datagram),
            Machine::Put(sender) => Received::Other(sender.handle_datagram(now, from, datagram)),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        machine!(&mut self.machine => handle_timeout(now));
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        machine!(&mut self.machine => poll_transmit(now, out))
    }

    pub(crate) fn commit(&mut self, now: Instant, burst: tftp_core::Burst) {
        if let Machine::Put(sender) = &mut self.machine {
            sender.commit(now, burst);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        machine!(&self.machine => poll_timeout()).unwrap_or(Instant::NEVER)
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        machine!(&self.machine => peer())
    }

    pub(crate) fn stats(&self) -> Stats {
        machine!(&self.machine => stats())
    }

    pub(crate) fn params(&self) -> Params {
        machine!(&self.machine => params())
    }

    /// How the transfer ended, once it has: the bytes moved, or what went wrong.
    pub(crate) fn ending(&self) -> Option<Result<u64, String>> {
        match machine!(&self.machine => status()) {
            Status::Opening | Status::Active(_) => None,
            // A client that has sent its last ACK has its file.
            Status::Lingering(summary) | Status::Done(summary) => Some(Ok(summary.bytes)),
            Status::Unconfirmed(_) => Some(Err("the last block was never acknowledged".into())),
            Status::Failed(failure) => Some(Err(format!("{failure:?}"))),
        }
    }
}

/// What the server's ERROR said, if that is what came.
pub(crate) fn refusal(received: &Received<'_>) -> Option<String> {
    match received {
        Received::Other(Verdict::PeerError { code, message }) => {
            Some(format!("{code}: {}", message.escape_ascii()))
        }
        _ => None,
    }
}
