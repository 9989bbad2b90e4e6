//! How much an upload may take.

use std::{fs::File, io};

use super::Uploads;

/// Bytes written at most between two looks at the file system.
const STRIDE: u64 = 1 << 20;

/// One upload's share of that stride where little is left: so many uploads may run side by side
/// before they take more than there is between two looks.
const SHARE: u64 = 16;

/// The limits of one upload, checked as its bytes arrive.
#[derive(Debug)]
pub(super) struct Room {
    max_size: Option<u64>,
    min_free: u64,
    /// Bytes that may be written before the file system is looked at again.
    unlooked: u64,
}

impl Room {
    /// Room for a file of `announced` bytes, or as many as come, on the file system of `file`: for
    /// one byte there must be.
    ///
    /// # Errors
    /// As of [`take`](Self::take), if a limit forbids so many.
    pub(super) fn for_upload(
        uploads: &Uploads,
        announced: Option<u64>,
        file: &File,
    ) -> io::Result<Self> {
        let mut room = Self { max_size: uploads.max_size, min_free: uploads.min_free, unlooked: 0 };
        room.take(file, 0, announced.unwrap_or(1))?;
        Ok(room)
    }

    /// Takes `len` bytes that are about to be written at `offset`.
    ///
    /// # Errors
    /// Of the kind `FileTooLarge` or `StorageFull` where a limit forbids them.
    pub(super) fn take(&mut self, file: &File, offset: u64, len: u64) -> io::Result<()> {
        if self.max_size.is_some_and(|most| offset.saturating_add(len) > most) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if len > self.unlooked && len > self.look(file) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.unlooked = self.unlooked.saturating_sub(len);
        Ok(())
    }

    /// Bytes that there is room for now, which allows some more without another look.
    fn look(&mut self, file: &File) -> u64 {
        let left = free_space(file).map_or(u64::MAX, |free| free.saturating_sub(self.min_free));
        self.unlooked = (left / SHARE).min(STRIDE);
        left
    }
}

/// Bytes that the file's file system still takes from such as us, where the system tells.
#[cfg(unix)]
fn free_space(file: &File) -> Option<u64> {
    let found = rustix::fs::fstatvfs(file).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_space(_: &File) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(uploads: Uploads, announced: Option<u64>) -> io::Result<(Room, File)> {
        let file = tempfile::tempfile().expect("a file");
        Room::for_upload(&uploads, announced, &file).map(|room| (room, file))
    }

    #[test]
    fn a_size_is_allowed_up_to_its_limit_in_any_order() {
        let uploads = Uploads { max_size: Some(100), min_free: 0, ..Uploads::default() };
        let (mut room, file) = room(uploads, Some(100)).expect("as large as may be");
        room.take(&file, 60, 40).expect("up to the limit");
        room.take(&file, 0, 60).expect("before it");
        for (offset, len) in [(60, 41), (100, 1), (u64::MAX, 1)] {
            let error = room.take(&file, offset, len).expect_err("beyond it");
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        }
    }

    #[test]
    fn what_is_announced_above_a_limit_is_refused() {
        let small = Uploads { max_size: Some(100), min_free: 0, ..Uploads::default() };
        let error = room(small, Some(101)).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let error = room(Uploads::default(), Some(u64::MAX)).expect_err("no such disk");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_to_stay_free_is_refused_to_all() {
        let reserved = Uploads { min_free: u64::MAX, ..Uploads::default() };
        let error = room(reserved, None).expect_err("nothing is left");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let (mut room, file) = room(reserved, Some(0)).expect("an empty file");
        let error = room.take(&file, 0, 1).expect_err("nothing is left");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
