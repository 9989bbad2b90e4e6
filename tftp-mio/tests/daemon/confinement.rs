//! Which rights the process keeps: none that serving does not take. Some of it is seen from inside,
//! by code that is loaded into the server in place of somebody who has taken it over.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    manager::Manager,
    peer::{Peer, ack, data, oack, rrq, wrq},
    preload::preload,
    server::{Server, command},
    starting::run_to_its_end,
};

/// The user and the group of Linux that own nothing.
const NOBODY: u32 = 65_534;

/// What the system says of each thread of the server.
fn of_all_threads(server: &Server) -> Vec<String> {
    let threads = Path::new("/proc").join(server.id().to_string()).join("task");
    let threads = fs::read_dir(threads).expect("the server's threads");
    threads
        .map(|thread| fs::read_to_string(thread.expect("a thread").path().join("status")))
        .map(|status| status.expect("the status of a thread"))
        .collect()
}

fn upload(server: &Server, name: &str, content: &str) {
    let mut peer = Peer::of(server);
    peer.ask(wrq(name, &[]));
    peer.expect(ack(0));
    peer.send(data(1, content));
    peer.expect(ack(1));
    assert_eq!(fs::read(server.root().join(name)).expect("the upload"), content.as_bytes());
}

fn download(server: &Server, name: &str, content: &str) {
    let mut peer = Peer::of(server);
    peer.ask(rrq(name, &[]));
    peer.expect(data(1, content));
    peer.send(ack(1));
}

/// Runs a server that tries all this from inside, and expects how each attempt ends.
#[track_caller]
fn intrude(options: &[&str], attempts: &[(&str, &str)]) {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), "content").expect("a file");
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("our own folder");
    let within = |what: &str| what.replace("ROOT", root.path().to_str().expect("text"));
    let attempts: Vec<_> = attempts.iter().map(|(what, end)| (within(what), end)).collect();
    let list: Vec<_> = attempts.iter().map(|(what, _)| what.as_str()).collect();
    let mut command = command(options);
    command.arg(root.path());
    let _code = preload(&mut command, "intruder.c", ("INTRUDER", &list.join("\n")));
    let server = Server::run(root, command);
    for (what, end) in &attempts {
        let line = server.log_line(&format!("intruder: {what}: "));
        assert!(line.ends_with(*end), "{line} instead of {end} with {options:?}");
    }
    download(&server, "file", "content");
    server.stop();
}

/// Files, folders, programs, processes and services of the machine that the server has nothing to
/// do with. Without the sandbox each attempt gets what it wants: it is the sandbox that forbids it.
#[test]
fn who_takes_the_process_over_reaches_nothing_but_the_folder() {
    let outside = TempDir::new().expect("a folder");
    let path = |name: &str| outside.path().join(name).to_str().expect("text").to_owned();
    fs::write(path("secret"), "secret").expect("a file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let attempts = [
        format!("read {}", path("secret")),
        "read /etc/passwd".into(),
        "read /proc/self/environ".into(),
        format!("list {}", outside.path().display()),
        format!("create {}", path("new")),
        "run /bin/true".into(),
        format!("signal {}", std::process::id()),
        format!("tcp {port}"),
    ];
    let all_end = |end| attempts.iter().map(|what| (what.as_str(), end)).collect::<Vec<_>>();
    intrude(&["--no-sandbox"], &all_end("done"));
    let mut forbidden = all_end("Permission denied");
    forbidden[6].1 = "Operation not permitted";
    forbidden.push(("read ROOT/file", "done"));
    forbidden.push(("create ROOT/new", "Permission denied"));
    intrude(&[], &forbidden);
    intrude(&["--write", "never"], &forbidden);
    forbidden[9].1 = "done";
    intrude(&["--write", "create"], &forbidden);
}

/// They are given up before there is a second thread, for each thread has its own.
#[test]
fn no_thread_keeps_rights_that_others_have_given_up() {
    let server = Server::start();
    upload(&server, "new", "content");
    for status in of_all_threads(&server) {
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    server.stop();
}

#[test]
fn the_start_line_says_what_confines_the_process() {
    for (options, said) in [
        (&[][..], "no new privileges, sandboxed (Landlock)"),
        (&["--no-sandbox"], "no new privileges, no sandbox"),
    ] {
        let server = Server::with(options);
        let line = server.log_line("listening on ");
        assert!(line.ends_with(said), "{line}");
        server.stop();
    }
}

#[test]
fn a_user_or_group_that_does_not_exist_ends_with_2() {
    let root = TempDir::new().expect("a folder to serve");
    for (options, said) in [
        (["--user", "nobody-of-that-name"], "there is no user \"nobody-of-that-name\""),
        (["--group", "no-group-of-that-name"], "there is no group \"no-group-of-that-name\""),
        (["--user", "123456789"], "use --group too"),
    ] {
        let mut tftpd = command(options);
        let (code, text) = run_to_its_end(tftpd.arg(root.path()));
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(said), "{text}");
    }
}

/// A folder that NOBODY may write, and a server of it that NOBODY runs once it has started.
fn as_nobody(options: &[&str], poorer_by: Option<&str>) -> (Server, Option<TempDir>) {
    let root = TempDir::new().expect("a folder to serve");
    chown(root.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
    let mut command = command(["--user", "65534", "--group", "65534"].iter().chain(options));
    command.arg(root.path());
    let code = poorer_by.map(|what| preload(&mut command, "poorer.c", ("WITHOUT", what)));
    (Server::run(root, command), code)
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn a_user_who_was_root_keeps_nothing_of_that() {
    let (server, _) = as_nobody(&["--write", "create"], None);
    upload(&server, "new", "content");
    let statuses = of_all_threads(&server);
    assert!(statuses.len() > 1);
    for status in statuses {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let words = line.unwrap_or_else(|| panic!("no {name} in {status}"));
            words.split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(field("Uid:"), ["65534"; 4]);
        assert_eq!(field("Gid:"), ["65534"; 4]);
        assert_eq!(field("Groups:"), ["65534"]);
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(field("NoNewPrivs:"), ["1"]);
    }
    assert!(!server.stop().contains("running as root"));
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn a_user_who_was_root_cannot_become_root_again() {
    intrude(&["--no-sandbox"], &[("root -", "done")]);
    intrude(&["--no-sandbox", "--user", "nobody"], &[("root -", "Operation not permitted")]);
}

/// The uploads of a confined server without privileges, on systems of all kinds.
#[test]
#[ignore = "needs root; .ci/run runs it"]
fn uploads_take_no_privilege() {
    for poorer_by in [None, Some("empty_path"), Some("link"), Some("tmpfile")] {
        let (server, _code) = as_nobody(&["--write", "overwrite"], poorer_by);
        upload(&server, "file", "new");
        upload(&server, "file", "replaced");
        download(&server, "file", "replaced");
        server.stop();
    }
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn root_without_a_user_is_warned() {
    let server = Server::start();
    server.log_line("running as root: --user");
    assert!(server.log_line("listening on ").contains("as root, no new privileges"));
    server.stop();
}

/// Runs a `tftpd` that is to end by itself with status 1, and returns what it says.
#[track_caller]
fn refused(command: &mut Command) -> String {
    let (code, said) = run_to_its_end(command);
    assert_eq!(code, 1, "{said}");
    said
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn what_could_not_be_served_without_the_rights_of_root_is_said_at_the_start() {
    let root = TempDir::new().expect("a folder to serve");
    fs::set_permissions(root.path(), Permissions::from_mode(0o700)).expect("our own folder");
    let nobody = ["--user", "nobody"];
    let said = refused(command(nobody).arg(root.path()));
    let expected = format!("user nobody cannot enter {}: ", root.path().display());
    assert!(said.contains(&expected), "{said}");
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("our own folder");
    let low = ["--user", "nobody", "--ports", "100-200"];
    let said = refused(command(low).arg(root.path()));
    assert!(said.contains("transfer port 100 takes the rights of root"), "{said}");
}

/// What the system says of the same options with `--check`, and how that ends.
fn check(options: &[&str], root: &Path) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tftpd"));
    run_to_its_end(command.arg("--check").args(options).arg(root))
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn a_check_fails_where_the_start_would_for_want_of_rights() {
    let root = TempDir::new().expect("a folder to serve");
    fs::set_permissions(root.path(), Permissions::from_mode(0o700)).expect("our own folder");
    let (code, said) = check(&["--user", "nobody"], root.path());
    assert!(code == 1 && said.contains("user nobody cannot enter"), "{code}: {said}");
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("our own folder");
    let (code, said) = check(&["--user", "nobody", "--ports", "100-200"], root.path());
    assert!(code == 1 && said.contains("takes the rights of root"), "{code}: {said}");
    let (code, said) = check(&["--user", "nobody"], root.path());
    assert!(code == 0 && said.contains("# serving") && !said.contains("warning"), "{said}");
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn what_will_not_be_possible_later_is_said_at_the_start_and_by_a_check() {
    let (root, around) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    for folder in [&root, &around] {
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our own folder");
    }
    let at = |name: &str| around.path().join(name).to_str().expect("text").to_owned();
    for file in ["config.toml", "map.toml"] {
        fs::write(at(file), "").expect("a file");
        fs::set_permissions(at(file), Permissions::from_mode(0o600)).expect("our own file");
    }
    let (config, map, log) = (at("config.toml"), at("map.toml"), at("log"));
    let options = ["--user", "nobody", "--write", "create", "--config", &config, "--map", &map];
    let options = [&options[..], &["--log-file", &log]].concat();
    let warnings = [
        format!("user nobody cannot write into {} itself", root.path().display()),
        format!("user nobody cannot read the configuration {config} again"),
        format!("user nobody cannot read the map {map} again"),
        format!("user nobody cannot make files in {}", around.path().display()),
    ];
    let (code, said) = check(&options, root.path());
    assert_eq!(code, 0, "{said}");
    for warning in &warnings {
        assert!(said.contains(&format!("tftpd: warning: {warning}")), "{warning} is not in {said}");
    }

    let manager = Manager::new();
    let socket = manager.folder().join("notify");
    fs::set_permissions(socket, Permissions::from_mode(0o666)).expect("our own socket");
    fs::set_permissions(manager.folder(), Permissions::from_mode(0o755)).expect("our own folder");
    let service = manager.start(command(&options).arg(root.path()));
    manager.ready();
    service.stop();
    let said = fs::read_to_string(&log).expect("the log");
    for warning in &warnings {
        assert!(said.contains(&format!(" WARN {warning}")), "{warning} is not in {said}");
    }
}

/// A copy of the program that everybody may run.
fn copy_for_all(folder: &Path) -> PathBuf {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("our own folder");
    let program = folder.join("tftpd");
    // Not by us: while we have it open for writing, another test may start a program that has it
    // open too, and nobody can run it.
    let cp = Command::new("cp").arg(env!("CARGO_BIN_EXE_tftpd")).arg(&program).status();
    assert!(cp.expect("cp").success());
    program
}

#[test]
#[ignore = "needs root; .ci/run runs it"]
fn who_is_not_root_can_become_nobody_else() {
    let root = TempDir::new().expect("a folder to serve");
    let mut tftpd = Command::new(copy_for_all(root.path()));
    tftpd.uid(NOBODY).gid(NOBODY).args(["--listen", "127.0.0.1:0", "--user", "daemon"]);
    let said = refused(tftpd.arg(root.path()));
    assert!(said.contains("cannot become user daemon: "), "{said}");

    // Except for who one is already.
    let mut tftpd = Command::new(copy_for_all(root.path()));
    tftpd.uid(NOBODY).gid(NOBODY).args(["--listen", "127.0.0.1:0", "--grace", "0"]);
    tftpd.args(["--user", "65534", "--group", "65534"]).arg(root.path());
    let server = Server::run(root, tftpd);
    assert!(server.log_line("listening on ").contains("as user 65534, "));
    server.stop();
}

/// Inside of the sandbox, on systems of all kinds. Nothing is left where a client gives up.
#[test]
fn uploads_work_on_poorer_systems() {
    for poorer_by in ["empty_path", "link", "tmpfile"] {
        let root = TempDir::new().expect("a folder to serve");
        let mut command = command(["--write", "overwrite"]);
        command.arg(root.path());
        let _code = preload(&mut command, "poorer.c", ("WITHOUT", poorer_by));
        let server = Server::run(root, command);
        upload(&server, "file", "new");
        upload(&server, "file", "replaced");
        let mut peer = Peer::of(&server);
        peer.ask(wrq("other", &[("blksize", "8")]));
        peer.expect(oack(&[("blksize", "8")]));
        peer.send(data(1, [0; 8]));
        peer.expect(ack(1));
        peer.send(data(2, [0; 9]));
        peer.expect_error(4);
        server.log_line("name=\"other\"");
        let left = fs::read_dir(server.root()).expect("the served folder");
        assert_eq!(left.count(), 1, "without {poorer_by}");
        server.stop();
    }
}
