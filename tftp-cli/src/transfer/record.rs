//! The object that `--json` prints for each transfer: one line, for programs.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use tftp_core::ErrorCode;
use tftp_mio::client::{Report, TransferError};

use super::{Story, summary::rate};
use crate::{fault::Fault, show};

/// What is known of a transfer. Names that are not UTF-8 are lossy, with every byte beside them.
#[derive(Serialize)]
struct Record {
    operation: &'static str,
    #[serde(flatten)]
    names: Names,
    mode: &'static str,
    /// Address and port that were asked; null when there was none to ask.
    server: Option<String>,
    ok: bool,
    /// The exit status of this transfer alone.
    status: u8,
    #[serde(flatten)]
    report: Option<Done>,
    error: Option<Failed>,
}

#[derive(Serialize)]
struct Names {
    remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_hex: Option<String>,
    local: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_hex: Option<String>,
}

#[derive(Serialize)]
struct Done {
    /// As they went over the wire.
    bytes: u64,
    seconds: f64,
    bytes_per_second: u64,
    options: BTreeMap<&'static str, u64>,
    retransmissions: u64,
    asked_again: bool,
}

#[derive(Serialize)]
struct Failed {
    /// What happened and what to try, as people are told.
    text: String,
    /// The ERROR that the server sent, if it did.
    code: Option<u16>,
    message: Option<String>,
}

/// The object of one transfer, without a line's end.
pub(super) fn record(story: &Story, outcome: Result<&Report, &Fault>) -> String {
    let local = story.local.as_ref().map_or(&b"-"[..], |path| path.as_os_str().as_encoded_bytes());
    let record = Record {
        operation: story.operation,
        names: Names {
            remote: lossy(&story.remote),
            remote_hex: hex(&story.remote),
            local: lossy(local),
            local_hex: hex(local),
        },
        mode: story.mode.name(),
        server: story.server.map(|server| server.to_string()),
        ok: outcome.is_ok(),
        status: outcome.map_or_else(|fault| fault.status() as u8, |_| 0),
        report: outcome.ok().map(|report| Done {
            bytes: report.bytes,
            seconds: report.duration.as_secs_f64(),
            bytes_per_second: rate(report),
            options: report.options.iter().map(|(kind, value)| (kind.name(), value)).collect(),
            retransmissions: report.retransmissions,
            asked_again: report.asked_again.is_some(),
        }),
        error: outcome.err().map(|fault| {
            let said = said(fault);
            Failed {
                text: fault.to_string(),
                code: said.map(|(code, _)| code.0),
                message: said.map(|(_, message)| lossy(message)),
            }
        }),
    };
    // Texts and numbers only: nothing that JSON could not say.
    serde_json::to_string(&record).unwrap_or_default()
}

impl crate::session::Session {
    /// Tells programs of transfers that never began for want of `fault`'s remedy.
    pub(super) fn tell_of(&self, stories: impl Iterator<Item = Story>, fault: Fault) -> Fault {
        if !self.preferences.json {
            return fault;
        }
        for story in stories {
            show::line(&record(&story, Err(&fault)));
        }
        fault
    }
}

fn said(fault: &Fault) -> Option<(ErrorCode, &[u8])> {
    use TransferError::{GaveUp, Server};

    match fault {
        Fault::Transfer { error: Server { code, message } | GaveUp { code, message }, .. } => {
            Some((*code, message))
        }
        _ => None,
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every byte of a name that is not UTF-8.
fn hex(bytes: &[u8]) -> Option<String> {
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Some(hex)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use tftp_core::{BlockSize, ErrorCode, Mode, Options};
    use tftp_mio::client::{Declined, Report, TransferError};

    use super::{super::Story, record};
    use crate::fault::Fault;

    fn story() -> Story {
        Story {
            operation: "get",
            remote: b"a\xff".to_vec(),
            local: Some("b".into()),
            mode: Mode::Octet,
            server: "[::1]:69".parse().ok(),
        }
    }

    fn parsed(line: &str) -> Value {
        assert!(!line.contains('\n'));
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_finished_transfer() {
        let report = Report {
            bytes: 600,
            duration: Duration::from_millis(500),
            options: Options::NONE.with_block_size(BlockSize::MAX),
            retransmissions: 2,
            narrowed: None,
            asked_again: Some(Declined::Unanswered),
        };
        assert_eq!(
            parsed(&record(&story(), Ok(&report))),
            json!({
                "operation": "get", "remote": "a\u{fffd}", "remote_hex": "61ff", "local": "b",
                "mode": "octet", "server": "[::1]:69", "ok": true, "status": 0,
                "bytes": 600, "seconds": 0.5, "bytes_per_second": 1200,
                "options": { "blksize": 65464 }, "retransmissions": 2, "asked_again": true,
                "error": null,
            })
        );
    }

    #[test]
    fn a_refused_transfer() {
        let error =
            TransferError::Server { code: ErrorCode::FILE_NOT_FOUND, message: b"no\x1b".to_vec() };
        let fault = Fault::transfer("get a", Mode::Octet, error);
        let object = parsed(&record(&story(), Err(&fault)));
        assert_eq!((&object["ok"], &object["status"]), (&json!(false), &json!(1)));
        assert_eq!(object["error"]["code"], 1);
        assert_eq!(object["error"]["message"], "no\u{1b}");
        assert!(object["error"]["text"].as_str().unwrap().starts_with("get a: the server refused"));
        assert_eq!(object.get("bytes"), None);
    }
}
