//! Which blocks of a file have come: the run from the first one on, and some that came ahead of
//! their turn. Nothing is buffered here; the blocks themselves have been returned to the driver.

use core::num::NonZeroU64;

/// The blocks that have come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arrivals {
    /// All blocks up to this one.
    base: u64,
    /// Bit `i` stands for block `base + 1 + i`; the lowest one is never set.
    ahead: u128,
    /// The file's last block, once seen.
    last: Option<NonZeroU64>,
}

/// What a block is, seen from what has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has come before.
    Seen,
    /// The next one.
    Next,
    /// Behind a gap.
    Ahead,
    /// Too far ahead to be remembered, or at odds with the end of the file.
    Nowhere,
}

/// How far behind a gap blocks are remembered.
const REACH: u64 = u128::BITS as u64;

impl Arrivals {
    pub(crate) const NONE: Self = Self { base: 0, ahead: 0, last: None };

    #[cfg(test)]
    pub(crate) fn up_to(base: u64) -> Self {
        Self { base, ..Self::NONE }
    }

    /// All blocks up to this one have come.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Whether a block is missing before one that has come.
    pub(crate) fn has_gap(&self) -> bool {
        self.ahead != 0
    }

    /// Whether nothing has come at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.base == 0 && self.ahead == 0
    }

    /// Whether the file is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.last.is_some_and(|last| last.get() == self.base)
    }

    /// Where a block belongs that `is_last`, or is full.
    pub(crate) fn place(&self, block: u64, is_last: bool) -> Place {
        let Some(distance) = block.checked_sub(self.base).and_then(|beyond| beyond.checked_sub(1))
        else {
            return Place::Seen;
        };
        if distance < REACH && self.ahead & (1 << distance) != 0 {
            return Place::Seen;
        }
        let fits = match self.last {
            Some(last) => block < last.get() && !is_last,
            None => !is_last || !self.any_beyond(distance),
        };
        match distance {
            _ if !fits => Place::Nowhere,
            0 => Place::Next,
            distance if distance < REACH => Place::Ahead,
            _ => Place::Nowhere,
        }
    }

    /// Remembers a block whose place is [`Next`](Place::Next) or [`Ahead`](Place::Ahead).
    pub(crate) fn insert(&mut self, block: u64, is_last: bool) {
        let distance = block.saturating_sub(self.base).saturating_sub(1).min(REACH - 1);
        self.ahead |= 1 << distance;
        let run = self.ahead.trailing_ones();
        self.base = self.base.saturating_add(run.into());
        self.ahead = self.ahead.checked_shr(run).unwrap_or(0);
        if is_last {
            self.last = NonZeroU64::new(block);
        }
    }

    /// Whether a block has come that lies behind the one at that distance.
    fn any_beyond(&self, distance: u64) -> bool {
        let shift = u32::try_from(distance.saturating_add(1)).unwrap_or(u32::MAX);
        self.ahead.checked_shr(shift).unwrap_or(0) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_closed_by_the_missing_block() {
        let mut arrivals = Arrivals::NONE;
        for block in [1, 3, 4, 6] {
            arrivals.insert(block, false);
        }
        assert_eq!((arrivals.base(), arrivals.has_gap()), (1, true));
        arrivals.insert(2, false);
        assert_eq!((arrivals.base(), arrivals.has_gap()), (4, true));
        arrivals.insert(5, false);
        assert_eq!((arrivals.base(), arrivals.has_gap()), (6, false));
    }

    #[test]
    fn the_reach_is_128_blocks() {
        let mut arrivals = Arrivals::NONE;
        assert_eq!(arrivals.place(128, false), Place::Ahead);
        assert_eq!(arrivals.place(129, false), Place::Nowhere);
        for block in (1..=128).rev() {
            arrivals.insert(block, false);
        }
        assert_eq!((arrivals.base(), arrivals.has_gap()), (128, false));
    }

    #[test]
    fn nothing_lies_behind_the_last_block() {
        let mut arrivals = Arrivals::NONE;
        arrivals.insert(3, true);
        assert_eq!(arrivals.place(4, false), Place::Nowhere);
        assert_eq!(arrivals.place(2, true), Place::Nowhere);
        assert_eq!(arrivals.place(3, true), Place::Seen);
        assert_eq!(arrivals.place(2, false), Place::Ahead);
        let mut arrivals = Arrivals::NONE;
        arrivals.insert(3, false);
        assert_eq!(arrivals.place(2, true), Place::Nowhere);
    }
}
