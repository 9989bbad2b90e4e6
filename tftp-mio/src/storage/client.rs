//! Clients' addresses as parts of names, and the folders that are named after them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    str::FromStr,
};

/// How an address is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As people do: `192.0.2.169`, `2001:db8::1`.
    Plain,
    /// The same with a dash for each colon, which not every system has in names: `2001-db8--1`.
    FileName,
    /// All its digits, as PXELINUX and GRUB write them: `C00002A9`.
    Hex,
}

impl Spelling {
    /// The address, to be displayed.
    pub(crate) fn of(self, ip: IpAddr) -> impl fmt::Display {
        fmt::from_fn(move |f| match (self, ip) {
            (Self::FileName, IpAddr::V6(ip)) => f.write_str(&ip.to_string().replace(':', "-")),
            (Self::Hex, IpAddr::V4(ip)) => write!(f, "{:08X}", ip.to_bits()),
            (Self::Hex, IpAddr::V6(ip)) => write!(f, "{:032X}", ip.to_bits()),
            (Self::Plain | Self::FileName, ip) => write!(f, "{ip}"),
        })
    }

    /// Whether this is how some address is written.
    fn is_one(self, text: &str) -> bool {
        let ip = match self {
            Self::Plain => text.parse().ok(),
            Self::FileName => text.replace('-', ":").parse().ok(),
            Self::Hex => match text.len() {
                8 => u32::from_str_radix(text, 16).ok().map(|bits| Ipv4Addr::from(bits).into()),
                32 => u128::from_str_radix(text, 16).ok().map(|bits| Ipv6Addr::from(bits).into()),
                _ => None,
            },
        };
        ip.is_some_and(|ip| self.of(ip).to_string() == text)
    }
}

/// Which folder belongs to which client, such as `clients/{ip}`.
///
/// `{ip}` is the address, in IPv6 with a dash for each colon (`2001-db8--1`); `{ip_hex}` is all of
/// its digits, as PXELINUX and GRUB write them (`C00002A9`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFolders {
    before: String,
    spelling: Spelling,
    after: String,
}

/// Why a text is no pattern of [`ClientFolders`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoClientFolders {
    /// There is not one address in it.
    #[error(
        "use a path beneath the root with {{ip}} or {{ip_hex}} in it once, such as clients/{{ip}}"
    )]
    NoAddress,
    /// It begins with a slash or holds `..`.
    #[error("the clients' folders are beneath the root: use a path such as clients/{{ip}}")]
    NotBeneath,
    /// It asks for what nobody knows.
    #[error("a request does not carry the client's MAC address: use {{ip}} or {{ip_hex}}")]
    Mac,
}

impl FromStr for ClientFolders {
    type Err = NoClientFolders;

    fn from_str(text: &str) -> Result<Self, NoClientFolders> {
        if text.contains("{mac") {
            return Err(NoClientFolders::Mac);
        }
        let (before, rest) = text.split_once('{').ok_or(NoClientFolders::NoAddress)?;
        let (blank, after) = rest.split_once('}').ok_or(NoClientFolders::NoAddress)?;
        let spelling = match blank {
            "ip" => Spelling::FileName,
            "ip_hex" => Spelling::Hex,
            _ => return Err(NoClientFolders::NoAddress),
        };
        if [before, after].iter().any(|text| text.contains(['{', '}'])) {
            return Err(NoClientFolders::NoAddress);
        }
        let path = format!("{before}IP{after}");
        let beneath =
            path.trim_end_matches('/').split('/').all(|step| !matches!(step, "" | "." | ".."));
        if !beneath {
            return Err(NoClientFolders::NotBeneath);
        }
        let after = after.trim_end_matches('/');
        Ok(Self { before: before.into(), spelling, after: after.into() })
    }
}

impl fmt::Display for ClientFolders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = if self.spelling == Spelling::Hex { "{ip_hex}" } else { "{ip}" };
        write!(f, "{}{blank}{}", self.before, self.after)
    }
}

impl ClientFolders {
    /// The folder of one client, beneath the root.
    pub(crate) fn of(&self, client: IpAddr) -> PathBuf {
        format!("{}{}{}", self.before, self.spelling.of(client), self.after).into()
    }

    /// The folder that holds those of all clients, unless that is the root itself.
    pub(crate) fn common_parent(&self) -> Option<&Path> {
        self.before.rsplit_once('/').map(|(parent, _)| Path::new(parent))
    }

    /// Whether a path beneath the root begins as the folder of some client does.
    pub(crate) fn is_like(&self, path: &Path) -> bool {
        let after = self.after.split('/').next().unwrap_or_default();
        let before = self.before.rsplit('/').next().unwrap_or_default();
        path.iter().next().and_then(|first| first.to_str()).is_some_and(|first| {
            let rest = first.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            rest.is_some_and(|rest| self.spelling.is_one(rest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 169));

    fn v6() -> IpAddr {
        "2001:db8::1".parse().unwrap()
    }

    #[test]
    fn addresses_are_spelled_for_names() {
        for (spelling, v4, v6_expected) in [
            (Spelling::Plain, "192.0.2.169", "2001:db8::1"),
            (Spelling::FileName, "192.0.2.169", "2001-db8--1"),
            (Spelling::Hex, "C00002A9", "20010DB8000000000000000000000001"),
        ] {
            for (ip, expected) in [(V4, v4), (v6(), v6_expected)] {
                assert_eq!(spelling.of(ip).to_string(), expected);
                assert!(spelling.is_one(expected), "{expected}");
            }
        }
        for text in ["", "x", "192.0.2", "192.0.2.1-9", "1.2.3.4.5"] {
            assert!(!Spelling::FileName.is_one(text), "{text}");
        }
        for text in ["C00002a9", "C00002A", "+0000000", "C00002A9F"] {
            assert!(!Spelling::Hex.is_one(text), "{text}");
        }
    }

    #[test]
    fn a_pattern_names_one_folder_for_each_client() {
        for (pattern, expected) in [
            ("clients/{ip}", "clients/192.0.2.169"),
            ("{ip_hex}", "C00002A9"),
            ("a/b-{ip}-c/d/", "a/b-192.0.2.169-c/d"),
        ] {
            let folders: ClientFolders = pattern.parse().unwrap();
            assert_eq!(folders.of(V4), Path::new(expected));
            assert_eq!(folders.to_string(), pattern.trim_end_matches('/'));
        }
        let folders: ClientFolders = "clients/{ip}".parse().unwrap();
        assert_eq!(folders.of(v6()), Path::new("clients/2001-db8--1"));
    }

    #[test]
    fn what_is_no_pattern_is_said_to_be() {
        use NoClientFolders::{Mac, NoAddress, NotBeneath};
        for (text, expected) in [
            ("", NoAddress),
            ("clients", NoAddress),
            ("clients/{ip", NoAddress),
            ("clients/{host}", NoAddress),
            ("{ip}/{ip}", NoAddress),
            ("clients/{mac}", Mac),
            ("/clients/{ip}", NotBeneath),
            ("../{ip}", NotBeneath),
            ("a//{ip}", NotBeneath),
            ("{ip}/./x", NotBeneath),
        ] {
            assert_eq!(text.parse::<ClientFolders>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_folder_in_the_root_is_known_by_its_form() {
        let folders: ClientFolders = "host-{ip}-x/in".parse().unwrap();
        assert_eq!(folders.common_parent(), None);
        assert!(folders.is_like(Path::new("host-10.0.0.1-x/in/file")));
        assert!(folders.is_like(Path::new("host-fe80--1-x")));
        for path in ["", "file", "host-10.0.0.1", "host-x-x", "a/host-10.0.0.1-x"] {
            assert!(!folders.is_like(Path::new(path)), "{path}");
        }
        let beneath: ClientFolders = "a/clients/{ip}".parse().unwrap();
        assert_eq!(beneath.common_parent(), Some(Path::new("a/clients")));
    }
}
