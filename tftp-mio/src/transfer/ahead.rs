//! Files read ahead, for transfers that send little at a time: one read then serves many blocks.
//!
//! The room for it is the loop's and bounded, not the transfers': one that stalls or shares the loop
//! with many others reads what it sends, as it sends it.

use std::{io, time::Duration};

use tftp_core::Instant;

use crate::storage::Source;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// What a transfer must send at most at once to be read ahead for.
const LITTLE: usize = CHUNK / 4;

/// Transfers that are read ahead for at a time.
const SLOTS: usize = 16;

/// A slot that was not used for so long is free to be taken.
const REST: Duration = Duration::from_millis(20);

/// The room for content read ahead.
#[derive(Default)]
pub(super) struct Ahead {
    slots: Vec<Slot>,
    next_stamp: u32,
}

/// Content of one file.
struct Slot {
    stamp: u32,
    offset: u64,
    content: Vec<u8>,
    used_at: Instant,
}

/// A transfer's claim to a slot; it holds until another transfer takes that.
#[derive(Clone, Copy, Default)]
pub(super) struct Claim {
    slot: u8,
    /// None is 0.
    stamp: u32,
}

impl Ahead {
    /// Does what [`Source::read_at`] does, from what was read ahead where that is possible.
    ///
    /// # Errors
    /// As there.
    pub(super) fn read_at(
        &mut self,
        now: Instant,
        claim: &mut Claim,
        source: &mut dyn Source,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        // Who has acknowledged nothing may stay silent, and what has no known length may have to
        // be read in its own order.
        let Some(size) = source.size().filter(|_| offset > 0 && buffer.len() <= LITTLE) else {
            return source.read_at(offset, buffer);
        };
        let held = self.slots.get_mut(usize::from(claim.slot));
        let held = held.filter(|slot| slot.stamp == claim.stamp);
        if let Some(slot) = held
            && let Some(content) = slot.get(offset, buffer.len())
        {
            buffer.copy_from_slice(content);
            slot.used_at = now;
            // The file may have become shorter since.
            let end = offset + buffer.len() as u64 == size;
            return Ok(if end && !source.is_whole()? { 0 } else { buffer.len() });
        }
        let Some(slot) = self.claim(now, claim) else { return source.read_at(offset, buffer) };
        slot.content.resize(CHUNK, 0);
        let read = source.read_at(offset, &mut slot.content);
        slot.content.truncate(*read.as_ref().unwrap_or(&0));
        (slot.offset, slot.used_at) = (offset, now);
        let read = read?.min(buffer.len());
        buffer[..read].copy_from_slice(&slot.content[..read]);
        Ok(read)
    }

    /// The slot of a claim, or another that is free for it.
    fn claim(&mut self, now: Instant, claim: &mut Claim) -> Option<&mut Slot> {
        let held = usize::from(claim.slot);
        if self.slots.get(held).is_none_or(|slot| slot.stamp != claim.stamp) {
            let rests = |slot: &Slot| now >= slot.used_at + REST;
            let free = match self.slots.iter().position(rests) {
                Some(index) => index,
                None if self.slots.len() < SLOTS => {
                    let content = Vec::with_capacity(CHUNK);
                    self.slots.push(Slot { stamp: 0, offset: 0, content, used_at: now });
                    self.slots.len() - 1
                }
                None => return None,
            };
            // 0 is nobody's.
            self.next_stamp = self.next_stamp.wrapping_add(1).max(1);
            *claim = Claim { slot: u8::try_from(free).ok()?, stamp: self.next_stamp };
        }
        let slot = self.slots.get_mut(usize::from(claim.slot))?;
        slot.stamp = claim.stamp;
        Some(slot)
    }
}

impl Slot {
    fn get(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let begin = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.content.get(begin..begin.checked_add(len)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose bytes tell their place, and that counts its reads.
    struct Counted {
        len: u64,
        now_len: u64,
        reads: usize,
    }

    impl Source for Counted {
        fn size(&self) -> Option<u64> {
            Some(self.len)
        }

        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            let left = usize::try_from(self.now_len.saturating_sub(offset)).unwrap();
            let read = left.min(buffer.len());
            for (at, byte) in (offset..).zip(&mut buffer[..read]) {
                *byte = u8::try_from(at % 251).unwrap();
            }
            Ok(read)
        }

        fn is_whole(&self) -> io::Result<bool> {
            Ok(self.now_len >= self.len)
        }
    }

    fn file(len: u64) -> Counted {
        Counted { len, now_len: len, reads: 0 }
    }

    fn block(offset: u64) -> Vec<u8> {
        (offset..offset + 512).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[test]
    fn blocks_in_a_row_take_one_read_a_chunk() {
        let (mut ahead, mut claim, mut file) = (Ahead::default(), Claim::default(), file(1 << 20));
        let mut buffer = [0; 512];
        for offset in (0..(512 + 2 * CHUNK as u64)).step_by(512) {
            let read = ahead.read_at(Instant::ZERO, &mut claim, &mut file, offset, &mut buffer);
            assert_eq!((read.unwrap(), &buffer[..]), (512, &block(offset)[..]));
        }
        assert_eq!(file.reads, 3);
    }

    #[test]
    fn an_end_that_was_read_ahead_counts_only_while_the_file_has_it() {
        let (mut ahead, mut claim, mut file) = (Ahead::default(), Claim::default(), file(1536));
        let mut buffer = [0; 512];
        let mut read = |file: &mut Counted, offset| {
            ahead.read_at(Instant::ZERO, &mut claim, file, offset, &mut buffer).unwrap()
        };
        assert_eq!(read(&mut file, 512), 512);
        assert_eq!(read(&mut file, 1024), 512);
        file.now_len = 1535;
        assert_eq!(read(&mut file, 1024), 0);
    }

    #[test]
    fn a_slot_is_taken_from_who_rests_and_from_nobody_else() {
        let mut ahead = Ahead::default();
        let mut buffer = [0; 512];
        let mut files: Vec<_> = (0..=SLOTS).map(|_| (Claim::default(), file(1 << 20))).collect();
        let mut read = |(claim, file): &mut (Claim, Counted), at: Duration, offset| {
            ahead.read_at(Instant::ZERO + at, claim, file, offset, &mut buffer).unwrap();
            file.reads
        };
        for file in &mut files[..SLOTS] {
            read(file, Duration::ZERO, 512);
        }
        let late = &mut files[SLOTS];
        assert_eq!(read(late, Duration::ZERO, 512), 1);
        assert_eq!(read(late, Duration::ZERO, 1024), 2, "there was no slot");
        assert_eq!(read(late, REST, 1536), 3);
        assert_eq!(read(late, REST, 2048), 3, "it had the slot of the first");
        assert_eq!(read(&mut files[0], REST, 1024), 2);
        assert_eq!(files[0].1.reads, 2);
    }
}
