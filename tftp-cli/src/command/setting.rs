//! The commands that show a setting, or change it when they are given a value.

use std::ffi::OsString;

use tftp_core::Mode;

use super::{Argument, Change, Command, Misuse, Spec, nothing, text};
use crate::{
    resolve::Family,
    value::{self, BadValue},
};

const ON_OFF: Argument = Argument::OneOf(&["on", "off"]);

pub(crate) const MODE: Spec = Spec {
    name: "mode",
    aliases: &[],
    usage: "mode [octet|netascii|mail]",
    summary: "show or set the transfer mode",
    detail: "\
octet (or binary) moves bytes as they are. netascii (or ascii) is for texts: line ends are
translated. mail is for put only: the text goes to a user, and few servers take it.",
    arguments: &[
        Argument::OneOf(&["octet", "binary", "netascii", "ascii", "mail"]),
        Argument::None,
    ],
    parse: |words| change(words, str::parse::<Mode>).map(Command::Mode),
};

pub(crate) const ASCII: Spec = Spec {
    name: "ascii",
    aliases: &["netascii"],
    usage: "ascii",
    summary: "the same as mode netascii",
    detail: "",
    arguments: &[],
    parse: |words| nothing(words, Command::Mode(Change::To(Mode::Netascii))),
};

pub(crate) const BINARY: Spec = Spec {
    name: "binary",
    aliases: &["octet"],
    usage: "binary",
    summary: "the same as mode octet",
    detail: "",
    arguments: &[],
    parse: |words| nothing(words, Command::Mode(Change::To(Mode::Octet))),
};

pub(crate) const BLKSIZE: Spec = Spec {
    name: "blksize",
    aliases: &[],
    usage: "blksize [N]",
    summary: "show or set the bytes in a block to ask for",
    detail: "\
8 to 65464 (RFC 2348). 1428 fits an Ethernet frame over IPv4 and IPv6; larger blocks travel in
fragments.",
    arguments: &[],
    parse: |words| change(words, value::block_size).map(Command::BlockSize),
};

pub(crate) const WINDOWSIZE: Spec = Spec {
    name: "windowsize",
    aliases: &[],
    usage: "windowsize [N]",
    summary: "show or set the blocks in a window to ask for",
    detail: "\
1 to 32767 (RFC 7440). 1 acknowledges every block, as servers of old do. get asks for fewer where
the receive buffer does not hold so many, and says so.",
    arguments: &[],
    parse: |words| change(words, value::window_size).map(Command::WindowSize),
};

pub(crate) const TIMEOUT: Spec = Spec {
    name: "timeout",
    aliases: &[],
    usage: "timeout [SECS|auto]",
    summary: "show or set the retransmission time-out to ask for",
    detail: "1 to 255 seconds (RFC 2349). auto measures how fast the server answers instead.",
    arguments: &[Argument::OneOf(&["auto"]), Argument::None],
    parse: |words| {
        let seconds = |text: &str| match text {
            "auto" => Ok::<_, BadValue>(None),
            seconds => value::timeout(seconds).map(Some),
        };
        change(words, seconds).map(Command::Timeout)
    },
};

pub(crate) const RETRIES: Spec = Spec {
    name: "retries",
    aliases: &[],
    usage: "retries [N]",
    summary: "show or set how often to send again before giving up",
    detail: "\
0 to 255. They count once the server has answered; one that never does is given up after 8
seconds, or after 24 where it was asked with fewer and fewer options.",
    arguments: &[],
    parse: |words| change(words, value::retries).map(Command::Retries),
};

pub(crate) const OPTIONS: Spec = Spec {
    name: "options",
    aliases: &[],
    usage: "options [on|off]",
    summary: "show or set whether to ask for options at all",
    detail: "off is plain RFC 1350: blocks of 512 bytes, each acknowledged.",
    arguments: &[ON_OFF, Argument::None],
    parse: |words| change(words, on_or_off).map(Command::Options),
};

pub(crate) const PORTS: Spec = Spec {
    name: "ports",
    aliases: &[],
    usage: "ports [FIRST-LAST|any]",
    summary: "show or set the local ports to use",
    detail: "For firewalls that let only some through. any lets the system choose.",
    arguments: &[Argument::OneOf(&["any"]), Argument::None],
    parse: |words| {
        let ports = |text: &str| match text {
            "any" => Ok::<_, BadValue>(None),
            ports => value::port_range(ports).map(|ports| Some(ports.into_inner())),
        };
        change(words, ports).map(Command::Ports)
    },
};

pub(crate) const FAMILY: Spec = Spec {
    name: "family",
    aliases: &[],
    usage: "family [any|ipv4|ipv6]",
    summary: "show or set the addresses to use of hosts named from now on",
    detail: "any is the system's preference; where nothing listens at one address the next is asked.",
    arguments: &[Argument::OneOf(&["any", "ipv4", "ipv6"]), Argument::None],
    parse: |words| change(words, family).map(Command::Family),
};

pub(crate) const PROGRESS: Spec = Spec {
    name: "progress",
    aliases: &[],
    usage: "progress [on|off]",
    summary: "show or set whether long transfers have a progress bar",
    detail: "It is on standard error, and only where that is a terminal.",
    arguments: &[ON_OFF, Argument::None],
    parse: |words| change(words, on_or_off).map(Command::Progress),
};

pub(crate) const VERBOSE: Spec = Spec {
    name: "verbose",
    aliases: &[],
    usage: "verbose [on|off]",
    summary: "use more words, or fewer again",
    detail: "",
    arguments: &[ON_OFF, Argument::None],
    parse: |words| {
        Ok(Command::Verbose(match change(words, on_or_off)? {
            Change::Show => None,
            Change::To(on) => Some(on),
        }))
    },
};

pub(crate) const TRACE: Spec = Spec {
    name: "trace",
    aliases: &[],
    usage: "trace [on|off]",
    summary: "show packets as they pass, or stop it",
    detail: "\
One line each, on standard error: seconds since the transfer began, > for sent and < for received,
the other end, type, block, size. --pcap FILE keeps them for Wireshark.",
    arguments: &[ON_OFF, Argument::None],
    parse: |words| {
        Ok(Command::Trace(match change(words, on_or_off)? {
            Change::Show => None,
            Change::To(on) => Some(on),
        }))
    },
};

/// Reads no word as "show", and one as the new value.
fn change<T, E: Into<Misuse>>(
    words: &[OsString],
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Change<T>, Misuse> {
    match words {
        [] => Ok(Change::Show),
        [word] => read(text(word)?).map(Change::To).map_err(E::into),
        _ => Err(Misuse("it takes one value at most".to_owned())),
    }
}

fn family(text: &str) -> Result<Family, Misuse> {
    match text {
        "any" => Ok(Family::Either),
        "ipv4" | "4" => Ok(Family::V4),
        "ipv6" | "6" => Ok(Family::V6),
        _ => Err(Misuse(format!("`{}` is neither any nor ipv4 nor ipv6", text.escape_debug()))),
    }
}

fn on_or_off(text: &str) -> Result<bool, Misuse> {
    match text {
        "on" | "yes" => Ok(true),
        "off" | "no" => Ok(false),
        _ => Err(Misuse(format!("`{}` is neither on nor off", text.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use tftp_core::{Mode, Timeout};

    use super::super::{
        Change, Command,
        tests::{command, misuse},
    };

    #[test]
    fn without_a_value_a_setting_is_shown() {
        assert_eq!(command("mode"), Command::Mode(Change::Show));
        assert_eq!(command("blksize"), Command::BlockSize(Change::Show));
        assert_eq!(command("options"), Command::Options(Change::Show));
    }

    #[test]
    fn modes_have_the_names_that_people_use() {
        for (line, mode) in [
            ("mode octet", Mode::Octet),
            ("mode binary", Mode::Octet),
            ("binary", Mode::Octet),
            ("mode NetASCII", Mode::Netascii),
            ("mode ascii", Mode::Netascii),
            ("ascii", Mode::Netascii),
            ("mode mail", Mode::Mail),
        ] {
            assert_eq!(command(line), Command::Mode(Change::To(mode)), "{line}");
        }
        assert!(misuse("mode text").contains("octet (binary), netascii (ascii) or mail"));
    }

    #[test]
    fn a_time_out_can_be_measured_again() {
        let two = Timeout::new(2).ok();
        assert_eq!(command("timeout 2"), Command::Timeout(Change::To(two)));
        assert_eq!(command("timeout auto"), Command::Timeout(Change::To(None)));
    }

    #[test]
    fn options_and_words_are_on_or_off() {
        assert_eq!(command("options off"), Command::Options(Change::To(false)));
        assert_eq!(command("verbose"), Command::Verbose(None));
        assert_eq!(command("verbose on"), Command::Verbose(Some(true)));
        assert!(misuse("options maybe").contains("neither on nor off"));
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_the_range() {
        assert_eq!(
            misuse("blksize 4"),
            "blksize: 4 is out of range: blksize takes 8 to 65464; usage: blksize [N]"
        );
        assert!(misuse("retries 1 2").contains("one value at most"));
    }
}
