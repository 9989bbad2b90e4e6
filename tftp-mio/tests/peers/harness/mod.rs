//! What the tests of both programs against real peers share: the files that go over, how a peer is run, and
//! what was said on the wire.

mod content;
mod process;
mod tap;

pub(crate) use content::{File, Mode, assert_same, files};
pub(crate) use process::{peer, run};
pub(crate) use tap::Tap;
