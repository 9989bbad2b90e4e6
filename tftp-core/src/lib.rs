//! TFTP as pure state machines: all of the protocol, and nothing else.
//!
//! A [`Sender`] and a [`Receiver`] move one file each. They own no socket, no clock, no file and no
//! heap: datagrams, the time and the file's bytes go in and out by method calls. A whole transfer
//! in memory:
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddr};
//! use tftp_core::*;
//!
//! let (client, server) = ((Ipv4Addr::LOCALHOST, 40_000).into(), (Ipv4Addr::LOCALHOST, 69).into());
//! let file = b"a short file";
//! let mut receiver =
//!     Receiver::request(Instant::ZERO, server, Options::NONE, Order::Any, Timing::CLIENT);
//! let mut sender = Sender::reply(
//!     Instant::ZERO, client, Options::NONE, Some(file.len() as u64), Timing::SERVER,
//! );
//! let mut out = [0; 1024];
//!
//! // The server's first plan: read these bytes, send them as DATA, say that they were sent.
//! let Some(Transmit::Burst(burst)) = sender.poll_transmit(Instant::ZERO, &mut out) else { panic!() };
//! for payload in burst.frame(&mut out) {
//!     payload.copy_from_slice(file);
//! }
//! sender.commit(Instant::ZERO, burst);
//!
//! // The client writes the chunk, and only then polls its ACK.
//! let Received::Data(chunk) =
//!     receiver.handle_datagram(Instant::ZERO, server, &out[..burst.framed_len()])
//! else { panic!() };
//! assert_eq!((chunk.offset, chunk.bytes, chunk.last), (0, &file[..], true));
//! let Some(Transmit::Packet(ack)) = receiver.poll_transmit(Instant::ZERO, &mut out) else { panic!() };
//! assert_eq!(sender.handle_datagram(Instant::ZERO, client, &out[..ack]), Verdict::Accepted);
//! assert!(matches!(sender.status(), Status::Done(summary) if summary.bytes == 12));
//! ```
//!
//! # The canonical loop
//!
//! It is the same for both halves:
//!
//! ```text
//! repeat:  1. ONE input: handle_datagram | handle_timeout | commit | abort
//!          2. act on what it returned (write the chunk)
//!          3. poll_transmit until None, or until the socket is full: then wait for writable
//!             (send; commit bursts)
//!          4. arm the timer at poll_timeout(); None = over, drop the session
//! ```
//!
//! Step 3 may wait, for a sync to disk or a cold read: time that passes while an ACK or a plan has
//! not been polled is nobody's retry. A wrong order costs at most a retransmission, never a
//! corrupted file. `examples/std_udp.rs` is this loop over blocking sockets.
//!
//! # What a driver must do
//!
//! - **Write before it polls.** An ACK exists only when it is polled, and it covers every chunk
//!   returned so far. Write each [`Chunk`] at its offset first, or [`abort`](Receiver::abort).
//! - **Sync before the last ACK.** When a chunk is [`last`](Chunk::last) the next packet polled
//!   tells the peer that the file is safe: sync and rename before, or abort. Afterwards the session
//!   [lingers](Status::Lingering) to repeat that ACK; the file may be used at once.
//! - **Commit what it sent, and nothing else.** A [`Burst`] that is not committed comes again. Where
//!   the socket took only some of its packets, commit [`Burst::first`] of as many.
//! - **Say where the file ends** if its length was not known: [`Burst::end_after`]. A file of known
//!   length that comes up short is an [`abort`](Sender::abort), never a short success.
//! - **Keep what cannot be read twice.** A plan may name any byte behind
//!   [`Sender::acknowledged`] again; a pipe's driver keeps those, one window at most.
//! - **Answer strays.** On [`Verdict::Stray`] send [`UNKNOWN_TID`] to the datagram's source, unless
//!   that is one of its own addresses, and to nobody else.
//! - **Escape what a peer wrote**: file names and ERROR texts are bytes of the peer's choice.
//! - **Send from the port that the session lives on**, and give the session what arrives there.
//!
//! # Server and client
//!
//! A server reads a request with [`Packet::parse`], asks its policy with [`Limits::answer`], and
//! answers with [`Sender::reply`] or [`Receiver::reply`]. The same request again is
//! [`handle_repeated_request`](Sender::handle_repeated_request), not a second session. A client
//! encodes a [`Request`], opens [`Receiver::request`] or [`Sender::request`], sends the datagram on
//! every [`Transmit::Request`], and may ask again with [fewer options](Request::fewer).
//!
//! # Sizes
//!
//! A session has at most 256 bytes; windows up to 65,535 blocks and files of any length change
//! nothing in that, for no payload is ever buffered. Receive into [65,535 bytes](BlockSize::MAX):
//! longer DATA than was agreed on is refused, which a cut-off datagram would hide. Small packets
//! need [`SMALL_PACKET`] bytes, a burst [`Burst::framed_len`]. A receiver keeps up to 128 blocks
//! that came ahead of their turn by writing them to their place.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::cast_possible_truncation)]

mod arrivals;
mod burst;
mod error;
mod link;
mod negotiate;
pub mod netascii;
mod numbers;
mod options;
mod receiver;
mod request;
mod rto;
mod sender;
mod session;
mod time;
mod values;
mod wire;

pub use burst::{Burst, Payloads};
pub use error::{ErrorCode, Failure, Misconduct};
pub use negotiate::{Limits, Refusal};
pub use numbers::Rollover;
pub use options::{OptionKind, OptionSet, Options};
pub use receiver::Receiver;
pub use request::{Mode, Operation, Request, UnencodableRequest, UnknownMode};
pub use rto::{FLOOR, Timing};
pub use sender::Sender;
pub use session::{
    Chunk, Ignored, Order, Params, Received, Stats, Status, Summary, Transmit, Verdict,
};
pub use time::Instant;
pub use values::{BlockSize, FineTimeout, MsftWindow, OutOfRange, Timeout, WindowSize};
pub use wire::{Malformed, OptionAck, Packet, SMALL_PACKET, UNKNOWN_TID};

// A session is small enough to hold thousands of, on a server or in a boot ROM.
const _: () = assert!(size_of::<Sender>() <= 256 && size_of::<Receiver>() <= 256);
