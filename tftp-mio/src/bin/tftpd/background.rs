//! `--background`: the program starts itself once more, in a session of its own, and ends when that
//! process serves or has failed.
//!
//! The two are joined by the new process's standard output, on which it says that it serves, and
//! its standard error, which is shown here until then. No fork is needed for that.

use std::{
    env,
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, Stdio},
    thread,
};

use rustix::{process::setsid, stdio};

/// What the new process says when it serves.
const SERVES: &[u8] = b"serves";

/// Starts the process that will serve, and waits until it does. Returns this process's status.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn start() -> io::Result<ExitCode> {
    let mut words = env::args_os();
    let mut command = Command::new(env::current_exe()?);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    let mut child = command
        .arg("--detached")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let said = child.stderr.take();
    let relay = thread::spawn(move || {
        if let Some(mut said) = said {
            // Our own terminal may be gone, which is no matter to the server.
            let _ = io::copy(&mut said, &mut io::stderr());
        }
    });
    let mut answer = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut answer)?;
    }
    let _ = relay.join();
    if answer == SERVES {
        return Ok(ExitCode::SUCCESS);
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The new process, until it has said that it serves.
pub(crate) struct Detached {
    nowhere: File,
}

impl Detached {
    /// Leaves the caller's session, so that its end is not ours.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(crate) fn begin() -> io::Result<Self> {
        setsid()?;
        // Opened while everything can be.
        Ok(Self { nowhere: File::options().read(true).write(true).open("/dev/null")? })
    }

    /// Tells the caller that we serve, and lets go of its terminal.
    ///
    /// # Errors
    /// When the caller has not waited.
    pub(crate) fn serves(self) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(SERVES)?;
        stdout.flush()?;
        stdio::dup2_stdout(&self.nowhere)?;
        stdio::dup2_stderr(&self.nowhere)?;
        Ok(())
    }
}
