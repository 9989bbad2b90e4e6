//! Whole transfers against a scripted server.

mod common;

use std::{
    fs,
    io::{Read as _, Write as _},
};

use common::{Run, Server, entries, kill, spawn, tftp};
use tempfile::tempdir;

/// A file of 600 bytes: two blocks, the second of 88 bytes.
fn file() -> Vec<u8> {
    (0..=255).cycle().take(600).collect()
}

#[test]
fn a_file_is_fetched_under_its_own_name() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let mut peer = listener.accept(b"\0\x01boot/x.efi\0octet\0");
        peer.serve(&file());
    });
    let args = ["--no-options", "-c", "get", "boot/x.efi"];
    let run = server.run(folder.path(), &args, b"").ends_with(0);
    assert_eq!(entries(folder.path()), ["x.efi"]);
    assert_eq!(fs::read(folder.path().join("x.efi")).unwrap(), file());
    let text = run.text();
    assert!(text.starts_with("get boot/x.efi -> x.efi: 600 bytes in "), "{text}");
    assert!(text.ends_with("/s), no options, 0 packets sent again\n"), "{text}");
    assert_eq!(run.stderr, "");
}

#[test]
fn a_name_with_colons_is_fetched_from_the_connected_server() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x01flash:config\0octet\0").serve(b"x");
        listener.accept(b"\0\x01./a:b\0octet\0").serve(b"x");
    });
    let input = b"get :flash:config\nget ./a:b\n";
    server.run(folder.path(), &["--no-options"], input).ends_with(0);
    assert_eq!(entries(folder.path()), ["a:b", "flash:config"]);
}

#[test]
fn a_file_goes_into_a_folder_under_its_own_name() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let server = Server::start(|listener| listener.accept(b"\0\x01a\0octet\0").serve(b"x"));
    let args = ["--no-options", "-q", "-c", "get a sub"];
    let run = server.run(folder.path(), &args, b"").ends_with(0);
    assert_eq!(entries(&folder.path().join("sub")), ["a"]);
    assert_eq!((run.text(), run.stderr), (String::new(), String::new()));
}

#[test]
fn a_url_names_everything_and_the_file_can_go_to_standard_output() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x01/a b\0netascii\0").serve(b"one\r\ntwo\r\n");
    });
    let url = format!("tftp://127.0.0.1:{}//a%20b;mode=netascii", server.port);
    let run = tftp(folder.path(), ["--no-options", &url, "-"], b"").ends_with(0);
    server.finish();
    // The summary goes where it cannot mix with the file.
    assert_eq!(run.text(), "one\ntwo\n");
    assert!(run.stderr.starts_with("get /a b -> standard output: "), "{}", run.stderr);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn the_options_agreed_are_told() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let (request, mut peer) = listener.accept_any();
        let asked = request.escape_ascii().to_string();
        assert!(asked.contains(r"blksize\x001024\x00"), "{asked}");
        assert!(asked.contains(r"windowsize\x004\x00"), "{asked}");
        peer.send(b"\0\x06blksize\x001024\0");
        peer.expect_ack(0);
        peer.send_data(1, &file());
        peer.expect_ack(1);
    });
    let args = ["-b", "1024", "-w", "4", "-c", "get", "a"];
    let run = server.run(folder.path(), &args, b"").ends_with(0);
    assert!(run.text().ends_with(", blksize=1024, 0 packets sent again\n"), "{}", run.text());
}

#[test]
fn a_file_that_is_not_there_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let peer = listener.accept(b"\0\x01boot/x.efi\0octet\0");
        peer.send_error(1, b"no such file");
    });
    let args = ["--no-options", "-c", "get", "boot/x.efi"];
    let run = server.run(folder.path(), &args, b"").ends_with(1);
    assert_eq!(
        run.stderr,
        "tftp: get boot/x.efi: the server refused: file not found (code 1): \"no such file\"; \
         check the name, upper and lower case too\n"
    );
    assert_eq!(run.text(), "");
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_get_that_fails_half_way_leaves_the_old_file_alone() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "old").unwrap();
    let server = Server::start(|listener| {
        let mut peer = listener.accept(b"\0\x01a\0octet\0");
        peer.send_data(1, &[0; 512]);
        peer.expect_ack(1);
        peer.send_error(0, b"disk error");
    });
    let args = ["--no-options", "-c", "get", "a"];
    server.run(folder.path(), &args, b"").ends_with(1);
    assert_eq!(entries(folder.path()), ["a"]);
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"old");
}

#[test]
fn the_words_of_a_server_cannot_steer_the_terminal() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let peer = listener.accept(b"\0\x01a\0octet\0");
        peer.send_error(2, b"\x1b]0;owned\x07\r\nno");
    });
    let args = ["--no-options", "-c", "get", "a"];
    let run = server.run(folder.path(), &args, b"").ends_with(1);
    assert!(run.stderr.contains(r#"(code 2): "\x1b]0;owned\x07\r\nno""#), "{}", run.stderr);
}

#[test]
fn of_several_files_the_refused_ones_do_not_hold_up_the_others() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x01a\0octet\0").send_error(1, b"");
        listener.accept(b"\0\x01dir/b\0octet\0").serve(b"b");
    });
    let args = ["--no-options", "-c", "get", "-a", "a", "dir/b"];
    let run = server.run(folder.path(), &args, b"").ends_with(1);
    assert_eq!(entries(folder.path()), ["b"]);
    assert!(run.stderr.ends_with("tftp: 1 of 2 files were refused\n"), "{}", run.stderr);
}

#[test]
fn a_file_is_sent_under_its_own_name() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    fs::write(folder.path().join("dir/a"), file()).unwrap();
    let server = Server::start(|listener| receive_file(&mut listener.accept(b"\0\x02a\0octet\0")));
    let args = ["--no-options", "-c", "put", "dir/a"];
    let run = server.run(folder.path(), &args, b"").ends_with(0);
    assert!(run.text().starts_with("put dir/a -> a: 600 bytes in "), "{}", run.text());
}

#[test]
fn a_text_is_sent_in_netascii() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "one\ntwo\n").unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let server = Server::start(|listener| {
        for (request, content) in [
            (&b"\0\x02a\0netascii\0"[..], &b"one\r\ntwo\r\n"[..]),
            (b"\0\x02empty\0netascii\0", b""),
        ] {
            let mut peer = listener.accept(request);
            peer.send_ack(0);
            peer.expect_data(1, content);
            peer.send_ack(1);
        }
    });
    let args = ["--no-options", "-m", "ascii", "-c", "put -a a empty"];
    server.run(folder.path(), &args, b"").ends_with(0);
}

#[test]
fn standard_input_is_sent_to_its_end() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| receive_file(&mut listener.accept(b"\0\x02b\0octet\0")));
    let args = ["--no-options", "-c", "put", "-", "b"];
    let run = server.run(folder.path(), &args, &file()).ends_with(0);
    assert!(run.text().starts_with("put standard input -> b: "), "{}", run.text());
}

#[test]
fn standard_input_is_sent_as_it_comes() {
    let folder = tempdir().unwrap();
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let server = Server::start(move |listener| {
        let mut peer = listener.accept(b"\0\x02b\0octet\0");
        peer.send_ack(0);
        peer.expect_data(1, &[1; 512]);
        // The rest is written only after the first block has arrived.
        arrived.send(()).unwrap();
        peer.send_ack(1);
        peer.expect_data(2, &[2; 88]);
        peer.send_ack(2);
    });
    let args = ["--no-options", "127.0.0.1", &server.port, "-c", "put - b"];
    let mut child = spawn(folder.path(), args);
    let mut input = child.stdin.take().unwrap();
    input.write_all(&[1; 512]).unwrap();
    arrivals.recv().unwrap();
    input.write_all(&[2; 88]).unwrap();
    drop(input);
    Run::of(child).ends_with(0);
    server.finish();
}

#[test]
fn nothing_is_asked_before_standard_input_brings_anything() {
    // `finish` fails on a request.
    let folder = tempdir().unwrap();
    let server = Server::start(|_| ());
    let args = ["-v", "127.0.0.1", &server.port, "-c", "put - b"];
    let mut child = spawn(folder.path(), args);
    let input = child.stdin.take().unwrap();
    let mut said = [0; 6];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    kill("-INT", &child);
    Run::of(child).ends_with(130);
    drop(input);
    server.finish();
}

#[test]
fn several_files_go_into_a_folder_on_the_server() {
    let folder = tempdir().unwrap();
    for (name, content) in [("a.cfg", "a"), ("b.cfg", "b"), ("c.txt", "c"), (".d.cfg", "d")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    fs::create_dir(folder.path().join("e.cfg")).unwrap();
    let server = Server::start(|listener| {
        for (request, content) in
            [(&b"\0\x02up/a.cfg\0octet\0"[..], b"a"), (b"\0\x02up/b.cfg\0octet\0", b"b")]
        {
            let mut peer = listener.accept(request);
            peer.send_ack(0);
            peer.expect_data(1, content);
            peer.send_ack(1);
        }
    });
    let args = ["--no-options", "-c", "put *.cfg up/"];
    let run = server.run(folder.path(), &args, b"").ends_with(0);
    assert_eq!(run.text().lines().count(), 2);
}

#[test]
fn of_several_files_no_two_have_one_name() {
    let folder = tempdir().unwrap();
    for name in ["x/a", "y/a"] {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), "").unwrap();
    }
    for (command, name) in
        [("get -a x/a y/a", "a"), ("put x/a y/a to/", "to/a"), ("put -a */a", "a")]
    {
        let run = Server::start(|_| ()).run(folder.path(), &["-c", command], b"").ends_with(2);
        let told = format!("two files would be called `{name}`; ");
        assert!(run.stderr.contains(&told), "{}", run.stderr);
    }
}

#[test]
fn of_several_files_none_is_sent_unless_all_can_be_read() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    for (command, status) in
        [("put -a a missing", 4), ("put *.none", 4), ("put a? x", 4), ("put [ab] a x/y", 2)]
    {
        Server::start(|_| ()).run(folder.path(), &["-c", command], b"").ends_with(status);
    }
}

#[test]
fn a_name_that_begins_with_a_dash_needs_an_escape() {
    let folder = tempdir().unwrap();
    for (command, escaped) in
        [("get a -v", "./-v"), ("get -v", ":-v"), ("put a -v", ":-v"), ("put -v", "./-v")]
    {
        let run = Server::start(|_| ()).run(folder.path(), &["-c", command], b"").ends_with(2);
        let told = format!("unknown option `-v`; a name that begins with - is written {escaped};");
        assert!(run.stderr.contains(&told), "{}", run.stderr);
    }
}

#[test]
fn a_bracket_that_is_not_closed_stands_for_itself() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a[b"), "x").unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x02a[b\0octet\0").send_error(2, b"");
    });
    server.run(folder.path(), &["--no-options", "-c", "put a[b"], b"").ends_with(1);
    let run = Server::start(|_| ()).run(folder.path(), &["-c", "put no[b"], b"").ends_with(4);
    assert_eq!(run.stderr, "tftp: put no[b: No such file or directory; check the name\n");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_sent_from_standard_input() {
    let folder = tempdir().unwrap();
    let run = Server::start(|_| ()).run(folder.path(), &["-c", "put /dev/null a"], b"");
    let run = run.ends_with(4);
    assert!(run.stderr.starts_with("tftp: put /dev/null: not a regular file; "), "{}", run.stderr);
    assert!(run.stderr.contains("`put - REMOTE`"), "{}", run.stderr);
}

#[test]
fn a_file_with_wildcards_in_its_name_is_that_file() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a[1]"), "x").unwrap();
    let server = Server::start(|listener| {
        let mut peer = listener.accept(b"\0\x02a[1]\0octet\0");
        peer.send_ack(0);
        peer.expect_data(1, b"x");
        peer.send_ack(1);
    });
    server.run(folder.path(), &["--no-options", "-c", "put", "a[1]"], b"").ends_with(0);
}

#[test]
fn a_file_that_grows_while_it_is_sent_is_an_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, file()).unwrap();
    let growing = path.clone();
    let server = Server::start(move |listener| {
        let mut peer = listener.accept(b"\0\x02a\0octet\0");
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        fs::write(&growing, [&file()[..], b"more"].concat()).unwrap();
        peer.send_ack(1);
        assert!(peer.receive().starts_with(b"\0\x05\0\0"));
    });
    let run = server.run(folder.path(), &["--no-options", "-c", "put a"], b"").ends_with(4);
    assert!(run.stderr.contains("changed its size while it was sent"), "{}", run.stderr);
}

#[test]
fn a_file_that_exists_on_the_server_is_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x02a\0octet\0").send_error(6, b"");
    });
    let args = ["--no-options", "-c", "put", "a"];
    let run = server.run(folder.path(), &args, b"").ends_with(1);
    assert!(run.stderr.contains("choose another name"), "{}", run.stderr);
}

#[test]
fn after_a_refusal_a_script_sends_nothing_more() {
    // `run` fails on a second request.
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x01a\0octet\0").send_error(1, b"");
    });
    let run = server.run(folder.path(), &["--no-options"], b"get a\nget b\n").ends_with(1);
    assert!(run.stderr.starts_with("tftp: line 1: get a: "), "{}", run.stderr);
}

#[test]
fn transfers_of_one_script_run_one_after_the_other() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        listener.accept(b"\0\x01a\0octet\0").send_error(1, b"");
        listener.accept(b"\0\x01b\0netascii\0").serve(b"b\r\n");
        receive_file(&mut listener.accept(b"\0\x02c\0octet\0"));
    });
    fs::write(folder.path().join("d"), file()).unwrap();
    let input = b"options off\nget a\nascii\nget b\nbinary\nput d c\n";
    server.run(folder.path(), &["--keep-going"], input).ends_with(1);
    assert_eq!(entries(folder.path()), ["b", "d"]);
    assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"b\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_above_the_limit_of_the_process_is_local_trouble() {
    let folder = tempdir().unwrap();
    let server = Server::start(|listener| {
        let mut peer = listener.accept(b"\0\x01a\0octet\0");
        // The limit is counted in units of half a KiB, or of a whole one.
        for block in 1.. {
            assert!(block < 9);
            peer.send_data(block, &[0; 512]);
            let answer = peer.receive();
            if answer.starts_with(b"\0\x05") {
                assert_eq!(answer, b"\0\x05\0\x03the file is larger than is taken here\0");
                break;
            }
        }
    });
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -f 1; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tftp")]);
    limited.args(["127.0.0.1", &server.port, "--no-options", "-c", "get a"]);
    let streams = limited.current_dir(folder.path()).stdout(std::process::Stdio::piped());
    let run = Run::of(streams.stderr(std::process::Stdio::piped()).spawn().unwrap()).ends_with(4);
    server.finish();
    assert_eq!(
        run.stderr,
        "tftp: get a: File too large; the limit is that of the disk, or `ulimit -f`\n"
    );
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_local_folder_that_is_not_there_is_named_and_nothing_is_sent() {
    let folder = tempdir().unwrap();
    let server = Server::start(|_| ());
    let run = server.run(folder.path(), &["-c", "get f missing/x"], b"").ends_with(4);
    assert_eq!(
        run.stderr,
        "tftp: get f -> missing/x: there is no folder \"missing\"; check the name\n"
    );
}

#[test]
fn a_server_that_takes_no_mail_is_asked_once() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("letter"), "Dear all\n").unwrap();
    let server = Server::start(|listener| {
        let request = b"\0\x02postmaster\0mail\0blksize\x001428\0windowsize\x0016\0";
        listener.accept(request).send_error(4, b"no mail");
    });
    let run = server.run(folder.path(), &[], b"mode mail\nput letter postmaster\n").ends_with(1);
    assert_eq!(
        run.stderr,
        "tftp: line 2: put letter: the server refused: illegal TFTP operation (code 4): \
         \"no mail\"; the server may not take mail: `mode octet` stores a file instead\n"
    );
}

#[test]
fn a_port_where_nothing_listens_says_so_at_once() {
    for address in ["127.0.0.1", "::1"] {
        let folder = tempdir().unwrap();
        let free = std::net::UdpSocket::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let run = tftp(folder.path(), [address, &free.to_string()], b"trace on\nget a\n");
        let run = run.ends_with(3);
        // One request and no other.
        assert_eq!(run.stderr.matches("RRQ").count(), 1, "{}", run.stderr);
        let whom = std::net::SocketAddr::new(address.parse().unwrap(), free);
        let said = format!(
            "tftp: line 2: get a: network: nothing listens at {whom}; check host and port\n"
        );
        assert!(run.stderr.ends_with(&said), "{}", run.stderr);
        assert!(entries(folder.path()).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_was_stopped_half_way_is_told_of_soon() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a"), file()).unwrap();
    let server = Server::start(|listener| listener.accept(b"\0\x02a\0octet\0").send_ack(0));
    let run = server.run(folder.path(), &["--no-options", "-c", "put a"], b"").ends_with(3);
    assert_eq!(
        run.stderr,
        "tftp: put a: the server answered at first, and now nothing listens there any more; \
         it may have been stopped\n"
    );
}

#[test]
fn local_ports_that_are_in_use_are_local_trouble() {
    let folder = tempdir().unwrap();
    let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = Server::start(|_| ());
    let run = server.run(folder.path(), &["-R", &format!("{port}-{port}"), "-c", "get a"], b"");
    let run = run.ends_with(4);
    assert!(run.stderr.starts_with("tftp: get a: no socket: "), "{}", run.stderr);
    assert!(run.stderr.ends_with("; choose other local ports with -R FIRST-LAST\n"));
}

/// Takes [`file`] as a server of RFC 1350 does.
fn receive_file(peer: &mut common::Peer) {
    let file = file();
    peer.send_ack(0);
    peer.expect_data(1, &file[..512]);
    peer.send_ack(1);
    peer.expect_data(2, &file[512..]);
    peer.send_ack(2);
}
