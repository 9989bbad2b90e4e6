//! A regular file that is read at any offset, without waiting for its device where that matters.

use std::{fs::File, io, sync::Arc};

use super::{Fetch, Source};

/// A regular file, read at any offset.
#[derive(Debug)]
pub(crate) struct RegularFile {
    file: Arc<File>,
    size: u64,
    /// Reads that end here or before may wait for the device.
    may_wait_until: u64,
}

const NOWHERE: u64 = 0;
const EVERYWHERE: u64 = u64::MAX;

/// How much is fetched at a time, in reads.
const READS_A_FETCH: u64 = 4;

impl RegularFile {
    /// Takes a file that is open for reading, with the length that it has now. Reading it waits for
    /// the device.
    ///
    /// # Errors
    /// When the system does not tell its length.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: file.into(), size, may_wait_until: EVERYWHERE })
    }

    /// Takes a file of that length. Reading it waits only for what was fetched.
    pub(super) fn without_waiting(file: Arc<File>, size: u64) -> Self {
        Self { file, size, may_wait_until: NOWHERE }
    }
}

impl Source for RegularFile {
    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    #[cfg(target_os = "linux")]
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored_at(offset, &mut [io::IoSliceMut::new(buffer)])
    }

    #[cfg(not(target_os = "linux"))]
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset.saturating_add(buffer.len() as u64) > self.may_wait_until {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match read_some(&self.file, offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    #[cfg(target_os = "linux")]
    fn read_vectored_at(
        &mut self,
        offset: u64,
        mut buffers: &mut [io::IoSliceMut<'_>],
    ) -> io::Result<usize> {
        /// Buffers that one call takes (`IOV_MAX`).
        const MOST: usize = 1024;
        let mut filled = 0;
        // Empty ones are passed over, so that nothing left means all filled.
        io::IoSliceMut::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            let most = buffers.len().min(MOST);
            match self.read_some(offset + filled as u64, &mut buffers[..most]) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    io::IoSliceMut::advance_slices(&mut buffers, read);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(filled)
    }

    /// Has the system read the file into its memory.
    fn fetch(&mut self, offset: u64, len: usize) -> Option<Fetch> {
        let after = move |reads: u64| offset.saturating_add(reads.saturating_mul(len as u64));
        // There is nothing to wait for the second time, or else nobody knows how not to; what comes
        // before was read already.
        self.may_wait_until = after(READS_A_FETCH);
        let file = Arc::clone(&self.file);
        Some(Box::new(move || {
            let mut file = Self { file, size: 0, may_wait_until: EVERYWHERE };
            let mut buffer = vec![0; len];
            // Whoever reads again learns of trouble.
            let mut is_there = |offset| file.read_at(offset, &mut buffer).is_ok_and(|n| n == len);
            let _ = (0..READS_A_FETCH).all(|reads| is_there(after(reads)));
        }))
    }

    fn is_whole(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= self.size)
    }
}

#[cfg(target_os = "linux")]
impl RegularFile {
    fn read_some(
        &mut self,
        offset: u64,
        buffers: &mut [io::IoSliceMut<'_>],
    ) -> rustix::io::Result<usize> {
        use rustix::io::{Errno, ReadWriteFlags, preadv, preadv2};
        let len: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        if offset.saturating_add(len as u64) > self.may_wait_until {
            match preadv2(&self.file, buffers, offset, ReadWriteFlags::NOWAIT) {
                // There is no such reading: with files that are memory anyway, or else on network
                // file systems, overlayfs and others that may well wait.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                    if !is_memory(&self.file) {
                        return Err(Errno::AGAIN);
                    }
                    self.may_wait_until = EVERYWHERE;
                }
                read => return read,
            }
        }
        preadv(&self.file, buffers, offset)
    }
}

/// Whether a file has no device that it would have to come from.
#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    /// What `statfs` says of tmpfs.
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|found| found.f_type == TMPFS)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn read_some(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_some(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;

    use rustix::fs::{Advice, MemfdFlags, fadvise, memfd_create};

    use super::*;

    /// What the server makes of a file.
    fn served(file: File) -> RegularFile {
        let size = file.metadata().unwrap().len();
        RegularFile::without_waiting(file.into(), size)
    }

    fn content(len: u32) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn what_is_not_in_memory_is_there_after_one_fetch_at_the_latest() {
        // Not in a folder that is memory itself.
        let mut written = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let content = content(200_000);
        written.write_all(&content).unwrap();
        written.sync_all().unwrap();
        let mut file = served(written);
        let mut buffer = vec![0; 50_000];
        for (offset, expected) in (0..).step_by(50_000).zip(content.chunks(50_000)) {
            fadvise(&*file.file, 0, None, Advice::DontNeed).unwrap();
            let read = file.read_at(offset, &mut buffer).or_else(|error| {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                file.fetch(offset, buffer.len()).unwrap()();
                file.read_at(offset, &mut buffer)
            });
            assert_eq!((read.unwrap(), &buffer[..]), (expected.len(), expected));
        }
    }

    #[test]
    fn a_file_that_is_memory_is_never_fetched() {
        let mut written = File::from(memfd_create("content", MemfdFlags::empty()).unwrap());
        written.write_all(&content(100)).unwrap();
        let mut buffer = [0; 200];
        assert_eq!(served(written).read_at(0, &mut buffer).unwrap(), 100);
        assert_eq!(&buffer[..100], &content(100)[..]);
    }

    #[test]
    fn where_the_system_cannot_read_without_waiting_four_reads_go_by_each_fetch() {
        // No file of procfs can be read so.
        let mut file = served(File::open("/proc/self/maps").unwrap());
        let mut buffer = [0; 100];
        for round in [0, 400, 800] {
            let refused = file.read_at(round, &mut buffer).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::WouldBlock, "{round}");
            file.fetch(round, buffer.len()).unwrap()();
            for offset in [0, 100, 300] {
                assert_eq!(file.read_at(round + offset, &mut buffer).unwrap(), 100, "{offset}");
            }
        }
    }
}
