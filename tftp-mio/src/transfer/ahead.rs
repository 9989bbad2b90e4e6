//! Files read ahead, for transfers that send little at a time: one read then serves many blocks.
//!
//! The room for it is the loop's and bounded, not the transfers': one that stalls or shares the loop
//! with many others reads what it sends, as it sends it.

use std::{
    io::{self, IoSliceMut},
    time::Duration,
};

use tftp_core::Instant;

use crate::storage::Source;

/// Bytes that are read at once at most.
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
    latest: Claim,
}

/// Content of one file.
struct Slot {
    claim: Claim,
    offset: u64,
    content: Vec<u8>,
    /// The file has no more.
    ends: bool,
    used_at: Instant,
}

/// A transfer's claim to a slot; it holds until another transfer takes that. 0 is
/// nobody's.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Claim(u32);

impl Ahead {
    /// Does what [`Source::read_vectored_at`] does, from what was read ahead where that is possible.
    ///
    /// # Errors
    /// As there.
    pub(super) fn read_at(
        &mut self,
        now: Instant,
        claim: &mut Claim,
        source: &mut dyn Source,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        let len = buffers.iter().map(|buffer| buffer.len()).sum();
        // Who has acknowledged nothing may stay silent.
        if offset == 0 || len > LITTLE || !source.may_be_read_ahead() {
            return source.read_vectored_at(offset, buffers);
        }
        let held = self.held(*claim);
        if let Some(slot) = held.and_then(|index| self.slots.get_mut(index))
            && let Some(content) = slot.get(offset, len)
        {
            scatter(content, buffers);
            let read = content.len();
            slot.used_at = now;
            // Where it ends, the file may have become shorter since.
            let ends = read < len || Some(offset + len as u64) == source.size();
            if ends && !source.is_whole()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(read);
        }
        let Some(slot) = self.claim(now, claim) else {
            return source.read_vectored_at(offset, buffers);
        };
        // Whole ones of what is asked for, so that nothing of it is read twice.
        let most = CHUNK - CHUNK % len.max(1);
        slot.content.resize(most, 0);
        let read = source.read_at(offset, &mut slot.content);
        let there = *read.as_ref().unwrap_or(&0);
        slot.content.truncate(there);
        (slot.offset, slot.ends, slot.used_at) = (offset, read.is_ok() && there < most, now);
        let read = read?.min(len);
        scatter(&slot.content[..read], buffers);
        Ok(read)
    }

    /// The slot of a claim, or another that is free for it.
    fn claim(&mut self, now: Instant, claim: &mut Claim) -> Option<&mut Slot> {
        if let Some(held) = self.held(*claim) {
            return self.slots.get_mut(held);
        }
        let rests = |slot: &Slot| now >= slot.used_at + REST;
        let free = match self.slots.iter().position(rests) {
            Some(index) => index,
            None if self.slots.len() < SLOTS => {
                let (claim, content) = (Claim::default(), Vec::with_capacity(CHUNK));
                self.slots.push(Slot { claim, offset: 0, content, ends: false, used_at: now });
                self.slots.len() - 1
            }
            None => return None,
        };
        self.latest = Claim(self.latest.0.wrapping_add(1).max(1));
        *claim = self.latest;
        let slot = self.slots.get_mut(free)?;
        slot.claim = *claim;
        Some(slot)
    }

    fn held(&self, claim: Claim) -> Option<usize> {
        self.slots.iter().position(|slot| slot.claim == claim)
    }
}

/// Copies content into buffers, one behind the other, as far as it reaches.
fn scatter(mut content: &[u8], buffers: &mut [IoSliceMut<'_>]) {
    for buffer in buffers {
        let (now, later) = content.split_at(buffer.len().min(content.len()));
        buffer[..now.len()].copy_from_slice(now);
        content = later;
    }
}

impl Slot {
    /// So much from `offset` on, or all to the end of the file.
    fn get(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let begin = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let rest = self.content.get(begin..)?;
        rest.get(..len).or(self.ends.then_some(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose bytes tell their place, and that counts its reads.
    struct Counted {
        len: u64,
        now_len: u64,
        tells_size: bool,
        reads: usize,
        bytes: usize,
    }

    impl Source for Counted {
        fn size(&self) -> Option<u64> {
            self.tells_size.then_some(self.len)
        }

        fn may_be_read_ahead(&self) -> bool {
            true
        }

        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            let left = usize::try_from(self.now_len.saturating_sub(offset)).unwrap();
            let read = left.min(buffer.len());
            self.bytes += read;
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
        Counted { len, now_len: len, tells_size: true, reads: 0, bytes: 0 }
    }

    fn block(offset: u64, len: usize) -> Vec<u8> {
        (offset..offset + len as u64).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[test]
    fn blocks_in_a_row_take_one_read_a_chunk_and_nothing_is_read_twice() {
        for len in [512, 1428] {
            let (mut ahead, mut claim) = (Ahead::default(), Claim::default());
            let mut file = file(1 << 20);
            let mut buffer = vec![0; len];
            let blocks = 1 + 2 * (CHUNK / len);
            for offset in (0..).step_by(len).take(blocks) {
                let places = &mut [IoSliceMut::new(&mut buffer)];
                let read = ahead.read_at(Instant::ZERO, &mut claim, &mut file, offset, places);
                assert_eq!((read.unwrap(), &buffer[..]), (len, &block(offset, len)[..]));
            }
            assert_eq!((file.reads, file.bytes), (3, blocks * len));
        }
    }

    #[test]
    fn an_end_that_was_read_ahead_counts_only_while_the_file_has_it() {
        for tells_size in [true, false] {
            let (mut ahead, mut claim) = (Ahead::default(), Claim::default());
            let mut file = Counted { tells_size, ..file(1500) };
            let mut buffer = [0; 512];
            let mut read = |file: &mut Counted, offset, len| {
                let places = &mut [IoSliceMut::new(&mut buffer[..len])];
                ahead.read_at(Instant::ZERO, &mut claim, file, offset, places)
            };
            // Who does not know the length asks for whole blocks.
            let last = if tells_size { 476 } else { 512 };
            assert_eq!(read(&mut file, 512, 512).unwrap(), 512);
            assert_eq!(read(&mut file, 1024, last).unwrap(), 476);
            assert_eq!(file.reads, 1);
            file.now_len = 1499;
            let error = read(&mut file, 1024, last).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_slot_is_taken_from_who_rests_and_from_nobody_else() {
        let mut ahead = Ahead::default();
        let mut buffer = [0; 512];
        let mut files: Vec<_> = (0..=SLOTS).map(|_| (Claim::default(), file(1 << 20))).collect();
        let mut read = |(claim, file): &mut (Claim, Counted), at: Duration, offset| {
            let places = &mut [IoSliceMut::new(&mut buffer)];
            ahead.read_at(Instant::ZERO + at, claim, file, offset, places).unwrap();
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
