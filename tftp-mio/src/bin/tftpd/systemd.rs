//! What a service manager gives us, and wants to be told: sockets, readiness, a watchdog.
//!
//! Without one all of this does nothing.

use std::{io, net::UdpSocket, thread, time::Duration};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tftp_mio::{of_the_system, server::Pulse};

/// The sockets that were bound for us, in their order; none where we are to bind our own.
///
/// Call it once, before there is another thread: it changes the environment, as does
/// [`are_sockets_passed`].
///
/// # Errors
/// When one of them is no UDP socket.
pub(crate) fn sockets() -> io::Result<Vec<UdpSocket>> {
    let mut passed = ListenFd::from_env();
    (0..passed.len()).filter_map(|index| passed.take_udp_socket(index).transpose()).collect()
}

/// Whether there are such sockets. They are meant for this process alone.
pub(crate) fn are_sockets_passed() -> bool {
    ListenFd::from_env().len() > 0
}

/// We serve; `status` is shown to whoever asks for ours.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// We have begun to read our configuration again.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => {
            tracing::warn!(
                error = %of_the_system(&error),
                "the service manager cannot be told of the reload"
            );
        }
    }
}

/// The reload is over.
pub(crate) fn reloaded() {
    notify(&[NotifyState::Ready]);
}

/// We have begun to stop, and may take so long.
pub(crate) fn stopping(grace: Duration) {
    let grace = u32::try_from((grace + Duration::from_secs(5)).as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(grace)]);
}

/// Tells the service manager as often as it wants to know, on a thread of its own, that the server
/// goes round.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn feed_watchdog(mut pulse: Pulse) -> io::Result<()> {
    let Some(interval) = sd_notify::watchdog_enabled() else { return Ok(()) };
    thread::Builder::new().name("tftpd-watchdog".into()).spawn(move || {
        loop {
            if pulse.feel() {
                notify(&[NotifyState::Watchdog]);
            }
            thread::sleep(interval / 4);
        }
    })?;
    Ok(())
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(error = %of_the_system(&error), "the service manager cannot be told");
    }
}
