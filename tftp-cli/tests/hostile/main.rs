//! Servers that lie, stammer, fall silent or break off, and what the client makes of each.
//!
//! A `get` is of `a`, of which there is an old version: either it has arrived whole, or the old one
//! is still there and nothing beside it. A `put` sends `a`. The cases say what they are about; what
//! other clients do with the same servers is printed by the test in [`others`].

#[path = "../common/mod.rs"]
mod common;
mod get;
#[path = "../../../tftp-mio/tests/peers/harness/process.rs"]
#[expect(dead_code, reason = "a part of it is used")]
mod harness;
mod others;
mod put;

use std::{
    collections::HashSet,
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use common::{Listener, Run, Server, entries};
use tempfile::tempdir;

/// One server, and how it has to end.
pub(crate) struct Case {
    name: &'static str,
    operation: &'static str,
    /// What the client is started with; its server asks for options or does not.
    args: &'static [&'static str],
    script: fn(&mut Listener),
    end: End,
}

/// How a transfer has to end.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// The file has arrived; something like this is said.
    Whole(&'static str),
    /// With this status and words like these.
    Fails(i32, &'static str),
}

use End::{Fails, Whole};

const PLAIN: &[&str] = &["--no-options"];
const OPTIONS: &[&str] = &["-b", "512", "-w", "4"];
/// Gives up after the first silence.
const HASTY: &[&str] = &["--no-options", "-r", "0"];

/// The file: 600 bytes, two blocks, the second of 88 bytes.
fn file() -> Vec<u8> {
    (0..=255).cycle().take(600).collect()
}

/// What was there before.
const OLD: &[u8] = b"the old version";

/// Makes a test of each case, and a list of them all.
macro_rules! cases {
    ($operation:literal, $($name:ident, $args:expr, $end:expr, $script:expr;)*) => {
        pub(crate) const CASES: &[crate::Case] = &[$(crate::Case {
            name: stringify!($name),
            operation: $operation,
            args: $args,
            script: $script,
            end: $end,
        }),*];

        mod tests {
            $(#[test]
            fn $name() {
                crate::holds(super::CASES, stringify!($name));
            })*
        }
    };
}
pub(crate) use cases;

/// The whole ladder of options, when nothing answers at all: each attempt from another port, and
/// the end within 30 seconds.
#[test]
#[ignore = "takes half a minute"]
fn a_server_that_never_answers_is_asked_with_fewer_and_fewer_options() {
    let folder = tempdir().unwrap();
    let (asked, requests) = channel();
    let server = Server::start(move |listener| {
        for _ in 0..3 {
            let (request, peer) = listener.accept_new();
            asked.send((request, peer)).unwrap();
        }
    });
    let began = Instant::now();
    let args = ["127.0.0.1", &server.port, "-c", "get a"];
    let run = common::tftp(folder.path(), args, b"").ends_with(3);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(run.stderr.starts_with("tftp: get a: no answer from 127.0.0.1:"), "{}", run.stderr);
    let requests: Vec<_> = requests.iter().collect();
    let shown = requests.iter().map(|(request, _)| request.escape_ascii().to_string());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            r"\x00\x01a\x00octet\x00blksize\x001428\x00windowsize\x0016\x00tsize\x000\x00",
            r"\x00\x01a\x00octet\x00blksize\x001428\x00tsize\x000\x00",
            r"\x00\x01a\x00octet\x00",
        ]
    );
    let ports: HashSet<_> = requests.iter().map(|(_, port)| port).collect();
    assert_eq!(ports.len(), 3);
}

/// First nothing leads away from the machine at all, then a cable at whose other end nobody is.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "makes network namespaces, which needs root or user namespaces"]
fn a_host_that_no_way_leads_to_is_told_of_as_soon_as_the_system_knows() {
    let cable = "ip link set lo up; ip link add here type veth peer name there; \
                 ip link set there up; ip link set here up; \
                 ip addr add 192.0.2.1/24 dev here; exec \"$@\"";
    for (network, said) in [("exec \"$@\"", "Network is unreachable"), (cable, "No route to host")]
    {
        let folder = tempdir().unwrap();
        let mut alone = Command::new("unshare");
        alone.args(["-Urn", "sh", "-ec", network, "sh", env!("CARGO_BIN_EXE_tftp"), "192.0.2.9"]);
        let streams = alone.current_dir(folder.path()).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = streams.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"trace on\nget a\n").unwrap();
        let run = Run::of(child).ends_with(3);
        let end =
            format!("tftp: line 2: get a: network: {said}; check the host, and the way to it\n");
        assert!(run.stderr.ends_with(&end), "{}", run.stderr);
        // There would be four of each with fewer options.
        assert!(run.stderr.matches("RRQ").count() < 4, "{}", run.stderr);
    }
}

/// In a mount namespace of its own.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "mounts a tmpfs, which needs root or user namespaces"]
fn a_disk_that_fills_up_keeps_the_old_file_and_the_server_is_told() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let (_, mut peer) = listener.accept_any();
        peer.send(b"\0\x06blksize\x008192\0");
        peer.expect_ack(0);
        for block in 1.. {
            assert!(block < 9, "64 KiB hold no more than eight blocks of 8 KiB");
            peer.send_data(block, &[7; 8192]);
            let answer = peer.receive();
            if answer.starts_with(b"\0\x05") {
                assert_eq!(answer, b"\0\x05\0\x03no space left\0");
                return;
            }
        }
    });
    let disk = "mount -t tmpfs -o size=64k none .; cd .; printf old >a; status=0; \
                \"$@\" || status=$?; ls -A; cat a; exit $status";
    let mut alone = Command::new("unshare");
    alone.args(["-Urm", "sh", "-c", disk, "sh", env!("CARGO_BIN_EXE_tftp"), "127.0.0.1"]);
    alone.args([&server.port, "-b", "8192", "-w", "1", "-c", "get a"]);
    let streams = alone.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = Run::of(streams.spawn().unwrap()).ends_with(4);
    server.finish();
    assert_eq!(run.text(), "a\nold");
    assert!(run.stderr.contains("No space left on device; make room"), "{}", run.stderr);
}

/// Runs a case against `tftp`.
#[track_caller]
fn holds(cases: &[Case], name: &str) {
    let case = cases.iter().find(|case| case.name == name).expect("a case of that name");
    let folder = tempdir().unwrap();
    let before = if case.operation == "get" { OLD.to_vec() } else { file() };
    fs::write(folder.path().join("a"), &before).unwrap();
    let args = [case.args, &["-c", case.operation, "a"]].concat();
    let run = Server::start(case.script).run(folder.path(), &args, b"");
    let told = format!("{}{}", run.text(), run.stderr);
    let Run { status, stderr, .. } = run;
    let (expected_status, words) = match case.end {
        Whole(words) => (0, words),
        Fails(status, words) => (status, words),
    };
    assert_eq!(status, expected_status, "{told}");
    assert!(told.contains(words), "{told}");
    // Nothing that a server says reaches the terminal as it is.
    assert!(told.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()), "{told:?}");
    assert_eq!(entries(folder.path()), ["a"]);
    let after = fs::read(folder.path().join("a")).unwrap();
    match case.end {
        Whole(_) => assert!(after == file(), "the file arrived changed"),
        Fails(..) => {
            assert!(after == before, "the old file has been touched");
            assert!(!stderr.is_empty());
        }
    }
}
