//! The line that tells of a finished transfer.

use indicatif::HumanBytes;
use tftp_mio::client::{Declined, Report};

use crate::fault;

/// What a finished transfer was like: bytes, seconds, rate, options, and what was unusual.
pub(super) fn summary(transfer: &str, report: &Report) -> String {
    let mut line = format!(
        "{transfer}: {} bytes in {:.3} s ({}/s), ",
        report.bytes,
        report.duration.as_secs_f64(),
        HumanBytes(rate(report)),
    );
    if report.options.is_empty() {
        line.push_str("no options");
    } else {
        line.push_str(&report.options.to_string());
    }
    match report.retransmissions {
        1 => line.push_str(", 1 packet sent again"),
        many => line.extend([", ", &many.to_string(), " packets sent again"]),
    }
    if let Some(window) = report.narrowed {
        let held = window.get().to_string();
        line.extend([", asked for windowsize ", &held, " as the receive buffer holds no more"]);
    }
    if let Some(declined) = &report.asked_again {
        line.extend([", asked again with fewer options ", &why(declined)]);
    }
    line
}

/// What the server made of the options that were asked for first.
fn why(declined: &Declined) -> String {
    match declined {
        Declined::Refused { code, message } => {
            format!("because of an error (code {}){}", code.0, fault::quote(message))
        }
        Declined::Unanswered => "because there was no answer".to_owned(),
    }
}

/// Bytes in a second; a transfer takes at least a microsecond.
pub(super) fn rate(report: &Report) -> u64 {
    let micros = report.duration.as_micros().max(1);
    let rate = u128::from(report.bytes) * 1_000_000 / micros;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tftp_core::{BlockSize, ErrorCode, Options, WindowSize};
    use tftp_mio::client::{Declined, Report};

    use super::summary;

    fn report(options: Options) -> Report {
        Report {
            bytes: 600,
            duration: Duration::from_millis(100),
            options,
            retransmissions: 0,
            narrowed: None,
            asked_again: None,
        }
    }

    #[test]
    fn a_plain_transfer_is_told_in_one_short_line() {
        assert_eq!(
            summary("get a -> b", &report(Options::NONE)),
            "get a -> b: 600 bytes in 0.100 s (5.86 KiB/s), no options, 0 packets sent again"
        );
    }

    #[test]
    fn options_and_troubles_are_told_too() {
        let mut report = report(Options::NONE.with_block_size(BlockSize::MAX));
        report.retransmissions = 2;
        report.asked_again = Some(Declined::Unanswered);
        assert_eq!(
            summary("put a -> b", &report),
            "put a -> b: 600 bytes in 0.100 s (5.86 KiB/s), blksize=65464, \
             2 packets sent again, asked again with fewer options because there was no answer"
        );
    }

    #[test]
    fn a_smaller_window_than_was_set_is_told_with_its_reason() {
        let mut report = report(Options::NONE.with_window_size(WindowSize::LOCK_STEP));
        report.narrowed = WindowSize::new(3).ok();
        let told = summary("get a -> b", &report);
        let end = ", asked for windowsize 3 as the receive buffer holds no more";
        assert!(told.ends_with(end), "{told}");
    }

    #[test]
    fn what_the_server_said_of_the_options_cannot_steer_the_terminal() {
        let mut report = report(Options::NONE);
        let message = b"no \x1b[2J".to_vec();
        report.asked_again = Some(Declined::Refused { code: ErrorCode::OPTIONS_REFUSED, message });
        let told = summary("get a -> b", &report);
        let end = r#"asked again with fewer options because of an error (code 8): "no \x1b[2J""#;
        assert!(told.ends_with(end), "{told}");
    }

    #[test]
    fn a_transfer_without_any_time_has_a_rate() {
        let mut report = report(Options::NONE);
        report.duration = Duration::ZERO;
        report.bytes = u64::MAX;
        assert!(summary("get a -> b", &report).contains("iB/s"));
    }
}
