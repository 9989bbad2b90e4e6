//! Where the block numbers of 64 bits that sessions count in meet the 16 bits of the wire.

/// Where block numbers go on after 65,535. RFC 1350 does not say; nearly everybody takes 0, and the
/// option `rollover` of tftp-hpa asks for one or the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rollover {
    /// With 0.
    #[default]
    ToZero,
    /// With 1: no block but the one before the first is ever numbered 0.
    ToOne,
}

impl Rollover {
    /// The 16 bits of a block number that go on the wire.
    pub(crate) fn on_wire(self, block: u64) -> u16 {
        match self {
            Self::ToOne if block > 0 => number_on_wire((block - 1) % LAST_NUMBER + 1),
            Self::ToOne | Self::ToZero => number_on_wire(block),
        }
    }

    /// The block whose number on the wire is `wire`, the first one at or after `from`.
    pub(crate) fn block_at(self, wire: u16, from: u64) -> u64 {
        match self {
            Self::ToZero => number_from_wire(wire, from),
            Self::ToOne => {
                let behind = u64::from(self.on_wire(from));
                from.saturating_add((u64::from(wire) + LAST_NUMBER - behind) % LAST_NUMBER)
            }
        }
    }
}

const LAST_NUMBER: u64 = u16::MAX as u64;

/// The 16 bits of a block number that go on the wire: after 65,535 comes 0.
#[expect(clippy::cast_possible_truncation, reason = "the wire carries the low 16 bits")]
fn number_on_wire(block: u64) -> u16 {
    block as u16
}

/// The block whose low 16 bits are `wire`, the first one at or after `from`.
fn number_from_wire(wire: u16, from: u64) -> u64 {
    from.saturating_add(wire.wrapping_sub(number_on_wire(from)).into())
}
