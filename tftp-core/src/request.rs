//! The request that opens a transfer: RRQ or WRQ (RFC 1350 section 5, RFC 2347).

use core::{fmt, str::FromStr};

use crate::{
    error::{ErrorCode, Failure},
    numbers::Rollover,
    options::{OptionKind, Options, parse_wish},
    values::{BlockSize, FineTimeout, MsftWindow, Timeout, WindowSize},
    wire::{Malformed, Opcode, Writer, split_text},
};

/// Which way the file goes, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// RRQ: the server sends the file.
    Read,
    /// WRQ: the client sends the file.
    Write,
}

/// How the bytes are written on the wire (RFC 1350 section 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Bytes as they are.
    #[default]
    Octet,
    /// Lines end in CR LF, a bare CR is CR NUL. See [`crate::netascii`].
    Netascii,
    /// Netascii that goes to a user instead of a file; write requests only, and obsolete.
    Mail,
}

impl Mode {
    /// The mode's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Octet => "octet",
            Self::Netascii => "netascii",
            Self::Mail => "mail",
        }
    }

    /// The mode of that name, in any case (RFC 1350: "any combination of upper and lower case").
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Octet, Self::Netascii, Self::Mail]
            .into_iter()
            .find(|mode| mode.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no transfer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode: it is octet (binary), netascii (ascii) or mail")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    /// Reads a name as people type it: the wire's names, and `binary` and `ascii` as aliases.
    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        if name.eq_ignore_ascii_case("binary") {
            Ok(Self::Octet)
        } else if name.eq_ignore_ascii_case("ascii") {
            Ok(Self::Netascii)
        } else {
            Self::from_name(name.as_bytes()).ok_or(UnknownMode)
        }
    }
}

/// A read or write request.
///
/// A server gets one from [`Packet::parse`](crate::Packet::parse) and gives it to
/// [`Limits::answer`](crate::Limits::answer). A client fills one in, [encodes](Self::encode) it,
/// sends it whenever its session says [`Transmit::Request`](crate::Transmit::Request), and on a
/// refusal asks again with [fewer options](Self::fewer).
///
/// In a parsed request an option is present only with a value that its RFC allows; one that is
/// unknown, malformed or given a second time has been left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request<'a> {
    /// Read or write.
    pub operation: Operation,
    /// The file's name: bytes without NUL, not empty, otherwise as the peer sent them. Escape it
    /// before it is shown; resolve it beneath a root before it is opened.
    pub filename: &'a [u8],
    /// The transfer mode.
    pub mode: Mode,
    /// The options asked for.
    pub options: Options,
}

/// Why a request cannot be put into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnencodableRequest {
    /// The name is empty.
    #[error("the file name is empty")]
    EmptyName,
    /// The name holds a NUL, which would end it early.
    #[error("the file name holds a NUL")]
    NulInName,
    /// More than the 512 bytes of RFC 2347, or than the buffer holds.
    #[error("the file name is too long: a request has at most 512 bytes")]
    TooLong,
}

impl<'a> Request<'a> {
    /// The largest request (RFC 2347: "The maximum size of a request packet is 512 octets").
    pub const MAX_LEN: usize = 512;

    /// Writes the request into `out` and returns its length. 512 bytes are always enough.
    ///
    /// # Errors
    /// When the name is empty or holds a NUL, or the packet is longer than [`Self::MAX_LEN`] or
    /// than `out`.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, UnencodableRequest> {
        if self.filename.is_empty() {
            return Err(UnencodableRequest::EmptyName);
        }
        if self.filename.contains(&0) {
            return Err(UnencodableRequest::NulInName);
        }
        let room = out.len().min(Self::MAX_LEN);
        let opcode = match self.operation {
            Operation::Read => Opcode::Read,
            Operation::Write => Opcode::Write,
        };
        out.get_mut(..room)
            .and_then(|out| {
                let mut writer = Writer::new(out);
                writer.u16(opcode as u16)?;
                writer.text(self.filename)?;
                writer.text(self.mode.name().as_bytes())?;
                writer.options(&self.options)?;
                Some(writer.len())
            })
            .ok_or(UnencodableRequest::TooLong)
    }

    /// The client's ladder: what to ask for after the server would not have this request's options.
    ///
    /// All options, then `blksize` and `tsize` only, then none. Servers that do not understand an
    /// option should ignore it; real ones answer ERROR 8, 4 or 0, or not at all. Ask again from a
    /// new port and with a new session. None: the failure has nothing to do with options, or there
    /// is nothing left to leave out. ERROR 4 to a mail is about its mode, which few servers take.
    pub fn fewer(&self, after: &Failure) -> Option<Request<'a>> {
        let about_options = match after {
            Failure::NoAnswer => true,
            Failure::Refused(ErrorCode::ILLEGAL_OPERATION) => self.mode != Mode::Mail,
            Failure::Refused(code) => {
                matches!(*code, ErrorCode::OPTIONS_REFUSED | ErrorCode::NOT_DEFINED)
            }
            Failure::PeerAborted(_)
            | Failure::TimedOut
            | Failure::Protocol(_)
            | Failure::Aborted { .. } => false,
        };
        if !about_options || self.options.is_empty() {
            return None;
        }
        let mut basic = Options::NONE;
        if let Some(size) = self.options.block_size() {
            basic = basic.with_block_size(size);
        }
        if let Some(size) = self.options.transfer_size() {
            basic = basic.with_transfer_size(size);
        }
        let only_basic = self.options.iter().count() == basic.iter().count();
        let options = if only_basic { Options::NONE } else { basic };
        Some(Request { options, ..*self })
    }

    /// Parses what follows the opcode.
    pub(crate) fn parse(operation: Operation, body: &'a [u8]) -> Result<Self, Malformed> {
        let (filename, rest) = split_text(body).ok_or(Malformed::UnterminatedName)?;
        if filename.is_empty() {
            return Err(Malformed::EmptyName);
        }
        let (mode, rest) = split_text(rest).ok_or(Malformed::UnterminatedMode)?;
        let mode = Mode::from_name(mode).ok_or(Malformed::UnknownMode)?;
        Ok(Self { operation, filename, mode, options: parse_options(operation, rest)? })
    }
}

/// Reads the options of a request; each counts once, the first time it is named.
fn parse_options(operation: Operation, mut rest: &[u8]) -> Result<Options, Malformed> {
    let mut options = Options::NONE;
    let mut named = [None; OptionKind::ALL.len()];
    // Old boot ROMs pad their requests with NULs, some to 512 bytes.
    while rest.iter().any(|&byte| byte != 0) {
        let (name, after_name) = split_text(rest).ok_or(Malformed::UnterminatedOption)?;
        if name.is_empty() {
            return Err(Malformed::EmptyOptionName);
        }
        let (value, after_value) = split_text(after_name).ok_or(Malformed::UnterminatedOption)?;
        rest = after_value;
        if let Some(kind) = OptionKind::from_name(name)
            && !named.contains(&Some(kind))
            && let Some(free) = named.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(kind);
            options = ask(options, operation, kind, parse_wish(value));
        }
    }
    Ok(options)
}

/// Adds one option that a request named, if the value makes sense.
///
/// A size above what the option's RFC allows is a wish for the largest one; every other value out
/// of range is no wish at all, and the option is left out of the answer.
fn ask(options: Options, operation: Operation, kind: OptionKind, value: Option<u64>) -> Options {
    wish(options, operation, kind, value).unwrap_or(options)
}

fn wish(
    options: Options,
    operation: Operation,
    kind: OptionKind,
    value: Option<u64>,
) -> Option<Options> {
    // RFC 2349: "In Read Request packets, a size of "0" is specified in the request and the size
    // of the file, in octets, is returned": what a reader writes there does not matter.
    if kind == OptionKind::TransferSize && operation == Operation::Read {
        return Some(options.with_transfer_size(value.unwrap_or(0)));
    }
    let value = value?;
    let size = u32::try_from(value).map(|size| u16::try_from(size).unwrap_or(u16::MAX)).ok();
    let block_size = size.and_then(|size| BlockSize::new(size.min(BlockSize::MAX.get())).ok());
    Some(match kind {
        OptionKind::BlockSize => options.with_block_size(block_size?),
        OptionKind::BlockSize2 => options.with_block_size2(block_size?),
        OptionKind::WindowSize => options.with_window_size(WindowSize::new(size?).ok()?),
        OptionKind::Timeout => options.with_timeout(Timeout::new(u8::try_from(value).ok()?).ok()?),
        OptionKind::FineTimeout => {
            options.with_fine_timeout(FineTimeout::new(u32::try_from(value).ok()?).ok()?)
        }
        OptionKind::TransferSize => options.with_transfer_size(value),
        OptionKind::Rollover => options.with_rollover(match value {
            0 => Rollover::ToZero,
            1 => Rollover::ToOne,
            _ => return None,
        }),
        OptionKind::MsftWindow if value == u64::from(MsftWindow::Asked.magic()) => {
            options.with_msft_window(MsftWindow::Asked)
        }
        OptionKind::MsftWindow => return None,
    })
}
