//! What can go wrong: the code of an ERROR packet, and the reason for which a session failed.

use core::fmt;

/// The code of an ERROR packet (RFC 1350 appendix I, RFC 2347).
///
/// Any 16-bit value may come from a peer; the nine that have a meaning are constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u16);

impl ErrorCode {
    /// 0: not defined, see the message. We use it for conditions that pass, such as "busy".
    pub const NOT_DEFINED: Self = Self(0);
    /// 1: file not found.
    pub const FILE_NOT_FOUND: Self = Self(1);
    /// 2: access violation.
    pub const ACCESS_VIOLATION: Self = Self(2);
    /// 3: disk full or allocation exceeded.
    pub const DISK_FULL: Self = Self(3);
    /// 4: illegal TFTP operation.
    pub const ILLEGAL_OPERATION: Self = Self(4);
    /// 5: unknown transfer ID.
    pub const UNKNOWN_TID: Self = Self(5);
    /// 6: file already exists.
    pub const FILE_EXISTS: Self = Self(6);
    /// 7: no such user.
    pub const NO_SUCH_USER: Self = Self(7);
    /// 8: options refused (RFC 2347).
    pub const OPTIONS_REFUSED: Self = Self(8);
}

impl fmt::Display for ErrorCode {
    /// Writes the RFC's own words, or `error N` for a code without any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NOT_DEFINED => "undefined error",
            Self::FILE_NOT_FOUND => "file not found",
            Self::ACCESS_VIOLATION => "access violation",
            Self::DISK_FULL => "disk full or allocation exceeded",
            Self::ILLEGAL_OPERATION => "illegal TFTP operation",
            Self::UNKNOWN_TID => "unknown transfer ID",
            Self::FILE_EXISTS => "file already exists",
            Self::NO_SUCH_USER => "no such user",
            Self::OPTIONS_REFUSED => "options refused",
            Self(other) => return write!(f, "error {other}"),
        })
    }
}

/// Why a session ended without having moved the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The peer answered the request, or our first packet, with ERROR.
    #[error("the peer refused: {0}")]
    Refused(ErrorCode),
    /// The peer sent ERROR in the middle of the transfer.
    #[error("the peer gave up: {0}")]
    PeerAborted(ErrorCode),
    /// The peer never said anything.
    #[error("no answer")]
    NoAnswer,
    /// The peer answered at first, then fell silent for longer than the retries allow.
    #[error("the peer fell silent")]
    TimedOut,
    /// The peer broke the protocol; it has been told so with an ERROR.
    #[error("the peer broke the protocol: {0}")]
    Protocol(Misconduct),
    /// The caller ended the session with `abort`; the peer has been told so with an ERROR.
    #[error("aborted: {text}")]
    Aborted {
        /// The code that was sent.
        code: ErrorCode,
        /// The text that was sent.
        text: &'static str,
    },
}

/// How a peer broke the protocol beyond what can be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Misconduct {
    /// DATA with more bytes than the agreed block size. It is refused, never cut off.
    #[error("DATA longer than the agreed blksize")]
    OverlongData,
    /// An OACK with an option that was not asked for (RFC 2347).
    #[error("OACK with an option nobody asked for")]
    UnaskedOption,
    /// An OACK that has an option twice (RFC 2347).
    #[error("OACK with an option twice")]
    RepeatedOption,
    /// An OACK with a value that the option's RFC does not allow in answer to ours.
    #[error("OACK with an unacceptable value")]
    UnacceptableValue,
}

impl Misconduct {
    /// The code of the ERROR that the peer is sent.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::OverlongData => ErrorCode::ILLEGAL_OPERATION,
            Self::UnaskedOption | Self::RepeatedOption | Self::UnacceptableValue => {
                ErrorCode::OPTIONS_REFUSED
            }
        }
    }

    /// The text of the ERROR that the peer is sent.
    pub const fn text(self) -> &'static str {
        match self {
            Self::OverlongData => "DATA longer than the agreed blksize",
            Self::UnaskedOption => "OACK with an option that was not asked for",
            Self::RepeatedOption => "OACK with an option twice",
            Self::UnacceptableValue => "OACK with an unacceptable value",
        }
    }
}
