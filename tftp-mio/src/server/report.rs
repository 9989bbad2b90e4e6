//! What the log and the counters say: one line for every transfer that has ended, and one for every
//! refusal, as far as a flood leaves room.

use std::{fmt, fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use tftp_core::{Failure, Instant, Operation, Request, Status};

use super::{
    counters::{Counters, Outcome, Refused},
    session::Session,
    throttle::Throttle,
};
use crate::{
    socket::Arrival,
    storage::{Denied, is_our_trouble, trouble_in_full},
};

/// Speaks for one worker.
pub(crate) struct Reporter {
    counters: Arc<Counters>,
    throttle: Throttle,
}

impl Reporter {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { counters, throttle: Throttle::new() }
    }

    pub(crate) fn transfer_began(&self, operation: Operation) {
        self.counters.count_start(operation);
    }

    /// A transfer has ended, or has nothing left to do but linger.
    pub(crate) fn transfer_ended(&mut self, now: Instant, session: &mut Session) {
        let (outcome, reason) = outcome(session);
        let stats = session.transfer.stats();
        let took = now.saturating_duration_since(session.about.began);
        self.counters.count_end(session.about.operation, outcome, &stats, took);
        // Anybody can begin a transfer in another's name, but not answer for it.
        if session.transfer.is_proved() || self.may_write(now) {
            transfer_ended(session, took, outcome, reason);
        }
    }

    /// A request was answered with an ERROR. `file` is what its name has led to, if that is another.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        request: &Request<'_>,
        file: Option<&[u8]>,
        why: &Denied,
        reason: Refused,
    ) {
        self.counters.count_refusal(reason);
        if self.may_write(now) {
            refused(peer, request, file, why);
        }
    }

    /// A sender that may not ask has sent something.
    pub(crate) fn sender_refused(&mut self, now: Instant, peer: SocketAddr) {
        self.counters.count_refusal(Refused::Sender);
        if self.may_write(now) {
            tracing::info!(%peer, outcome = "refused", reason = "sender may not ask", "datagram");
        }
    }

    /// Something has come that is no request, or that nobody can want an answer to.
    pub(crate) fn ignored(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        reason: Refused,
        detail: impl fmt::Display,
    ) {
        self.counters.count_refusal(reason);
        if tracing::enabled!(tracing::Level::DEBUG) && self.may_write(now) {
            let (peer, to) = (arrival.from, arrival.to);
            tracing::debug!(%peer, %to, reason = reason.name(), %detail, "datagram ignored");
        }
    }

    /// Whether a line may be written that a forged datagram can cause.
    fn may_write(&mut self, now: Instant) -> bool {
        let may = self.throttle.admit(now);
        if !may {
            self.counters.count_unlogged();
        }
        if let Some(lines) = self.throttle.poll_withheld(now) {
            withheld(lines);
        }
        may
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        match self.throttle.take_withheld() {
            0 => {}
            lines => withheld(lines),
        }
    }
}

fn withheld(lines: u64) {
    tracing::warn!(lines, "a flood: lines about refused and unanswered requests were left out");
}

/// Writes a line: a warning where the server itself is in trouble.
macro_rules! record {
    ($warn:expr, $($what:tt)+) => {
        if $warn { tracing::warn!($($what)+) } else { tracing::info!($($what)+) }
    };
}

fn transfer_ended(session: &mut Session, took: Duration, outcome: Outcome, reason: Option<String>) {
    let trouble = session.transfer.take_content_error();
    let (about, transfer) = (&session.about, &session.transfer);
    let stats = transfer.stats();
    let warn = trouble.as_ref().is_some_and(is_our_trouble);
    let reason = trouble.as_ref().map(trouble_in_full).or(reason);
    record!(
        warn,
        peer = %transfer.peer(),
        op = verb(about.operation),
        name = Escaped(&about.name).to_string(),
        file = about.file().map(|file| Escaped(file).to_string()),
        mode = %about.mode,
        bytes = stats.bytes,
        seconds = rounded(took.as_secs_f64()),
        rate = %Rate(stats.bytes, took),
        options = transfer.params().options.to_string(),
        round_trip_ms = stats.round_trip.map(|time| rounded(time.as_secs_f64() * 1e3)),
        retransmissions = stats.retransmissions,
        duplicates = stats.duplicates,
        outcome = outcome.name(),
        reason,
        "transfer"
    );
}

fn refused(peer: SocketAddr, request: &Request<'_>, file: Option<&[u8]>, why: &Denied) {
    record!(
        why.is_our_trouble(),
        %peer,
        op = verb(request.operation),
        name = Escaped(request.filename).to_string(),
        file = file.map(|file| Escaped(file).to_string()),
        mode = %request.mode,
        outcome = "refused",
        reason = &*why.text,
        "transfer"
    );
}

/// Six digits behind the point: more are noise.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// How a transfer ended, and a few words more for people.
fn outcome(session: &Session) -> (Outcome, Option<String>) {
    let about = &session.about;
    let said =
        about.peer_error().map(|(code, message)| format!("error {}: {}", code.0, Escaped(message)));
    match session.transfer.status() {
        Status::Done(_) | Status::Lingering(_) => (Outcome::Completed, None),
        Status::Unconfirmed(_) => (Outcome::Unconfirmed, Some("the last ACK never came".into())),
        Status::Failed(Failure::Refused(_))
            if about.operation == Operation::Read && about.asked_size =>
        {
            (Outcome::Probe, said)
        }
        Status::Failed(Failure::Refused(_) | Failure::PeerAborted(_)) => (Outcome::Aborted, said),
        Status::Failed(failure @ (Failure::NoAnswer | Failure::TimedOut)) => {
            (Outcome::TimedOut, Some(failure.to_string()))
        }
        Status::Failed(failure) => (Outcome::Failed, Some(failure.to_string())),
        Status::Opening | Status::Active(_) => {
            (Outcome::Replaced, Some("by another request".into()))
        }
    }
}

fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Read => "read",
        Operation::Write => "write",
    }
}

/// A peer's bytes with everything but printable ASCII escaped, and cut where no name or text of good
/// faith is as long. Quotes are the business of whoever puts it into some.
struct Escaped<'a>(&'a [u8]);

const LONGEST: usize = 512;

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..LONGEST).unwrap_or(self.0);
        for piece in shown.split_inclusive(|&byte| matches!(byte, b'"' | b'\'')) {
            let (quote, rest) = match piece.split_last() {
                Some((quote @ (b'"' | b'\''), rest)) => (Some(char::from(*quote)), rest),
                _ => (None, piece),
            };
            write!(f, "{}", rest.escape_ascii())?;
            quote.map_or(Ok(()), |quote| f.write_char(quote))?;
        }
        if shown.len() < self.0.len() { f.write_str("...") } else { Ok(()) }
    }
}

/// Bytes in a time, as people say it.
struct Rate(u64, Duration);

impl fmt::Display for Rate {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.0 as f64 / self.1.as_secs_f64().max(1e-6);
        match per_second {
            rate if rate >= 1e6 => write!(f, "{:.1}MB/s", rate / 1e6),
            rate if rate >= 1e3 => write!(f, "{:.1}kB/s", rate / 1e3),
            rate => write!(f, "{rate:.0}B/s"),
        }
    }
}
