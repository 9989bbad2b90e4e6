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
//! repeat:  1. ONE input: handle_datagram | handle_timeout | handle_unreachable | commit | abort
//!          2. act on what it returned (write the chunk)
//!          3. poll_transmit until None, or until the socket is full: then wait for writable
//!             (send; commit bursts)
//!          4. arm the timer at poll_timeout(); None = over, drop the session
//! ```
//!
//! A new session begins at step 3. `now` is the time of the call, on a clock that never goes back;
//! [`Instant::NEVER`] at step 4 means that step 3 stopped early. A timer that goes off too soon
//! changes nothing; where datagrams wait as well, they come first, for they may be what the timer
//! waits for. Step 3 may wait, for a sync to disk or a cold read: time that passes while an
//! ACK or a plan has not been polled is nobody's retry. A datagram that could not be sent is as good
//! as lost on the way. A wrong order costs at most a retransmission, never a corrupted file.
//!
//! # Pick a driver
//!
//! Four examples are this loop, to be copied; each says in its first lines what it prints.
//!
//! - [`in_memory`]: no network and no time, every packet shown.
//! - [`std_udp`]: a client over a blocking socket of the standard library.
//! - [`tokio`]: a server, a task a session.
//! - [`smoltcp`]: an IP stack without an operating system. Blocks go from the file straight into
//!   its buffers, and while those are full the plan stands.
//!
//! A ready one for servers and clients with files on disk is the crate `tftp-mio`.
//!
//! [`in_memory`]: https://github.com/tftp-rs/tftp/blob/main/tftp-core/examples/in_memory.rs
//! [`std_udp`]: https://github.com/tftp-rs/tftp/blob/main/tftp-core/examples/std_udp.rs
//! [`tokio`]: https://github.com/tftp-rs/tftp/blob/main/tftp-core/examples/tokio.rs
//! [`smoltcp`]: https://github.com/tftp-rs/tftp/blob/main/tftp-core/examples/smoltcp.rs
//!
//! # What a driver must do
//!
//! - **Write before it polls.** An ACK exists only when it is polled, and it covers every chunk
//!   returned so far. Write each [`Chunk`] at its offset first, or [`abort`](Receiver::abort).
//! - **Sync before the last ACK.** When a chunk is [`last`](Chunk::last) the next packet polled
//!   tells the peer that the file is safe: sync and rename before, or abort. Afterwards the session
//!   [lingers](Status::Lingering) to repeat that ACK; the file may be used at once.
//! - **Commit what it sent, and nothing else.** A [`Burst`] that is not committed comes again. Where
//!   the socket took only some of its packets, commit [`Burst::first`] of as many. A buffer need not
//!   hold a window either: take the first packets that fit, and the rest is planned next.
//! - **Choose [`Order`]**: chunks of [`Order::Any`] are written at their offset, chunks of
//!   [`Order::Strict`] can be appended.
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
//! The first datagram is the caller's. A client encodes it once and sends it at every
//! [`Transmit::Request`], from a port that nothing else uses; a server, which listens on port 69,
//! asks its policy what to grant, and opens the session on a new port of its own:
//!
//! ```
//! # use std::net::{Ipv4Addr, SocketAddr};
//! # use tftp_core::*;
//! # let (client, server) = (SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)), (Ipv4Addr::LOCALHOST, 69).into());
//! # let now = Instant::ZERO;
//! // The client's side.
//! let options = Options::NONE.with_block_size(BlockSize::new(1428)?).with_transfer_size(0);
//! let request =
//!     Request { operation: Operation::Read, filename: b"boot.img", mode: Mode::Octet, options };
//! let mut datagram = [0; Request::MAX_LEN];
//! let len = request.encode(&mut datagram)?;
//! let receiver = Receiver::request(now, server, options, Order::Any, Timing::CLIENT);
//!
//! // The server's side, for a file of 100,000 bytes.
//! let Ok(Packet::Request(request)) = Packet::parse(&datagram[..len]) else {
//!     panic!("anything else on port 69 is ignored")
//! };
//! let mut out = [0; SMALL_PACKET];
//! match Limits::default().answer(&request, Some(100_000)) {
//!     Ok(granted) => {
//!         assert_eq!(granted.to_string(), "blksize=1428 tsize=100000");
//!         let sender = Sender::reply(now, client, granted, Some(100_000), Timing::SERVER);
//!     }
//!     Err(refusal) => {
//!         let message = refusal.to_string();
//!         let error = Packet::Error { code: refusal.code(), message: message.as_bytes() };
//!         let len = error.encode(&mut out); // and send it to the client
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A server keeps its sessions by the peer's address. The same request again from the same peer is
//! [`handle_repeated_request`](Sender::handle_repeated_request), not a second session. A client that
//! is refused, or not answered, may ask again with [fewer options](Request::fewer), from a new port.
//! What a [`Params::transfer_size`] announces is a hint. In netascii the driver passes the file
//! through [`netascii`] on its way in or out, with an unknown length and [`Order::Strict`]; offsets
//! are then those of the encoded bytes.
//!
//! # Sizes
//!
//! A session has at most 256 bytes; windows up to 32,767 blocks and files of any length change
//! nothing in that, for no payload is ever buffered. Receive into [65,535 bytes](BlockSize::MAX):
//! longer DATA than was agreed on is refused, which a cut-off datagram would hide. Small packets
//! need [`SMALL_PACKET`] bytes, a burst [`Burst::framed_len`]. A receiver keeps up to 128 blocks
//! that came ahead of their turn by writing them to their place.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::cast_possible_truncation)]

mod acks;
mod arrivals;
mod burst;
mod error;
mod flight;
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
const _: () = assert!(size_of::<Sender>() <= 192 && size_of::<Receiver>() <= 256);
