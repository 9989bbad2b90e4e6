//! The half that sends the file: a server that answers RRQ, or a client that asked with WRQ.
//!
//! ```text
//!  request()──► Requesting ──OACK / ACK 0──┐
//!                                          ├──► Sending ──ACK of the last block──► Over(Done)
//!  reply()────► Granting ───ACK 0──────────┤
//!    └───────── no option granted ─────────┘
//!
//!  from any of them: ERROR received, abort, misconduct, giving up ──► Over(Failed)
//! ```
//!
//! What happens in `Sending` is in [`window`].

mod window;

use core::net::SocketAddr;

use crate::{
    burst::Burst,
    error::{ErrorCode, Failure, Misconduct},
    flight::{Cause, Flight},
    link::{End, Link, Origin, judge_stranger},
    negotiate,
    options::Options,
    rto::Timing,
    session::{Ignored, Params, Stats, Status, Summary, Transmit, Verdict},
    time::Instant,
    wire::{OptionAck, Packet, SMALL_PACKET},
};

/// Sends one file to one peer. See the [canonical loop](crate#the-canonical-loop).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender {
    link: Link,
    phase: Phase,
    len: Len,
    /// All blocks up to this one are acknowledged.
    base: u64,
    /// The block to plan next.
    next: u64,
    /// The highest block that was ever sent.
    high: u64,
}

/// What is awaited; whether it was sent, or is [due](Link::due), the link knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Client: an answer to the request.
    Requesting,
    /// Server: ACK 0, in answer to the OACK.
    Granting,
    Sending(Flight),
    /// Nothing; an ERROR may be due.
    Over(End),
}

/// The length of the file in bytes; unknown for pipes until their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Len(u64);

impl Len {
    const UNKNOWN: u64 = u64::MAX;

    fn get(self) -> Option<u64> {
        (self.0 != Self::UNKNOWN).then_some(self.0)
    }
}

impl From<Option<u64>> for Len {
    fn from(len: Option<u64>) -> Self {
        Self(len.unwrap_or(Self::UNKNOWN))
    }
}

impl Sender {
    /// A server's answer to a read request: opens with OACK, or with DATA 1 where `answer` is
    /// empty.
    ///
    /// `peer` is where the request came from, `answer` what
    /// [`Limits::answer`](crate::Limits::answer) granted, `len` the bytes that will be sent;
    /// `None` where only reading shows the end (pipes, netascii): use [`Burst::end_after`].
    pub fn reply(
        now: Instant,
        peer: SocketAddr,
        answer: Options,
        len: Option<u64>,
        timing: Timing,
    ) -> Self {
        let link = Link::reply(now, peer, answer, timing);
        let phase = if link.due {
            Phase::Granting
        } else {
            Phase::Sending(Flight::new(Cause::Progress, link.params().window_size.get(), 0))
        };
        Self::new(link, phase, len)
    }

    /// A client's write request: opens with the request, which the caller has encoded and sends on
    /// [`Transmit::Request`].
    ///
    /// `server` is the address that requests go to; the transfer's port is learnt from the first
    /// valid answer. `asked` are the request's options.
    pub fn request(
        now: Instant,
        server: SocketAddr,
        asked: Options,
        len: Option<u64>,
        timing: Timing,
    ) -> Self {
        let link = Link::request(now, server, asked, timing);
        Self::new(link, Phase::Requesting, len)
    }

    fn new(link: Link, phase: Phase, len: Option<u64>) -> Self {
        Self { link, phase, len: len.into(), base: 0, next: 1, high: 0 }
    }

    /// Takes a datagram that arrived. Never fails: what is no business of the session changes
    /// nothing, not even a timer.
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d [u8],
    ) -> Verdict<'d> {
        let tid_known = match self.phase {
            Phase::Requesting => false,
            Phase::Granting | Phase::Sending(_) => true,
            Phase::Over(_) => return Verdict::Ignored(Ignored::Over),
        };
        match self.link.origin(from, tid_known) {
            Origin::Peer | Origin::Candidate => {}
            Origin::Stranger => return judge_stranger(from, datagram),
        }
        match Packet::parse(datagram) {
            Ok(Packet::Ack { block, next_window }) => {
                self.handle_ack(now, from, block, next_window)
            }
            Ok(Packet::OptionAck(oack)) => self.handle_option_ack(now, from, oack),
            Ok(Packet::Error { code, message }) => {
                self.end(End::Failed(self.link.peer_error(code)));
                Verdict::PeerError { code, message }
            }
            Ok(Packet::Request(_) | Packet::Data { .. }) => Verdict::Ignored(Ignored::Unexpected),
            Err(malformed) => Verdict::Ignored(Ignored::Malformed(malformed)),
        }
    }

    /// Server: a byte-identical request came again from the same peer. It is the same transfer, and
    /// as long as the peer has acknowledged nothing its answer may be repeated.
    pub fn handle_repeated_request(&mut self, now: Instant) {
        match self.phase {
            Phase::Granting => {
                if self.link.repeat_answer(now) {
                    self.link.repeat();
                }
            }
            Phase::Sending(flight) if !self.link.is_proved() => {
                if self.link.repeat_answer(now) {
                    self.begin_window(Cause::Progress, flight.window);
                }
            }
            Phase::Requesting | Phase::Sending(_) | Phase::Over(_) => {}
        }
    }

    /// Takes the time. Before [`poll_timeout`](Self::poll_timeout) is due nothing happens.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.link.is_overdue(now) {
            return;
        }
        if !self.link.try_again() {
            return self.handle_unreachable();
        }
        match self.phase {
            Phase::Requesting | Phase::Granting => self.link.repeat(),
            Phase::Sending(flight) => self.begin_window(Cause::TimeOut, flight.window),
            Phase::Over(_) => {}
        }
    }

    /// The driver knows that the peer cannot be reached any more: the session ends now as it would
    /// after its last retry.
    pub fn handle_unreachable(&mut self) {
        let all_sent = self.all_sent();
        let failed = |failure| if all_sent { End::Unconfirmed } else { End::Failed(failure) };
        match self.phase {
            Phase::Over(_) => {}
            // One that has said nothing is not sent an ERROR either.
            _ if !self.is_proved() => self.end(failed(Failure::NoAnswer)),
            _ => self.close(failed(Failure::TimedOut)),
        }
    }

    /// Confirms that the packets of a burst were sent at `now`. A burst that is no longer the plan,
    /// because something was handled in between, is ignored: its blocks come again.
    pub fn commit(&mut self, now: Instant, burst: Burst) {
        let current = |plan: Burst| plan.first == burst.first && plan.count >= burst.count;
        let (Some(true), Phase::Sending(flight)) = (self.plan().map(current), &mut self.phase)
        else {
            return;
        };
        if self.len.get().is_none() {
            self.len = burst.file_len.into();
        }
        flight.leaves(now, self.high);
        let repeated = self.high.saturating_add(1).saturating_sub(burst.first);
        self.link.count_blocks(burst.count);
        self.link.count_repeats(u16::try_from(repeated).unwrap_or(u16::MAX).min(burst.count));
        self.next = burst.first.saturating_add(burst.count.into());
        self.high = self.high.max(self.next.saturating_sub(1));
        if self.plan().is_none() {
            self.link.await_answer(now);
        }
    }

    /// Ends the session: an ERROR with this code and text is polled next. Printable ASCII, at most
    /// 511 bytes. Nothing happens where the session is over already.
    pub fn abort(&mut self, code: ErrorCode, text: &'static str) {
        let end = End::Failed(Failure::Aborted { code, text });
        match self.phase {
            // Nobody has answered: there is no transfer, and no TID to send an ERROR to.
            Phase::Requesting => self.end(end),
            Phase::Granting | Phase::Sending(_) => self.close(end),
            Phase::Over(_) => {}
        }
    }

    /// Moves the session to another clock, which shows `to` when the present one shows `from`: for a
    /// clock that is set anew or would overflow, and for a session that goes on elsewhere.
    ///
    /// A time that lies further back than the new clock's origin becomes that origin, so that a
    /// round trip under way is measured too short: leave some seconds before `to`.
    pub fn rebase(&mut self, from: Instant, to: Instant) {
        self.link.rebase(from, to);
        if let Phase::Sending(flight) = &mut self.phase {
            flight.rebase(from, to);
        }
    }

    /// What to send now, if anything. Poll until `None`; a burst comes again until it is committed.
    ///
    /// # Panics
    /// When `out` is shorter than [`SMALL_PACKET`] bytes.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        assert!(out.len() >= SMALL_PACKET, "the buffer for small packets is too short");
        match self.phase {
            Phase::Requesting => self.link.poll_request(now),
            Phase::Granting => self.link.poll_option_ack(now, out),
            Phase::Sending(_) => self.plan().map(Transmit::Burst),
            Phase::Over(end) => self.link.poll_farewell(end, out),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). [`Instant::NEVER`] while something
    /// waits to be polled or committed. `None`: the session is over, drop it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Over(_) => self.link.due.then_some(Instant::NEVER),
            Phase::Requesting | Phase::Granting | Phase::Sending(_) => Some(self.link.overdue_at),
        }
    }

    /// Where the session stands.
    pub fn status(&self) -> Status {
        match self.phase {
            Phase::Requesting | Phase::Granting => Status::Opening,
            Phase::Sending(_) => Status::Active(self.link.params()),
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

    /// Bytes of the file that the peer has acknowledged. No burst asks for any of them again: a
    /// source that cannot be read twice may forget them.
    pub fn acknowledged(&self) -> u64 {
        let bytes = self.base.saturating_mul(self.block_size());
        self.len.get().map_or(bytes, |len| bytes.min(len))
    }

    /// Whether blocks are being sent, and one at a time.
    pub fn is_lock_step(&self) -> bool {
        matches!(self.phase, Phase::Sending(Flight { window: 1, .. }))
    }

    /// Whether the session is in lock-step and the peer has acknowledged what it was sent: no ACK that
    /// may still come for that changes what is sent next. A driver that takes datagrams one by one
    /// may stop here, and poll; it takes what is left when it next looks. With windows this is
    /// `false`: an ACK that comes again can mean that a block was lost.
    pub fn is_answered(&self) -> bool {
        match self.phase {
            Phase::Requesting | Phase::Granting => false,
            Phase::Sending(_) => {
                let all = self.high > 0 && self.base == self.high;
                // With `msftwindow` the next window may have more.
                all && self.is_lock_step() && self.link.options.msft_window().is_none()
            }
            Phase::Over(_) => true,
        }
    }

    /// What has been agreed on so far; before the opening is over, what was asked for or granted.
    pub fn params(&self) -> Params {
        self.link.params()
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.link.stats(self.acknowledged())
    }

    fn handle_ack<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        block: u16,
        next_window: Option<u8>,
    ) -> Verdict<'d> {
        match self.phase {
            // RFC 2347: a server that does not know options answers as if there were none.
            Phase::Requesting if block == 0 => {
                self.link.agree(Options::NONE);
                self.opened(now, from, next_window)
            }
            Phase::Granting if block == 0 => self.opened(now, from, next_window),
            Phase::Sending(flight) => {
                let rollover = self.link.params().rollover;
                let block = rollover.block_at(block, self.base);
                self.acknowledge(now, flight, block, next_window)
            }
            Phase::Requesting | Phase::Granting | Phase::Over(_) => {
                Verdict::Ignored(Ignored::Unexpected)
            }
        }
    }

    fn handle_option_ack<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        oack: OptionAck<'_>,
    ) -> Verdict<'d> {
        let Phase::Requesting = self.phase else {
            return Verdict::Ignored(Ignored::Unexpected);
        };
        match negotiate::accept(&self.link.options, oack) {
            Ok(agreed) => {
                self.link.agree(agreed);
                self.opened(now, from, None)
            }
            Err(misconduct) => {
                self.link.peer = from.into();
                self.misconduct(misconduct)
            }
        }
    }

    /// The opening packet was answered; the answer's source is the peer's TID from now on.
    fn opened<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        next_window: Option<u8>,
    ) -> Verdict<'d> {
        self.link.opened(now, from);
        let window = self.next_window(next_window, self.link.params().window_size.get());
        self.begin_window(Cause::Progress, window);
        Verdict::Accepted
    }

    fn block_size(&self) -> u64 {
        self.link.params().block_size.get().into()
    }

    fn summary(&self) -> Summary {
        Summary {
            bytes: self.len.get().unwrap_or_else(|| self.acknowledged()),
            params: self.link.params(),
        }
    }

    fn misconduct<'d>(&mut self, misconduct: Misconduct) -> Verdict<'d> {
        self.close(End::Failed(Failure::Protocol(misconduct)));
        Verdict::Accepted
    }

    /// Ends the session; the peer is told, if there is anything to tell.
    fn close(&mut self, end: End) {
        self.phase = Phase::Over(end);
        self.link.close(end);
    }

    /// Ends the session in silence.
    fn end(&mut self, end: End) {
        self.phase = Phase::Over(end);
        self.link.end();
    }
}
