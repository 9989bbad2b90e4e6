//! Names as clients write them, and names that lead somewhere else.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, rrq, wrq},
    server::{Server, command},
};

/// A served folder with `file` and `dir/file`. Beside it, and so outside, are `secret` and, with a
/// name that begins like the folder's own, `root-other/secret`.
struct Tree {
    server: Server,
    around: PathBuf,
}

impl Tree {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        let around = TempDir::new().expect("a folder");
        let outside = around.path().to_owned();
        let root = outside.join("root");
        fs::create_dir_all(root.join("dir")).expect("a folder to serve");
        fs::create_dir(outside.join("root-other")).expect("a folder");
        for (name, content) in [
            ("secret", "secret"),
            ("root-other/secret", "secret"),
            ("root/file", "content"),
            ("root/dir/file", "inner"),
        ] {
            fs::write(outside.join(name), content).expect("a file");
        }
        let mut command = command(["--write", "overwrite"].iter().chain(options));
        command.arg(&root);
        Self { server: Server::run(around, command), around: outside }
    }

    fn root(&self) -> PathBuf {
        self.around.join("root")
    }

    /// Expects that a read of `name` gets this one block.
    #[track_caller]
    fn serves(&self, name: impl AsRef<[u8]>, expected: &str) {
        let mut peer = Peer::of(&self.server);
        peer.ask(rrq(name, &[]));
        peer.expect(data(1, expected));
        peer.send(ack(1));
    }

    /// Expects that reading and writing `name` are refused, for good and without telling a path.
    #[track_caller]
    fn refuses(&self, name: impl AsRef<[u8]>, code: u8) {
        let mut peer = Peer::of(&self.server);
        for request in [rrq(&name, &[]), wrq(&name, &[])] {
            peer.ask(request);
            let text = peer.expect_error(code);
            assert!(!text.contains('/'), "{text}");
            peer.expect_nothing();
        }
    }
}

#[test]
fn slashes_of_both_kinds_and_steps_on_the_spot_do_not_count() {
    let tree = Tree::new();
    for name in ["file", "/file", "//file", "./file", "\\file", ".\\file", "/./file"] {
        tree.serves(name, "content");
    }
    for name in ["dir/file", "/dir/file", "dir//file", "\\dir\\file", "\\dir/.\\file", "dir/./file"]
    {
        tree.serves(name, "inner");
    }
    tree.server.stop();
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_refused() {
    let tree = Tree::new();
    for name in [
        "../secret",
        "../../secret",
        "..\\secret",
        "/../secret",
        "dir/../../secret",
        "dir\\..\\..\\secret",
        "../root-other/secret",
        "../root/../secret",
        "..",
        "dir/..",
    ] {
        tree.refuses(name, 2);
    }
    tree.server.stop();
}

/// Steps upwards that stay beneath the folder are no way out.
#[test]
fn a_step_upwards_inside_of_the_folder_is_allowed() {
    let tree = Tree::new();
    tree.serves("dir/../file", "content");
    tree.server.stop();
}

#[test]
fn an_absolute_path_is_taken_beneath_the_folder() {
    let tree = Tree::new();
    let secret = tree.around.join("secret");
    let mut peer = Peer::of(&tree.server);
    for name in [secret.as_os_str().as_bytes(), b"/etc/passwd", b"C:\\x", b"CON", b"file:stream"] {
        peer.ask(rrq(name, &[]));
        peer.expect_error(1);
    }
    tree.server.stop();
}

#[test]
fn links_that_stay_inside_work_and_others_do_not() {
    let tree = Tree::new();
    let link = |target: &str, name: &str| {
        symlink(target, tree.root().join(name)).expect("a link");
    };
    link("file", "to-file");
    link("../file", "dir/to-file");
    link("dir", "to-dir");
    tree.serves("to-file", "content");
    tree.serves("dir/to-file", "content");
    tree.serves("to-dir/file", "inner");

    link("../secret", "out");
    link("..", "up");
    link("/etc/passwd", "absolute");
    link("/dev/null", "device");
    link("/proc/self/root/etc/passwd", "magic");
    link("loop", "loop");
    let mut peer = Peer::of(&tree.server);
    for name in ["out", "up/secret", "absolute", "device", "magic", "loop", "up/root/file"] {
        peer.ask(rrq(name, &[]));
        peer.expect_error(2);
    }
    tree.server.stop();
}

#[test]
fn an_upload_goes_through_a_link_as_long_as_that_stays_inside() {
    let tree = Tree::new();
    symlink("dir/file", tree.root().join("in")).expect("a link");
    symlink("../secret", tree.root().join("out")).expect("a link");
    let mut peer = Peer::of(&tree.server);
    peer.ask(wrq("in", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "new"));
    peer.expect(ack(1));
    assert_eq!(fs::read(tree.root().join("dir/file")).expect("the upload"), b"new");
    assert!(tree.root().join("in").is_symlink());

    let mut peer = Peer::of(&tree.server);
    peer.ask(wrq("out", &[]));
    peer.expect_error(2);
    let secret = fs::read(tree.around.join("secret"));
    assert_eq!(secret.expect("the file outside"), b"secret");
    tree.server.stop();
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let tree = Tree::new();
    let root = tree.root();
    let made = Command::new("mkfifo").arg(root.join("fifo")).status().expect("mkfifo runs");
    assert!(made.success());
    let _listener = UnixListener::bind(root.join("socket")).expect("a socket");
    for name in ["fifo", "socket", "dir", "dir/", "file/", "file/.", "/", ".", "./", "\\"] {
        tree.refuses(name, 2);
    }
    // A server that waits at the pipe would not answer any more.
    tree.serves("file", "content");
    tree.server.stop();
}

/// Whoever waited at the pipe would answer nobody any more.
#[test]
fn no_pipe_is_opened_to_find_out_where_a_name_leads() {
    for options in [&[][..], &["--client-root", "dir/{ip}"], &["--ignore-case"]] {
        let tree = Tree::with(&[&["--workers", "1"], options].concat());
        let root = tree.root();
        let made = Command::new("mkfifo").arg(root.join("fifo")).status().expect("mkfifo runs");
        assert!(made.success());
        fs::create_dir(root.join("dir/127.0.0.1")).expect("our own folder");
        symlink("fifo", root.join("link")).expect("a link");
        symlink("../../fifo", root.join("dir/127.0.0.1/own")).expect("a link");
        for name in ["fifo", "link", "dir/127.0.0.1/own"] {
            let mut peer = Peer::of(&tree.server);
            peer.ask(rrq(name, &[]));
            peer.expect_error(2);
        }
        let mut peer = Peer::of(&tree.server);
        let to_write = if options.contains(&"--client-root") { "own" } else { "link" };
        peer.ask(wrq(to_write, &[]));
        peer.expect_error(2);
        tree.serves("file", "content");
        tree.server.stop();
    }
}

#[test]
#[ignore = "makes a device, which needs root; .ci/run runs it"]
fn a_device_is_refused_at_once() {
    let tree = Tree::new();
    for (name, kind, numbers) in [("zero", "c", ["1", "5"]), ("disk", "b", ["7", "0"])] {
        let mut mknod = Command::new("mknod");
        let made = mknod.arg(tree.root().join(name)).arg(kind).args(numbers).status();
        assert!(made.expect("mknod runs").success());
        tree.refuses(name, 2);
    }
    tree.server.stop();
}

#[test]
fn a_folder_that_is_removed_is_said_once_and_served_again_after_a_restart() {
    let around = TempDir::new().expect("a folder");
    let root = around.path().join("root");
    let serve = || {
        fs::create_dir(&root).expect("a folder to serve");
        fs::write(root.join("file"), "content").expect("a file");
        let mut command = command(["--write", "create"]);
        command.arg(&root);
        Server::run(TempDir::new().expect("a folder"), command)
    };
    let server = serve();
    fs::remove_dir_all(&root).expect("our own folder");
    for _ in 0..3 {
        let mut peer = Peer::of(&server);
        peer.ask(rrq("file", &[]));
        peer.expect(b"\0\x05\0\x01file not found\0");
        peer.ask(wrq("new", &[]));
        peer.expect_error(2);
    }
    let log = server.stop();
    assert_eq!(log.matches("WARN the served folder has been removed").count(), 1, "{log}");
    assert!(log.contains("tftpd is restarted"), "{log}");

    let server = serve();
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, "content"));
    peer.send(ack(1));
    server.stop();
}

#[test]
fn one_trailing_ff_is_taken_off_where_the_exact_name_does_not_exist() {
    let tree = Tree::new();
    tree.serves(b"file\xFF", "content");
    fs::write(tree.root().join(OsStr::from_bytes(b"file\xFF")), "exact").expect("a file");
    tree.serves(b"file\xFF", "exact");
    let mut peer = Peer::of(&tree.server);
    peer.ask(rrq(b"dir/file\xFF\xFF", &[]));
    peer.expect_error(1);
    tree.server.stop();
}

#[test]
fn names_are_bytes() {
    let tree = Tree::new();
    for name in [&b"\xE9t\xE9"[..], b"a\nb", b"%s%n", b"a b", b"\x1b[31m", "ü".as_bytes()] {
        fs::write(tree.root().join(OsStr::from_bytes(name)), "bytes").expect("a file");
        tree.serves(name, "bytes");
    }
    tree.server.stop();
}

#[test]
fn names_too_long_for_a_file_are_not_found() {
    let tree = Tree::new();
    let deep = "d/".repeat(300) + "file";
    let mut peer = Peer::of(&tree.server);
    for name in
        ["a".repeat(256), "a".repeat(5000), "a".repeat(40_000), deep, "d/".repeat(10_000) + "f"]
    {
        peer.ask(rrq(&name, &[]));
        peer.expect_error(1);
        peer.expect_nothing();
    }
    tree.server.stop();
}

/// Code 1 would speak of a file that was to be read.
#[test]
fn a_name_that_cannot_be_written_is_refused_with_code_2() {
    let tree = Tree::new();
    symlink("missing/file", tree.root().join("to-nowhere")).expect("a link");
    let mut peer = Peer::of(&tree.server);
    for (name, text) in [
        ("a".repeat(300), "no file can have that name"),
        ("dir/".to_owned() + &"a".repeat(300), "no file can have that name"),
        ("a".repeat(300) + "/file", "no file can have that name"),
        ("to-nowhere".into(), "no such folder"),
        ("missing/file".into(), "no such folder"),
        ("file/new".into(), "no such folder"),
    ] {
        peer.ask(wrq(&name, &[]));
        assert_eq!(peer.expect_error(2), text, "{name}");
    }
    tree.server.stop();
}

/// As a file is created through it by any program.
#[test]
fn an_upload_through_a_link_to_a_file_that_is_missing_makes_that_file() {
    let tree = Tree::new();
    symlink("dir/new", tree.root().join("link")).expect("a link");
    let mut peer = Peer::of(&tree.server);
    peer.ask(wrq("link", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "new"));
    peer.expect(ack(1));
    assert_eq!(fs::read(tree.root().join("dir/new")).expect("the upload"), b"new");
    tree.server.stop();
}

#[test]
fn a_missing_file_is_told_as_such_and_nothing_else_is() {
    let tree = Tree::new();
    let mut peer = Peer::of(&tree.server);
    for name in ["missing", "dir/missing", "missing/file", "file/file"] {
        peer.ask(rrq(name, &[]));
        peer.expect(b"\0\x05\0\x01file not found\0");
    }
    tree.server.stop();
}

/// Where uploads on their way need names, nobody can ask for them; nor for what a crash has left.
#[test]
fn temporary_names_are_neither_served_nor_taken() {
    let tree = Tree::new();
    let mut peer = Peer::of(&tree.server);
    for name in [".tftpd-upload-0123456789abcdef", "dir/.tftpd-upload-x", ".TFTPD-UPLOAD-x"] {
        fs::write(tree.root().join(name), "secret").expect("a file");
        for spelling in [name.to_owned(), format!("/{name}"), format!("dir\\../{name}")] {
            peer.ask(rrq(&spelling, &[]));
            peer.expect_error(1);
            peer.ask(wrq(&spelling, &[]));
            peer.expect_error(2);
        }
    }
    tree.server.stop();
}
