//! Starting: what is said, and what happens when it cannot be.

use std::{
    fs,
    net::UdpSocket,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use wait_timeout::ChildExt as _;

use crate::server::{Server, command};

/// Far above what anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a `tftpd` with just these arguments that is expected to end by itself.
fn tftpd(arguments: &[&str]) -> (i32, String) {
    run_to_its_end(Command::new(env!("CARGO_BIN_EXE_tftpd")).args(arguments))
}

#[test]
fn the_start_line_says_what_is_served_where_and_how() {
    for (options, how) in [
        (&[][..], "read-only"),
        (&["--write", "create"], "uploads under new names"),
        (&["--write", "overwrite"], "uploads may replace files"),
    ] {
        let server = Server::with(options);
        let line = server.log_line("serving");
        let (root, port) = (server.root().display(), server.port());
        let expected = format!(
            "serving {root} ({how}), listening on 127.0.0.1:{port}; transfer ports 20000-29999, \
             blksize up to 65464, windowsize up to 64"
        );
        assert!(line.contains(&expected), "{line}");
        server.stop();
    }
}

#[test]
fn the_current_folder_is_served_by_default() {
    let root = TempDir::new().expect("a folder to serve");
    let shown = format!("serving {} (", root.path().display());
    let mut command = command([""; 0]);
    command.current_dir(root.path());
    let server = Server::run(root, command);
    assert!(server.log_line("serving").contains(&shown));
    server.stop();
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    for (arguments, hint) in [
        (&["--bogus"][..], "--bogus"),
        (&["--write", "maybe"], "overwrite"),
        (&["--listen", "example.org"], "192.0.2.1:69"),
        (&["--ports", "9-7"], "FIRST-LAST"),
        (&["--max-blksize", "7"], "8"),
        (&["--max-blksize", "65465"], "65464"),
        (&["--max-windowsize", "0"], "1"),
        (&["--max-windowsize", "32768"], "from 1 to 32767"),
        (&["--timeout", "soon"], "seconds"),
        (&["--timeout=-1"], "seconds"),
        (&["--retries", "x"], "use a number from 0 to 255"),
        (&["--workers", "0"], "use a number from 1 on"),
        (&["--max-transfers", "0"], "use a number from 1 on"),
        (&["--busy-poll", "1000001"], "use microseconds, up to 1000000"),
        (&["--offer", "blksize"], "utimeout, blksize2, rollover, msftwindow"),
        (&["one", "two"], "two"),
    ] {
        let (code, said) = tftpd(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(hint), "{arguments:?}: {said}");
    }
}

#[test]
fn a_link_local_address_without_its_interface_is_told_how_to_have_one() {
    let root = TempDir::new().expect("a folder to serve");
    let (code, said) = run_to_its_end(command(["--listen", "[fe80::1]:6969"]).arg(root.path()));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("--listen '[fe80::1%eth0]:6969'"), "{said}");
    assert!(!said.contains("os error"), "{said}");
}

#[test]
fn one_worker_is_one() {
    let server = Server::with(["--workers", "1"]);
    let line = server.log_line("serving");
    assert!(line.contains(", 1 worker with"), "{line}");
    server.stop();
}

#[test]
fn help_and_version_end_with_0() {
    let (code, said) = tftpd(&["--help"]);
    assert!(code == 0 && said.contains("--listen"), "{code}: {said}");
    let (code, said) = tftpd(&["--version"]);
    assert!(code == 0 && said.contains(env!("CARGO_PKG_VERSION")), "{code}: {said}");
}

#[test]
fn a_root_that_is_no_folder_ends_with_2() {
    let around = TempDir::new().expect("a folder");
    let file = around.path().join("file");
    fs::write(&file, "").expect("a file");
    for root in [&file, &around.path().join("missing")] {
        let (code, said) = run_to_its_end(command([""; 0]).arg(root));
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(&format!("cannot serve {}", root.display())), "{said}");
    }
}

#[test]
fn a_port_that_is_taken_ends_with_1_and_advice() {
    let root = TempDir::new().expect("a folder to serve");
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = taken.local_addr().expect("its address").to_string();
    let (code, said) = run_to_its_end(command(["--listen", &address]).arg(root.path()));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.contains("ss -ulnp") && said.contains("--listen"), "{said}");
}

/// A second server must not take requests away from the first.
#[test]
fn a_second_server_on_the_same_port_does_not_start() {
    let server = Server::start();
    let address = server.address().to_string();
    let (code, said) = run_to_its_end(command(["--listen", &address]).arg(server.root()));
    assert_eq!(code, 1, "{said}");
    server.stop();
}

/// It may get the address later, with the interface that has it.
#[test]
fn an_address_that_no_interface_has_is_waited_for_and_said() {
    let server = Server::with(["--listen", "192.0.2.1:0", "--listen", "127.0.0.1:0"]);
    let line = server.log_line("no interface");
    assert!(line.contains("WARN no interface of this machine has 192.0.2.1 yet"), "{line}");
    let log = server.stop();
    assert_eq!(log.matches("no interface").count(), 1, "{log}");
}

#[test]
#[ignore = "needs root, and a kernel that keeps port 69 for it; .ci/run runs it"]
fn without_the_privilege_for_port_69_it_says_what_to_do() {
    const NOBODY: u32 = 65_534;
    let root = TempDir::new().expect("a folder to serve");
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
    // The build's folder may be out of that user's reach.
    let program = root.path().join("tftpd");
    // Not by us: while we have it open for writing, another test may start a program that has it
    // open too, and nobody can run it.
    let cp = Command::new("cp").arg(env!("CARGO_BIN_EXE_tftpd")).arg(&program).status();
    assert!(cp.expect("cp").success());
    let mut command = Command::new(&program);
    command.uid(NOBODY).gid(NOBODY).args(["--listen", "127.0.0.1"]).arg(root.path());
    let (code, said) = run_to_its_end(&mut command);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot listen on 127.0.0.1:69"), "{said}");
    assert!(said.contains("setcap cap_net_bind_service") && said.contains(":6969"), "{said}");
}

/// Runs a program that is expected to end by itself, and soon: its exit status, and what it wrote.
#[track_caller]
pub(crate) fn run_to_its_end(command: &mut Command) -> (i32, String) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let in_time = child.wait_timeout(PATIENCE).expect("waiting for a child").is_some();
    if !in_time {
        child.kill().expect("a child to end");
    }
    let output = child.wait_with_output().expect("what it wrote");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(in_time, "{command:?} does not end by itself: {said}");
    (output.status.code().expect("an end by itself"), said)
}
