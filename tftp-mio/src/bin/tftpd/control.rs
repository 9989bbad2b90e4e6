//! What the operator asks of a running server, by signals.

use std::{io, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals as Taken,
};
use tftp_mio::server::Stopper;

use crate::{
    log::Log,
    options::{CommandLine, Settings},
    systemd,
};

/// The signals that we take. From then on they wait for [`Control::watch`].
pub(crate) struct Signals(Taken);

impl Signals {
    /// Takes them from the system.
    ///
    /// # Errors
    /// When it does not give them.
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Self(Taken::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?))
    }
}

/// What a signal may change.
pub(crate) struct Control {
    line: CommandLine,
    /// What the server was started with.
    started: Settings,
    /// What was read last.
    current: Settings,
    log: Log,
    stopper: Stopper,
}

impl Control {
    pub(crate) fn new(line: CommandLine, started: Settings, log: Log, stopper: Stopper) -> Self {
        Self { line, current: started.clone(), started, log, stopper }
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
            SIGUSR1 => {}
            // TERM and INT; a second one stops at once.
            _ => {
                systemd::stopping(self.current.options.service.grace);
                self.stopper.stop();
            }
        }
    }

    /// Reads everything again, and takes what can change while we serve.
    fn reload(&mut self) {
        systemd::reloading();
        match self.line.read() {
            Ok(settings) => self.take(settings),
            Err(misuse) => {
                for line in misuse.to_string().lines() {
                    tracing::error!("{line}");
                }
                tracing::error!("not reloaded: the configuration stays as it was");
            }
        }
        systemd::ready("");
    }

    fn take(&mut self, next: Settings) {
        self.log.reload(&next.options.log);
        let later = self.started.changed_later(&next);
        if !later.is_empty() {
            tracing::warn!(options = later.join(" "), "changed, but only a restart can take it");
        }
        tracing::info!(changed = self.current.changed_now(&next).join(" "), "reloaded");
        self.current = next;
    }
}
