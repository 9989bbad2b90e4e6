//! Names on a server: `REMOTE`, `HOST:REMOTE` and `tftp://` URLs (RFC 3617).

use percent_encoding::percent_decode_str;
use tftp_core::Mode;

use crate::{show, value};

/// The port of a server that is named without one (RFC 1350 section 4).
pub(crate) const DEFAULT_PORT: u16 = 69;

/// A host as a user names it, not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// A name or an address, without brackets.
    pub(crate) name: String,
    /// The port that takes requests.
    pub(crate) port: u16,
}

/// A file on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The server; `None` is the one that is connected.
    pub(crate) host: Option<Host>,
    /// The name to ask for, byte by byte.
    pub(crate) name: Vec<u8>,
    /// The mode, where a URL says one.
    pub(crate) mode: Option<Mode>,
}

/// Why a text names no file on a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRemote {
    /// Nothing is left for the file's name.
    #[error("`{0}` has no file name")]
    NoName(String),
    /// A URL of another scheme.
    #[error(
        "`{0}` is not a URL of TFTP: tftp://HOST[:PORT]/NAME is; a file of that name is written `:..`"
    )]
    Scheme(String),
    /// A `[` without its `]:`.
    #[error("`{0}` is not [ADDRESS]:NAME; a name that begins with `[` is written `:[..`")]
    OpenBracket(String),
    /// A URL that RFC 3617 does not allow.
    #[error("`{url}` is not tftp://HOST[:PORT]/NAME[;mode=MODE]: {why}")]
    Url {
        /// The whole URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Whether a word is a `tftp://` URL.
pub(crate) fn is_url(word: &[u8]) -> bool {
    word.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

const SCHEME: &[u8] = b"tftp://";

/// Whether a word is a URL of another scheme, which names nothing here.
pub(crate) fn is_foreign_url(word: &[u8]) -> bool {
    split_at(word, b"://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && !is_url(word) && scheme.iter().all(u8::is_ascii_alphanumeric)
    })
}

impl Remote {
    /// Reads the REMOTE of a `get` or `put`. The name may come out empty, as in `HOST:`.
    ///
    /// - `tftp://..` is a URL; other schemes are refused.
    /// - `:NAME` is NAME on the connected server, whatever colons it holds.
    /// - `[HOST]:NAME` is a file on that host, which may be an IPv6 address.
    /// - `HOST:NAME` too, unless a slash or backslash stands before the first colon (`./a:b`), or
    ///   one letter before and one of them after it (`C:\a`), which is a drive.
    /// - Everything else is a name on the connected server.
    pub(crate) fn parse(word: &[u8]) -> Result<Self, BadRemote> {
        if is_url(word) {
            return Self::parse_url(word);
        }
        if is_foreign_url(word) {
            return Err(BadRemote::Scheme(show::name(word)));
        }
        if let Some(name) = word.strip_prefix(b":") {
            return Ok(Self::connected(name));
        }
        if let Some(rest) = word.strip_prefix(b"[") {
            let (host, name) =
                split_at(rest, b"]:").ok_or_else(|| BadRemote::OpenBracket(show::name(word)))?;
            return match std::str::from_utf8(host) {
                Ok(host) if !host.is_empty() => Ok(Self::on(host, name)),
                _ => Err(BadRemote::OpenBracket(show::name(word))),
            };
        }
        let Some((host, name)) = split_at(word, b":") else {
            return Ok(Self::connected(word));
        };
        let is_path = host.contains(&b'/') || host.contains(&b'\\');
        let is_drive = host.len() == 1 && matches!(name.first(), Some(b'/' | b'\\'));
        match std::str::from_utf8(host) {
            Ok(host) if !is_path && !is_drive => Ok(Self::on(host, name)),
            _ => Ok(Self::connected(word)),
        }
    }

    /// Reads a URL as RFC 3617 section 2 writes it, and a port as every other scheme does.
    pub(crate) fn parse_url(word: &[u8]) -> Result<Self, BadRemote> {
        let bad = |why: &str| BadRemote::Url { url: show::name(word), why: why.to_owned() };
        let rest = word.get(SCHEME.len()..).unwrap_or_default();
        let rest =
            std::str::from_utf8(rest).map_err(|_| bad("write other bytes than UTF-8 as %XX"))?;
        let (authority, path) = rest.split_once('/').ok_or_else(|| bad("no /NAME"))?;
        let (path, mode) = match split_mode(path) {
            Some((path, mode)) => {
                let mode = match Mode::from_name(mode.as_bytes()) {
                    // RFC 3617: "A third "mail" mode was deprecated [..] and is not specified."
                    Some(Mode::Mail) | None => return Err(bad("the mode is octet or netascii")),
                    mode => mode,
                };
                (path, mode)
            }
            None => (path, None),
        };
        let name: Vec<u8> = percent_decode_str(path).collect();
        if name.is_empty() {
            return Err(bad("no NAME"));
        }
        if name.contains(&0) {
            return Err(bad("no NAME has a NUL"));
        }
        let host = parse_authority(authority).map_err(|why| bad(&why))?;
        Ok(Self { host: Some(host), name, mode })
    }

    /// Refuses an empty name.
    pub(crate) fn named(self, word: &[u8]) -> Result<Self, BadRemote> {
        if self.name.is_empty() {
            return Err(BadRemote::NoName(show::name(word)));
        }
        Ok(self)
    }

    /// The URL that was meant, if a port was written where a name goes: `HOST:6969/a`.
    pub(crate) fn as_url_with_port(&self) -> Option<String> {
        let host = self.host.as_ref().filter(|host| host.port == DEFAULT_PORT)?;
        let (port, name) = split_at(&self.name, b"/")?;
        value::port(std::str::from_utf8(port).ok()?).ok()?;
        let (port, name) = (show::name(port), show::name(name));
        let host =
            if host.name.contains(':') { format!("[{}]", host.name) } else { host.name.clone() };
        Some(format!("tftp://{}:{port}/{name}", show::name(host.as_bytes())))
    }

    /// Whether the name is that of a folder, which takes files under their own names.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.name.last(), Some(b'/' | b'\\'))
    }

    fn connected(name: &[u8]) -> Self {
        Self { host: None, name: name.to_vec(), mode: None }
    }

    fn on(host: &str, name: &[u8]) -> Self {
        Self {
            host: Some(Host { name: host.to_owned(), port: DEFAULT_PORT }),
            name: name.to_vec(),
            mode: None,
        }
    }
}

/// Reads `HOST`, `HOST:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`.
fn parse_authority(authority: &str) -> Result<Host, String> {
    if authority.contains('@') {
        return Err("TFTP has no users and passwords".to_owned());
    }
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or("a `]` is missing")?;
            (address, rest)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        Some("") => DEFAULT_PORT,
        Some(port) => value::port(port).map_err(|error| error.to_string())?,
        None if port.is_empty() => DEFAULT_PORT,
        None => return Err("after `]` comes :PORT".to_owned()),
    };
    // A zone such as `fe80::1%25eth0` is escaped as well (RFC 6874).
    let name = percent_decode_str(name).decode_utf8().map_err(|_| "the host is not UTF-8")?;
    if name.is_empty() {
        return Err("no HOST".to_owned());
    }
    Ok(Host { name: name.into_owned(), port })
}

/// Parts `;mode=..` from the end of a URL. An escaped semicolon belongs to the name.
fn split_mode(path: &str) -> Option<(&str, &str)> {
    const MODE: &str = "mode=";
    let (name, parameter) = path.rsplit_once(';')?;
    let keyword = parameter.get(..MODE.len())?;
    keyword
        .eq_ignore_ascii_case(MODE)
        .then(|| (name, parameter.get(MODE.len()..).unwrap_or_default()))
}

fn split_at<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use tftp_core::Mode;

    use super::Remote;

    /// What a word names: `host|port|name|mode`, or `name` alone on the connected server.
    fn read(word: &str) -> String {
        let remote = match Remote::parse(word.as_bytes()) {
            Ok(remote) => remote,
            Err(error) => return format!("error: {error}"),
        };
        let name = remote.name.escape_ascii();
        match remote.host {
            Some(host) => {
                let mode = remote.mode.map_or("", Mode::name);
                format!("{}|{}|{name}|{mode}", host.name, host.port)
            }
            None => name.to_string(),
        }
    }

    #[test]
    fn a_port_where_a_name_goes_may_have_been_meant_as_one() {
        let meant = |word: &str| Remote::parse(word.as_bytes()).unwrap().as_url_with_port();
        assert_eq!(meant("192.0.2.1:6969/a/b").as_deref(), Some("tftp://192.0.2.1:6969/a/b"));
        assert_eq!(meant("[::1]:6969/a").as_deref(), Some("tftp://[::1]:6969/a"));
        for word in ["h:a/b", "h:99999/b", "h:69", "6969/a", "tftp://h:70/6969/a"] {
            assert_eq!(meant(word), None, "{word}");
        }
    }

    #[test]
    fn a_word_before_the_first_colon_is_a_host() {
        assert_eq!(read("boot:pxelinux.0"), "boot|69|pxelinux.0|");
        assert_eq!(read("10.0.0.1:/a:b"), "10.0.0.1|69|/a:b|");
        assert_eq!(read("h:x"), "h|69|x|");
        assert_eq!(read("boot:"), "boot|69||");
    }

    #[test]
    fn brackets_are_always_a_host() {
        assert_eq!(read("[2001:db8::1]:a:b"), "2001:db8::1|69|a:b|");
        assert_eq!(read("[c]:/a"), "c|69|/a|");
        assert!(read("[2001:db8::1]").starts_with("error"));
        assert!(read("[]:a").starts_with("error"));
    }

    #[test]
    fn every_literal_name_can_be_reached() {
        assert_eq!(read("pxelinux.0"), "pxelinux.0");
        assert_eq!(read(":flash:config"), "flash:config");
        assert_eq!(read("::a"), ":a");
        assert_eq!(read(":[a]:b"), "[a]:b");
        assert_eq!(read(":tftp://a/b"), "tftp://a/b");
        assert_eq!(read(":http://a/b"), "http://a/b");
        assert_eq!(read("./a:b"), "./a:b");
        assert_eq!(read("/01:02:03"), "/01:02:03");
        assert_eq!(read(r"C:\boot\a"), r"C:\\boot\\a");
        assert_eq!(read("C:/boot"), "C:/boot");
    }

    #[test]
    fn urls_name_host_port_file_and_mode() {
        assert_eq!(read("tftp://h/a/b"), "h|69|a/b|");
        assert_eq!(read("TFTP://h:6969//a"), "h|6969|/a|");
        assert_eq!(read("tftp://[::1]:6969/a"), "::1|6969|a|");
        assert_eq!(read("tftp://[fe80::1%25eth0]/a"), "fe80::1%eth0|69|a|");
        assert_eq!(read("tftp://h/a;mode=netascii"), "h|69|a|netascii");
        assert_eq!(read("tftp://h/a;MODE=Octet"), "h|69|a|octet");
    }

    #[test]
    fn escaped_characters_of_a_url_are_part_of_the_name() {
        assert_eq!(read("tftp://h/a%20b%3Bmode=mail"), "h|69|a b;mode=mail|");
        assert_eq!(read("tftp://h/%2Fa%3ab%FF"), r"h|69|/a:b\xff|");
    }

    #[test]
    fn urls_of_other_schemes_are_refused() {
        for url in ["http://h/a", "HTTPS://h/a", "tftps://h/a", "ftp://h"] {
            assert!(read(url).contains("is not a URL of TFTP: tftp://HOST"), "{}", read(url));
        }
    }

    #[test]
    fn urls_without_host_or_name_or_with_a_wrong_mode_are_refused() {
        for url in [
            "tftp://h",
            "tftp://h/",
            "tftp:///a",
            "tftp://:69/a",
            "tftp://user@h/a",
            "tftp://h:0/a",
            "tftp://h:x/a",
            "tftp://[::1/a",
            "tftp://[::1]6/a",
            "tftp://h/a;mode=mail",
            "tftp://h/a;mode=",
            "tftp://h/;mode=octet",
        ] {
            assert!(read(url).starts_with("error: "), "{url}: {}", read(url));
        }
    }
}
