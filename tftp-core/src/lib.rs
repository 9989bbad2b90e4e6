//! placeholder
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod error;
mod options;
mod request;
mod time;
mod wire;

pub use error::{ErrorCode, Failure, Misconduct};
pub use options::{BlockSize, OptionKind, Options, OutOfRange, Timeout, WindowSize};
pub use request::{Mode, Operation, Request, UnencodableRequest, UnknownMode};
pub use time::Instant;
pub use wire::{Malformed, OptionAck, Packet};
