//! Local files of the client: one that is sent, and one that appears whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice, IoSliceMut, Write},
    path::{Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};

use crate::{
    of_the_system,
    storage::{Draft, Purpose, RegularFile, Sink, Source, write_all, write_all_vectored},
};

/// A local file to send.
#[derive(Debug)]
pub struct Upload;

impl Upload {
    /// Opens `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Box<dyn Source>> {
        let found = fs::metadata(path)?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::open(path)?;
        Ok(Box::new(Steady { same: file.try_clone()?, file: RegularFile::new(file)? }))
    }
}

/// A file that has to keep its size while it is sent: what arrives would otherwise be neither the
/// old file nor the new one.
struct Steady {
    file: RegularFile,
    same: File,
}

impl Source for Steady {
    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(offset, buffer)?;
        self.check(offset, buffer.len(), read)
    }

    fn read_vectored_at(
        &mut self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        let wanted = buffers.iter().map(|buffer| buffer.len()).sum();
        let read = self.file.read_vectored_at(offset, buffers)?;
        self.check(offset, wanted, read)
    }

    fn is_whole(&self) -> io::Result<bool> {
        let is_same = Some(self.same.metadata()?.len()) == self.file.size();
        if is_same { Ok(true) } else { Err(changed()) }
    }
}

impl Steady {
    /// Returns what was read, unless the file is seen to have another size now.
    fn check(&self, offset: u64, wanted: usize, read: usize) -> io::Result<usize> {
        let (end, size) = (offset.saturating_add(read as u64), self.file.size());
        if read < wanted && Some(end) != size {
            return Err(changed());
        }
        // Looked at before the last bytes leave, so that the other side does not take it for whole.
        if size.is_none_or(|size| end >= size) {
            self.is_whole()?;
        }
        Ok(read)
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed its size while it was sent")
}

/// A local file to receive.
#[derive(Debug)]
pub struct Download;

impl Download {
    /// Prepares to write `path`. A regular file has no name until it is whole, or a temporary one
    /// beside it where the system has no such files; a device or a pipe is written directly. A symbolic link stays, and the
    /// file that it stands for is written, even if that is not there yet.
    ///
    /// # Errors
    /// When `path` is a folder, or its folder cannot be written or is not there.
    pub fn create(path: &Path) -> io::Result<Box<dyn Sink>> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                return Ok(Self::to(OpenOptions::new().write(true).open(path)?));
            }
            Ok(found) if found.permissions().readonly() => {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // A rename would replace a link.
        let target = behind_links(path);
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let draft = Dir::open_ambient_dir(folder, ambient_authority())
            .and_then(|open| Draft::begin(&open, Purpose::Download))
            .map_err(|error| no_file_in(folder, &error))?;
        Ok(Box::new(Whole { draft, target }))
    }

    /// Writes to what is open already, such as standard output, as bytes come.
    pub fn to(file: File) -> Box<dyn Sink> {
        Box::new(Device { file, written: 0 })
    }
}

/// Links that are followed before giving up, as on Linux.
const MOST_LINKS: usize = 40;

/// The file that `path` stands for, whether it exists or not.
fn behind_links(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&target) {
            // An absolute one replaces what it is joined to.
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    target
}

/// The error of a file that could not be made in `folder`.
#[expect(clippy::unnecessary_debug_formatting, reason = "escaped, as the text is for a terminal")]
fn no_file_in(folder: &Path, error: &io::Error) -> io::Error {
    match error.kind() {
        // Some file systems, such as /proc, say that of every new file.
        io::ErrorKind::NotFound if folder.is_dir() => {
            io::Error::other(format!("no file can be made in {folder:?}"))
        }
        kind @ io::ErrorKind::NotFound => {
            io::Error::new(kind, format!("there is no folder {folder:?}"))
        }
        kind => io::Error::new(
            kind,
            format!("cannot create a file in {folder:?}: {}", of_the_system(error)),
        ),
    }
}

/// A file that is gone when it is dropped before its end.
struct Whole {
    draft: Draft,
    target: PathBuf,
}

impl Sink for Whole {
    fn seekable(&self) -> bool {
        true
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all(self.draft.file(), offset, bytes)
    }

    fn write_vectored_at(&mut self, offset: u64, buffers: &mut [IoSlice<'_>]) -> io::Result<()> {
        write_all_vectored(self.draft.file(), offset, buffers)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        // A replaced file keeps its permissions.
        if let Ok(old) = fs::metadata(&self.target) {
            self.draft.file().set_permissions(old.permissions())?;
        }
        let name = self.target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        self.draft.publish(name, true)
    }
}

/// Something that takes bytes as they come: a device, a pipe, standard output.
struct Device {
    file: File,
    written: u64,
}

impl Sink for Device {
    fn seekable(&self) -> bool {
        false
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_vectored_at(offset, &mut [IoSlice::new(bytes)])
    }

    fn write_vectored_at(
        &mut self,
        offset: u64,
        mut buffers: &mut [IoSlice<'_>],
    ) -> io::Result<()> {
        if offset != self.written {
            return Err(io::ErrorKind::NotSeekable.into());
        }
        // Empty ones are passed over, so that nothing left means all written.
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            match self.file.write_vectored(buffers) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.written += written as u64;
                    IoSlice::advance_slices(&mut buffers, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{self, IoSlice, IoSliceMut, Read as _},
        path::Path,
    };

    use super::{Download, Sink, Source, Upload};

    #[test]
    fn a_file_that_changes_its_size_while_it_is_sent_is_not_sent_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for changed in [&b"abc"[..], b"abcdef"] {
            fs::write(&path, "abcd").unwrap();
            let mut source = Upload::open(&path).unwrap();
            let mut buffer = [0; 2];
            assert_eq!(source.read_at(0, &mut buffer).unwrap(), 2);
            fs::write(&path, changed).unwrap();
            assert!(source.read_at(2, &mut buffer).is_err());
            // Also when they were read ahead, before it changed.
            assert!(source.is_whole().is_err());
        }
        // As long as it is, whoever reads further than its end finds the end.
        let mut source = Upload::open(&path).unwrap();
        assert_eq!(source.read_at(2, &mut [0; 9]).unwrap(), 4);
    }

    /// What the system has counted for this thread: the `read` calls, with those that it takes to learn
    /// their own number, or the `write` calls.
    #[cfg(target_os = "linux")]
    fn calls(which: &str) -> u64 {
        let told = fs::read_to_string("/proc/thread-self/io").unwrap();
        told.lines().find_map(|line| line.strip_prefix(which)).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    fn pipe() -> (io::PipeReader, Box<dyn Sink>) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Download::to(std::os::fd::OwnedFd::from(writer).into()))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_comes_at_once_is_written_to_a_pipe_by_one_call() {
        let (mut reader, mut sink) = pipe();
        assert!(!sink.seekable());
        assert_eq!(sink.write_at(1, b"a").unwrap_err().kind(), io::ErrorKind::NotSeekable);
        // An empty block may be among them.
        let blocks: Vec<_> = (0..64).map(|number| vec![number; usize::from(number)]).collect();
        let mut buffers: Vec<_> = blocks.iter().map(|block| IoSlice::new(block)).collect();
        let before = calls("syscw: ");
        sink.write_vectored_at(0, &mut buffers).unwrap();
        assert_eq!(calls("syscw: ") - before, 1);
        // More than one call takes.
        let mut buffers = vec![IoSlice::new(b"x"); 3000];
        sink.write_vectored_at(2016, &mut buffers).unwrap();
        sink.finish().unwrap();
        let mut came = Vec::new();
        reader.read_to_end(&mut came).unwrap();
        assert!(came == [blocks.concat(), vec![b'x'; 3000]].concat());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn trouble_with_a_device_or_a_pipe_is_told() {
        let device = Download::create(Path::new("/dev/full")).unwrap();
        let (reader, pipe) = pipe();
        drop(reader);
        for (mut sink, trouble) in
            [(device, io::ErrorKind::StorageFull), (pipe, io::ErrorKind::BrokenPipe)]
        {
            let mut buffers = [IoSlice::new(b"a"), IoSlice::new(b"b")];
            assert_eq!(sink.write_vectored_at(0, &mut buffers).unwrap_err().kind(), trouble);
            assert_eq!(sink.write_at(0, b"a").unwrap_err().kind(), trouble);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_window_is_read_by_one_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [7; 64 * 100 + 50]).unwrap();
        let mut source = Upload::open(&path).unwrap();
        let mut window = [[0; 100]; 64];
        let mut buffers = window.each_mut().map(|block| IoSliceMut::new(block));
        let at_first = calls("syscr: ");
        let before = calls("syscr: ");
        let read = source.read_vectored_at(0, &mut buffers).unwrap();
        assert_eq!(calls("syscr: ") - before, before - at_first + 1);
        assert_eq!((read, window), (64 * 100, [[7; 100]; 64]));

        // Its end, and when it has become shorter.
        let mut window = [[0; 100]; 2];
        let mut end = |source: &mut dyn Source| {
            let mut buffers = window.each_mut().map(|block| IoSliceMut::new(block));
            source.read_vectored_at(64 * 100, &mut buffers)
        };
        assert_eq!(end(&mut *source).unwrap(), 50);
        fs::write(&path, [7; 64 * 100 + 49]).unwrap();
        assert!(end(&mut *source).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_not_whole_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = Download::create(&folder.path().join("file")).unwrap();
        sink.write_at(0, b"half").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        sink.finish().unwrap();
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"half");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_permitted_as_any_and_a_replaced_one_as_before() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode();
        fs::write(path("any"), "any").unwrap();
        fs::write(path("old"), "old").unwrap();
        fs::set_permissions(path("old"), PermissionsExt::from_mode(0o640)).unwrap();
        for name in ["new", "old"] {
            Download::create(&path(name)).unwrap().finish().unwrap();
        }
        assert_eq!(mode("new"), mode("any"));
        assert_eq!(mode("old") & 0o777, 0o640);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let error = Download::create(&missing.join("x")).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("there is no folder {missing:?}"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_takes_no_files_is_not_said_to_be_missing() {
        let error = Download::create(Path::new("/proc/x")).err().unwrap();
        assert_eq!(error.to_string(), "no file can be made in \"/proc\"");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_the_file_behind_it_is_written_even_if_it_is_not_there_yet() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        symlink("sub/second", path("first")).unwrap();
        symlink("file", path("sub/second")).unwrap();
        for content in [b"new", b"old"] {
            let mut sink = Download::create(&path("first")).unwrap();
            sink.write_at(0, content).unwrap();
            sink.finish().unwrap();
            assert!(path("first").is_symlink() && path("sub/second").is_symlink());
            assert_eq!(fs::read(path("sub/file")).unwrap(), content);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_to_each_other_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("link", &link).unwrap();
        assert!(Download::create(&link).is_err());
    }
}
