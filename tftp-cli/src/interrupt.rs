//! Signals: Ctrl-C ends what is running now, and the program only when nothing is; SIGTERM and
//! SIGHUP end both.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use crate::{exit::Status, fault::Fault};

/// What Ctrl-C does while nothing runs that could be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The program ends with [`Status::Interrupted`].
    Leave,
    /// Nothing: the prompt sees Ctrl-C as a key of its own.
    Stay,
}

/// A signal that the program answers by ending something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(unix, test)), expect(dead_code, reason = "no signal reaches a thread there"))]
pub(crate) enum Signal {
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// One that ends the program, whatever it does.
    End(End),
}

/// A signal that ends the program once what is running has been ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(unix, test)), expect(dead_code, reason = "no signal reaches a thread there"))]
pub(crate) enum End {
    /// SIGHUP: the terminal has gone.
    HangUp,
    /// SIGTERM.
    Terminate,
}

impl End {
    pub(crate) fn status(self) -> Status {
        match self {
            Self::HangUp => Status::HungUp,
            Self::Terminate => Status::Terminated,
        }
    }
}

/// The door through which signals reach the running work.
pub(crate) struct Interrupts {
    shared: Arc<Shared>,
}

type Cancel = Box<dyn Fn() + Send>;

struct Shared {
    idle: Idle,
    /// How to end what is running now.
    running: Mutex<Option<Cancel>>,
    /// Whether a signal came since the running work began.
    seen: AtomicBool,
    /// The signal that ends the program as soon as nothing runs any more.
    end: OnceLock<End>,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<Cancel>> {
        // What is behind the lock is one assignment, whole whoever panicked.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what is running; when nothing is, returns the status to leave with, if any.
    #[cfg_attr(
        not(any(unix, test)),
        expect(dead_code, reason = "no signal reaches a thread there")
    )]
    fn handle_signal(&self, signal: Signal) -> Option<Status> {
        // Held to the end: the work that is running looks at `end` once it has taken the lock.
        let running = self.running();
        if let Signal::End(end) = signal {
            let _ = self.end.set(end);
        }
        match (&*running, signal) {
            (Some(cancel), _) => {
                self.seen.store(true, Ordering::SeqCst);
                cancel();
                None
            }
            (None, Signal::End(end)) => Some(end.status()),
            (None, Signal::Interrupt) => match self.idle {
                Idle::Leave => Some(Status::Interrupted),
                Idle::Stay => None,
            },
        }
    }
}

/// Tells running work whether it has been interrupted.
pub(crate) struct Watch<'a>(&'a Shared);

impl Watch<'_> {
    pub(crate) fn interrupted(&self) -> bool {
        self.0.seen.load(Ordering::SeqCst) || self.0.end.get().is_some()
    }
}

impl Interrupts {
    /// Takes SIGINT, SIGTERM and SIGHUP over. Where signals cannot be delivered to a thread
    /// (Windows), Ctrl-C ends the program as it always does.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn install(idle: Idle) -> io::Result<Self> {
        let interrupts = Self::detached(idle);
        #[cfg(unix)]
        unix::deliver(&interrupts.shared)?;
        Ok(interrupts)
    }

    /// The signal after which nothing new may begin.
    pub(crate) fn end(&self) -> Option<End> {
        self.shared.end.get().copied()
    }

    /// Runs `work`; a signal meanwhile calls `cancel`.
    pub(crate) fn during<T>(
        &self,
        cancel: impl Fn() + Send + 'static,
        work: impl FnOnce(&Watch<'_>) -> T,
    ) -> T {
        self.shared.seen.store(false, Ordering::SeqCst);
        *self.shared.running() = Some(Box::new(cancel));
        let result = work(&Watch(&self.shared));
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
        let cancel = move || {
            let _ = interrupt.send(Err(Fault::Interrupted));
        };
        self.during(cancel, |_| {
            thread::spawn(move || result.send(work()));
            results.recv().unwrap_or(Err(Fault::Interrupted))
        })
    }

    /// A door at which no signal of the system arrives.
    pub(crate) fn detached(idle: Idle) -> Self {
        Self {
            shared: Arc::new(Shared {
                idle,
                running: Mutex::new(None),
                seen: AtomicBool::new(false),
                end: OnceLock::new(),
            }),
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::{fs, io, process, sync::Arc, thread};

    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };

    use super::{End, Shared, Signal};

    /// Starts the thread that hands signals to `shared`.
    pub(super) fn deliver(shared: &Arc<Shared>) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        if !ignores_hang_up() {
            signals.add_signal(SIGHUP)?;
        }
        // The prompt reads keys as they are typed; whoever leaves from there undoes that.
        let terminal = tcgetattr(io::stdin()).ok();
        let shared = Arc::clone(shared);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for number in &mut signals {
                let signal = match number {
                    SIGTERM => Signal::End(End::Terminate),
                    SIGHUP => Signal::End(End::HangUp),
                    _ => Signal::Interrupt,
                };
                if let Some(status) = shared.handle_signal(signal) {
                    if let Some(terminal) = &terminal {
                        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
                    }
                    process::exit(status as i32);
                }
            }
        })?;
        Ok(())
    }

    /// Whether the program was started to outlive its terminal, as `nohup` does. Told by Linux;
    /// elsewhere SIGHUP is always answered.
    fn ignores_hang_up() -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{End, Idle, Interrupts, Signal};
    use crate::{exit::Status, fault::Fault};

    #[test]
    fn an_interrupt_ends_what_is_running() {
        let interrupts = Interrupts::detached(Idle::Leave);
        let (ended, ends) = mpsc::channel();
        let end = move || ended.send(()).unwrap();
        interrupts.during(end, |watch| {
            assert!(!watch.interrupted());
            assert_eq!(interrupts.shared.handle_signal(Signal::Interrupt), None);
            assert!(watch.interrupted());
        });
        assert_eq!(ends.try_iter().count(), 1);
    }

    #[test]
    fn an_interrupt_of_earlier_work_is_forgotten() {
        let interrupts = Interrupts::detached(Idle::Leave);
        interrupts.during(|| (), |_| interrupts.shared.handle_signal(Signal::Interrupt));
        interrupts.during(|| (), |watch| assert!(!watch.interrupted()));
    }

    #[test]
    fn while_nothing_runs_the_program_leaves_unless_it_shows_a_prompt() {
        for (idle, status) in [(Idle::Leave, Some(Status::Interrupted)), (Idle::Stay, None)] {
            let interrupts = Interrupts::detached(idle);
            assert_eq!(interrupts.shared.handle_signal(Signal::Interrupt), status);
        }
    }

    #[test]
    fn while_nothing_runs_the_program_leaves_on_other_signals_even_from_a_prompt() {
        for (end, status) in [(End::HangUp, Status::HungUp), (End::Terminate, Status::Terminated)] {
            let interrupts = Interrupts::detached(Idle::Stay);
            assert_eq!(interrupts.shared.handle_signal(Signal::End(end)), Some(status));
        }
    }

    #[test]
    fn after_a_signal_that_ends_the_program_no_work_begins() {
        let interrupts = Interrupts::detached(Idle::Stay);
        let terminate = Signal::End(End::Terminate);
        interrupts.during(|| (), |_| assert_eq!(interrupts.shared.handle_signal(terminate), None));
        assert_eq!(interrupts.end(), Some(End::Terminate));
        interrupts.during(|| (), |watch| assert!(watch.interrupted()));
    }

    #[test]
    fn work_that_cannot_be_ended_is_left_behind() {
        let interrupts = Interrupts::detached(Idle::Leave);
        let shared = std::sync::Arc::clone(&interrupts.shared);
        let (_never, hang) = mpsc::channel::<()>();
        let result = interrupts.unless_interrupted(move || {
            shared.handle_signal(Signal::Interrupt);
            let _ = hang.recv();
            Ok(())
        });
        assert!(matches!(result, Err(Fault::Interrupted)));
        assert_eq!(interrupts.unless_interrupted(|| Ok(7)).unwrap(), 7);
    }
}
