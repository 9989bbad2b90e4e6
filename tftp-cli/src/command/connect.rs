//! `connect`: which server the next commands talk to.

use std::ffi::OsString;

use super::{Argument, Command, Misuse, Spec, text};
use crate::{
    remote::{DEFAULT_PORT, Host},
    value,
};

pub(crate) const CONNECT: Spec = Spec {
    name: "connect",
    aliases: &[],
    usage: "connect HOST [PORT]",
    summary: "choose the server",
    detail: "\
The host is looked up now; nothing is sent to it before a get or put.
PORT is 69 unless given; HOST:PORT is understood too. An IPv6 address may stand in brackets, and
has to where a port follows it: [fe80::1%eth0]:6969",
    arguments: &[Argument::Host, Argument::None],
    parse,
};

fn parse(words: &[OsString]) -> Result<Command, Misuse> {
    let (host, port) = match words {
        [] => return Err(Misuse("HOST is missing".to_owned())),
        [host] => (host, None),
        [host, port] => (host, Some(port)),
        _ => return Err(Misuse::too_many()),
    };
    let port = match port {
        Some(port) => Some(value::port(text(port)?)?),
        None => None,
    };
    host_on(text(host)?, port).map(Command::Connect)
}

/// A host as `connect` and the command line take it. The port may stand behind the name, as other
/// programs have it.
pub(crate) fn host_on(word: &str, port: Option<u16>) -> Result<Host, Misuse> {
    if word.contains("://") {
        return Err(Misuse("HOST is no URL; `get tftp://HOST/NAME` fetches one".to_owned()));
    }
    let (name, behind) = match word.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(|| Misuse("a `]` is missing".to_owned()))?,
        // An IPv6 address has more colons than one.
        None if word.matches(':').count() == 1 => word.split_at(word.find(':').unwrap_or(0)),
        None => (word, ""),
    };
    if name.is_empty() {
        return Err(Misuse("HOST is empty".to_owned()));
    }
    let behind = match behind.strip_prefix(':') {
        Some(port) => Some(value::port(port)?),
        None if behind.is_empty() => None,
        None => return Err(Misuse("after `]` comes :PORT".to_owned())),
    };
    if behind.is_some() && port.is_some() {
        return Err(Misuse("two ports".to_owned()));
    }
    Ok(Host { name: name.to_owned(), port: port.or(behind).unwrap_or(DEFAULT_PORT) })
}

#[cfg(test)]
mod tests {
    use super::super::{
        Command,
        tests::{command, misuse},
    };
    use crate::remote::Host;

    fn host(name: &str, port: u16) -> Command {
        let name = name.to_owned();
        Command::Connect(Host { name, port })
    }

    #[test]
    fn the_port_is_69_unless_given() {
        assert_eq!(command("connect boot"), host("boot", 69));
        assert_eq!(command("connect boot 6969"), host("boot", 6969));
        assert_eq!(command("connect boot:6969"), host("boot", 6969));
    }

    #[test]
    fn an_ipv6_address_may_stand_in_brackets() {
        assert_eq!(command("connect ::1"), host("::1", 69));
        assert_eq!(command("connect [::1] 70"), host("::1", 70));
        assert_eq!(command("connect [fe80::1%eth0]:70"), host("fe80::1%eth0", 70));
    }

    #[test]
    fn a_wrong_server_is_refused() {
        assert!(misuse("connect").contains("HOST is missing"));
        assert!(misuse("connect ''").contains("HOST is empty"));
        assert!(misuse("connect boot tftp").contains("`tftp` is not a whole number"));
        assert!(misuse("connect boot 0").contains("port takes 1 to 65535"));
        assert!(misuse("connect boot:").contains("is not a whole number"));
        assert!(misuse("connect boot:1 2").contains("two ports"));
        assert!(misuse("connect [::1").contains("`]` is missing"));
        assert!(misuse("connect [::1]1").contains(":PORT"));
        assert!(misuse("connect a b c").contains("usage: connect HOST [PORT]"));
    }
}
