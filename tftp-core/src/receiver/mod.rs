//! The half that receives the file: a server that answers WRQ, or a client that asked with RRQ.
//!
//! ```text
//!  request()──► Requesting ──OACK / DATA 1──┐
//!                                           ├──► Receiving ──last ACK polled──► Lingering ──► Over(Done)
//!  reply()────► Granting ─────DATA 1────────┤
//!    └───────── no option granted (ACK 0) ──┘
//!
//!  from any of the first three: ERROR received, abort, misconduct, giving up ──► Over(Failed)
//! ```
//!
//! What happens to a block is in [`blocks`]. Those that have been returned are remembered as
//! [`Arrivals`]; when they are acknowledged is decided by [`Acks`].

mod blocks;

use core::net::SocketAddr;

use crate::{
    acks::{Acks, Owed},
    arrivals::Arrivals,
    error::{ErrorCode, Failure, Misconduct},
    link::{End, Link, Origin, judge_stranger},
    negotiate,
    numbers::Rollover,
    options::Options,
    rto::Timing,
    session::{Ignored, Order, Params, Received, Stats, Status, Summary, Transmit, Verdict},
    time::Instant,
    wire::{OptionAck, Packet, SMALL_PACKET},
};

/// Receives one file from one peer. See the [canonical loop](crate#the-canonical-loop).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver {
    link: Link,
    role: Role,
    phase: Phase,
    order: Order,
    rollover: Rollover,
    arrivals: Arrivals,
    acks: Acks,
    /// Bytes of the file that have come.
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    Client,
    Server,
}

/// What is awaited; whether it was sent, or is [due](Link::due), the link knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Client: an answer to the request.
    Requesting,
    /// Server: DATA 1, in answer to the OACK.
    Granting,
    Receiving,
    /// The last ACK was polled; it is repeated when the last DATA comes again.
    Lingering {
        until: Instant,
    },
    /// Nothing; an ERROR may be due.
    Over(End),
}

impl Receiver {
    /// A server's answer to a write request: opens with OACK, or with ACK 0 where `answer` is
    /// empty.
    ///
    /// `peer` is where the request came from, `answer` what
    /// [`Limits::answer`](crate::Limits::answer) granted.
    pub fn reply(
        now: Instant,
        peer: SocketAddr,
        answer: Options,
        order: Order,
        timing: Timing,
    ) -> Self {
        let link = Link::reply(now, peer, answer, timing);
        let (phase, owed) = if link.due {
            (Phase::Granting, Owed::Nothing)
        } else {
            (Phase::Receiving, Owed::Progress)
        };
        Self::new(link, Role::Server, phase, order, owed)
    }

    /// A client's read request: opens with the request, which the caller has encoded and sends on
    /// [`Transmit::Request`].
    ///
    /// `server` is the address that requests go to; the transfer's port is learnt from the first
    /// valid answer. `asked` are the request's options.
    pub fn request(
        now: Instant,
        server: SocketAddr,
        asked: Options,
        order: Order,
        timing: Timing,
    ) -> Self {
        let link = Link::request(now, server, asked, timing);
        Self::new(link, Role::Client, Phase::Requesting, order, Owed::Nothing)
    }

    fn new(link: Link, role: Role, phase: Phase, order: Order, owed: Owed) -> Self {
        Self {
            link,
            role,
            phase,
            order,
            rollover: Rollover::ToZero,
            arrivals: Arrivals::NONE,
            acks: Acks::new(owed),
            bytes: 0,
        }
    }

    /// Takes a datagram that arrived. Never fails: what is no business of the session changes
    /// nothing, not even a timer.
    ///
    /// Write a returned chunk before the next poll, or [`abort`](Self::abort).
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d [u8],
    ) -> Received<'d> {
        let tid_known = match self.phase {
            Phase::Requesting => false,
            Phase::Granting | Phase::Receiving | Phase::Lingering { .. } => true,
            Phase::Over(_) => return ignored(Ignored::Over),
        };
        match self.link.origin(from, tid_known) {
            Origin::Peer | Origin::Candidate => {}
            Origin::Stranger => return Received::Other(judge_stranger(from, datagram)),
        }
        match Packet::parse(datagram) {
            Ok(Packet::Data { block, payload }) => self.handle_data(now, from, block, payload),
            Ok(Packet::OptionAck(oack)) => Received::Other(self.handle_option_ack(now, from, oack)),
            Ok(Packet::Error { code, message }) => {
                Received::Other(self.handle_error(code, message))
            }
            Ok(Packet::Request(_) | Packet::Ack { .. }) => ignored(Ignored::Unexpected),
            Err(malformed) => ignored(Ignored::Malformed(malformed)),
        }
    }

    /// Server: a byte-identical request came again from the same peer. It is the same transfer, and
    /// as long as the peer has sent no data its answer may be repeated.
    pub fn handle_repeated_request(&mut self, now: Instant) {
        match self.phase {
            Phase::Granting => {
                if self.link.repeat_answer(now) {
                    self.link.repeat();
                }
            }
            Phase::Receiving if !self.link.is_proved() => {
                if self.link.repeat_answer(now) {
                    self.acks.owe(Owed::Repeat);
                    self.link.count_repeat();
                }
            }
            Phase::Requesting | Phase::Receiving | Phase::Lingering { .. } | Phase::Over(_) => {}
        }
    }

    /// Takes the time. Before [`poll_timeout`](Self::poll_timeout) is due nothing happens.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Lingering { until } = self.phase {
            if now >= until {
                self.phase = Phase::Over(End::Done);
            }
            return;
        }
        self.acks.handle_timeout(now, self.arrivals.has_gap());
        if !self.link.is_overdue(now) {
            return;
        }
        if !self.link.try_again() {
            return self.handle_unreachable();
        }
        match self.phase {
            Phase::Requesting | Phase::Granting => self.link.repeat(),
            Phase::Receiving => {
                self.link.count_repeat();
                self.acks.owe(Owed::Repeat);
            }
            Phase::Lingering { .. } | Phase::Over(_) => {}
        }
    }

    /// The driver knows that the peer cannot be reached any more: the session ends now as it would
    /// after its last retry.
    pub fn handle_unreachable(&mut self) {
        let failure = if self.is_proved() { Failure::TimedOut } else { Failure::NoAnswer };
        match self.phase {
            Phase::Requesting | Phase::Granting | Phase::Receiving => {
                self.close(End::Failed(failure));
            }
            Phase::Lingering { .. } | Phase::Over(_) => {}
        }
    }

    /// Ends the session: an ERROR with this code and text is polled next, also in place of a last
    /// ACK that has not been polled. Printable ASCII, at most 511 bytes. Nothing happens where the
    /// last ACK has left, or the session is over.
    pub fn abort(&mut self, code: ErrorCode, text: &'static str) {
        let end = End::Failed(Failure::Aborted { code, text });
        match self.phase {
            // Nobody has answered: there is no transfer, and no TID to send an ERROR to.
            Phase::Requesting => self.end(end),
            Phase::Granting | Phase::Receiving => self.close(end),
            Phase::Lingering { .. } | Phase::Over(_) => {}
        }
    }

    /// Moves the session to another clock, which shows `to` when the present one shows `from`: for a
    /// clock that is set anew or would overflow, and for a session that goes on elsewhere.
    ///
    /// A time that lies further back than the new clock's origin becomes that origin, so that a
    /// round trip under way is measured too short: leave some seconds before `to`.
    pub fn rebase(&mut self, from: Instant, to: Instant) {
        self.link.rebase(from, to);
        self.acks.rebase(from, to);
        if let Phase::Lingering { until } = &mut self.phase {
            *until = until.rebased(from, to);
        }
    }

    /// What to send now, if anything. Poll until `None`, and only when every chunk so far has been
    /// written: an ACK may be among it. Never yields a burst.
    ///
    /// # Panics
    /// When `out` is shorter than [`SMALL_PACKET`] bytes.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        assert!(out.len() >= SMALL_PACKET, "the buffer for small packets is too short");
        match self.phase {
            Phase::Requesting => self.link.poll_request(now),
            Phase::Granting => self.link.poll_option_ack(now, out),
            Phase::Receiving | Phase::Lingering { .. } => self.poll_ack(now, out),
            Phase::Over(end) => self.link.poll_farewell(end, out),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). [`Instant::NEVER`] while something
    /// waits to be polled. `None`: the session is over, drop it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Over(_) => self.link.due.then_some(Instant::NEVER),
            Phase::Lingering { until } => Some(until),
            Phase::Requesting | Phase::Granting | Phase::Receiving => {
                Some(self.link.overdue_at.min(self.acks.poll_timeout()))
            }
        }
    }

    /// Where the session stands.
    pub fn status(&self) -> Status {
        match self.phase {
            Phase::Requesting | Phase::Granting => Status::Opening,
            Phase::Receiving => Status::Active(self.link.params()),
            Phase::Lingering { .. } => Status::Lingering(self.summary()),
            Phase::Over(End::Done) => Status::Done(self.summary()),
            Phase::Over(End::Unconfirmed) => Status::Unconfirmed(self.summary()),
            Phase::Over(End::Failed(failure)) => Status::Failed(failure),
        }
    }

    /// Where transmits go. For a client the port changes with the server's first answer.
    pub fn peer(&self) -> SocketAddr {
        self.link.peer.into()
    }

    /// Whether the peer has answered anything yet: until then its address may be forged.
    pub fn is_proved(&self) -> bool {
        self.link.is_proved()
    }

    /// What has been agreed on so far; before the opening is over, what was asked for or granted.
    pub fn params(&self) -> Params {
        self.link.params()
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.link.stats(self.bytes)
    }

    fn handle_error<'d>(&mut self, code: ErrorCode, message: &'d [u8]) -> Verdict<'d> {
        match self.phase {
            // The file is whole and acknowledged: nothing that comes late can undo that.
            Phase::Lingering { .. } => Verdict::Ignored(Ignored::Over),
            Phase::Requesting | Phase::Granting | Phase::Receiving | Phase::Over(_) => {
                self.end(End::Failed(self.link.peer_error(code)));
                Verdict::PeerError { code, message }
            }
        }
    }

    fn handle_option_ack<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        oack: OptionAck<'_>,
    ) -> Verdict<'d> {
        match self.phase {
            Phase::Requesting => match negotiate::accept(&self.link.options, oack) {
                Ok(agreed) => {
                    self.opened(now, from, agreed);
                    self.acks.owe_progress();
                    Verdict::Accepted
                }
                Err(misconduct) => {
                    self.link.peer = from.into();
                    self.misconduct(misconduct)
                }
            },
            // Our ACK 0 was lost, and nothing has come since. A server that awaits DATA 1 is not
            // proved: it has sent no request that an OACK could answer.
            Phase::Receiving if self.is_proved() && self.arrivals.is_empty() => {
                self.link.count_duplicate();
                self.acks.owe(Owed::Repeat);
                Verdict::Accepted
            }
            Phase::Granting | Phase::Receiving | Phase::Lingering { .. } | Phase::Over(_) => {
                Verdict::Ignored(Ignored::Unexpected)
            }
        }
    }

    /// The opening packet was answered; the answer's source is the peer's TID from now on.
    fn opened(&mut self, now: Instant, from: SocketAddr, agreed: Options) {
        self.link.agree(agreed);
        self.link.opened(now, from);
        self.rollover = agreed.rollover().unwrap_or_default();
        self.phase = Phase::Receiving;
    }

    fn poll_ack(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        if !self.acks.poll(now, self.arrivals.base()) {
            return None;
        }
        if self.link.overdue_at == Instant::NEVER {
            self.link.await_answer(now);
        }
        if self.arrivals.is_whole() && !matches!(self.phase, Phase::Lingering { .. }) {
            let linger = self.link.retransmission.timing().linger(self.params().interval);
            self.phase = Phase::Lingering { until: now + linger };
        }
        // Where each ACK tells the next window, ours is always the one that was agreed on.
        let window_size = self.link.params().window_size.get();
        let next_window =
            self.link.options.msft_window().map(|_| u8::try_from(window_size).unwrap_or(u8::MAX));
        let block = self.rollover.on_wire(self.arrivals.base());
        let ack = Packet::Ack { block, next_window };
        ack.encode(out).map(Transmit::Packet)
    }

    fn summary(&self) -> Summary {
        Summary { bytes: self.bytes, params: self.link.params() }
    }

    fn misconduct<'d>(&mut self, misconduct: Misconduct) -> Verdict<'d> {
        self.close(End::Failed(Failure::Protocol(misconduct)));
        Verdict::Accepted
    }

    /// Ends the session; the peer is told, if there is anything to tell.
    fn close(&mut self, end: End) {
        self.phase = Phase::Over(end);
        self.link.close(end);
        self.acks.close();
    }

    /// Ends the session in silence.
    fn end(&mut self, end: End) {
        self.phase = Phase::Over(end);
        self.link.end();
    }
}

fn ignored<'d>(why: Ignored) -> Received<'d> {
    Received::Other(Verdict::Ignored(why))
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::values::BlockSize;

    /// See `tests/rollover.rs` for the sender.
    #[test]
    fn f32_a_receiver_counts_more_than_four_billion_blocks() {
        const BEFORE: u64 = (1 << 32) - 2;
        let (now, peer) = (Instant::ZERO, (Ipv4Addr::LOCALHOST, 40_000).into());
        let granted = Options::NONE.with_block_size(BlockSize::MIN);
        let mut receiver = Receiver::reply(now, peer, granted, Order::Any, Timing::SERVER);
        receiver.arrivals = Arrivals::up_to(BEFORE);
        receiver.phase = Phase::Receiving;
        let mut out = [0; SMALL_PACKET];
        for (block, number) in (BEFORE + 1..).zip([0xFFFF, 0, 1]) {
            let [high, low] = u16::to_be_bytes(number);
            let data = [0, 3, high, low, 1, 2, 3, 4, 5, 6, 7, 8];
            let Received::Data(chunk) = receiver.handle_datagram(now, peer, &data) else {
                panic!("block {block} is new");
            };
            assert_eq!(chunk.offset, (block - 1) * 8);
            assert_eq!(receiver.poll_transmit(now, &mut out), Some(Transmit::Packet(4)));
            assert_eq!(out[..4], [0, 4, high, low]);
        }
    }
}
