//! Packets as they pass: shown by `trace`, kept by `--pcap`.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tftp_mio::client::{Observer, Passing};

use crate::{capture::Capture, fault::Fault, show};

/// Who wants to see packets.
#[derive(Default)]
pub(crate) struct Packets {
    /// Whether they are shown as they pass.
    pub(crate) trace: bool,
    capture: Option<Arc<Capture>>,
}

impl Packets {
    /// Keeps them in a capture file from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn keep_in(&mut self, path: &Path) -> Result<(), Fault> {
        let capture = Capture::create(path)
            .map_err(|error| Fault::local(&format!("--pcap {}", show::os(path)), error))?;
        self.capture = Some(Arc::new(capture));
        Ok(())
    }

    /// What to show a transfer's packets to, if anybody wants to see them. Nothing is shown any
    /// more once the guard is dropped: the prompt then has the screen.
    pub(crate) fn observer(&self) -> (Option<Observer>, Showing<'_>) {
        let shown = Arc::new(AtomicBool::new(self.trace));
        let showing = Showing { shown: Arc::clone(&shown), capture: self.capture.as_deref() };
        if !self.trace && self.capture.is_none() {
            return (None, showing);
        }
        let (capture, began) = (self.capture.clone(), Instant::now());
        let see = move |packet: &Passing<'_>| {
            if let Some(capture) = &capture {
                capture.keep(packet);
            }
            if shown.load(Ordering::Relaxed) {
                show::note(&format!("{:>11.6} {packet}", began.elapsed().as_secs_f64()));
            }
        };
        (Some(Arc::new(see)), showing)
    }
}

/// While it lives, the packets of a transfer are shown.
pub(crate) struct Showing<'a> {
    shown: Arc<AtomicBool>,
    capture: Option<&'a Capture>,
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        self.shown.store(false, Ordering::Relaxed);
        if let Some(capture) = self.capture {
            capture.flush();
        }
    }
}
