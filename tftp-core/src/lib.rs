//! placeholder
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::cast_possible_truncation)]

mod burst;
mod error;
mod link;
mod negotiate;
pub mod netascii;
mod options;
mod receiver;
mod request;
mod rto;
mod sender;
mod session;
mod time;
mod wire;

pub use burst::{Burst, Payloads};
pub use error::{ErrorCode, Failure, Misconduct};
pub use negotiate::{Limits, Refusal};
pub use options::{BlockSize, OptionKind, Options, OutOfRange, Timeout, WindowSize};
pub use receiver::Receiver;
pub use request::{Mode, Operation, Request, UnencodableRequest, UnknownMode};
pub use rto::{FLOOR, Timing};
pub use sender::Sender;
pub use session::{
    Chunk, Ignored, Order, Params, Received, Stats, Status, Summary, Transmit, Verdict,
};
pub use time::Instant;
pub use wire::{Malformed, OptionAck, Packet, SMALL_PACKET, UNKNOWN_TID};

// A session is small enough to hold thousands of, on a server or in a boot ROM.
const _: () = assert!(size_of::<Sender>() <= 256 && size_of::<Receiver>() <= 256);
