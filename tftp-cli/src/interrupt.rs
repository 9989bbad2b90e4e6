//! Ctrl-C: it ends what is running now, and the program only when nothing is.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

#[cfg(unix)]
use crate::exit::Status;
use crate::fault::Fault;

/// What an interrupt does while nothing runs that could be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The program ends with [`Status::Interrupted`].
    Leave,
    /// Nothing: the prompt sees Ctrl-C as a key of its own.
    Stay,
}

/// The door through which SIGINT reaches the running work.
pub(crate) struct Interrupts {
    shared: Arc<Shared>,
}

type End = Box<dyn Fn() + Send>;

struct Shared {
    idle: Idle,
    /// How to end what is running now.
    running: Mutex<Option<End>>,
    /// Whether an interrupt came since the running work began.
    seen: AtomicBool,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<End>> {
        // What is behind the lock is one assignment, whole whoever panicked.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what is running; false when nothing is and the program should leave.
    fn handle_interrupt(&self) -> bool {
        match &*self.running() {
            Some(end) => {
                self.seen.store(true, Ordering::SeqCst);
                end();
                true
            }
            None => self.idle == Idle::Stay,
        }
    }
}

/// Tells running work whether it has been interrupted.
pub(crate) struct Watch<'a>(&'a AtomicBool);

impl Watch<'_> {
    pub(crate) fn interrupted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Interrupts {
    /// Takes SIGINT over. Where signals cannot be delivered to a thread (Windows), Ctrl-C ends the
    /// program as it always does.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn install(idle: Idle) -> io::Result<Self> {
        let interrupts = Self::detached(idle);
        #[cfg(unix)]
        {
            let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT])?;
            let shared = Arc::clone(&interrupts.shared);
            thread::Builder::new().name("signals".to_owned()).spawn(move || {
                for _ in &mut signals {
                    if !shared.handle_interrupt() {
                        std::process::exit(Status::Interrupted as i32);
                    }
                }
            })?;
        }
        Ok(interrupts)
    }

    /// Runs `work`; an interrupt meanwhile calls `end`.
    pub(crate) fn during<T>(
        &self,
        end: impl Fn() + Send + 'static,
        work: impl FnOnce(&Watch<'_>) -> T,
    ) -> T {
        self.shared.seen.store(false, Ordering::SeqCst);
        *self.shared.running() = Some(Box::new(end));
        let result = work(&Watch(&self.shared.seen));
        *self.shared.running() = None;
        result
    }

    /// Runs `work`, which knows no way to be ended, on a thread that an interrupt leaves behind.
    ///
    /// # Errors
    /// [`Fault::Interrupted`] when it was left behind.
    pub(crate) fn unless_interrupted<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (result, results) = mpsc::channel();
        let interrupt = result.clone();
        let end = move || {
            let _ = interrupt.send(Err(Fault::Interrupted));
        };
        self.during(end, |_| {
            thread::spawn(move || result.send(work()));
            results.recv().unwrap_or(Err(Fault::Interrupted))
        })
    }

    fn detached(idle: Idle) -> Self {
        Self {
            shared: Arc::new(Shared {
                idle,
                running: Mutex::new(None),
                seen: AtomicBool::new(false),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{Idle, Interrupts};
    use crate::fault::Fault;

    #[test]
    fn an_interrupt_ends_what_is_running() {
        let interrupts = Interrupts::detached(Idle::Leave);
        let (ended, ends) = mpsc::channel();
        let end = move || ended.send(()).unwrap();
        interrupts.during(end, |watch| {
            assert!(!watch.interrupted());
            assert!(interrupts.shared.handle_interrupt());
            assert!(watch.interrupted());
        });
        assert_eq!(ends.try_iter().count(), 1);
    }

    #[test]
    fn an_interrupt_of_earlier_work_is_forgotten() {
        let interrupts = Interrupts::detached(Idle::Leave);
        interrupts.during(|| (), |_| interrupts.shared.handle_interrupt());
        interrupts.during(|| (), |watch| assert!(!watch.interrupted()));
    }

    #[test]
    fn while_nothing_runs_the_program_leaves_unless_it_shows_a_prompt() {
        for (idle, stays) in [(Idle::Leave, false), (Idle::Stay, true)] {
            let interrupts = Interrupts::detached(idle);
            assert_eq!(interrupts.shared.handle_interrupt(), stays);
        }
    }

    #[test]
    fn work_that_cannot_be_ended_is_left_behind() {
        let interrupts = Interrupts::detached(Idle::Leave);
        let shared = std::sync::Arc::clone(&interrupts.shared);
        let (_never, hang) = mpsc::channel::<()>();
        let result = interrupts.unless_interrupted(move || {
            shared.handle_interrupt();
            let _ = hang.recv();
            Ok(())
        });
        assert!(matches!(result, Err(Fault::Interrupted)));
        assert_eq!(interrupts.unless_interrupted(|| Ok(7)).unwrap(), 7);
    }
}
