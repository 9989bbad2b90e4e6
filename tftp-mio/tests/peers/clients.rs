//! The clients, and how each of them is told to move a file.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{File, Mode, peer};

use Direction::{Get, Put};

/// RFC 1350 and nothing else: tftp-hpa's client knows no options.
pub(crate) const TFTP_HPA: Client =
    Client { command: tftp_hpa, options: &[], netascii: Conversion::Right };

pub(crate) const ATFTP: Client = atftp_with(&[]);
pub(crate) const ATFTP_WITH_OPTIONS: Client =
    atftp_with(&["tsize 0", "timeout 2", "blksize 1428", "windowsize 8"]);
/// The block number rolls over inside of a window.
pub(crate) const ATFTP_WITH_WINDOWS: Client = atftp_with(&["windowsize 7"]);

pub(crate) const CURL: Client = curl_with(&["--tftp-no-options"]);
pub(crate) const CURL_WITH_OPTIONS: Client = curl_with(&["--tftp-blksize", "1428"]);

/// Octet only. Debian's build asks for `tsize` even without `-b`: it has no way to ask for nothing.
pub(crate) const BUSYBOX: Client = busybox_with(&[]);
pub(crate) const BUSYBOX_WITH_OPTIONS: Client = busybox_with(&["-b", "1428"]);

/// How a client is used.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    command: fn(&Transfer<'_>, &[&str]) -> Command,
    options: &'static [&'static str],
    netascii: Conversion,
}

/// What a client makes of a local file in netascii.
#[derive(Clone, Copy)]
enum Conversion {
    /// What RFC 1350 says.
    Right,
    /// Nothing, which is its user's business: the local file is what is on the wire.
    Users,
    /// The right bytes until an ACK comes twice, and others from there on.
    ///
    /// So does atftp 0.8.0 when it puts: it reads the block after that ACK again, from where it has read to. Of
    /// 469 blocks, with the ACK of the 100th doubled on purpose, it sent wrong bytes as block 101 and as every
    /// later one; with `--prevent-sas` too. Nothing is lost on the loopback, but on a busy machine an ACK may be
    /// sent again before the answer to it comes.
    WrongOnceAnAckIsRepeated,
}

impl Client {
    pub(crate) fn command(self, transfer: &Transfer<'_>) -> Command {
        (self.command)(transfer, self.options)
    }

    /// What lies on the client's disk when the server's holds `file`.
    pub(crate) fn form(self, file: &File, mode: Mode) -> Cow<'_, [u8]> {
        match (mode, self.netascii) {
            (Mode::Netascii, Conversion::Users) => Cow::Owned(encode_netascii(&file.bytes)),
            _ => Cow::Borrowed(&file.bytes),
        }
    }

    /// How often it may put a file until it has put the right bytes.
    pub(crate) fn attempts_to_put(self, mode: Mode) -> u32 {
        match (mode, self.netascii) {
            (Mode::Netascii, Conversion::WrongOnceAnAckIsRepeated) => 3,
            _ => 1,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Get,
    Put,
}

/// One run of a client.
pub(crate) struct Transfer<'a> {
    direction: Direction,
    mode: Mode,
    port: String,
    remote: &'a str,
    local: PathBuf,
}

impl<'a> Transfer<'a> {
    pub(crate) fn new(
        direction: Direction,
        mode: Mode,
        port: u16,
        remote: &'a str,
        local: &Path,
    ) -> Self {
        Self { direction, mode, port: port.to_string(), remote, local: local.to_owned() }
    }

    /// The program, run where some of them insist on writing.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(peer(program));
        command.current_dir(self.local.parent().expect("a folder around the file"));
        command
    }
}

const fn atftp_with(options: &'static [&'static str]) -> Client {
    Client { command: atftp, options, netascii: Conversion::WrongOnceAnAckIsRepeated }
}

const fn curl_with(options: &'static [&'static str]) -> Client {
    Client { command: curl, options, netascii: Conversion::Users }
}

const fn busybox_with(options: &'static [&'static str]) -> Client {
    Client { command: busybox, options, netascii: Conversion::Right }
}

fn tftp_hpa(transfer: &Transfer<'_>, _options: &[&str]) -> Command {
    let mut command = transfer.client("tftp-hpa");
    command.args(["-m", transfer.mode.name(), "127.0.0.1", &transfer.port]);
    match transfer.direction {
        Get => command.args(["-c", "get", transfer.remote]).arg(&transfer.local),
        Put => command.args(["-c", "put"]).arg(&transfer.local).arg(transfer.remote),
    };
    command
}

fn atftp(transfer: &Transfer<'_>, options: &[&str]) -> Command {
    let mut command = transfer.client("atftp");
    command.args(["--option", &format!("mode {}", transfer.mode.name())]);
    for option in options {
        command.args(["--option", option]);
    }
    command
        .arg(match transfer.direction {
            Get => "--get",
            Put => "--put",
        })
        .args(["--remote-file", transfer.remote, "--local-file"])
        .arg(&transfer.local)
        .args(["127.0.0.1", &transfer.port]);
    command
}

fn curl(transfer: &Transfer<'_>, options: &[&str]) -> Command {
    let mut command = transfer.client("curl");
    command
        .args(["--disable", "--noproxy", "*", "--silent", "--show-error"])
        .args(options)
        .arg(match transfer.direction {
            Get => "--output",
            Put => "--upload-file",
        })
        .arg(&transfer.local)
        .arg(format!(
            "tftp://127.0.0.1:{}/{};mode={}",
            transfer.port,
            transfer.remote,
            transfer.mode.name()
        ));
    command
}

fn busybox(transfer: &Transfer<'_>, options: &[&str]) -> Command {
    assert_eq!(transfer.mode, Mode::Octet, "busybox knows no other mode");
    let mut command = transfer.client("busybox");
    command
        .arg("tftp")
        .args(options)
        .arg(match transfer.direction {
            Get => "-g",
            Put => "-p",
        })
        .args(["-r", transfer.remote, "-l"])
        .arg(&transfer.local)
        .args(["127.0.0.1", &transfer.port]);
    command
}

/// RFC 764, which RFC 1350 names for netascii: a line ends in CR LF, and a CR that ends none is CR NUL. This
/// encoder shares nothing with the one that is under test.
fn encode_netascii(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(bytes.len() * 5 / 4);
    for &byte in bytes {
        match byte {
            b'\n' => wire.extend_from_slice(b"\r\n"),
            b'\r' => wire.extend_from_slice(b"\r\0"),
            other => wire.push(other),
        }
    }
    wire
}
