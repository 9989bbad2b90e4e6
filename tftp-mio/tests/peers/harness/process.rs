//! Running a peer for a bounded time.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use wait_timeout::ChildExt as _;

/// Far above what the largest file takes in lock-step on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The program that `.ci/peers.sh` unpacked under this name.
///
/// # Panics
/// When it is missing: a test that was asked for does not pass without its peer.
#[track_caller]
pub(crate) fn peer(name: &str) -> PathBuf {
    let peers = env::var_os("TFTP_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers"),
        PathBuf::from,
    );
    let program = peers.join("bin").join(name);
    let shown = program.display();
    assert!(program.is_file(), "{shown} is missing; .ci/peers.sh unpacks it");
    program
}

/// How a command ended.
pub(crate) struct Finished {
    pub(crate) command: String,
    pub(crate) success: bool,
    /// What it wrote to stdout and stderr.
    pub(crate) said: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn succeeded(self) {
        let Self { command, said, .. } = &self;
        assert!(self.success, "failed: {command}\n{said}");
    }

    #[track_caller]
    pub(crate) fn failed(self) {
        let Self { command, said, .. } = &self;
        assert!(!self.success, "did not fail: {command}\n{said}");
    }
}

/// Runs a command to its end, without input.
///
/// # Panics
/// When it does not end in time; it is killed then.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Finished {
    let output = tempfile::NamedTempFile::new().expect("a file for the output");
    let for_stdout = output.reopen().expect("the file for the output");
    let for_stderr = for_stdout.try_clone().expect("the file for the output");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(for_stdout)
        .stderr(for_stderr)
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));

    let status = child.wait_timeout(PATIENCE).expect("waiting for a child");
    if status.is_none() {
        child.kill().expect("killing our own child");
        child.wait().expect("waiting for a child");
    }
    let said = fs::read(output.path()).expect("the file for the output");
    let finished = Finished {
        command: format!("{command:?}"),
        success: status.is_some_and(|status| status.success()),
        said: String::from_utf8_lossy(&said).into_owned(),
    };
    assert!(
        status.is_some(),
        "still running after {PATIENCE:?}: {}\n{}",
        finished.command,
        finished.said
    );
    finished
}
