//! What the operator asks of a running server, by signals.

use std::{io, sync::Arc, thread};

use rustix::process::Signal;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals as Taken,
};
use tftp_core::Operation;
use tftp_mio::server::{Counters, Reloader, Server, Stopper};

use crate::{
    fault::Fault,
    log::Log,
    options::{CommandLine, Settings},
    prepared::{Places, Prepared},
    systemd,
};

/// A file would grow above the limit of the process (`ulimit -f`).
const SIGXFSZ: i32 = Signal::XFSZ.as_raw();

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
            current: started.clone(),
            started,
            log,
            stopper: server.stopper(),
            reloader: server.reloader(),
            counters: server.counters(),
        }
    }

    /// Does what signals ask, on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn watch(mut self, mut signals: Signals) -> io::Result<()> {
        thread::Builder::new().name("tftpd-signals".into()).spawn(move || {
            for signal in signals.0.forever() {
                self.handle(signal);
            }
        })?;
        Ok(())
    }

    fn handle(&mut self, signal: i32) {
        match signal {
            SIGHUP => self.reload(),
            SIGUSR1 => self.tell_state(),
            // Taken only so that it does not end us: the write that is too far fails instead.
            SIGXFSZ => {}
            // TERM and INT; a second one stops at once.
            _ => {
                systemd::stopping(self.current.options.service.grace);
                self.stopper.stop();
            }
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
    }

    /// Reads everything again, and takes what can change while we serve: all of it, or nothing.
    fn reload(&mut self) {
        systemd::reloading();
        if let Err(fault) = self.try_reload() {
            for line in fault.to_string().lines() {
                tracing::error!("{line}");
            }
            tracing::error!("not reloaded: everything stays as it was");
        }
        systemd::reloaded();
    }

    fn try_reload(&mut self) -> Result<(), Fault> {
        let next = self.line.read()?;
        let prepared = Prepared::within(self.places.clone(), &next)?;
        self.log.reload(&next.options.log)?;
        self.reloader.reload(&prepared.config, prepared.storage);
        let later = self.started.changed_later(&next);
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
        tracing::info!(changed = self.current.changed_now(&next).join(" "), "reloaded");
        self.current = next;
        Ok(())
    }
}
