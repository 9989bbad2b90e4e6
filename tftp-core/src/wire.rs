//! Packets as bytes: parsing borrows from the datagram, encoding writes into the caller's buffer.
//!
//! Both directions are total. Whatever the network delivers is either a [`Packet`] or a
//! [`Malformed`]; nothing is copied and nothing panics. Block numbers are 16 bits wide here and
//! nowhere else.

use core::fmt::{self, Write as _};

use crate::{
    error::ErrorCode,
    options::Options,
    request::{Operation, Request},
};

/// The packet types of RFC 1350 section 5 and RFC 2347.
#[derive(Clone, Copy)]
pub(crate) enum Opcode {
    Read = 1,
    Write = 2,
    Data = 3,
    Ack = 4,
    Error = 5,
    OptionAck = 6,
}

/// Bytes before the payload of a DATA packet: opcode and block number.
pub(crate) const DATA_HEADER: u16 = 4;

/// A buffer of this many bytes holds every packet that a session makes by itself: OACK, ACK and
/// ERROR, and a request.
pub const SMALL_PACKET: usize = 516;

/// The ERROR 5 that a [stray](crate::Verdict::Stray) datagram is answered with, ready to send.
pub const UNKNOWN_TID: &[u8] = b"\x00\x05\x00\x05unknown transfer ID\0";

/// A TFTP packet that borrows from the datagram it was parsed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ or WRQ.
    Request(Request<'a>),
    /// DATA: one block of the file.
    Data {
        /// The low 16 bits of the block's number.
        block: u16,
        /// The block's bytes; fewer than the block size in the last one.
        payload: &'a [u8],
    },
    /// ACK of a block, and of all blocks before it.
    Ack {
        /// The low 16 bits of the block's number.
        block: u16,
        /// The size of the next window, where `msftwindow` was agreed on: one byte more.
        next_window: Option<u8>,
    },
    /// ERROR: the sender has ended the transfer.
    Error {
        /// Why, as a number.
        code: ErrorCode,
        /// Why, in words; bytes of the peer's choice, so escape them before they are shown.
        message: &'a [u8],
    },
    /// OACK: the options that the server grants (RFC 2347).
    OptionAck(OptionAck<'a>),
}

/// Why a datagram is no TFTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Too short for its opcode.
    #[error("packet too short")]
    TooShort,
    /// An opcode that is not 1 to 6.
    #[error("unknown opcode")]
    UnknownOpcode,
    /// A request whose file name does not end in NUL.
    #[error("file name without end")]
    UnterminatedName,
    /// A request for the empty name.
    #[error("empty file name")]
    EmptyName,
    /// A request whose mode does not end in NUL, or is missing.
    #[error("mode without end")]
    UnterminatedMode,
    /// A request with a mode other than octet, netascii and mail.
    #[error("unknown transfer mode")]
    UnknownMode,
    /// A request with an option whose name or value does not end in NUL.
    #[error("option without end")]
    UnterminatedOption,
    /// A request with an option that has no name.
    #[error("option without a name")]
    EmptyOptionName,
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// Lenient where real peers are sloppy and nothing is lost by it: NULs after a request's mode
    /// or last option are padding, an ERROR may lack its final NUL, and of the bytes after an ACK's
    /// block number only the first counts, where `msftwindow` gives it a meaning.
    ///
    /// # Errors
    /// When the datagram is no TFTP packet.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let (opcode, body) = split_u16(datagram)?;
        match opcode {
            1 => Request::parse(Operation::Read, body).map(Self::Request),
            2 => Request::parse(Operation::Write, body).map(Self::Request),
            3 => split_u16(body).map(|(block, payload)| Self::Data { block, payload }),
            4 => split_u16(body)
                .map(|(block, rest)| Self::Ack { block, next_window: rest.first().copied() }),
            5 => split_u16(body).map(|(code, text)| Self::Error {
                code: ErrorCode(code),
                message: split_text(text).map_or(text, |(message, _)| message),
            }),
            6 => Ok(Self::OptionAck(OptionAck { pairs: body })),
            _ => Err(Malformed::UnknownOpcode),
        }
    }

    /// Writes the packet into `out` and returns its length, or `None` where `out` is too short or
    /// the packet cannot be written: a NUL in a text, or a request that [`Request::encode`] refuses.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        if let Self::Request(request) = self {
            return request.encode(out).ok();
        }
        let mut writer = Writer::new(out);
        match self {
            Self::Request(_) => {}
            Self::Data { block, payload } => {
                writer.u16(Opcode::Data as u16)?;
                writer.u16(*block)?;
                writer.bytes(payload)?;
            }
            Self::Ack { block, next_window } => {
                writer.u16(Opcode::Ack as u16)?;
                writer.u16(*block)?;
                writer.bytes(next_window.as_slice())?;
            }
            Self::Error { code, message } => {
                writer.u16(Opcode::Error as u16)?;
                writer.u16(code.0)?;
                writer.text(message)?;
            }
            Self::OptionAck(oack) => {
                writer.u16(Opcode::OptionAck as u16)?;
                for (name, value) in oack.iter() {
                    writer.text(name)?;
                    writer.text(value)?;
                }
            }
        }
        Some(writer.len())
    }
}

/// The options of an OACK, as names and values that nobody has judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionAck<'a> {
    pairs: &'a [u8],
}

impl<'a> OptionAck<'a> {
    /// Names and values in the packet's order, up to the first that is not well-formed: some
    /// servers leave garbage behind the last option.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.pairs;
        core::iter::from_fn(move || {
            let (name, after_name) = split_text(rest).filter(|(name, _)| !name.is_empty())?;
            let (value, after_value) = split_text(after_name)?;
            rest = after_value;
            Some((name, value))
        })
    }

    /// What is behind the last of them, from the first byte that is not well-formed.
    pub(crate) fn garbage(&self) -> &'a [u8] {
        let read = self.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        self.pairs.get(read..).unwrap_or_default()
    }
}

/// Writes an OACK with these options. `None` where `out` is too short.
pub(crate) fn encode_option_ack(options: &Options, out: &mut [u8]) -> Option<usize> {
    let mut writer = Writer::new(out);
    writer.u16(Opcode::OptionAck as u16)?;
    writer.options(options)?;
    Some(writer.len())
}

/// The four bytes before a DATA packet's payload.
pub(crate) fn data_header(block: u16) -> [u8; DATA_HEADER as usize] {
    let [high, low] = block.to_be_bytes();
    [0, Opcode::Data as u8, high, low]
}

/// Splits a NUL-terminated text from what follows its NUL.
pub(crate) fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((text, rest.get(1..)?))
}

fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed::TooShort)?;
    Ok((u16::from_be_bytes(*number), rest))
}

/// Appends to a buffer; every step is `None` once the buffer is full.
pub(crate) struct Writer<'b> {
    out: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn u16(&mut self, number: u16) -> Option<()> {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.out.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// A text and its NUL; `None` as well for a text with a NUL inside.
    pub(crate) fn text(&mut self, text: &[u8]) -> Option<()> {
        if text.contains(&0) {
            return None;
        }
        self.bytes(text)?;
        self.bytes(&[0])
    }

    pub(crate) fn options(&mut self, options: &Options) -> Option<()> {
        for (kind, value) in options.iter() {
            self.text(kind.name().as_bytes())?;
            write!(self, "{value}").ok()?;
            self.bytes(&[0])?;
        }
        Some(())
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes()).ok_or(fmt::Error)
    }
}
