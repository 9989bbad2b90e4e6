//! Numbers of slots, as they are kept where there are thousands.

/// The number of a slot in half the memory.
#[expect(clippy::cast_possible_truncation, reason = "memory ends long before")]
pub(crate) fn number(slot: usize) -> u32 {
    slot as u32
}
