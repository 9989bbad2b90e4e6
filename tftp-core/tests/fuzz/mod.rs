//! What must hold for any input. Each module is one fuzz target (`fuzz/` at the top), and its `check`
//! panics where the property does not hold.
#![allow(unreachable_pub, reason = "the fuzz targets are another crate")]

pub mod negotiation;
pub mod netascii;
pub mod packet;
pub mod pair;
pub mod receiver;
mod script;
pub mod sender;
