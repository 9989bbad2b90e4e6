//! A request as people write it: `RRQ pxelinux.0 octet blksize=1428 tsize=0`.

use std::{ffi::OsString, net::IpAddr};

use tftp_core::OptionKind;

/// One request of one client.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) client: IpAddr,
    /// The request as it comes over the network.
    pub(super) datagram: Vec<u8>,
    /// The options as they were written, with the kind of those that there are.
    pub(super) options: Vec<(Option<OptionKind>, String)>,
}

impl Question {
    /// Reads an address and a request.
    ///
    /// # Errors
    /// With what is wrong with them, and what to write.
    pub(super) fn parse(words: &[OsString]) -> Result<Self, String> {
        let [client, request] = words else { return Err("use --as IP REQUEST".into()) };
        let client = client
            .to_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| format!("{} is no address: use --as IP REQUEST", client.display()))?;
        let mut words = split(request.as_encoded_bytes())?.into_iter();
        let opcode = match words.next().map(<[u8]>::to_ascii_uppercase).as_deref() {
            Some(b"RRQ" | b"READ" | b"GET") => 1,
            Some(b"WRQ" | b"WRITE" | b"PUT") => 2,
            _ => {
                return Err(
                    "use a request such as 'RRQ name' or 'WRQ name octet blksize=1428'".into()
                );
            }
        };
        let name = words.next().ok_or("the request names no file: use 'RRQ name'")?;
        let mut rest: Vec<&[u8]> = words.collect();
        let mode = match rest.first() {
            Some(word) if !word.contains(&b'=') => rest.remove(0),
            _ => b"octet",
        };
        let mut datagram = vec![0, opcode];
        let mut options = Vec::new();
        for text in [name, mode] {
            datagram.extend_from_slice(text);
            datagram.push(0);
        }
        for option in rest {
            let Some(equals) = option.iter().position(|&byte| byte == b'=') else {
                let shown = option.escape_ascii();
                return Err(format!("`{shown}` is no option: use one such as blksize=1428"));
            };
            let (key, value) = (&option[..equals], &option[equals + 1..]);
            options.push((OptionKind::from_name(key), option.escape_ascii().to_string()));
            for text in [key, value] {
                datagram.extend_from_slice(text);
                datagram.push(0);
            }
        }
        Ok(Self { client, datagram, options })
    }
}

/// Words between white space; one in double quotes may hold it. Backslashes are just that: names
/// have them.
fn split(text: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_ascii();
    while let Some(&first) = rest.first() {
        let quoted = first == b'"';
        let begin = usize::from(quoted);
        let ends = |byte: &u8| if quoted { *byte == b'"' } else { byte.is_ascii_whitespace() };
        let end = rest[begin..].iter().position(ends).map(|at| begin + at);
        if quoted && end.is_none() {
            return Err("a quote is not closed".into());
        }
        let end = end.unwrap_or(rest.len());
        words.push(&rest[begin..end]);
        rest = rest[end..].get(begin..).unwrap_or_default().trim_ascii_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(request: &str) -> Result<Vec<u8>, String> {
        Question::parse(&["192.0.2.7".into(), request.into()]).map(|question| question.datagram)
    }

    #[test]
    fn a_request_is_a_datagram() {
        for (request, expected) in [
            ("RRQ x", &b"\0\x01x\0octet\0"[..]),
            ("get x", b"\0\x01x\0octet\0"),
            (" wrq  x\tnetascii ", b"\0\x02x\0netascii\0"),
            ("WRQ x mail blksize=8 a=b=c", b"\0\x02x\0mail\0blksize\x008\0a\0b=c\0"),
            ("RRQ x tsize=0", b"\0\x01x\0octet\0tsize\x000\0"),
            ("RRQ \\Boot\\BCD", b"\0\x01\\Boot\\BCD\0octet\0"),
            ("RRQ \"a b\" octet", b"\0\x01a b\0octet\0"),
            ("RRQ \"\"", b"\0\x01\0octet\0"),
        ] {
            assert_eq!(datagram(request).as_deref(), Ok(expected), "{request}");
        }
    }

    #[test]
    fn what_is_no_request_is_said_to_be() {
        for request in ["", "RRQ", "FETCH x", "RRQ \"x", "RRQ x octet blksize"] {
            assert!(datagram(request).is_err(), "{request}");
        }
        assert!(Question::parse(&["host".into(), "RRQ x".into()]).is_err());
    }
}
