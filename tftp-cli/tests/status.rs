//! The exit status of every way to end, and the object that `--json` prints with it.

mod common;

use std::{fs, net::UdpSocket};

use common::{Run, Server, entries, tftp};
use serde_json::Value;
use tempfile::tempdir;

/// What `--json` printed: one object, of fields that the manual page has.
#[track_caller]
fn object(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    let object: Value = serde_json::from_str(text).expect("an object");
    let manual = include_str!("../package/tftp.1");
    let manual = manual.split_once(".SH JSON").expect("a section of its own").1;
    for field in object.as_object().expect("an object").keys() {
        assert!(manual.contains(field), "{field} is not in the manual page");
    }
    object
}

/// Runs a command with `--json` against a server, in a folder with a file `a`.
#[track_caller]
fn run(server: Server, command: &str) -> (Run, Value) {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "abc").unwrap();
    let run = server.run(folder.path(), &["--no-options", "--json", "-c", command], b"");
    let object = object(&run.text());
    assert_eq!(object["status"], run.status);
    assert_eq!(object["ok"], run.status == 0);
    (run, object)
}

#[test]
fn status_0_is_a_file_that_arrived() {
    let server = Server::start(|listener| listener.accept(b"\0\x01d/b\0octet\0").serve(b"abcd"));
    let port = server.port.clone();
    let (run, object) = run(server, "get d/b");
    run.ends_with(0);
    assert_eq!(object["operation"], "get");
    assert_eq!((&object["remote"], &object["local"]), (&"d/b".into(), &"b".into()));
    assert_eq!(object["server"], format!("127.0.0.1:{port}"));
    assert_eq!((&object["bytes"], &object["mode"]), (&4.into(), &"octet".into()));
    assert!(object["error"].is_null() && object["seconds"].is_f64());
}

#[test]
fn status_1_is_a_refusal() {
    let server = Server::start(|listener| listener.accept_any().1.send_error(2, b"\x1bno"));
    let (run, object) = run(server, "get b");
    let run = run.ends_with(1);
    assert_eq!(object["error"]["code"], 2);
    assert_eq!(object["error"]["message"], "\u{1b}no");
    assert_eq!(run.stderr, format!("tftp: {}\n", object["error"]["text"].as_str().unwrap()));
}

#[test]
fn status_2_is_a_command_that_makes_no_sense() {
    let folder = tempdir().unwrap();
    let run = tftp(folder.path(), ["--json", "-c", "get"], b"").ends_with(2);
    // No transfer, no object.
    assert_eq!(run.text(), "");
}

#[test]
fn status_3_is_nobody_there() {
    let folder = tempdir().unwrap();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let run = tftp(folder.path(), ["--json", "127.0.0.1", &port, "-c", "get b"], b"");
    let text = run.ends_with(3).text();
    assert!(
        object(&text)["error"]["text"].as_str().unwrap().contains("nothing listens at 127.0.0.1:")
    );
}

#[test]
fn status_3_is_a_host_that_nobody_knows() {
    let folder = tempdir().unwrap();
    for args in [&["host.invalid", "-c", "get b"][..], &["-c", "put a host.invalid:b"]] {
        fs::write(folder.path().join("a"), "abc").unwrap();
        let run = tftp(folder.path(), ["--json"].iter().chain(args), b"").ends_with(3);
        let object = object(&run.text());
        assert!(object["server"].is_null());
        assert_eq!(object["status"], 3);
    }
}

#[test]
fn status_4_is_a_file_that_cannot_be_read_and_nothing_is_sent() {
    let (run, object) = run(Server::start(|_| ()), "put missing");
    run.ends_with(4);
    assert_eq!(object["operation"], "put");
    assert!(object["error"]["text"].as_str().unwrap().starts_with("put missing: "));
}

#[cfg(target_os = "linux")]
#[test]
fn status_4_is_a_full_disk_and_the_server_is_told() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept(b"\0\x01b\0octet\0");
        peer.send_data(1, &[0; 512]);
        assert_eq!(peer.receive(), b"\0\x05\0\x03no space left\0");
    });
    let (run, _) = run(server, "get b /dev/full");
    let run = run.ends_with(4);
    assert!(run.stderr.contains("No space left on device"), "{}", run.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn status_4_is_a_standard_output_that_takes_no_more_and_the_server_is_told_at_once() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    for (stdout, why, told) in [
        (full.into(), "No space left on device", &b"\0\x05\0\x03no space left\0"[..]),
        (std::process::Stdio::from(closed), "Broken pipe", b"\0\x05\0\0input/output error\0"),
    ] {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept(b"\0\x01b\0octet\0");
            peer.send_data(1, &[0; 512]);
            assert_eq!(peer.receive(), told);
        });
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tftp"));
        command.args(["--no-options", "127.0.0.1", &server.port, "-c", "get b -"]);
        let streams = command.stdout(stdout).stderr(std::process::Stdio::piped());
        let run = Run::of(streams.spawn().unwrap()).ends_with(4);
        server.finish();
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
}

#[test]
fn an_object_beside_the_file_goes_to_standard_error() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| listener.accept_any().1.serve(b"content"));
    let args = ["--no-options", "--json", "-c", "get b -"];
    let run = server.run(folder.path(), &args, b"").ends_with(0);
    assert_eq!(run.text(), "content");
    assert_eq!(object(&run.stderr)["local"], "-");
}

#[cfg(target_os = "linux")]
#[test]
fn an_object_that_cannot_be_written_is_local_trouble() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| listener.accept_any().1.serve(b"content"));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tftp"));
    command.args(["--no-options", "--json", "127.0.0.1", &server.port, "-c", "get b"]);
    let streams = command.current_dir(folder.path()).stdout(full);
    let run = Run::of(streams.stderr(std::process::Stdio::piped()).spawn().unwrap()).ends_with(4);
    server.finish();
    assert!(run.stderr.starts_with("tftp: --json: No space left on device"), "{}", run.stderr);
    assert_eq!(entries(folder.path()), ["b"]);
}

#[test]
fn each_of_several_files_has_an_object() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        listener.accept_any().1.send_error(1, b"");
        listener.accept_any().1.serve(b"b");
    });
    let args = ["--no-options", "--json", "-c", "get -a a b"];
    let run = server.run(folder.path(), &args, b"").ends_with(1);
    let objects: Vec<Value> =
        run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&objects[0]["ok"], &objects[1]["ok"]], [false, true]);
    assert_eq!(entries(folder.path()), ["b"]);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_are_told_byte_by_byte() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    let folder = tempdir().unwrap();
    let server = Server::start(|listener| listener.accept(b"\0\x01\xffa\0octet\0").serve(b"x"));
    let args = ["--no-options", "--json", "127.0.0.1", &server.port, "-c", "get"];
    let args = args.iter().map(OsStr::new).chain([OsStr::from_bytes(b"\xffa")]);
    let run = tftp(folder.path(), args, b"").ends_with(0);
    server.finish();
    let object = object(&run.text());
    assert_eq!((&object["remote"], &object["remote_hex"]), (&"\u{fffd}a".into(), &"ff61".into()));
    assert_eq!(object["local_hex"], "ff61");
}

// 129, 130 and 143 are those of signals: `a_signal_tells_the_server_and_leaves_nothing_behind`.
