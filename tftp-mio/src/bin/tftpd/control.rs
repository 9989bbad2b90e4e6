//! What the operator asks of a running server, by signals.

use std::{
    io, process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals as Taken,
};
use tftp_core::Operation;
use tftp_mio::server::{Counters, Reloader, Server, Stopper};

use crate::{
    cannot_run::{self, CannotRun},
    log::Log,
    options::{CommandLine, Settings},
    prepared::{Places, Prepared},
    systemd,
};

/// A file would grow above the limit of the process (`ulimit -f`).
const SIGXFSZ: i32 = Signal::XFSZ.as_raw();

/// How long a server that was told twice to stop may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(5);

/// The signals that we take. From then on they wait for [`Control::watch`].
pub(crate) struct Signals(Taken);

impl Signals {
    /// Takes them from the system.
    ///
    /// # Errors
    /// When it does not give them.
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Self(Taken::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXFSZ])?))
    }
}

/// What signals act on.
pub(crate) struct Control {
    line: CommandLine,
    /// What the server was started with.
    started: Settings,
    places: Places,
    /// What was read last.
    current: Settings,
    log: Log,
    stopper: Stopper,
    reloader: Reloader,
    counters: Arc<Counters>,
    /// How long transfers may go on after TERM, in seconds.
    grace: Arc<AtomicU64>,
}

impl Control {
    pub(crate) fn new(
        line: CommandLine,
        started: Settings,
        places: Places,
        log: Log,
        server: &Server,
    ) -> Self {
        Self {
            line,
            places,
            grace: Arc::new(seconds(&started).into()),
            current: started.clone(),
            started,
            log,
            stopper: server.stopper(),
            reloader: server.reloader(),
            counters: server.counters(),
        }
    }

    /// Does what signals ask. To stop is heard on a thread of its own, whatever the others wait for:
    /// a file of the configuration, or somebody who reads the log.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn watch(mut self, mut signals: Signals) -> io::Result<()> {
        let (sender, asked) = mpsc::channel();
        let mut stopping = Stopping {
            stopper: self.stopper.clone(),
            grace: Arc::clone(&self.grace),
            before: false,
        };
        thread::Builder::new().name("tftpd-control".into()).spawn(move || {
            for signal in asked {
                self.handle(signal);
            }
        })?;
        thread::Builder::new().name("tftpd-signals".into()).spawn(move || {
            for signal in signals.0.forever() {
                match signal {
                    SIGTERM | SIGINT => stopping.handle(),
                    // The other thread never ends before the process.
                    signal => drop(sender.send(signal)),
                }
            }
        })?;
        Ok(())
    }

    fn handle(&mut self, signal: i32) {
        match signal {
            SIGHUP => self.reload(),
            SIGUSR1 => self.tell_state(),
            // Taken only so that it does not end us: the write that is too far fails instead.
            _ => {}
        }
    }

    fn tell_state(&self) {
        let counters = &self.counters;
        tracing::info!(
            active = counters.active(),
            half_open = counters.half_open(),
            reads_begun = counters.started(Operation::Read),
            writes_begun = counters.started(Operation::Write),
            bytes_read = counters.bytes(Operation::Read),
            bytes_written = counters.bytes(Operation::Write),
            retransmissions = counters.retransmissions(),
            "state"
        );
        for line in self.current.to_string().lines() {
            tracing::info!("state: {line}");
        }
        self.tell_what_waits(&self.current);
    }

    /// What is other than at the start, and yet as it was then for this process.
    fn tell_what_waits(&self, settings: &Settings) {
        let later = self.started.changed_later(settings);
        if !later.is_empty() {
            tracing::warn!(options = later.join(" "), "changed, but only a restart can take it");
        }
        for folder in self.places.elsewhere() {
            let path = folder.as_os_str().as_encoded_bytes().escape_ascii();
            tracing::warn!(
                %path,
                "the folder has been replaced or removed, but only a restart can take another"
            );
        }
    }

    /// Reads everything again, and takes what can change while we serve: all of it, or nothing.
    fn reload(&mut self) {
        systemd::reloading();
        // First, and whatever the configuration says: the log was moved away.
        if let Err(fault) = self.log.reopen() {
            tracing::error!("{fault}: the log goes on where it was");
        }
        if let Err(fault) = self.try_reload() {
            for line in fault.to_string().lines() {
                tracing::error!("{line}");
            }
            tracing::error!("not reloaded: everything stays as it was");
        }
        systemd::reloaded();
    }

    fn try_reload(&mut self) -> Result<(), CannotRun> {
        let next = self.line.read()?;
        let prepared = Prepared::within(self.places.clone(), &next)?;
        self.log.set_level(&next.options.log);
        self.reloader.reload(&prepared.config, prepared.storage);
        self.tell_what_waits(&next);
        let changed = self.current.changed_now(&next);
        let changed = (!changed.is_empty()).then(|| changed.join(" "));
        tracing::info!(changed, "reloaded");
        self.grace.store(seconds(&next), Ordering::Relaxed);
        self.current = next;
        Ok(())
    }
}

/// What TERM and INT ask for.
struct Stopping {
    stopper: Stopper,
    /// In seconds.
    grace: Arc<AtomicU64>,
    /// It was asked for before.
    before: bool,
}

impl Stopping {
    /// The first time, transfers may go on for a while; the second time they end at once, and with
    /// them the process, even if something in it hangs.
    fn handle(&mut self) {
        systemd::stopping(Duration::from_secs(self.grace.load(Ordering::Relaxed)));
        self.stopper.stop();
        if !std::mem::replace(&mut self.before, true) {
            return;
        }
        thread::sleep(FAREWELL);
        // Maybe it is the log that hangs.
        let tell = || tracing::error!("ended without a farewell: something hangs");
        drop(thread::Builder::new().spawn(tell));
        thread::sleep(Duration::from_millis(100));
        process::exit(cannot_run::FAILED.into());
    }
}

/// The grace, rounded up.
fn seconds(settings: &Settings) -> u64 {
    let grace = settings.options.service.grace;
    grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0))
}
