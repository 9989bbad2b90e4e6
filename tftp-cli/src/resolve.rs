//! From a host's name to the address that requests are sent to.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
};

use crate::{fault::Fault, remote::Host, show};

/// Which addresses may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Family {
    /// The system's preference.
    #[default]
    Either,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Either => "any",
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        })
    }
}

impl Family {
    fn holds(self, address: &SocketAddr) -> bool {
        match self {
            Self::Either => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Looks the host up; its addresses of the family, the system's preference first. There is at least
/// one.
///
/// # Errors
/// When the host is unknown or has no address of that family.
pub(crate) fn resolve(host: &Host, family: Family) -> Result<Vec<SocketAddr>, Fault> {
    let unresolved =
        |why: String| Fault::Unresolved { host: show::name(host.name.as_bytes()), why };
    let addresses: Vec<_> = (host.name.as_str(), host.port)
        .to_socket_addrs()
        .map_err(|error| {
            let said = error.to_string();
            // What Rust puts in front of the system's words tells nobody anything.
            let said = said.strip_prefix("failed to lookup address information: ").unwrap_or(&said);
            unresolved(format!("{said}; check the host's name"))
        })?
        .filter(|address| family.holds(address))
        .collect();
    if addresses.is_empty() {
        return Err(unresolved(match family {
            Family::Either => "the host has no address".to_owned(),
            Family::V4 => "the host has no IPv4 address; try without -4".to_owned(),
            Family::V6 => "the host has no IPv6 address; try without -6".to_owned(),
        }));
    }
    Ok(addresses)
}

/// Whether an address is one of a link, and does not say of which (RFC 4007 section 6).
pub(crate) fn lacks_interface(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

#[cfg(test)]
mod tests {
    use super::{Family, lacks_interface, resolve};
    use crate::remote::Host;

    fn address(name: &str, family: Family) -> String {
        let name = name.to_owned();
        match resolve(&Host { name, port: 69 }, family) {
            Ok(addresses) => addresses[0].to_string(),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn an_address_needs_no_lookup() {
        assert_eq!(address("127.0.0.1", Family::Either), "127.0.0.1:69");
        assert_eq!(address("::1", Family::V6), "[::1]:69");
    }

    #[test]
    fn an_address_of_a_link_needs_its_interface() {
        for (address, lacks) in [
            ("[fe80::1]:69", true),
            ("[fe80::1%2]:69", false),
            ("[2001:db8::1]:69", false),
            ("192.0.2.1:69", false),
        ] {
            assert_eq!(lacks_interface(&address.parse().unwrap()), lacks, "{address}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_link_local_address_has_the_scope_of_its_interface() {
        // The loopback is the first interface of every Linux.
        assert_eq!(address("fe80::1%lo", Family::Either), "[fe80::1%1]:69");
        assert!(address("fe80::1%no-such-0", Family::Either).starts_with("fe80::1%no-such-0: "));
    }

    #[test]
    fn an_address_of_the_other_family_is_refused() {
        assert_eq!(address("::1", Family::V4), "::1: the host has no IPv4 address; try without -4");
        assert!(address("127.0.0.1", Family::V6).ends_with("try without -6"));
    }
}
