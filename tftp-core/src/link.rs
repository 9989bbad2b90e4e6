//! What both halves of the machine have in common: the peer and its TID, the options, the clockwork
//! of retransmission, and how a session ends.

use core::{
    hash::{Hash, Hasher},
    net::{IpAddr, SocketAddr, SocketAddrV6},
};

use crate::{
    error::{ErrorCode, Failure},
    options::Options,
    rto::{Retransmission, Timing},
    session::{Ignored, Params, Stats, Transmit, Verdict},
    time::Instant,
    wire::{Packet, SMALL_PACKET, encode_option_ack},
};

/// The end of a session, told apart by what the peer is still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Done,
    Unconfirmed,
    Failed(Failure),
}

impl End {
    /// The ERROR that goes out last.
    pub(crate) fn farewell(self) -> Option<(ErrorCode, &'static str)> {
        match self {
            Self::Failed(Failure::Aborted { code, text }) => Some((code, text)),
            Self::Failed(Failure::Protocol(misconduct)) => {
                Some((misconduct.code(), misconduct.text()))
            }
            Self::Failed(Failure::TimedOut) | Self::Unconfirmed => {
                Some((ErrorCode::NOT_DEFINED, "timed out"))
            }
            // One that has not answered a packet is not sent another.
            Self::Failed(Failure::NoAnswer | Failure::Refused(_) | Failure::PeerAborted(_))
            | Self::Done => None,
        }
    }
}

/// Who sent a datagram.
pub(crate) enum Origin {
    Peer,
    /// The asked host, from a port that may become its TID.
    Candidate,
    Stranger,
}

/// The peer, and when to speak to it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) peer: Peer,
    /// Asked for, granted, or agreed on, as the phase has it.
    pub(crate) options: Options,
    pub(crate) retransmission: Retransmission,
    /// When the last packet that awaits an answer left.
    pub(crate) sent_at: Instant,
    /// When its answer is overdue. Never while there is something to transmit: time that passes
    /// before it has been polled is nobody's retry.
    pub(crate) overdue_at: Instant,
    tally: Tally,
    /// The opening packet, or the ERROR that comes last, is to be polled.
    pub(crate) due: bool,
}

impl Link {
    /// A server's: its options are granted, and an OACK is due if there are any.
    pub(crate) fn reply(now: Instant, peer: SocketAddr, answer: Options, timing: Timing) -> Self {
        let mut link = Self::request(now, peer, answer, timing);
        link.agree(answer);
        link.due = !answer.is_empty();
        link
    }

    /// A client's: its options are wishes, and its request is due.
    pub(crate) fn request(now: Instant, peer: SocketAddr, asked: Options, timing: Timing) -> Self {
        Self {
            peer: peer.into(),
            options: asked,
            retransmission: Retransmission::new(timing),
            sent_at: now,
            overdue_at: Instant::NEVER,
            tally: Tally::default(),
            due: true,
        }
    }

    pub(crate) fn params(&self) -> Params {
        self.options.into()
    }

    /// Compares addresses and ports; an IPv6 flow label is nobody's identity.
    pub(crate) fn origin(&self, from: SocketAddr, tid_known: bool) -> Origin {
        let same_host = from.ip() == self.peer.ip;
        match (same_host, tid_known) {
            (true, true) if from.port() == self.peer.port => Origin::Peer,
            (true, false) if from.port() != 0 => Origin::Candidate,
            _ => Origin::Stranger,
        }
    }

    /// What has been counted, beside so many bytes.
    pub(crate) fn stats(&self, bytes: u64) -> Stats {
        let Tally { blocks, retransmissions, duplicates } = self.tally;
        let round_trip = self.retransmission.smoothed();
        Stats {
            bytes,
            blocks: blocks.into(),
            retransmissions: retransmissions.into(),
            duplicates: duplicates.into(),
            round_trip,
        }
    }

    /// Whether the peer has answered anything yet.
    pub(crate) fn is_proved(&self) -> bool {
        self.retransmission.is_proved()
    }

    /// Both sides know these options from now on.
    pub(crate) fn agree(&mut self, options: Options) {
        self.options = options;
        self.retransmission.agree(options.interval());
    }

    /// The opening packet was answered; the answer's source is the peer's TID from now on.
    pub(crate) fn opened(&mut self, now: Instant, from: SocketAddr) {
        self.peer = from.into();
        self.due = false;
        self.answered(now);
    }

    /// The first packet was answered.
    pub(crate) fn answered(&mut self, now: Instant) {
        if !self.retransmission.is_repeating() {
            self.retransmission.measured_opening(now.saturating_duration_since(self.sent_at));
        }
        self.retransmission.progress();
        self.overdue_at = Instant::NEVER;
    }

    /// What an ERROR from the peer means for the session.
    pub(crate) fn peer_error(&self, code: ErrorCode) -> Failure {
        if self.is_proved() { Failure::PeerAborted(code) } else { Failure::Refused(code) }
    }

    /// The awaited answer is due this long after `now`.
    pub(crate) fn await_answer(&mut self, now: Instant) {
        let wait = self.retransmission.wait();
        self.sent_at = now;
        self.overdue_at = now + wait;
    }

    /// Whether the awaited answer is overdue.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        now >= self.overdue_at
    }

    /// The timer went off: whether to send again.
    pub(crate) fn try_again(&mut self) -> bool {
        self.overdue_at = Instant::NEVER;
        self.retransmission.expired()
    }

    /// Moves the times to another clock.
    pub(crate) fn rebase(&mut self, from: Instant, to: Instant) {
        self.sent_at = self.sent_at.rebased(from, to);
        self.overdue_at = self.overdue_at.rebased(from, to);
    }

    /// The request, if it is due; it leaves now.
    pub(crate) fn poll_request(&mut self, now: Instant) -> Option<Transmit> {
        self.poll_opening(now).then_some(Transmit::Request)
    }

    /// The OACK, if it is due; it leaves now.
    pub(crate) fn poll_option_ack(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        self.poll_opening(now)
            .then(|| Transmit::Packet(encode_option_ack(&self.options, out).unwrap_or(0)))
    }

    /// Whether the opening packet is due; if so its answer is awaited from now on.
    fn poll_opening(&mut self, now: Instant) -> bool {
        let due = core::mem::take(&mut self.due);
        if due {
            self.await_answer(now);
        }
        due
    }

    /// The ERROR of a session that has ended, if it is due; it leaves now.
    pub(crate) fn poll_farewell(&mut self, end: End, out: &mut [u8]) -> Option<Transmit> {
        let (code, text) = end.farewell().filter(|_| core::mem::take(&mut self.due))?;
        Some(Transmit::Packet(encode_error(code, text, out)))
    }

    /// The session has ended; an ERROR is due, if there is anything to tell.
    pub(crate) fn close(&mut self, end: End) {
        self.overdue_at = Instant::NEVER;
        self.due = end.farewell().is_some();
    }

    /// The session has ended, and nobody is told.
    pub(crate) fn end(&mut self) {
        self.due = false;
    }

    /// The opening packet is due again.
    pub(crate) fn repeat(&mut self) {
        self.due = true;
        self.count_repeat();
    }

    /// So many blocks are sent, or new ones have come.
    pub(crate) fn count_blocks(&mut self, count: u16) {
        self.tally.blocks = self.tally.blocks.saturating_add(count.into());
    }

    /// One more packet is sent for the second time.
    pub(crate) fn count_repeat(&mut self) {
        self.count_repeats(1);
    }

    /// So many packets are sent for the second time.
    pub(crate) fn count_repeats(&mut self, count: u16) {
        let repeats = &mut self.tally.retransmissions;
        *repeats = repeats.saturating_add(count.into());
    }

    /// One more packet arrived for the second time.
    pub(crate) fn count_duplicate(&mut self) {
        self.tally.duplicates = self.tally.duplicates.saturating_add(1);
    }

    /// The same request came once more before the first answer was acknowledged: whether to repeat
    /// the answer ahead of its timer. Not at once, because some boot ROMs take two OACKs in a row
    /// badly, and not more often than the timer might, because nobody has proved that address.
    pub(crate) fn repeat_answer(&mut self, now: Instant) -> bool {
        let due = self.overdue_at < Instant::NEVER
            && now >= self.sent_at + crate::rto::FLOOR
            && self.retransmission.spare_attempt();
        if due {
            self.overdue_at = Instant::NEVER;
        }
        due
    }
}

/// Where the peer is. The flow label of IPv6 is none of it, and would make sessions larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    ip: IpAddr,
    port: u16,
    /// Of a link-local address of IPv6.
    scope: u32,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        let scope = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        Self { ip: address.ip(), port: address.port(), scope }
    }
}

impl From<Peer> for SocketAddr {
    fn from(Peer { ip, port, scope }: Peer) -> Self {
        match ip {
            IpAddr::V4(_) => Self::new(ip, port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        }
    }
}

/// What to say of a stranger's datagram: ERROR 5 for a packet, silence for an ERROR, for what is no
/// packet, and for port 0, where nobody can be.
pub(crate) fn judge_stranger(from: SocketAddr, datagram: &[u8]) -> Verdict<'_> {
    match Packet::parse(datagram) {
        Err(_) | Ok(Packet::Error { .. }) => Verdict::Ignored(Ignored::StrangerNotAnswered),
        Ok(_) if from.port() == 0 => Verdict::Ignored(Ignored::StrangerNotAnswered),
        Ok(_) => Verdict::Stray,
    }
}

/// Writes an ERROR whose text is cut to what [`SMALL_PACKET`] holds.
fn encode_error(code: ErrorCode, text: &str, out: &mut [u8]) -> usize {
    let most = SMALL_PACKET - 5;
    let message = text.as_bytes().get(..most).unwrap_or(text.as_bytes());
    Packet::Error { code, message }.encode(out).unwrap_or(0)
}

/// Statistics, which are no part of what a session is: two that differ in them alone are equal.
#[derive(Clone, Debug, Default)]
struct Tally {
    // Half as wide as what the caller is told: sessions are small.
    blocks: u32,
    retransmissions: u32,
    duplicates: u32,
}

impl PartialEq for Tally {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Tally {}

impl Hash for Tally {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
