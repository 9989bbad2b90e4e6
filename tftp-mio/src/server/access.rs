//! Who may ask: rules by network, decided before anything else is done for a datagram.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// Whose datagrams are taken. What a sender that may not ask sends is dropped without an answer,
/// so that the server cannot be seen, nor made to send anything, from where it is not meant for.
///
/// A network in `deny` wins over any in `allow`, however narrow. With any network in `allow`,
/// whoever is in none of them may not ask. Without any rule everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// If any are given: the networks that may ask.
    pub allow: Vec<Network>,
    /// Networks that may not ask.
    pub deny: Vec<Network>,
}

impl Access {
    /// Whether somebody at `ip` may ask; an IPv4 address in its IPv6 form counts as IPv4.
    pub fn admits(&self, ip: IpAddr) -> bool {
        match self.ruling(ip) {
            Ruling::Unruled | Ruling::Allowed(_) => true,
            Ruling::Denied(_) | Ruling::NotAllowed => false,
        }
    }

    /// The same with the reason.
    pub(crate) fn ruling(&self, ip: IpAddr) -> Ruling {
        let ip = ip.to_canonical();
        let within =
            |networks: &[Network]| networks.iter().copied().find(|network| network.contains(ip));
        if let Some(network) = within(&self.deny) {
            Ruling::Denied(network)
        } else if let Some(network) = within(&self.allow) {
            Ruling::Allowed(network)
        } else if self.allow.is_empty() {
            Ruling::Unruled
        } else {
            Ruling::NotAllowed
        }
    }
}

/// Why somebody may ask, or may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// No rule is about them, and none is needed.
    Unruled,
    Allowed(Network),
    Denied(Network),
    /// They are in none of the networks that may ask.
    NotAllowed,
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unruled => f.write_str("may ask: nobody says otherwise"),
            Self::Allowed(network) => write!(f, "may ask: {network} is allowed"),
            Self::Denied(network) => write!(f, "may not ask: {network} is denied"),
            Self::NotAllowed => f.write_str("may not ask: in no network that is allowed"),
        }
    }
}

/// A network, as in `192.0.2.0/24`, `2001:db8::/32`, or a bare address for a single host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether `ip` is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no [`Network`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use a network such as 192.0.2.0/24 or 2001:db8::/32, or an address")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        /// Bits before the IPv4 address in its IPv6 form.
        const MAPPED: u8 = 96;
        let net: IpNet = text
            .parse()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| NoNetwork)?;
        Ok(Self(match (net.addr().to_canonical(), net.prefix_len().checked_sub(MAPPED)) {
            (ip @ IpAddr::V4(_), Some(prefix)) if net.addr().is_ipv6() => {
                IpNet::new(ip, prefix).map_err(|_| NoNetwork)?
            }
            _ => net.trunc(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn deny_wins_over_allow_and_an_allow_list_excludes_all_others() {
        let none: &[&str] = &[];
        for (allow, deny, ip, admitted) in [
            (none, none, "192.0.2.1", true),
            (none, &["192.0.2.0/24"][..], "192.0.2.1", false),
            (none, &["192.0.2.0/24"], "192.0.3.1", true),
            (&["192.0.2.0/24"], none, "192.0.2.1", true),
            (&["192.0.2.0/24"], none, "192.0.3.1", false),
            (&["192.0.2.0/24"], none, "2001:db8::1", false),
            (&["192.0.2.1"], &["192.0.2.0/24"], "192.0.2.1", false),
            (&["192.0.2.0/24"], &["192.0.2.1"], "192.0.2.1", false),
            (&["192.0.2.0/24"], &["192.0.2.1"], "192.0.2.2", true),
            (&["0.0.0.0/0", "2001:db8::/32"], none, "2001:db8:1::1", true),
            (&["0.0.0.0/0", "2001:db8::/32"], none, "2001:db9::1", false),
            (&["fe80::/10"], none, "fe80::1", true),
        ] {
            let access = Access { allow: networks(allow), deny: networks(deny) };
            let shown = format!("{ip} with {allow:?} but {deny:?}");
            assert_eq!(access.admits(ip.parse().unwrap()), admitted, "{shown}");
        }
    }

    #[test]
    fn an_ipv4_address_is_one_in_either_form() {
        for network in ["10.0.0.0/8", "10.1.2.3/8", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3/104"] {
            let access = Access { allow: networks(&[network]), ..Access::default() };
            for (ip, admitted) in
                [("10.9.9.9", true), ("::ffff:10.9.9.9", true), ("::ffff:11.0.0.1", false)]
            {
                assert_eq!(access.admits(ip.parse().unwrap()), admitted, "{ip} in {network}");
            }
        }
        let mapped: Network = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(mapped, "10.0.0.1/32".parse().unwrap());
    }

    #[test]
    fn what_is_no_network_is_said_to_be() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0", "example.org", "10.0.0.0/-1", "10/8"] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
    }
}
