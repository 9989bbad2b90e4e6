//! What the log says: one line for every transfer that has ended, and one for every refusal.

use std::{fmt, net::SocketAddr, time::Duration};

use tftp_core::{Failure, Instant, Operation, Request, Status};

use super::session::Session;
use crate::storage::Denied;

/// Writes the line of a transfer that has ended, or that has nothing left to do but linger.
pub(crate) fn transfer_ended(now: Instant, session: &mut Session) {
    let trouble = session.transfer.take_content_error();
    let (about, transfer) = (&session.about, &session.transfer);
    let stats = transfer.stats();
    let elapsed = now.saturating_duration_since(about.began);
    let (outcome, reason) = outcome(session);
    let reason = match trouble {
        Some(error) => Some(format!("{}: {error}", reason.unwrap_or_default())),
        None => reason,
    };
    tracing::info!(
        peer = %about.peer,
        op = verb(about.operation),
        name = %Quoted(Escaped(&about.name)),
        mode = %about.mode,
        bytes = stats.bytes,
        seconds = %format_args!("{:.3}", elapsed.as_secs_f64()),
        rate = %Rate(stats.bytes, elapsed),
        options = %Quoted(transfer.params().options),
        retransmissions = stats.retransmissions,
        outcome,
        reason = reason.map(|reason| tracing::field::display(Quoted(reason))),
        "transfer"
    );
}

/// Writes the line of a request that was answered with an ERROR.
pub(crate) fn refused(peer: SocketAddr, request: &Request<'_>, why: &Denied) {
    tracing::info!(
        %peer,
        op = verb(request.operation),
        name = %Quoted(Escaped(request.filename)),
        mode = %request.mode,
        outcome = "refused",
        reason = %Quoted(&why.text),
        "transfer"
    );
}

/// How a transfer ended, in one word for machines and a few for people.
fn outcome(session: &Session) -> (&'static str, Option<String>) {
    let about = &session.about;
    let said = about
        .peer_error
        .as_ref()
        .map(|(code, message)| format!("error {}: {}", code.0, Escaped(message)));
    match session.transfer.status() {
        Status::Done(_) | Status::Lingering(_) => ("completed", None),
        Status::Unconfirmed(_) => ("unconfirmed", Some("the last ACK never came".into())),
        Status::Failed(Failure::Refused(_))
            if about.operation == Operation::Read && about.asked_size =>
        {
            ("probe", said)
        }
        Status::Failed(Failure::Refused(_) | Failure::PeerAborted(_)) => {
            ("aborted by client", said)
        }
        Status::Failed(failure @ (Failure::NoAnswer | Failure::TimedOut)) => {
            ("timed out", Some(failure.to_string()))
        }
        Status::Failed(failure) => ("failed", Some(failure.to_string())),
        Status::Opening | Status::Active(_) => ("replaced", Some("by another request".into())),
    }
}

fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Read => "read",
        Operation::Write => "write",
    }
}

/// A text in quotes.
struct Quoted<T>(T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// A peer's bytes, with quotes and everything but printable ASCII escaped, and cut where no name or
/// text of good faith is as long.
struct Escaped<'a>(&'a [u8]);

const LONGEST: usize = 512;

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..LONGEST) {
            Some(cut) if cut.len() < self.0.len() => write!(f, "{}...", cut.escape_ascii()),
            _ => write!(f, "{}", self.0.escape_ascii()),
        }
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
