//! What a crash has left of uploads goes when the server starts.

use std::{
    thread,
    time::{Duration, Instant},
};

use tftp_mio::storage::Sweep;

/// How long the first request may have to wait for it.
const AT_ONCE: Duration = Duration::from_millis(200);

/// How long it may take beside the first transfers.
const ALONGSIDE: Duration = Duration::from_mins(1);

/// Sweeps; what takes longer is left to a thread.
pub(crate) fn start(mut sweep: Sweep) {
    if sweep.run(Instant::now() + AT_ONCE) {
        return tell(&sweep, true);
    }
    let thread = thread::Builder::new().name("tftpd-sweep".into()).spawn(move || {
        let done = sweep.run(Instant::now() + ALONGSIDE);
        tell(&sweep, done);
    });
    if let Err(error) = thread {
        tracing::warn!(
            error = %tftp_mio::of_the_system(&error),
            "no thread to search for what a crash may have left of uploads"
        );
    }
}

fn tell(sweep: &Sweep, done: bool) {
    if sweep.removed() > 0 {
        tracing::info!(files = sweep.removed(), "removed what a crash has left of uploads");
    }
    if !done {
        tracing::warn!("not all folders were searched for what a crash may have left of uploads");
    }
}
