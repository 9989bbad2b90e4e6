//! Standard input as a file to send, while it is still being written by whoever writes it.
//!
//! A server may ask again for what it has not got, and standard input cannot be read twice: what
//! the server has not acknowledged is kept. A thread reads ahead, so that the transfer never waits
//! in a read, where nobody could end it.

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut, Read as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use tftp_mio::client::Source;

/// Bytes that are read before the transfer asks for them.
const AHEAD: u64 = 256 * 1024;

/// Bytes that one read takes.
const READ: usize = 64 * 1024;

/// Standard input, read until it ends or this is dropped. What comes later is for others to read.
pub(crate) struct Stdin(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is more to read, or more has been read.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Bytes that may be asked for, from `start` on.
    kept: VecDeque<u8>,
    /// Where in the stream the first of them is.
    start: u64,
    /// Up to where bytes have been asked for.
    wanted: u64,
    /// How the stream ended, once it has.
    end: Option<Result<(), io::ErrorKind>>,
    /// Whom to tell that what was missing is there.
    waiting: Option<Wake>,
}

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where bytes come from; the thread that reads has one.
trait Input: Send + 'static {
    /// Waits a moment for something to read, and returns whether there is.
    fn is_ready(&mut self) -> io::Result<bool>;

    /// Reads what is there. Zero bytes are the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Stdin {
    /// Begins to read.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn read() -> io::Result<Self> {
        Self::read_from(input::Standard::new())
    }

    fn read_from(input: impl Input) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let reader = Arc::clone(&shared);
        thread::Builder::new().name("stdin".to_owned()).spawn(move || reader.read(input))?;
        Ok(Self(shared))
    }

    /// Waits for the first bytes, or the end: a server that is asked before there is anything to
    /// send would lose its patience. The wait ends as well when this is dropped.
    pub(crate) fn wait_for_the_first(&self) -> impl FnOnce() + Send + 'static {
        let shared = Arc::clone(&self.0);
        move || {
            let nothing = |state: &mut State| state.kept.is_empty() && state.end.is_none();
            drop(shared.changed.wait_while(shared.state(), nothing));
        }
    }

    /// What is sent. `wake` is called when bytes that were missing have come.
    pub(crate) fn source(&self, wake: impl Fn() + Send + Sync + 'static) -> Box<dyn Source> {
        Box::new(Reading { shared: Arc::clone(&self.0), wake: Arc::new(wake) })
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        self.0.end(self.0.state(), Err(io::ErrorKind::Interrupted));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change behind the lock is whole, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the end.
    fn read(&self, mut input: impl Input) {
        let mut buffer = vec![0; READ];
        while self.wait_for_room() {
            let ready = input.is_ready();
            // Under the lock: once it has ended for us, what comes is not ours.
            let state = self.state();
            if state.end.is_some() {
                return;
            }
            match ready.and_then(|ready| ready.then(|| input.read(&mut buffer)).transpose()) {
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(Some(0)) => return self.end(state, Ok(())),
                Ok(Some(read)) => self.add(state, &buffer[..read]),
                Err(error) => return self.end(state, Err(error.kind())),
            }
        }
    }

    /// Waits for room; `false` when nothing more is to be read.
    fn wait_for_room(&self) -> bool {
        let full = |state: &mut State| state.end() >= state.wanted + AHEAD && state.end.is_none();
        let state = self.changed.wait_while(self.state(), full);
        state.unwrap_or_else(PoisonError::into_inner).end.is_none()
    }

    fn add(&self, mut state: MutexGuard<'_, State>, bytes: &[u8]) {
        state.kept.extend(bytes);
        self.tell(state);
    }

    fn end(&self, mut state: MutexGuard<'_, State>, how: Result<(), io::ErrorKind>) {
        state.end.get_or_insert(how);
        self.tell(state);
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let waiting = state.waiting.take();
        drop(state);
        self.changed.notify_all();
        if let Some(wake) = waiting {
            wake();
        }
    }
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.kept.len() as u64
    }
}

/// Standard input in a transfer.
struct Reading {
    shared: Arc<Shared>,
    wake: Wake,
}

impl Source for Reading {
    fn size(&self) -> Option<u64> {
        None
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored_at(offset, &mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored_at(
        &mut self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        let asked: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        let mut state = self.shared.state();
        let Some(skipped) = offset.checked_sub(state.start) else {
            return Err(io::ErrorKind::NotSeekable.into());
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let there = state.kept.len().saturating_sub(skipped).min(asked);
        if there < asked {
            match state.end {
                None => {
                    state.wanted = state.wanted.max(offset + asked as u64);
                    state.waiting = Some(Arc::clone(&self.wake));
                    self.shared.changed.notify_all();
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Some(Err(kind)) => return Err(kind.into()),
                Some(Ok(())) => {}
            }
        }
        state.wanted = state.wanted.max(offset + there as u64);
        self.shared.changed.notify_all();
        // The bytes lie in two pieces, one behind the other.
        let (first, second) = state.kept.as_slices();
        let from_first = first.get(skipped..).unwrap_or_default();
        let from_second = second.get(skipped.saturating_sub(first.len())..).unwrap_or_default();
        let mut pieces = from_first.chain(from_second);
        let mut left = there;
        for buffer in buffers {
            let len = buffer.len().min(left);
            pieces.read_exact(&mut buffer[..len])?;
            left -= len;
        }
        Ok(there)
    }

    fn forget_before(&mut self, offset: u64) {
        let mut state = self.shared.state();
        let gone = offset.saturating_sub(state.start);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(state.kept.len());
        state.kept.drain(..gone);
        state.start += gone as u64;
    }
}

#[cfg(unix)]
mod input {
    use std::io;

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::Errno,
        stdio::stdin,
    };

    /// How long a thread that nobody needs any more may go on.
    const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

    /// Past the buffer of the standard library, which would keep what the prompt is to read later.
    pub(super) struct Standard;

    impl Standard {
        pub(super) fn new() -> Self {
            Self
        }
    }

    impl super::Input for Standard {
        fn is_ready(&mut self) -> io::Result<bool> {
            match poll(&mut [PollFd::new(&stdin(), PollFlags::IN)], Some(&TURN)) {
                Err(Errno::INTR) => Ok(false),
                ready => Ok(ready? > 0),
            }
        }

        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(rustix::io::read(stdin(), buffer)?)
        }
    }
}

#[cfg(not(unix))]
mod input {
    use std::io::{self, Read as _};

    /// Where nobody tells what is there without waiting, it is read before it is asked for.
    pub(super) struct Standard(Vec<u8>);

    impl Standard {
        pub(super) fn new() -> Self {
            Self(Vec::new())
        }
    }

    impl super::Input for Standard {
        fn is_ready(&mut self) -> io::Result<bool> {
            self.0.resize(super::READ, 0);
            let read = io::stdin().read(&mut self.0)?;
            self.0.truncate(read);
            Ok(true)
        }

        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            (&self.0[..]).read(buffer)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, IoSliceMut},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
    };

    use super::{Input, Stdin};

    /// A stream of the chunks that are sent, which ends when the sender is dropped.
    fn stream() -> (mpsc::Sender<&'static [u8]>, Stdin) {
        let (chunks, arrivals) = mpsc::channel::<&[u8]>();
        let input = Chunks { arrivals, next: b"", read: Arc::default() };
        (chunks, Stdin::read_from(input).unwrap())
    }

    struct Chunks {
        arrivals: mpsc::Receiver<&'static [u8]>,
        next: &'static [u8],
        read: Arc<AtomicBool>,
    }

    impl Input for Chunks {
        fn is_ready(&mut self) -> io::Result<bool> {
            self.next = self.arrivals.recv().unwrap_or_default();
            Ok(true)
        }

        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.read.store(true, Ordering::SeqCst);
            buffer[..self.next.len()].copy_from_slice(self.next);
            Ok(self.next.len())
        }
    }

    #[test]
    fn what_is_not_there_yet_is_announced_when_it_comes() {
        let (chunks, stdin) = stream();
        chunks.send(b"abc").unwrap();
        stdin.wait_for_the_first()();
        let (woken, wake) = mpsc::channel();
        let mut source = stdin.source(move || woken.send(()).unwrap());
        let mut buffer = [0; 4];
        assert_eq!(source.read_at(0, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        chunks.send(b"def").unwrap();
        wake.recv().unwrap();
        assert_eq!(source.read_at(0, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"abcd");
        drop(chunks);
        while let Err(error) = source.read_at(4, &mut buffer) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            wake.recv().unwrap();
        }
        assert_eq!(source.read_at(4, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer[..2], b"ef");
    }

    #[test]
    fn a_window_is_there_as_a_whole_or_at_its_end() {
        let (chunks, stdin) = stream();
        chunks.send(b"abcde").unwrap();
        stdin.wait_for_the_first()();
        let (woken, wake) = mpsc::channel();
        let mut source = stdin.source(move || woken.send(()).unwrap());
        let mut window = [[0; 3]; 3];
        let mut read = |offset| {
            let mut buffers = window.each_mut().map(|block| IoSliceMut::new(block));
            source.read_vectored_at(offset, &mut buffers).map_err(|error| error.kind())
        };
        assert_eq!(read(0), Err(io::ErrorKind::WouldBlock));
        assert_eq!(stdin.0.state().wanted, 9);
        chunks.send(b"fghijklm").unwrap();
        wake.recv().unwrap();
        assert_eq!(read(0), Ok(9));
        drop(chunks);
        while let Err(kind) = read(9) {
            assert_eq!(kind, io::ErrorKind::WouldBlock);
            wake.recv().unwrap();
        }
        assert_eq!(read(9), Ok(4));
        assert_eq!(window, [*b"jkl", *b"mef", *b"ghi"]);
    }

    #[test]
    fn what_is_not_acknowledged_can_be_read_again_and_the_rest_is_gone() {
        let (chunks, stdin) = stream();
        chunks.send(b"abcdef").unwrap();
        stdin.wait_for_the_first()();
        let mut source = stdin.source(|| ());
        let mut buffer = [0; 2];
        assert_eq!(source.read_at(4, &mut buffer).unwrap(), 2);
        source.forget_before(2);
        assert_eq!(source.read_at(2, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer, b"cd");
        assert_eq!(source.read_at(0, &mut buffer).unwrap_err().kind(), io::ErrorKind::NotSeekable);
    }

    #[test]
    fn the_end_is_the_end_however_often_it_is_asked_for() {
        let (chunks, stdin) = stream();
        drop(chunks);
        stdin.wait_for_the_first()();
        let mut source = stdin.source(|| ());
        for _ in 0..2 {
            assert_eq!(source.read_at(0, &mut [0; 4]).unwrap(), 0);
        }
    }

    #[test]
    fn what_comes_after_it_was_dropped_is_left_for_others() {
        let (chunks, arrivals) = mpsc::channel::<&[u8]>();
        let read = Arc::new(AtomicBool::new(false));
        let input = Chunks { arrivals, next: b"", read: Arc::clone(&read) };
        let stdin = Stdin::read_from(input).unwrap();
        let wait = stdin.wait_for_the_first();
        drop(stdin);
        wait();
        // The reader goes when the next chunk is there, and does not read it.
        chunks.send(b"abc").unwrap();
        while chunks.send(b"").is_ok() {}
        assert!(!read.load(Ordering::SeqCst));
    }
}
