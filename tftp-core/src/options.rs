//! The options of RFC 2347 as values that cannot be wrong, kept in the order of the request.

use core::{fmt, num::NonZeroU8, num::NonZeroU16};

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
    /// The largest window that is asked for or granted, 32,767 blocks: half of the block numbers.
    /// In a larger one an old ACK could be taken for that of a block just sent.
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

/// The options that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionKind {
    /// `blksize`, RFC 2348.
    BlockSize,
    /// `timeout`, RFC 2349.
    Timeout,
    /// `tsize`, RFC 2349.
    TransferSize,
    /// `windowsize`, RFC 7440.
    WindowSize,
}

impl OptionKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::BlockSize, Self::Timeout, Self::TransferSize, Self::WindowSize];

    /// The name on the wire, in lower case: GRUB, barebox and lwIP compare an OACK's names byte by
    /// byte.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockSize => "blksize",
            Self::Timeout => "timeout",
            Self::TransferSize => "tsize",
            Self::WindowSize => "windowsize",
        }
    }

    /// The option of that name, in any case (RFC 2347: "case insensitive").
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A set of options with their values, each at most once, in the order in which they were added.
///
/// The same type holds what a client asks for, what a server grants, and what both agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    block_size: Option<BlockSize>,
    window_size: Option<WindowSize>,
    timeout: Option<Timeout>,
    transfer_size: Option<u64>,
    order: [Option<OptionKind>; OptionKind::ALL.len()],
}

impl Options {
    /// No option at all: plain RFC 1350.
    pub const NONE: Self = Self {
        block_size: None,
        window_size: None,
        timeout: None,
        transfer_size: None,
        order: [None; OptionKind::ALL.len()],
    };

    /// Adds `blksize`, or changes its value in place.
    pub fn with_block_size(mut self, size: BlockSize) -> Self {
        self.block_size = Some(size);
        self.remember(OptionKind::BlockSize)
    }

    /// Adds `windowsize`, or changes its value in place.
    pub fn with_window_size(mut self, size: WindowSize) -> Self {
        self.window_size = Some(size);
        self.remember(OptionKind::WindowSize)
    }

    /// Adds `timeout`, or changes its value in place.
    pub fn with_timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = Some(timeout);
        self.remember(OptionKind::Timeout)
    }

    /// Adds `tsize` in bytes, or changes its value in place. A client that reads asks with 0.
    pub fn with_transfer_size(mut self, bytes: u64) -> Self {
        self.transfer_size = Some(bytes);
        self.remember(OptionKind::TransferSize)
    }

    /// The value of `blksize`, if present.
    pub fn block_size(&self) -> Option<BlockSize> {
        self.block_size
    }

    /// The value of `windowsize`, if present.
    pub fn window_size(&self) -> Option<WindowSize> {
        self.window_size
    }

    /// The value of `timeout`, if present.
    pub fn timeout(&self) -> Option<Timeout> {
        self.timeout
    }

    /// The value of `tsize` in bytes, if present.
    pub fn transfer_size(&self) -> Option<u64> {
        self.transfer_size
    }

    /// Whether no option is present.
    pub fn is_empty(&self) -> bool {
        self.order.iter().all(Option::is_none)
    }

    /// Whether the option is present.
    pub fn contains(&self, kind: OptionKind) -> bool {
        self.order.contains(&Some(kind))
    }

    /// The options present and their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (OptionKind, u64)> + '_ {
        self.order.iter().flatten().filter_map(|&kind| {
            let value = match kind {
                OptionKind::BlockSize => self.block_size?.get().into(),
                OptionKind::Timeout => self.timeout?.seconds().into(),
                OptionKind::TransferSize => self.transfer_size?,
                OptionKind::WindowSize => self.window_size?.get().into(),
            };
            Some((kind, value))
        })
    }

    fn remember(mut self, kind: OptionKind) -> Self {
        if !self.contains(kind)
            && let Some(free) = self.order.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(kind);
        }
        self
    }
}

impl fmt::Display for Options {
    /// Writes `blksize=1428 windowsize=16`, or nothing when empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, value)) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}={value}", kind.name())?;
        }
        Ok(())
    }
}

/// Reads an option's value as RFC 2347 writes it: ASCII digits and nothing else.
///
/// Signs, blanks, exponents, an empty text and anything above 2^64 - 1 are no numbers.
pub(crate) fn parse_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}
