//! Signals: Ctrl-C ends what is running now, and the program only when nothing is; SIGTERM and
//! SIGHUP end both. Work that cannot be ended, for it is held up by a pipe that nobody reads or a
//! disk that does not answer, is left with the program.

#[cfg(unix)]
mod unix;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
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

/// Where running work can be ended by signals.
pub(crate) struct Interrupts(Arc<Door>);

impl Interrupts {
    /// Takes SIGINT, SIGTERM and SIGHUP over. Where signals cannot be delivered to a thread
    /// (Windows), Ctrl-C ends the program as it always does.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn install(idle: Idle) -> io::Result<Self> {
        let interrupts = Self::detached(idle);
        #[cfg(unix)]
        unix::deliver(&interrupts.0)?;
        Ok(interrupts)
    }

    /// A door at which no signal of the system arrives.
    pub(crate) fn detached(idle: Idle) -> Self {
        Self(Arc::new(Door { idle, state: Mutex::default() }))
    }

    /// The signal after which nothing new may begin.
    pub(crate) fn end(&self) -> Option<End> {
        self.0.state().end
    }

    /// Runs `work`; a signal meanwhile calls `cancel`. After one that ends the program it is called
    /// before `work` begins.
    pub(crate) fn during<T>(
        &self,
        cancel: impl Fn() + Send + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        let mut state = self.0.state();
        if state.end.is_some() {
            cancel();
        }
        state.cancel = Some(Box::new(cancel));
        state.work += 1;
        drop(state);
        let result = work();
        self.0.state().cancel = None;
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
        self.during(cancel, || {
            thread::spawn(move || result.send(work()));
            results.recv().unwrap_or(Err(Fault::Interrupted))
        })
    }
}

/// What the running work and the thread that takes signals share.
struct Door {
    idle: Idle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How to end what is running now.
    cancel: Option<Box<dyn Fn() + Send>>,
    /// Its number.
    work: u64,
    /// The signal that ends the program as soon as nothing runs any more.
    end: Option<End>,
}

/// A signal, as the door sees it.
#[cfg(any(unix, test))]
#[derive(Clone, Copy)]
enum Signal {
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// One that ends the program, whatever it does.
    End(End),
}

/// What the thread that takes signals does next.
#[cfg(any(unix, test))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It waits for the next signal.
    Wait,
    /// It ends the program.
    Leave(Status),
    /// It ends the program if this work is still running in a moment, though it has been told to end.
    LeaveUnlessEnded(Status, u64),
}

impl Door {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change behind the lock is one assignment, whole whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is running to end; when nothing is, it is the program that ends, if anything.
    #[cfg(any(unix, test))]
    fn handle_signal(&self, signal: Signal) -> Next {
        let mut state = self.state();
        if let Signal::End(end) = signal {
            state.end.get_or_insert(end);
        }
        let status = match signal {
            Signal::End(end) => end.status(),
            Signal::Interrupt => Status::Interrupted,
        };
        match (&state.cancel, signal, self.idle) {
            (Some(cancel), ..) => {
                cancel();
                Next::LeaveUnlessEnded(status, state.work)
            }
            (None, Signal::Interrupt, Idle::Stay) => Next::Wait,
            (None, ..) => Next::Leave(status),
        }
    }

    /// Whether that work is running.
    #[cfg(any(unix, test))]
    fn runs(&self, work: u64) -> bool {
        let state = self.state();
        state.cancel.is_some() && state.work == work
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::{End, Idle, Interrupts, Next, Signal};
    use crate::{exit::Status, fault::Fault};

    /// How often work is told to end, during which these signals come.
    fn times_ended(interrupts: &Interrupts, signals: &[Signal]) -> usize {
        let (ended, ends) = mpsc::channel();
        interrupts.during(
            move || ended.send(()).unwrap(),
            || {
                for &signal in signals {
                    let next = interrupts.0.handle_signal(signal);
                    assert!(matches!(next, Next::LeaveUnlessEnded(..)), "{next:?}");
                }
            },
        );
        ends.try_iter().count()
    }

    #[test]
    fn an_interrupt_ends_what_is_running_and_is_forgotten() {
        let interrupts = Interrupts::detached(Idle::Leave);
        assert_eq!(times_ended(&interrupts, &[Signal::Interrupt]), 1);
        assert_eq!(times_ended(&interrupts, &[]), 0);
        assert_eq!(interrupts.end(), None);
    }

    #[test]
    fn while_nothing_runs_the_program_leaves_unless_it_shows_a_prompt() {
        for (idle, next) in
            [(Idle::Leave, Next::Leave(Status::Interrupted)), (Idle::Stay, Next::Wait)]
        {
            let interrupts = Interrupts::detached(idle);
            assert_eq!(interrupts.0.handle_signal(Signal::Interrupt), next);
        }
    }

    #[test]
    fn while_nothing_runs_the_program_leaves_on_other_signals_even_from_a_prompt() {
        for (end, status) in [(End::HangUp, Status::HungUp), (End::Terminate, Status::Terminated)] {
            let interrupts = Interrupts::detached(Idle::Stay);
            assert_eq!(interrupts.0.handle_signal(Signal::End(end)), Next::Leave(status));
        }
    }

    #[test]
    fn after_a_signal_that_ends_the_program_all_work_is_ended_as_it_begins() {
        let interrupts = Interrupts::detached(Idle::Stay);
        assert_eq!(times_ended(&interrupts, &[Signal::End(End::Terminate)]), 1);
        assert_eq!(times_ended(&interrupts, &[]), 1);
        let result = interrupts.unless_interrupted(|| Ok(()));
        assert!(matches!(result, Err(Fault::Interrupted)));
        // The first of them counts.
        assert_eq!(times_ended(&interrupts, &[Signal::End(End::HangUp)]), 2);
        assert_eq!(interrupts.end(), Some(End::Terminate));
    }

    #[test]
    fn work_that_was_told_to_end_is_waited_for_and_later_work_is_not_mistaken_for_it() {
        let interrupts = Interrupts::detached(Idle::Stay);
        let door = &interrupts.0;
        let told = interrupts.during(
            || (),
            || {
                let Next::LeaveUnlessEnded(Status::Interrupted, work) =
                    door.handle_signal(Signal::Interrupt)
                else {
                    panic!("there is work");
                };
                assert!(door.runs(work));
                work
            },
        );
        assert!(!door.runs(told));
        interrupts.during(|| (), || assert!(!door.runs(told)));
    }

    #[test]
    fn work_that_cannot_be_ended_is_left_behind() {
        let interrupts = Interrupts::detached(Idle::Leave);
        let door = Arc::clone(&interrupts.0);
        let (_never, hang) = mpsc::channel::<()>();
        let result = interrupts.unless_interrupted(move || {
            door.handle_signal(Signal::Interrupt);
            let _ = hang.recv();
            Ok(())
        });
        assert!(matches!(result, Err(Fault::Interrupted)));
        assert_eq!(interrupts.unless_interrupted(|| Ok(7)).unwrap(), 7);
    }
}
