//! The daemon as a service: what it tells a service manager, and what it takes from one; in the
//! background; with its pid file and its log file.

use std::{
    fs::{self, File, Permissions},
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::fs::{PermissionsExt as _, symlink},
    },
    path::Path,
    process::{Command, Stdio},
    thread::{self, ScopedJoinHandle},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::{
    manager::{Manager, Service},
    peer::{Peer, ack, content, data, error, oack, rrq},
    server::{Server, command},
};

fn peer(server: SocketAddr) -> Peer {
    Peer::at(Ipv4Addr::LOCALHOST.into(), server)
}

/// A folder with one file of 1000 bytes.
fn folder() -> TempDir {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), content(1000)).expect("a file to serve");
    root
}

#[test]
fn a_service_manager_is_told_of_the_start_a_reload_and_the_end() {
    let (manager, root) = (Manager::new(), folder());
    let mut service = manager.start(command([""; 0]).arg(root.path()));
    let message = manager.told("READY=1");
    assert!(message.contains("STATUS=serving "), "{message}");
    service.signal(Signal::HUP);
    let message = manager.told("RELOADING=1");
    assert!(message.contains("MONOTONIC_USEC="), "{message}");
    manager.told("READY=1");
    service.signal(Signal::TERM);
    manager.told("STOPPING=1");
    assert!(service.wait().success());
}

#[test]
fn a_watchdog_is_fed() {
    let (manager, root) = (Manager::new(), folder());
    let mut command = command([""; 0]);
    let service = manager.start(command.env("WATCHDOG_USEC", "200000").arg(root.path()));
    manager.ready();
    for _ in 0..5 {
        manager.told("WATCHDOG=1");
    }
    service.stop();
}

/// Starts a service on a socket of ours, as systemd does: as descriptor 3, in the process that it
/// is meant for.
fn activate(manager: &Manager, socket: &UdpSocket, grace: &str, root: &Path) -> Service {
    let socket: OwnedFd = socket.try_clone().expect("another descriptor").into();
    let mut shell = Command::new("sh");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_tftpd"), "--grace", grace]).arg(root);
    manager.start(shell.stdin(Stdio::from(socket)))
}

#[test]
fn a_socket_that_the_manager_has_bound_is_served_and_a_restart_loses_no_request() {
    let (manager, root) = (Manager::new(), folder());
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("its address");
    let first = activate(&manager, &socket, "0", root.path());
    assert_eq!(manager.ready(), address);
    let mut before = peer(address);
    before.ask(rrq("file", &[]));
    before.expect(data(1, &content(1000)[..512]));
    first.stop();

    // Nobody serves now.
    let mut between = peer(address);
    between.ask(rrq("file", &[("blksize", "1000")]));
    let second = activate(&manager, &socket, "0", root.path());
    between.expect(oack(&[("blksize", "1000")]));
    second.stop();
}

/// Clients ask once and never again, whether one server serves, drains, is gone, or another begins.
#[test]
fn restarts_under_load_lose_no_request() {
    let (manager, root) = (Manager::new(), folder());
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("its address");
    let start = || {
        let service = activate(&manager, &socket, "60", root.path());
        manager.ready();
        service
    };
    let read = || {
        for _ in 0..100 {
            let mut peer = peer(address);
            peer.ask(rrq("file", &[("timeout", "60")]));
            peer.expect_next(oack(&[("timeout", "60")]));
            peer.send(ack(0));
            assert_eq!(peer.read_blocks(1, 512, 1), content(1000));
        }
    };
    let (service, restarts) = thread::scope(|scope| {
        let mut service = start();
        let readers = [(); 4].map(|()| scope.spawn(read));
        let mut restarts = 0;
        while !readers.iter().all(ScopedJoinHandle::is_finished) {
            service.stop();
            service = start();
            restarts += 1;
        }
        (service, restarts)
    });
    assert!(restarts > 1, "only {restarts} restarts beside 400 transfers");
    service.stop();
}

#[test]
fn a_socket_that_serves_no_requests_is_refused() {
    let root = folder();
    let stream: OwnedFd = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket").into();
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_tftpd")])
        .arg(root.path())
        .stdin(Stdio::from(stream))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot take the sockets over"), "{said}");
}

/// Another process would serve, to whom they do not belong.
#[test]
fn in_the_background_no_sockets_are_taken_over() {
    let root = folder();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_tftpd"), "--background"])
        .args(["--listen", "127.0.0.1:0"])
        .arg(root.path())
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("has passed sockets") && said.contains("--background"), "{said}");
}

#[test]
fn in_the_background_the_caller_waits_until_it_is_served() {
    let (manager, root) = (Manager::new(), folder());
    let (log, pid_file) = (manager.folder().join("log"), manager.folder().join("pid"));
    let mut command = command(["--background"]);
    command.arg("--log-file").arg(&log).arg("--pid-file").arg(&pid_file).arg(root.path());
    command.env("NOTIFY_SOCKET", manager.folder().join("notify"));
    // It would wait for ever if anything kept our pipes open.
    let output = command.output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));

    let held = File::open(&pid_file).expect("a pid file");
    let id = io::read_to_string(&held).expect("its text").trim().parse();
    let id = Pid::from_raw(id.expect("a number")).expect("above zero");
    test_kill_process(id).expect("it runs");
    let mut peer = peer(manager.ready());
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, &content(1000)[..512]));
    kill_process(id, Signal::TERM).expect("it runs");
    peer.expect(error(0, "server is shutting down"));
    manager.told("STOPPING=1");
    // It holds its lock as long as it lives.
    held.lock().expect("a lock");
    assert!(!pid_file.exists());
}

#[test]
fn in_the_background_a_failure_is_told_to_the_caller() {
    let (server, root) = (Server::start(), folder());
    let taken = server.address().to_string();
    let missing = root.path().join("missing");
    for (options, code, hint) in [
        (["--listen", &*taken, "--background"], 1, "ss -ulnp"),
        (["--listen", "127.0.0.1:0", "--background"], 2, "cannot serve"),
    ] {
        let serve = if code == 1 { root.path() } else { &*missing };
        let output = command(options).arg(serve).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(hint), "{said}");
    }
    server.stop();
}

#[test]
fn a_pid_file_is_there_as_long_as_the_process_and_keeps_a_second_one_out() {
    let (manager, root) = (Manager::new(), folder());
    let pid_file = manager.folder().join("pid");
    // What a crash has left behind.
    fs::write(&pid_file, "1\n").expect("a stale pid file");
    let with_pid_file = || {
        let mut command = command([""; 0]);
        command.arg("--pid-file").arg(&pid_file).arg(root.path());
        command
    };
    let first = manager.start(&mut with_pid_file());
    manager.ready();
    let id = first.0.id();
    assert_eq!(fs::read_to_string(&pid_file).expect("a pid file"), format!("{id}\n"));

    let second = with_pid_file().output().expect("it runs");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("process {id} holds it")), "{said}");
    assert_eq!(fs::read_to_string(&pid_file).expect("a pid file"), format!("{id}\n"));

    first.stop();
    assert!(!pid_file.exists());
}

#[test]
fn hup_opens_the_log_file_anew_after_it_was_moved_away() {
    let (manager, root) = (Manager::new(), folder());
    let (log, moved) = (manager.folder().join("log"), manager.folder().join("log.1"));
    let mut command = command([""; 0]);
    let service = manager.start(command.arg("--log-file").arg(&log).arg(root.path()));
    let address = manager.ready();
    fs::rename(&log, &moved).expect("a log to rotate");
    service.signal(Signal::HUP);
    manager.told("RELOADING=1");
    manager.told("READY=1");
    let mut peer = peer(address);
    peer.ask(rrq("missing", &[]));
    peer.expect_error(1);
    service.stop();
    let (old, new) = (fs::read_to_string(moved), fs::read_to_string(log));
    let (old, new) = (old.expect("the old log"), new.expect("the new log"));
    assert!(old.contains("serving") && !old.contains("missing"), "{old}");
    assert!(new.contains("missing") && new.contains("stopped"), "{new}");
}

#[test]
fn hup_opens_the_log_file_anew_whatever_is_wrong_with_the_configuration() {
    let (manager, root) = (Manager::new(), folder());
    let at = |name: &str| manager.folder().join(name);
    fs::write(at("config"), "").expect("a configuration");
    let mut command = command([""; 0]);
    command.arg("--log-file").arg(at("log")).arg("--config").arg(at("config")).arg(root.path());
    let service = manager.start(&mut command);
    manager.ready();
    fs::rename(at("log"), at("log.1")).expect("a log to rotate");
    fs::write(at("config"), "wirte = 1\n").expect("a configuration");
    service.signal(Signal::HUP);
    manager.told("RELOADING=1");
    manager.told("READY=1");
    service.stop();
    let (old, new) = (fs::read_to_string(at("log.1")), fs::read_to_string(at("log")));
    let (old, new) = (old.expect("the old log"), new.expect("the new log"));
    assert!(new.contains("not reloaded") && new.contains("stopped"), "{new}");
    assert!(!old.contains("not reloaded"), "{old}");
}

/// Of each file the link is in one folder, and what it leads to in another.
#[test]
fn hup_reads_files_anew_that_are_links_to_other_folders() {
    let (manager, root) = (Manager::new(), folder());
    let [links, files] = ["links", "files"].map(|name| manager.folder().join(name));
    for folder in [&links, &files] {
        fs::create_dir(folder).expect("a folder");
    }
    for name in ["config", "map"] {
        fs::write(files.join(name), "").expect("a file");
        symlink(files.join(name), links.join(name)).expect("a link");
    }
    let mut command = command([""; 0]);
    for option in ["config", "map"] {
        command.arg(format!("--{option}")).arg(links.join(option));
    }
    let service = manager.start(command.arg(root.path()));
    let address = manager.ready();

    fs::write(files.join("config"), "max-blksize = 600\n").expect("a configuration");
    fs::write(files.join("map"), "r ^menu$ file\n").expect("rules");
    service.signal(Signal::HUP);
    manager.told("RELOADING=1");
    manager.told("READY=1");
    let mut peer = peer(address);
    peer.ask(rrq("menu", &[("blksize", "1000")]));
    peer.expect(oack(&[("blksize", "600")]));
    service.stop();
}

/// It is in a folder of root's, where nobody else may create another one.
#[test]
#[ignore = "needs root; .ci/run runs it"]
fn hup_opens_the_log_file_anew_after_root_was_given_up() {
    let (manager, root) = (Manager::new(), folder());
    for folder in [manager.folder(), root.path()] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("our own folder");
    }
    let notify = manager.folder().join("notify");
    fs::set_permissions(notify, Permissions::from_mode(0o666)).expect("our own socket");
    let log = manager.folder().join("log");
    let mut command = command(["--user", "65534", "--group", "65534"]);
    let service = manager.start(command.arg("--log-file").arg(&log).arg(root.path()));
    manager.ready();
    service.signal(Signal::HUP);
    manager.told("RELOADING=1");
    manager.told("READY=1");
    service.stop();
    let log = fs::read_to_string(log).expect("the log");
    assert!(log.contains("reloaded") && !log.contains("not reloaded"), "{log}");
    assert!(log.contains("stopped"), "{log}");
}

#[test]
fn usr1_logs_the_state() {
    let server = Server::start();
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[("timeout", "9")]));
    peer.expect_next(oack(&[("timeout", "9")]));
    peer.send(ack(0));
    peer.expect_next(data(1, &content(1000)[..512]));
    server.signal(Signal::USR1);
    let line = server.log_line("active=");
    assert!(line.contains("active=1 ") && line.contains(" reads_begun=1 "), "{line}");
    server.log_line("state: write = \"create\"");
    server.stop();
}
