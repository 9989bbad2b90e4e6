//! What stands above a message.

use std::net::IpAddr;

use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};

use super::{literal, recipient::Recipient};

/// How a message came to us.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    client: IpAddr,
    recipient: String,
    /// The recipient as an address.
    address: String,
    host: String,
    date: String,
}

impl Envelope {
    pub(super) fn new(client: IpAddr, recipient: &Recipient<'_>, host: &str) -> Self {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        Self {
            client,
            recipient: recipient.to_string(),
            address: format!("{}@{}", recipient.user, recipient.host.unwrap_or(host)),
            host: host.into(),
            // It fails for years before 0 and after 9999.
            date: rfc2822::to_string(&now).unwrap_or_default(),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The head of a message: what every mail server adds, and, for a message without a head of its
    /// own, what RFC 5322 wants of one. `id` is different for every message.
    pub(super) fn head(&self, id: &str, has_own: bool) -> String {
        let Self { client, recipient, address, host, date } = self;
        let peer = literal(*client);
        let fields = format!(
            "Date: {date}\n\
             From: <tftp@{peer}>\n\
             To: <{address}>\n\
             Subject: Message by TFTP from {client}\n\
             Message-ID: <{id}@{host}>\n\
             \n"
        );
        format!(
            "Return-Path: <>\n\
             Delivered-To: {recipient}\n\
             Received: from {peer} by {host} with TFTP;\n\t{date}\n\
             {fields}",
            fields = if has_own { "" } else { &fields }
        )
    }
}

/// A longer head is nobody's.
const LONGEST: usize = 16 * 1024;

/// Whether a text that begins like this has a head of its own: fields up to an empty line, with one
/// among them that only mail has. `None` as long as more of the text must be seen to tell.
pub(super) fn has_own(text: &[u8], is_whole: bool) -> Option<bool> {
    const OF_MAIL: [&str; 6] = ["from", "sender", "to", "subject", "date", "message-id"];
    let mut known = false;
    let mut first = true;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            // The rest may change what the line is.
            return if is_whole || text.len() > LONGEST { Some(false) } else { None };
        };
        if line.is_empty() {
            return Some(known);
        }
        let continues = line.starts_with(b" ") || line.starts_with(b"\t");
        match field_name(line) {
            _ if continues && !first => {}
            Some(name) if !continues => {
                known |=
                    OF_MAIL.iter().any(|of_mail| name.eq_ignore_ascii_case(of_mail.as_bytes()));
            }
            _ => return Some(false),
        }
        first = false;
    }
    // Fields and no text: a message all the same.
    if is_whole { Some(known) } else { None }
}

/// The name of a field (RFC 5322 section 2.2).
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = line.get(..colon)?;
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_fields_up_to_an_empty_line_with_one_of_mail_among_them() {
        for (text, expected) in [
            ("Subject: x\n\nbody", true),
            ("X-Mark: 1\nfrom: a\n b\n\nbody", true),
            ("Subject: x\n", true),
            ("Note: call me\n\nbody", false),
            ("Subject: x\nbody\n\n", false),
            (" Subject: x\n\n", false),
            ("Two words: x\n\n", false),
            ("\nSubject: x\n\n", false),
            ("body", false),
            ("Subject: x", false),
            ("", false),
        ] {
            assert_eq!(has_own(text.as_bytes(), true), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn it_is_told_as_early_as_can_be() {
        for (text, expected) in [
            ("", None),
            ("Subj", None),
            ("Subject: x\n", None),
            ("Subject: x\n\n", Some(true)),
            ("body\n", Some(false)),
        ] {
            assert_eq!(has_own(text.as_bytes(), false), expected, "{text:?}");
        }
        let endless = vec![b'x'; LONGEST + 1];
        assert_eq!(has_own(&endless, false), Some(false));
    }
}
