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

use crate::{capture::Capture, fault::Fault, session::Input, show};

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

    /// What to show a transfer's packets to, if anybody wants to see them. Once the guard is dropped
    /// the transfer is over, and only its last ACK may still be repeated: that is kept, but not
    /// shown where a prompt has the screen by then.
    pub(crate) fn observer(&self, input: Input) -> (Option<Observer>, Showing<'_>) {
        let over = Arc::new(AtomicBool::new(false));
        let showing = Showing { over: Arc::clone(&over), capture: self.capture.as_deref() };
        if !self.trace && self.capture.is_none() {
            return (None, showing);
        }
        let (trace, capture, began) = (self.trace, self.capture.clone(), Instant::now());
        let see = move |packet: &Passing<'_>| {
            let over = over.load(Ordering::Relaxed);
            if let Some(capture) = &capture {
                capture.keep(packet);
                if over {
                    capture.flush();
                }
            }
            if trace && (!over || input == Input::Commands) {
                show::note(&format!("{:>11.6} {packet}", began.elapsed().as_secs_f64()));
            }
        };
        (Some(Arc::new(see)), showing)
    }
}

/// Lives as long as its transfer.
pub(crate) struct Showing<'a> {
    over: Arc<AtomicBool>,
    capture: Option<&'a Capture>,
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(capture) = self.capture {
            capture.flush();
        }
    }
}
