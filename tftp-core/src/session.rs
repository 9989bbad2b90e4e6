//! The words in which a session speaks to its driver; both halves share them.

use core::time::Duration;

use crate::{
    burst::Burst,
    error::{ErrorCode, Failure},
    numbers::Rollover,
    options::Options,
    values::{BlockSize, WindowSize},
    wire::Malformed,
};

/// What became of a datagram.
#[must_use = "a stray datagram is to be answered, an ERROR to be reported"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'d> {
    /// It moved the session on, or at least was its business. Poll for what follows.
    Accepted,
    /// It changed nothing. The reason is for counters and logs.
    Ignored(Ignored),
    /// It came from a stranger. Answer [`UNKNOWN_TID`](crate::UNKNOWN_TID) to the address that it
    /// came from, unless that is one of your own, and to nobody else; the session is not disturbed
    /// (RFC 1350 section 4).
    Stray,
    /// The peer sent ERROR and the session is over. The message is the peer's bytes: escape it.
    PeerError {
        /// The ERROR's code.
        code: ErrorCode,
        /// The ERROR's text.
        message: &'d [u8],
    },
}

/// Why a datagram changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// It is no TFTP packet.
    Malformed(Malformed),
    /// A packet of a type, or with a block number, that makes no sense at this point.
    Unexpected,
    /// An ACK or a block that was seen before.
    Duplicate,
    /// A block that came too early and could not be kept.
    OutOfOrder,
    /// The session is over.
    Over,
    /// An ERROR or a malformed packet from a stranger: never answered.
    StrangerNotAnswered,
}

/// What a session wants sent to [`peer()`](crate::Sender::peer).
#[must_use = "what is polled is to be sent"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Send the request that you encoded when you opened the session, once more or for the first
    /// time.
    Request,
    /// Send the first so many bytes of the buffer. It counts as sent.
    Packet(usize),
    /// Read, frame, send and commit these blocks; see [`Burst`].
    Burst(Burst),
}

/// Where a session stands. Level-triggered: ask whenever you like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The peer has not answered yet.
    Opening,
    /// Blocks move, under these parameters.
    Active(Params),
    /// Receiver only: the whole file has been acknowledged, and the session stays to repeat its
    /// last ACK in case that got lost. Nothing more can fail.
    Lingering(Summary),
    /// The file was moved, and the other side knows.
    Done(Summary),
    /// Sender only: all of the file was sent, but the last ACK never came. The peer may have the
    /// file or not.
    Unconfirmed(Summary),
    /// The file was not moved.
    Failed(Failure),
}

/// What the two sides agreed on, with the defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    /// Bytes of a full block.
    pub block_size: BlockSize,
    /// Blocks of a window.
    pub window_size: WindowSize,
    /// The negotiated retransmission interval; without one it is measured.
    pub interval: Option<Duration>,
    /// The block number after 65,535.
    pub rollover: Rollover,
    /// What the peer said of the file's length in bytes. A hint, not a promise.
    pub transfer_size: Option<u64>,
    /// The options as agreed, in their order.
    pub options: Options,
}

impl From<Options> for Params {
    fn from(options: Options) -> Self {
        Self {
            block_size: options
                .block_size()
                .or(options.block_size2())
                .unwrap_or(BlockSize::DEFAULT),
            window_size: options.window_size().unwrap_or(WindowSize::LOCK_STEP),
            interval: options.interval(),
            rollover: options.rollover().unwrap_or_default(),
            transfer_size: options.transfer_size(),
            options,
        }
    }
}

/// What a session that moved its file was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Summary {
    /// The length of the file in bytes, as it went over the wire.
    pub bytes: u64,
    /// What had been agreed.
    pub params: Params,
}

/// What a session has counted so far; also after a failure.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of the file that were acknowledged (sender) or returned in chunks (receiver).
    pub bytes: u64,
    /// DATA packets sent, or new ones received.
    pub blocks: u64,
    /// Packets that were sent a second time: request, OACK, DATA; for a receiver also ACKs.
    pub retransmissions: u64,
    /// Duplicates that arrived: ACKs for a sender, DATA for a receiver.
    pub duplicates: u64,
    /// The smoothed round trip, once measured.
    pub round_trip: Option<Duration>,
}

/// Which blocks a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Blocks of the window in any order, each at its own offset: for files.
    Any,
    /// Only the next block: for pipes, and for netascii and mail, which must be decoded in order.
    Strict,
}

/// Bytes of the file that have arrived.
#[must_use = "these bytes will be acknowledged: write them first"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'d> {
    /// Where in the file they belong, in bytes.
    pub offset: u64,
    /// The bytes, borrowed from the datagram. Empty where the file ends on a block's edge.
    pub bytes: &'d [u8],
    /// With this chunk the file is whole, and the next packet polled is the last ACK: make the
    /// file durable first, or abort.
    pub last: bool,
}

/// What became of a datagram given to a receiver.
#[must_use = "a chunk is to be written before the next poll"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'d> {
    /// New bytes of the file.
    Data(Chunk<'d>),
    /// Anything else.
    Other(Verdict<'d>),
}
