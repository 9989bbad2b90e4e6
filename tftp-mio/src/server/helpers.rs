//! What may take seconds, on threads of its own: making an upload durable, and bringing the content
//! of a file from its device. The loop has other transfers to move.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use mio::Waker;

use crate::storage::{Fetch, Sink};

/// Threads of one worker at most. They mostly sleep, and where the system cannot tell what is in
/// memory, what is there waits for a thread too.
const MOST_THREADS: usize = 16;

/// What is to be done for a session.
struct Job {
    session: usize,
    serial: u64,
    task: Task,
}

enum Task {
    Finish(Box<dyn Sink>),
    Fetch(Fetch),
}

/// A job is done.
pub(crate) struct Done {
    pub(crate) session: usize,
    /// Which of the sessions that have had this number.
    pub(crate) serial: u64,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    /// How an upload turned out.
    Finished(io::Result<()>),
    /// Content may be read again.
    Fetched,
}

/// The loop's end of the threads, which start as they are needed. Dropped, it waits for what they
/// are doing.
pub(crate) struct Helpers {
    waker: Arc<Waker>,
    threads: Vec<JoinHandle<()>>,
    /// A session has one job at most, which bounds the queue.
    jobs: Option<Sender<Job>>,
    to_do: Arc<Mutex<Receiver<Job>>>,
    done: Sender<Done>,
    results: Receiver<Done>,
    /// Jobs whose results have not been taken.
    outstanding: usize,
}

impl Helpers {
    /// The threads will wake the loop for every result.
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let ((jobs, to_do), (done, results)) = (channel(), channel());
        let to_do = Arc::new(Mutex::new(to_do));
        let (jobs, threads) = (Some(jobs), Vec::new());
        Self { waker, threads, jobs, to_do, done, results, outstanding: 0 }
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
        self.have_done(Job { session, serial, task: Task::Finish(sink) })
    }

    /// Brings content; that it is there arrives later.
    ///
    /// # Errors
    /// As for [`finish`](Self::finish).
    pub(crate) fn fetch(&mut self, session: usize, serial: u64, fetch: Fetch) -> io::Result<()> {
        self.have_done(Job { session, serial, task: Task::Fetch(fetch) })
    }

    fn have_done(&mut self, job: Job) -> io::Result<()> {
        if self.threads.len() < MOST_THREADS.min(self.outstanding + 1)
            && let Err(error) = self.start_thread()
            && self.threads.is_empty()
        {
            return Err(error);
        }
        let gone = || io::Error::other("the helper threads are gone");
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        self.outstanding += 1;
        Ok(())
    }

    fn start_thread(&mut self) -> io::Result<()> {
        let (to_do, done, waker) =
            (Arc::clone(&self.to_do), self.done.clone(), Arc::clone(&self.waker));
        let next = move || to_do.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
        let thread = thread::Builder::new().name("tftpd-helper".into());
        self.threads.push(thread.spawn(move || {
            while let Some(Job { session, serial, task }) = next() {
                let outcome = match task {
                    Task::Finish(sink) => Outcome::Finished(sink.finish()),
                    Task::Fetch(fetch) => {
                        fetch();
                        Outcome::Fetched
                    }
                };
                // Nobody listens any more while the server stops; a file is stored all the same.
                let _ = done.send(Done { session, serial, outcome });
                if let Err(error) = waker.wake() {
                    tracing::error!(
                        error = %crate::of_the_system(&error),
                        "cannot wake the loop after a file's input or output"
                    );
                }
            }
        })?);
        Ok(())
    }

    /// Waits for the next result; `None` when there will be none.
    pub(crate) fn wait(&mut self) -> Option<Done> {
        if self.outstanding == 0 {
            return None;
        }
        self.outstanding -= 1;
        self.results.recv().ok()
    }

    /// The next result that is there.
    pub(crate) fn poll(&mut self) -> Option<Done> {
        let done = self.results.try_recv().ok()?;
        self.outstanding -= 1;
        Some(done)
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a helper thread has panicked");
            }
        }
    }
}
