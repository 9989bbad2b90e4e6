//! Sockets: how a datagram comes in and goes out.
//!
//! One [`Socket`] serves both for listening and for transfers. A wake-up drains it into the
//! worker's [`Inbox`] with few system calls, and a burst of packets leaves it with as few as the
//! [path](paths) to the peer allows.

mod inbox;
mod offloads;
mod open;
mod paths;
mod plain;
mod udp;
mod window;

pub(crate) use inbox::{Arrival, BATCH, Batch, Inbox, Run};
pub(crate) use open::{address_towards, is_broadcast, is_local};
pub(crate) use paths::Paths;
pub(crate) use udp::{Route, Socket};
pub(crate) use window::window_for;
