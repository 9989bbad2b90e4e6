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
PORT is 69 unless given. An IPv6 address may stand in brackets.",
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
        Some(port) => value::port(text(port)?)?,
        None => DEFAULT_PORT,
    };
    host_on(text(host)?, port).map(Command::Connect)
}

/// A host as `connect` and the command line take it.
pub(crate) fn host_on(name: &str, port: u16) -> Result<Host, Misuse> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if bare.is_empty() {
        return Err(Misuse("HOST is empty".to_owned()));
    }
    // `host:6969`, as other programs take it. An IPv6 address has more colons than one.
    if let Some((host, port)) = bare.split_once(':')
        && value::port(port).is_ok()
    {
        return Err(Misuse(format!("the port is a word of its own: {host} {port}")));
    }
    Ok(Host { name: bare.to_owned(), port })
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
    }

    #[test]
    fn an_ipv6_address_may_stand_in_brackets() {
        assert_eq!(command("connect ::1"), host("::1", 69));
        assert_eq!(command("connect [::1] 70"), host("::1", 70));
    }

    #[test]
    fn a_wrong_server_is_refused() {
        assert!(misuse("connect").contains("HOST is missing"));
        assert!(misuse("connect ''").contains("HOST is empty"));
        assert!(misuse("connect boot tftp").contains("`tftp` is not a whole number"));
        assert!(misuse("connect boot 0").contains("port takes 1 to 65535"));
        assert!(misuse("connect boot:6969").contains("boot 6969"));
        assert!(misuse("connect a b c").contains("usage: connect HOST [PORT]"));
    }
}
