//! Standard input as a file to send, while it is still being written by whoever writes it.
//!
//! A server may ask again for what it has not got, and standard input cannot be read twice: what
//! the server has not acknowledged is kept. A thread reads ahead, so that the transfer never waits
//! in a read, where nobody could end it.

use std::{
    collections::VecDeque,
    io::{self, Read as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use tftp_mio::client::Source;

/// Bytes that are read before the transfer asks for them.
const AHEAD: u64 = 256 * 1024;

/// Bytes that one read takes.
const READ: usize = 64 * 1024;

/// A handle to what is read; the thread ends with the last of them.
#[derive(Clone)]
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

impl Stdin {
    /// Begins to read.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn read() -> io::Result<Self> {
        Self::read_from(input::next)
    }

    fn read_from(
        mut next: impl FnMut(&mut [u8]) -> io::Result<Option<usize>> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let reader = Arc::downgrade(&shared);
        thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let mut buffer = vec![0; READ];
            // Nobody needs more once the last handle is gone.
            while let Some(shared) = reader.upgrade() {
                if !shared.wait_for_room() {
                    continue;
                }
                match next(&mut buffer) {
                    Ok(None) => {}
                    Ok(Some(0)) => return shared.end(Ok(())),
                    Ok(Some(read)) => shared.add(&buffer[..read]),
                    Err(error) => return shared.end(Err(error.kind())),
                }
            }
        })?;
        Ok(Self(shared))
    }

    /// Waits for the first bytes, or the end. A server that is asked before there is anything to
    /// send would lose its patience.
    pub(crate) fn wait_for_the_first(&self) {
        let state = self.0.state();
        let nothing = |state: &mut State| state.kept.is_empty() && state.end.is_none();
        drop(self.0.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner));
    }

    /// What is sent. `wake` is called when bytes that were missing have come.
    pub(crate) fn source(&self, wake: impl Fn() + Send + Sync + 'static) -> Box<dyn Source> {
        Box::new(Reading { stdin: self.clone(), wake: Arc::new(wake) })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change behind the lock is whole, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment for room, and returns whether there is any.
    fn wait_for_room(&self) -> bool {
        let state = self.state();
        let full = |state: &mut State| state.end() >= state.wanted + AHEAD;
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, input::TURN, full)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !waited.timed_out()
    }

    fn add(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.kept.extend(bytes);
        self.tell(state);
    }

    fn end(&self, how: Result<(), io::ErrorKind>) {
        let mut state = self.state();
        state.end = Some(how);
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
    stdin: Stdin,
    wake: Wake,
}

impl Source for Reading {
    fn size(&self) -> Option<u64> {
        None
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.stdin.0.state();
        let Some(skipped) = offset.checked_sub(state.start) else {
            return Err(io::ErrorKind::NotSeekable.into());
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let there = state.kept.len().saturating_sub(skipped).min(buffer.len());
        if there < buffer.len() {
            match state.end {
                None => {
                    state.wanted = state.wanted.max(offset + buffer.len() as u64);
                    state.waiting = Some(Arc::clone(&self.wake));
                    self.stdin.0.changed.notify_all();
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Some(Err(kind)) => return Err(kind.into()),
                Some(Ok(())) => {}
            }
        }
        state.wanted = state.wanted.max(offset + there as u64);
        self.stdin.0.changed.notify_all();
        // The bytes lie in two pieces, one behind the other.
        let (first, second) = state.kept.as_slices();
        let from_first = first.get(skipped..).unwrap_or_default();
        let from_second = second.get(skipped.saturating_sub(first.len())..).unwrap_or_default();
        let mut pieces = from_first.chain(from_second);
        pieces.read_exact(&mut buffer[..there])?;
        Ok(there)
    }

    fn forget_before(&mut self, offset: u64) {
        let mut state = self.stdin.0.state();
        let gone = offset.saturating_sub(state.start);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(state.kept.len());
        state.kept.drain(..gone);
        state.start += gone as u64;
    }
}

#[cfg(unix)]
mod input {
    use std::{io, time::Duration};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::Errno,
        stdio::stdin,
    };

    /// How long a thread that nobody needs any more may go on.
    pub(super) const TURN: Duration = Duration::from_millis(100);

    /// Reads what is there; `None` when nothing is there yet. Past the buffer of the standard
    /// library, which would keep for itself what the prompt is to read later.
    pub(super) fn next(buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let turn = Timespec::try_from(TURN).unwrap_or_default();
        match poll(&mut [PollFd::new(&stdin(), PollFlags::IN)], Some(&turn)) {
            Ok(0) | Err(Errno::INTR) => return Ok(None),
            _ => {}
        }
        match rustix::io::read(stdin(), buffer) {
            Ok(read) => Ok(Some(read)),
            Err(Errno::INTR | Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
mod input {
    use std::{
        io::{self, Read as _},
        time::Duration,
    };

    pub(super) const TURN: Duration = Duration::from_millis(100);

    pub(super) fn next(buffer: &mut [u8]) -> io::Result<Option<usize>> {
        io::stdin().read(buffer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::mpsc};

    use super::Stdin;

    /// A stream of the chunks that are sent, which ends when the sender is dropped.
    fn stream() -> (mpsc::Sender<&'static [u8]>, Stdin) {
        let (chunks, arrivals) = mpsc::channel::<&[u8]>();
        let next = move |buffer: &mut [u8]| {
            let chunk = arrivals.recv().unwrap_or_default();
            buffer[..chunk.len()].copy_from_slice(chunk);
            Ok(Some(chunk.len()))
        };
        (chunks, Stdin::read_from(next).unwrap())
    }

    #[test]
    fn what_is_not_there_yet_is_announced_when_it_comes() {
        let (chunks, stdin) = stream();
        chunks.send(b"abc").unwrap();
        stdin.wait_for_the_first();
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
    fn what_is_not_acknowledged_can_be_read_again_and_the_rest_is_gone() {
        let (chunks, stdin) = stream();
        chunks.send(b"abcdef").unwrap();
        stdin.wait_for_the_first();
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
        stdin.wait_for_the_first();
        let mut source = stdin.source(|| ());
        for _ in 0..2 {
            assert_eq!(source.read_at(0, &mut [0; 4]).unwrap(), 0);
        }
    }
}
