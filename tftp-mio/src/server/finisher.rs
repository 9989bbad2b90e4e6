//! Making uploads durable, on a thread of its own: a sync may take seconds, and the loop has other
//! transfers to move.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use mio::Waker;

use crate::storage::Sink;

/// An upload whose bytes are all written, and the session that it belongs to.
struct Job {
    session: usize,
    serial: u64,
    sink: Box<dyn Sink>,
}

/// How an upload turned out.
pub(crate) struct Finished {
    pub(crate) session: usize,
    /// Which of the sessions that have had this number.
    pub(crate) serial: u64,
    pub(crate) result: io::Result<()>,
}

/// The loop's end of the thread, which starts with the first upload. Dropped, it waits for the
/// uploads that are being finished.
pub(crate) struct Finisher {
    waker: Arc<Waker>,
    thread: Option<Thread>,
    /// Uploads whose results have not been taken.
    outstanding: usize,
}

struct Thread {
    jobs: Sender<Job>,
    results: Receiver<Finished>,
    handle: JoinHandle<()>,
}

impl Finisher {
    /// The thread will wake the loop for every result.
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        Self { waker, thread: None, outstanding: 0 }
    }

    /// Finishes a sink; its result arrives later.
    ///
    /// # Errors
    /// When there is no thread to do it.
    pub(crate) fn finish(
        &mut self,
        session: usize,
        serial: u64,
        sink: Box<dyn Sink>,
    ) -> io::Result<()> {
        let thread = match &self.thread {
            Some(thread) => thread,
            None => self.thread.insert(Thread::start(Arc::clone(&self.waker))?),
        };
        let died = |_| io::Error::other("the thread that finishes uploads has died");
        thread.jobs.send(Job { session, serial, sink }).map_err(died)?;
        self.outstanding += 1;
        Ok(())
    }

    /// Waits for the next result; `None` when there will be none.
    pub(crate) fn wait(&mut self) -> Option<Finished> {
        let thread = self.thread.as_ref().filter(|_| self.outstanding > 0)?;
        self.outstanding -= 1;
        thread.results.recv().ok()
    }

    /// The next result that is there.
    pub(crate) fn poll(&mut self) -> Option<Finished> {
        let finished = self.thread.as_ref()?.results.try_recv().ok()?;
        self.outstanding -= 1;
        Some(finished)
    }
}

impl Thread {
    fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (done, results) = channel();
        let handle = thread::Builder::new().name("tftpd-sync".into()).spawn(move || {
            for Job { session, serial, sink } in to_do {
                let result = sink.finish();
                // Nobody listens any more while the server stops; the file is stored all the same.
                let _ = done.send(Finished { session, serial, result });
                if let Err(error) = waker.wake() {
                    tracing::error!(%error, "cannot wake the loop after an upload");
                }
            }
        })?;
        Ok(Self { jobs, results, handle })
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        if let Some(Thread { jobs, handle, .. }) = self.thread.take() {
            drop(jobs);
            if handle.join().is_err() {
                tracing::error!("the thread that finishes uploads has panicked");
            }
        }
    }
}
