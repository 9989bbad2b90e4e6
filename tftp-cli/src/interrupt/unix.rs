//! How signals arrive on Unix: on a thread of their own.

use std::{fs, io, process, sync::Arc, thread, time::Duration};

use rustix::{
    process::Signal as System,
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{Door, End, Next, Signal};
use crate::exit::Status;

/// How long work that was told to end may go on.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file would grow above the limit of the process (`ulimit -f`).
const SIGXFSZ: i32 = System::XFSZ.as_raw();

/// Starts the thread that hands signals to `door`.
pub(super) fn deliver(door: &Arc<Door>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGXFSZ])?;
    if !ignores_hang_up() {
        signals.add_signal(SIGHUP)?;
    }
    // The prompt reads keys as they are typed; whoever leaves from there undoes that.
    let terminal = tcgetattr(io::stdin()).ok();
    let door = Arc::clone(door);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for number in &mut signals {
            let signal = match number {
                SIGTERM => Signal::End(End::Terminate),
                SIGHUP => Signal::End(End::HangUp),
                // Taken only so that it does not end us: the write that is too far fails instead.
                SIGXFSZ => continue,
                _ => Signal::Interrupt,
            };
            match door.handle_signal(signal) {
                Next::Wait => {}
                Next::Leave(status) => leave(status, terminal.as_ref()),
                Next::LeaveUnlessEnded(status, work) => {
                    let (door, terminal) = (Arc::clone(&door), terminal.clone());
                    let wait = move || {
                        thread::sleep(PATIENCE);
                        if door.runs(work) {
                            leave(status, terminal.as_ref());
                        }
                    };
                    // Without a thread left, it is up to the work alone.
                    let _ = thread::Builder::new().name("patience".to_owned()).spawn(wait);
                }
            }
        }
    })?;
    Ok(())
}

/// Ends the program; the terminal is as it was before.
fn leave(status: Status, terminal: Option<&Termios>) {
    if let Some(terminal) = terminal {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
    }
    process::exit(status as i32);
}

/// Whether the program was started to outlive its terminal, as `nohup` does. Told by Linux;
/// elsewhere SIGHUP is always answered.
fn ignores_hang_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}
