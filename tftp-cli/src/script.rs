//! Commands that are piped in: one a line, without a prompt.

use std::io::{BufRead, ErrorKind};

use crate::{
    exit::Status,
    fault::Fault,
    session::{Next, Session},
    show,
};

/// Carries out each line of `input` until the end, a `bye`, or a failure; with `keep_going` until
/// the end, a `bye`, or a signal. Returns the status of the first failure, or of the signal that
/// ends the program.
///
/// Empty lines, and lines that begin with `#`, are skipped.
pub(crate) fn run(session: &mut Session, mut input: impl BufRead, keep_going: bool) -> Status {
    let mut outcome = Status::Done;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let step = match input.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => session.run_line(line.trim_ascii()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                show::fault(&Fault::local("reading commands", error));
                return first(outcome, Status::Local);
            }
        };
        match step {
            Ok(Next::Continue) => {}
            Ok(Next::Leave) => break,
            Err(fault) => {
                show::note(&format!("tftp: line {number}: {fault}"));
                if fault.ends_the_program() {
                    return fault.status();
                }
                outcome = first(outcome, fault.status());
                if !keep_going || fault.status() == Status::Interrupted {
                    break;
                }
            }
        }
    }
    outcome
}

/// The earlier of two outcomes, unless it was a success.
fn first(earlier: Status, later: Status) -> Status {
    match earlier {
        Status::Done => later,
        failure => failure,
    }
}
