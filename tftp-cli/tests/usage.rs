//! What `tftp` says and how it ends before any packet is sent.

mod common;

use std::path::Path;

use common::{Run, tftp};

fn run(args: &[&str]) -> Run {
    tftp(Path::new("."), args, b"")
}

#[test]
fn wrong_options_end_with_2_and_say_what_to_type() {
    for (args, hint) in [
        (&["--bogus"][..], "Usage: tftp [OPTIONS]"),
        (&["-b", "4"], "blksize takes 8 to 65464"),
        (&["-w", "0"], "windowsize takes 1 to 32767"),
        (&["-t", "0.5"], "timeout takes 1 to 255"),
        (&["-r", "256"], "retries takes 0 to 255"),
        (&["-m", "text"], "octet (binary), netascii (ascii) or mail"),
        (&["-R", "9-1"], "FIRST-LAST"),
        (&["-4", "-6"], "cannot be used with"),
        (&["-c"], "-c <COMMAND>..."),
        (&["-c", ""], "-c get NAME"),
        (&["-c", "gte", "x"], "did you mean `get`"),
        (&["-c", "get 'x"], "quote"),
        (&["-c", "get"], "usage: get REMOTE [LOCAL]"),
        (&["-c", "get", "x"], "connect HOST"),
        (&["127.0.0.1", "tftp"], "usage: tftp HOST [PORT]"),
        (&["127.0.0.1:6969", "6970"], "two ports"),
        (&["127.0.0.1", "get", "a"], "tftp 127.0.0.1 -c get a"),
        (&["127.0.0.1", "69", "get", "a"], "tftp 127.0.0.1 69 -c get a"),
        (&["get", "a"], "tftp HOST -c get a"),
        (&["tftp://127.0.0.1/x", "y", "z"], "tftp URL [LOCAL]"),
        (&["tftp://127.0.0.1/a%00b"], "no NAME has a NUL"),
        (&["tftp://127.0.0.1"], "usage: tftp URL [LOCAL]"),
        (&["http://127.0.0.1/x"], "`http://127.0.0.1/x` is not a URL of TFTP: tftp://HOST"),
        (&["http://127.0.0.1/x", "y"], "is not a URL of TFTP"),
        (&["127.0.0.1", "-c", "get https://h/x"], "is not a URL of TFTP"),
        (&["-c", "connect tftp://127.0.0.1/x"], "`get tftp://HOST/NAME`"),
        (&["tftp://127.0.0.1/x;mode=mail"], "octet or netascii"),
        (&["tftp://127.0.0.1/x", "-c", "get", "x"], "tftp HOST [PORT] -c"),
    ] {
        let run = run(args).ends_with(2);
        assert!(run.stderr.contains(hint), "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn whoever_types_the_options_of_other_clients_is_told_of_commands() {
    for args in [&["--get", "-r", "a", "127.0.0.1"][..], &["-g", "-r", "a", "127.0.0.1"]] {
        let run = run(args).ends_with(2);
        let told = "Files are moved by commands: tftp HOST -c get NAME [LOCAL]\n";
        assert!(run.stderr.ends_with(told), "{}", run.stderr);
    }
}

#[test]
fn a_mail_cannot_be_fetched() {
    let run = run(&["-m", "mail", "127.0.0.1", "-c", "get", "x"]).ends_with(2);
    assert_eq!(run.stderr, "tftp: get x: mail mode is for put only; choose octet or netascii\n");
}

#[test]
fn help_names_both_ways_to_call_and_every_exit_status() {
    let text = run(&["--help"]).ends_with(0).text();
    let statuses = "129 hung up, 130 interrupted, 143 terminated";
    for part in ["[HOST [PORT]] [-c COMMAND...]", "tftp://", statuses] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn everything_after_c_belongs_to_the_command() {
    let whole = run(&["-c", "help", "get"]).ends_with(0).text();
    assert!(whole.starts_with("get REMOTE [LOCAL]"));
    assert_eq!(run(&["-c", "help get"]).ends_with(0).text(), whole);
    let options = run(&["-c", "help", "-q"]).ends_with(2);
    assert!(options.stderr.contains("unknown command `-q`"));
}

#[test]
fn options_of_the_command_line_are_the_settings_of_the_session() {
    let args = [
        "-m",
        "ascii",
        "-b",
        "512",
        "-w",
        "1",
        "-t",
        "3",
        "-r",
        "9",
        "-R",
        "20000-20009",
        "--no-options",
        "-v",
        "127.0.0.1",
        "6969",
        "-c",
        "status",
    ];
    let text = run(&args).ends_with(0).text();
    for (name, value) in [
        ("server", "127.0.0.1 (127.0.0.1:6969)"),
        ("mode", "netascii"),
        ("options", "off"),
        ("blksize", "512"),
        ("windowsize", "1"),
        ("timeout", "3 s"),
        ("retries", "9"),
        ("ports", "20000-20009"),
        ("verbose", "on"),
    ] {
        assert!(text.contains(&format!("{name:<12} {value}\n")), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_local_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let run = tftp(folder.path(), ["127.0.0.1", "-c", "put", "missing"], b"").ends_with(4);
    assert!(run.stderr.starts_with("tftp: put missing: "), "{}", run.stderr);
}

#[test]
fn an_address_of_any_link_is_told_of() {
    let run = run(&["fe80::1", "-c", "status"]).ends_with(0);
    assert_eq!(
        run.stderr,
        "tftp: fe80::1 may be on any link; say on which if it does not answer, as in fe80::1%eth0\n"
    );
}

#[test]
fn an_unknown_host_is_no_answer() {
    // RFC 6761: no name below `invalid` exists.
    for args in [&["host.invalid"][..], &["-c", "get host.invalid:x"]] {
        let run = run(args).ends_with(3);
        assert!(run.stderr.starts_with("tftp: host.invalid: "), "{}", run.stderr);
    }
}

#[test]
fn a_colon_that_was_no_host_is_explained() {
    let run = run(&["-c", "get", "flash.invalid:x"]).ends_with(3);
    assert!(run.stderr.contains(":flash.invalid:x"), "{}", run.stderr);
}

/// Nobody may listen there; what counts is where the request goes.
#[test]
fn a_host_before_a_colon_is_asked_at_port_69() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("f"), "x").unwrap();
    for (command, request) in [
        ("get 127.0.0.1:a:b", r#" > 127.0.0.1:69 RRQ "a:b" "#),
        ("get [::1]:a", r#" > [::1]:69 RRQ "a" "#),
        ("put f 127.0.0.1:", r#" > 127.0.0.1:69 WRQ "f" "#),
    ] {
        let input = format!("trace on\n{command}\n");
        let run = tftp(folder.path(), ["--no-options"], input.as_bytes());
        assert!(run.stderr.contains(request), "{}", run.stderr);
    }
}

#[test]
fn a_port_that_was_taken_for_a_name_is_explained() {
    let run = run(&["-c", "get", "host.invalid:6969/x"]).ends_with(3);
    let told =
        "tftp: what is behind HOST: is a name; with a port it is tftp://host.invalid:6969/x\n";
    assert!(run.stderr.starts_with(told), "{}", run.stderr);
}

#[test]
fn a_host_without_an_address_of_the_family_is_no_answer() {
    let run = run(&["-4", "::1", "-c", "status"]).ends_with(3);
    assert!(run.stderr.contains("try without -4"), "{}", run.stderr);
}
