//! The values of options, as text. All of them are read here, for the command line and the
//! configuration file alike.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    num::NonZeroUsize,
    ops::RangeInclusive,
    time::Duration,
};

use tftp_core::{BlockSize, FLOOR, OptionKind, OptionSet, WindowSize};

/// The port of TFTP (RFC 1350 section 4).
const PORT: u16 = 69;

/// Reads `v4:port`, `[v6]:port`, `[v6]` or a bare address; a link-local one with its interface, as in
/// `fe80::1%eth0`.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Some((ip, rest)) = text.split_once('%') {
        return scoped_address(ip.strip_prefix('[').unwrap_or(ip), rest);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse()
        .or_else(|_| bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)))
        .or_else(|error| {
            // `:6969`, as many programs have it.
            let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
            port.map(|port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).ok_or(error)
        })
        .map_err(|_| "use an address such as 192.0.2.1:69, [2001:db8::1]:69 or 0.0.0.0".into())
}

/// The same of an address with its interface, by name or number, and perhaps a port behind it.
fn scoped_address(ip: &str, rest: &str) -> Result<SocketAddr, String> {
    let (interface, port) = match rest.split_once("]:") {
        Some((interface, port)) => (interface, port.parse().ok()),
        None => (rest.strip_suffix(']').unwrap_or(rest), Some(PORT)),
    };
    match (ip.parse(), port) {
        (Ok(ip), Some(port)) => {
            Ok(SocketAddrV6::new(ip, port, 0, interface_index(interface)?).into())
        }
        _ => {
            Err("use an address with its interface, such as fe80::1%eth0 or [fe80::1%eth0]:69"
                .into())
        }
    }
}

fn interface_index(name: &str) -> Result<u32, String> {
    name.parse().or_else(|_| {
        index_by_name(name).map_err(|error| {
            format!("no interface \"{name}\": {}", tftp_mio::of_the_system(&error))
        })
    })
}

#[cfg(target_os = "linux")]
fn index_by_name(name: &str) -> std::io::Result<u32> {
    // Any socket will do to ask with.
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    Ok(rustix::net::netdevice::name_to_index(socket, name)?)
}

#[cfg(not(target_os = "linux"))]
fn index_by_name(_: &str) -> std::io::Result<u32> {
    Err(std::io::Error::other("use its number on this system"))
}

/// Reads `v4:port` or `[v6]:port`.
pub(super) fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "use ADDR:PORT, such as 127.0.0.1:9169 or [::1]:9169".into())
}

pub(super) fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("use FIRST-LAST, such as 20000-29999".into()),
    }
}

pub(super) fn block_size(text: &str) -> Result<BlockSize, String> {
    let bytes = text.parse().map_err(|_| "use a number from 8 to 65464")?;
    BlockSize::new(bytes).map_err(|error| error.to_string())
}

pub(super) fn window_size(text: &str) -> Result<WindowSize, String> {
    let most = WindowSize::LARGEST_SAFE;
    let size = text.parse().ok().and_then(|blocks| WindowSize::new(blocks).ok());
    // A larger one would not be granted.
    let size = size.filter(|&size| size <= most);
    size.ok_or_else(|| format!("use a number from 1 to {}", most.get()))
}

/// A number of things, of which there is at least one.
pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "use a number from 1 on".into())
}

pub(super) fn retries(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| "use a number from 0 to 255".into())
}

pub(super) fn microseconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|microseconds| (0..=1_000_000).contains(microseconds))
        .map(Duration::from_micros)
        .ok_or_else(|| "use microseconds, up to 1000000".into())
}

/// A time-out of no time would be one that nobody can keep.
pub(super) fn positive_seconds(text: &str) -> Result<Duration, String> {
    let duration = seconds(text)?;
    if duration < FLOOR {
        return Err(format!("use at least {} seconds", FLOOR.as_secs_f64()));
    }
    Ok(duration)
}

pub(super) fn option_kind(text: &str) -> Result<OptionKind, String> {
    OptionKind::from_name(text.as_bytes()).ok_or_else(|| {
        let names = OptionKind::ALL.map(OptionKind::name).join(", ");
        format!("the options are {names}")
    })
}

/// One that is not negotiated anyway.
pub(super) fn further_option(text: &str) -> Result<OptionKind, String> {
    let is_further = |kind: &OptionKind| !OptionSet::STANDARD.contains(*kind);
    option_kind(text).ok().filter(is_further).ok_or_else(|| {
        let further = OptionKind::ALL.into_iter().filter(is_further);
        let names = further.map(OptionKind::name).collect::<Vec<_>>().join(", ");
        format!("use one of {names}: the others are negotiated anyway")
    })
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|&seconds| (0.0..=86_400.0).contains(&seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "use seconds, such as 1 or 0.25".into())
}

/// Permissions as chmod has them, without the bits that make programs of files.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| (0..=0o777).contains(mode))
        .ok_or_else(|| "use an octal number up to 777, such as 644".into())
}

/// Bytes: a number, with a unit or without.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text[digits.len()..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KB" | "KIB" => Some(10),
        "M" | "MB" | "MIB" => Some(20),
        "G" | "GB" | "GIB" => Some(30),
        "T" | "TB" | "TIB" => Some(40),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .zip(unit)
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| "use bytes, or a number with K, M, G or T, such as 64M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_port() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:69"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("::1", "[::1]:69"),
            ("[::1]", "[::1]:69"),
            ("[::1]:7", "[::1]:7"),
            (":6969", "[::]:6969"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        #[cfg(target_os = "linux")]
        for (text, port) in [("fe80::1%lo", 69), ("[fe80::1%lo]", 69), ("[fe80::1%lo]:7", 7)] {
            let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), port, 0, 1);
            assert_eq!(listen_address(text), Ok(expected.into()), "{text}");
            let numbered = listen_address(&text.replace("lo", "1"));
            assert_eq!(numbered, Ok(expected.into()), "{text}");
        }
        assert!(listen_address("fe80::1%nowhere").unwrap_err().contains("nowhere"));
        assert!(listen_address("192.0.2.1%lo").is_err());
        assert!(listen_address("example.org").is_err());
        assert!(listen_address("192.0.2.1:70000").is_err());
    }

    #[test]
    fn ranges_of_ports() {
        assert_eq!(port_range("7-9"), Ok(7..=9));
        assert_eq!(port_range("7"), Ok(7..=7));
        for wrong in ["", "9-7", "0-7", "7-", "7-70000", "a-b"] {
            assert!(port_range(wrong).is_err(), "{wrong}");
        }
    }
    #[test]
    fn sizes_with_and_without_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("64M", 64 << 20),
            ("64 MiB", 64 << 20),
            ("2g", 2 << 30),
            ("16T", 16 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "M", "-1", "1.5G", "1X", "99999999999T", "1 0"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!(mode("640"), Ok(0o640));
        assert_eq!(mode("0644"), Ok(0o644));
        for wrong in ["", "8", "4755", "-1", "rw"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
