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

/// The loop's end of the thread. Dropped, it waits for the uploads that are being finished.
pub(crate) struct Finisher {
    /// Present until it is dropped.
    jobs: Option<Sender<Job>>,
    results: Receiver<Finished>,
    thread: Option<JoinHandle<()>>,
}

impl Finisher {
    /// Starts the thread; it wakes the loop for every result.
    pub(crate) fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (done, results) = channel();
        let thread = thread::Builder::new().name("tftpd-sync".into()).spawn(move || {
            for Job { session, serial, sink } in to_do {
                let result = sink.finish();
                // Nobody listens any more while the server stops; the file is stored all the same.
                let _ = done.send(Finished { session, serial, result });
                if let Err(error) = waker.wake() {
                    tracing::error!(%error, "cannot wake the loop after an upload");
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), results, thread: Some(thread) })
    }

    /// Finishes a sink; its result arrives later.
    pub(crate) fn finish(&self, session: usize, serial: u64, sink: Box<dyn Sink>) {
        if let Some(jobs) = &self.jobs
            && jobs.send(Job { session, serial, sink }).is_err()
        {
            tracing::error!("the thread that finishes uploads has died");
        }
    }

    /// Waits for the next result; `None` when there will be none.
    pub(crate) fn wait(&self) -> Option<Finished> {
        self.results.recv().ok()
    }

    /// The next result that is there.
    pub(crate) fn poll(&self) -> Option<Finished> {
        self.results.try_recv().ok()
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that finishes uploads has panicked");
        }
    }
}
