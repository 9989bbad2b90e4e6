//! The options of RFC 2347 with their values, kept in the order of the request.

use core::{fmt, time::Duration};

use crate::{
    numbers::Rollover,
    values::{BlockSize, FineTimeout, MsftWindow, Timeout, WindowSize},
};

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
    /// `utimeout`, tftp-hpa: `timeout` in microseconds.
    FineTimeout,
    /// `blksize2`, tftp-hpa: `blksize` that is a power of two.
    BlockSize2,
    /// `rollover`, tftp-hpa: the block number after 65,535.
    Rollover,
    /// `msftwindow`, Microsoft: a window whose size each ACK tells anew.
    MsftWindow,
}

impl OptionKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::BlockSize,
        Self::Timeout,
        Self::TransferSize,
        Self::WindowSize,
        Self::FineTimeout,
        Self::BlockSize2,
        Self::Rollover,
        Self::MsftWindow,
    ];

    /// The name on the wire, in lower case: GRUB, barebox and lwIP compare an OACK's names byte by
    /// byte.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockSize => "blksize",
            Self::Timeout => "timeout",
            Self::TransferSize => "tsize",
            Self::WindowSize => "windowsize",
            Self::FineTimeout => "utimeout",
            Self::BlockSize2 => "blksize2",
            Self::Rollover => "rollover",
            Self::MsftWindow => "msftwindow",
        }
    }

    /// The option of that name, in any case (RFC 2347: "case insensitive").
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }

    const fn bit(self) -> u8 {
        match self {
            Self::BlockSize => 1,
            Self::Timeout => 1 << 1,
            Self::TransferSize => 1 << 2,
            Self::WindowSize => 1 << 3,
            Self::FineTimeout => 1 << 4,
            Self::BlockSize2 => 1 << 5,
            Self::Rollover => 1 << 6,
            Self::MsftWindow => 1 << 7,
        }
    }
}

/// A set of kinds of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionSet(u8);

impl OptionSet {
    /// No option.
    pub const NONE: Self = Self(0);
    /// The options that RFCs define: `blksize`, `timeout`, `tsize` and `windowsize`.
    pub const STANDARD: Self = Self::NONE
        .with(OptionKind::BlockSize)
        .with(OptionKind::Timeout)
        .with(OptionKind::TransferSize)
        .with(OptionKind::WindowSize);

    /// The set with one option more.
    pub const fn with(self, kind: OptionKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// The set with one option less.
    pub const fn without(self, kind: OptionKind) -> Self {
        Self(self.0 & !kind.bit())
    }

    /// Whether the option is in the set.
    pub const fn contains(self, kind: OptionKind) -> bool {
        self.0 & kind.bit() != 0
    }
}

/// A set of options with their values, each at most once, in the order in which they were added.
///
/// The same type holds what a client asks for, what a server grants, and what both agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    block_size: Option<BlockSize>,
    block_size2: Option<BlockSize>,
    window_size: Option<WindowSize>,
    timeout: Option<Timeout>,
    fine_timeout: Option<FineTimeout>,
    /// Meaningful where `order` has it: an option of this size would not be small.
    transfer_size: u64,
    rollover: Option<Rollover>,
    msft_window: Option<MsftWindow>,
    order: [Option<OptionKind>; OptionKind::ALL.len()],
}

impl Options {
    /// No option at all: plain RFC 1350.
    pub const NONE: Self = Self {
        block_size: None,
        block_size2: None,
        window_size: None,
        timeout: None,
        fine_timeout: None,
        transfer_size: 0,
        rollover: None,
        msft_window: None,
        order: [None; OptionKind::ALL.len()],
    };

    /// Adds `blksize`, or changes its value in place.
    pub fn with_block_size(mut self, size: BlockSize) -> Self {
        self.block_size = Some(size);
        self.remember(OptionKind::BlockSize)
    }

    /// Adds `blksize2`, or changes its value in place. What a server grants is a power of two.
    pub fn with_block_size2(mut self, size: BlockSize) -> Self {
        self.block_size2 = Some(size);
        self.remember(OptionKind::BlockSize2)
    }

    /// Adds `windowsize`, or changes its value in place. A larger one than
    /// [`WindowSize::LARGEST_SAFE`] is lowered to it: nobody asks for more, grants or uses more.
    pub fn with_window_size(mut self, size: WindowSize) -> Self {
        self.window_size = Some(size.min(WindowSize::LARGEST_SAFE));
        self.remember(OptionKind::WindowSize)
    }

    /// Adds `timeout`, or changes its value in place.
    pub fn with_timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = Some(timeout);
        self.remember(OptionKind::Timeout)
    }

    /// Adds `utimeout`, or changes its value in place.
    pub fn with_fine_timeout(mut self, timeout: FineTimeout) -> Self {
        self.fine_timeout = Some(timeout);
        self.remember(OptionKind::FineTimeout)
    }

    /// Adds `tsize` in bytes, or changes its value in place. A client that reads asks with 0.
    pub fn with_transfer_size(mut self, bytes: u64) -> Self {
        self.transfer_size = bytes;
        self.remember(OptionKind::TransferSize)
    }

    /// Adds `rollover`, or changes its value in place.
    pub fn with_rollover(mut self, rollover: Rollover) -> Self {
        self.rollover = Some(rollover);
        self.remember(OptionKind::Rollover)
    }

    /// Adds `msftwindow`, or changes its value in place.
    pub fn with_msft_window(mut self, window: MsftWindow) -> Self {
        self.msft_window = Some(window);
        self.remember(OptionKind::MsftWindow)
    }

    /// The value of `blksize`, if present.
    pub fn block_size(&self) -> Option<BlockSize> {
        self.block_size
    }

    /// The value of `blksize2`, if present.
    pub fn block_size2(&self) -> Option<BlockSize> {
        self.block_size2
    }

    /// The value of `windowsize`, if present.
    pub fn window_size(&self) -> Option<WindowSize> {
        self.window_size
    }

    /// The value of `timeout`, if present.
    pub fn timeout(&self) -> Option<Timeout> {
        self.timeout
    }

    /// The value of `utimeout`, if present.
    pub fn fine_timeout(&self) -> Option<FineTimeout> {
        self.fine_timeout
    }

    /// The retransmission interval, by `timeout` or `utimeout`.
    pub fn interval(&self) -> Option<Duration> {
        self.timeout.map(Duration::from).or(self.fine_timeout.map(Duration::from))
    }

    /// The value of `tsize` in bytes, if present.
    pub fn transfer_size(&self) -> Option<u64> {
        self.contains(OptionKind::TransferSize).then_some(self.transfer_size)
    }

    /// The value of `rollover`, if present.
    pub fn rollover(&self) -> Option<Rollover> {
        self.rollover
    }

    /// The value of `msftwindow`, if present.
    pub fn msft_window(&self) -> Option<MsftWindow> {
        self.msft_window
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
                OptionKind::BlockSize2 => self.block_size2?.get().into(),
                OptionKind::Timeout => self.timeout?.seconds().into(),
                OptionKind::FineTimeout => self.fine_timeout?.micros().into(),
                OptionKind::TransferSize => self.transfer_size,
                OptionKind::WindowSize => self.window_size?.get().into(),
                OptionKind::Rollover => match self.rollover? {
                    Rollover::ToZero => 0,
                    Rollover::ToOne => 1,
                },
                OptionKind::MsftWindow => self.msft_window?.magic().into(),
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

/// Reads a value that a request wishes for: a number above 2^64 - 1 is a wish for as much as there is.
pub(crate) fn parse_wish(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| parse_decimal(text).unwrap_or(u64::MAX))
}
