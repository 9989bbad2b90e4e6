//! The values of options, each of a type that cannot hold a wrong one.

use core::{
    num::{NonZeroU8, NonZeroU16, NonZeroU32},
    time::Duration,
};

/// A number outside the range that the option's RFC allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} is out of range: {option} takes {least} to {most}")]
pub struct OutOfRange {
    /// The option's name on the wire.
    pub option: &'static str,
    /// What was given.
    pub value: u64,
    /// The smallest value allowed.
    pub least: u64,
    /// The largest value allowed.
    pub most: u64,
}

/// Payload bytes in a full DATA packet: 8 to 65,464 (RFC 2348). Plain RFC 1350 has 512.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSize(NonZeroU16);

impl BlockSize {
    /// The smallest that RFC 2348 allows, 8 bytes.
    pub const MIN: Self = Self(NonZeroU16::new(8).expect("not zero"));
    /// The block size without negotiation, 512 bytes (RFC 1350 section 2).
    pub const DEFAULT: Self = Self(NonZeroU16::new(512).expect("not zero"));
    /// The largest that RFC 2348 allows, 65,464 bytes.
    pub const MAX: Self = Self(NonZeroU16::new(65464).expect("not zero"));

    /// A block size of that many bytes.
    ///
    /// # Errors
    /// When `bytes` is not in 8..=65464.
    pub fn new(bytes: u16) -> Result<Self, OutOfRange> {
        NonZeroU16::new(bytes)
            .map(Self)
            .filter(|size| (Self::MIN..=Self::MAX).contains(size))
            .ok_or(OutOfRange {
                option: "blksize",
                value: bytes.into(),
                least: Self::MIN.get().into(),
                most: Self::MAX.get().into(),
            })
    }

    /// Bytes in a full block.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// Blocks that may be sent before an ACK is awaited: 1 to 65,535 (RFC 7440).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowSize(NonZeroU16);

impl WindowSize {
    /// One block at a time: lock-step, as in RFC 1350.
    pub const LOCK_STEP: Self = Self(NonZeroU16::MIN);
    /// The largest window that [`Options`](crate::Options) hold, 32,767 blocks: half of the block
    /// numbers. In a larger one an old ACK could be taken for that of a block just sent.
    pub const LARGEST_SAFE: Self = Self(NonZeroU16::new(u16::MAX / 2).expect("not zero"));

    /// A window of that many blocks.
    ///
    /// # Errors
    /// When `blocks` is 0.
    pub fn new(blocks: u16) -> Result<Self, OutOfRange> {
        NonZeroU16::new(blocks).map(Self).ok_or(OutOfRange {
            option: "windowsize",
            value: blocks.into(),
            least: 1,
            most: u16::MAX.into(),
        })
    }

    /// Blocks in a window.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// A negotiated retransmission interval: 1 to 255 seconds (RFC 2349).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout(NonZeroU8);

impl Timeout {
    /// An interval of that many seconds.
    ///
    /// # Errors
    /// When `seconds` is 0.
    pub fn new(seconds: u8) -> Result<Self, OutOfRange> {
        NonZeroU8::new(seconds).map(Self).ok_or(OutOfRange {
            option: "timeout",
            value: seconds.into(),
            least: 1,
            most: u8::MAX.into(),
        })
    }

    /// The interval in seconds.
    pub const fn seconds(self) -> u8 {
        self.0.get()
    }
}

impl From<Timeout> for Duration {
    fn from(timeout: Timeout) -> Self {
        Self::from_secs(timeout.seconds().into())
    }
}

/// A negotiated retransmission interval in microseconds: 10,000 to 255,000,000 (the option
/// `utimeout` of tftp-hpa).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FineTimeout(NonZeroU32);

impl FineTimeout {
    const LEAST: u32 = 10_000;
    const MOST: u32 = 255_000_000;

    /// An interval of that many microseconds.
    ///
    /// # Errors
    /// When `micros` is not in 10000..=255000000.
    pub fn new(micros: u32) -> Result<Self, OutOfRange> {
        NonZeroU32::new(micros)
            .filter(|micros| (Self::LEAST..=Self::MOST).contains(&micros.get()))
            .map(Self)
            .ok_or(OutOfRange {
                option: "utimeout",
                value: micros.into(),
                least: Self::LEAST.into(),
                most: Self::MOST.into(),
            })
    }

    /// The interval in microseconds.
    pub const fn micros(self) -> u32 {
        self.0.get()
    }
}

impl From<FineTimeout> for Duration {
    fn from(timeout: FineTimeout) -> Self {
        Self::from_micros(timeout.micros().into())
    }
}

/// The two sides of `msftwindow`, the option of Microsoft's boot manager: a window whose size the
/// reader tells anew with each ACK, in one byte behind the block number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MsftWindow {
    /// A client asks for it.
    Asked,
    /// A server grants it, with windows of at most so many blocks.
    Granted {
        /// The largest window that the server will send, whatever the client tells.
        most: u8,
    },
}

impl MsftWindow {
    /// The number that stands on the wire.
    pub const fn magic(self) -> u16 {
        match self {
            Self::Asked => 31_416,
            Self::Granted { .. } => 27_182,
        }
    }
}
