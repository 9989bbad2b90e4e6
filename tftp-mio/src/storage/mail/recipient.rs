//! Whom a message is for.

use std::fmt;

/// A user of ours, and what the client thinks our host is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipient<'a> {
    pub(super) user: &'a str,
    pub(super) host: Option<&'a str>,
}

impl<'a> Recipient<'a> {
    /// Reads `user` or `user@host`. Nothing else is taken: a user's name is that of a folder, and
    /// both stand in the message's head.
    pub(super) fn parse(name: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(name).ok()?;
        let (user, host) = match text.split_once('@') {
            Some((user, host)) => (user, Some(host)),
            None => (text, None),
        };
        let of = |text: &str, most: usize, more: &[u8]| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
            (1..=most).contains(&text.len())
                && !text.starts_with(['.', '-'])
                && text.bytes().all(fits)
        };
        let plain = of(user, 64, b".-_+") && host.is_none_or(|host| of(host, 255, b".-"));
        plain.then_some(Self { user, host })
    }
}

impl fmt::Display for Recipient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user)?;
        self.host.map_or(Ok(()), |host| write!(f, "@{host}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_a_user_and_maybe_a_host() {
        for (name, user, host) in [
            ("tom", "tom", None),
            ("tom@host", "tom", Some("host")),
            ("t.o-m_1+x@a.example.org", "t.o-m_1+x", Some("a.example.org")),
        ] {
            assert_eq!(Recipient::parse(name.as_bytes()), Some(Recipient { user, host }), "{name}");
        }
    }

    #[test]
    fn nothing_else_is_a_recipient() {
        for name in [
            "",
            "@",
            "@host",
            "tom@",
            "a/b",
            "..",
            ".hidden",
            "-x",
            "a b",
            "a\nb",
            "a@b@c",
            "a@b/c",
            "a\\b",
            "a:b",
            "gr\u{fc}n",
            "a@[192.0.2.1]",
            "a@.b",
            &"a".repeat(65),
        ] {
            assert_eq!(Recipient::parse(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(Recipient::parse(b"a\xFF"), None);
    }
}
