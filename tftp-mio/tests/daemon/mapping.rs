//! `--map`, `--client-root` and `--ignore-case` of the real program. What they mean in detail is
//! tested on the library, in `tests/names`.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, rrq, wrq},
    server::{Server, command},
};

const RULES: &str = "[[rule]]\nmatch = '^menu$'\nalias = 'first'\n";

/// A server with rules in a file, which a test may change.
fn with_rules(name: &str, rules: &str) -> (Server, TempDir) {
    with_rules_and(name, rules, &[])
}

fn with_rules_and(name: &str, rules: &str, options: &[&str]) -> (Server, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let map = folder.path().join(name);
    fs::write(&map, rules).expect("a file of rules");
    let root = TempDir::new().expect("a folder to serve");
    for file in ["first", "second"] {
        fs::write(root.path().join(file), file).expect("a file");
    }
    let mut command = command([&["--write", "create"], options].concat());
    command.arg("--map").arg(&map).arg(root.path());
    (Server::run(root, command), folder)
}

#[track_caller]
fn serves(server: &Server, name: &str, content: &str) {
    let mut peer = Peer::of(server);
    peer.ask(rrq(name, &[]));
    peer.expect(data(1, content));
    peer.send(ack(1));
}

#[test]
fn names_go_through_the_rules() {
    let (server, _folder) = with_rules("map.toml", RULES);
    serves(&server, "menu", "first");
    serves(&server, "\\menu", "first");
    serves(&server, "second", "second");
    server.stop();
}

#[test]
fn rules_of_tftp_hpa_work_as_they_are() {
    let (server, _folder) = with_rules("remap", "rg \\\\ /   # no backslashes\nr ^/?menu$ first\n");
    serves(&server, "\\menu", "first");
    server.stop();
}

#[test]
fn hup_takes_new_rules_and_disturbs_no_transfer() {
    let (server, folder) = with_rules("map.toml", RULES);
    let map = folder.path().join("map.toml");
    let large = vec![b'x'; 1000];
    fs::write(server.root().join("first"), &large).expect("a file");
    let mut running = Peer::of(&server);
    running.ask(rrq("menu", &[]));
    running.expect(data(1, &large[..512]));

    fs::write(&map, RULES.replace("first", "second")).expect("new rules");
    server.signal(Signal::HUP);
    server.log_line("reloaded");
    serves(&server, "menu", "second");
    running.send(ack(1));
    running.expect(data(2, &large[512..]));
    running.send(ack(2));
    server.stop();
}

#[test]
fn wrong_rules_are_told_by_line_and_leave_the_old_ones_in_use() {
    let (server, folder) = with_rules("map.toml", RULES);
    fs::write(folder.path().join("map.toml"), "[[rule]]\nmatsch = 'x'\nstop = true\n")
        .expect("rules");
    server.signal(Signal::HUP);
    server.log_line("map.toml:2: a rule has no `matsch`; did you mean `match`?");
    server.log_line("not reloaded");
    serves(&server, "menu", "first");
    server.stop();
}

#[test]
fn wrong_rules_end_the_start_with_2_and_their_lines() {
    let folder = TempDir::new().expect("a folder");
    let map = folder.path().join("remap");
    fs::write(&map, "r a b\nz a b\nr ( b\n").expect("rules");
    let output =
        command([""; 0]).arg("--map").arg(&map).arg(folder.path()).output().expect("tftpd runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    let shown = map.display();
    let expected = format!(
        "{shown}:2: `z` is no operation; there are r, g, i, e, s, a, G, P, 4, 6 and ~\n\
         {shown}:3: a `(` has no `)`\n"
    );
    assert_eq!(said, expected);
}

#[test]
fn a_client_has_a_folder_of_its_own() {
    let server = Server::with(["--write", "create", "--client-root", "clients/{ip}"]);
    fs::create_dir_all(server.root().join("clients/127.0.0.1")).expect("a folder");
    fs::write(server.root().join("clients/127.0.0.1/file"), "own").expect("a file");
    fs::write(server.root().join("file"), "common").expect("a file");
    serves(&server, "file", "own");
    let mut peer = Peer::of(&server);
    peer.ask(wrq("new", &[]));
    peer.expect(ack(0));
    peer.send(data(1, "mine"));
    peer.expect(ack(1));
    assert_eq!(fs::read(server.root().join("clients/127.0.0.1/new")).expect("the file"), b"mine");
    server.stop();
}

#[test]
fn case_may_be_ignored() {
    let server = Server::with(["--ignore-case"]);
    fs::create_dir(server.root().join("Boot")).expect("a folder");
    fs::write(server.root().join("Boot/BCD"), "store").expect("a file");
    serves(&server, "\\boot\\bcd", "store");
    server.stop();
}

/// Uploads a file of one block.
#[track_caller]
fn takes(server: &Server, name: &str) {
    let mut peer = Peer::of(server);
    peer.ask(wrq(name, &[]));
    peer.expect(ack(0));
    peer.send(data(1, "new"));
    peer.expect(ack(1));
}

#[track_caller]
fn refuses(server: &Server, name: &str, code: u8) {
    let mut peer = Peer::of(server);
    peer.ask(rrq(name, &[]));
    peer.expect_error(code);
}

/// And not a second time where it is the file that was asked for, however that was spelled.
#[test]
fn the_log_has_the_file_beside_the_name_that_led_to_it() {
    let rules = "[[rule]]\nmatch = '^menu$'\nalias = ['missing', 'first']\n\
        [[rule]]\nmatch = '^up$'\nrewrite = 'in-\"{ip}\"'\n\
        [[rule]]\nmatch = '^gone$'\nalias = ['one', 'two']\n\
        [[rule]]\nmatch = '^not$'\ndeny = 'no'\n";
    let (server, _folder) = with_rules("map.toml", rules);
    serves(&server, "\\menu", "first");
    serves(&server, "//./second", "second");
    takes(&server, "up");
    takes(&server, "\\plain");
    refuses(&server, "gone", 1);
    refuses(&server, "not", 2);
    for (name, expected) in [
        (r#""\\menu""#, r#" file="first" mode=octet bytes=5 "#),
        (r#""//./second""#, r" mode=octet bytes=6 "),
        (r#""up""#, r#" file="in-\"127.0.0.1\"" mode=octet bytes=3 "#),
        (r#""\\plain""#, r" mode=octet bytes=3 "),
        (r#""gone""#, r#" file="two" mode=octet outcome="refused" "#),
        (r#""not""#, r#" mode=octet outcome="refused" "#),
    ] {
        let line = server.log_line(&format!(" name={name}"));
        assert!(line.contains(&format!(" name={name}{expected}")), "{line}");
    }
    server.stop();
}

#[test]
fn a_record_has_it_in_json_too() {
    let rules = "[[rule]]\nmatch = '^menu$'\nalias = 'first'\n";
    let (server, _folder) = with_rules_and("map.toml", rules, &["--log-format", "json"]);
    serves(&server, "menu", "first");
    serves(&server, "second", "second");
    let record = |name: &str| -> Value {
        let line = server.log_line(&format!("\"name\":\"{name}\""));
        serde_json::from_str(&line).expect("an object")
    };
    assert_eq!(record("menu")["file"], "first");
    assert_eq!(record("second").get("file"), None);
    server.stop();
}

#[test]
fn the_log_tells_a_clients_own_file_and_one_in_another_case_from_what_was_asked_for() {
    let options = ["--write", "create", "--ignore-case", "--client-root", "clients/{ip}"];
    let server = Server::with(options);
    let own = server.root().join("clients/127.0.0.1");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("mine"), "mine").expect("a file");
    fs::write(server.root().join("README"), "common").expect("a file");
    fs::write(server.root().join("plain"), "plain").expect("a file");
    serves(&server, "/mine", "mine");
    serves(&server, "ReadMe", "common");
    serves(&server, "plain", "plain");
    takes(&server, "new");
    for (name, file) in [
        ("/mine", " file=\"clients/127.0.0.1/mine\""),
        ("ReadMe", " file=\"README\""),
        ("plain", ""),
        ("new", " file=\"clients/127.0.0.1/new\""),
    ] {
        let line = server.log_line(&format!(" name=\"{name}\""));
        assert!(line.contains(&format!(" name=\"{name}\"{file} mode=octet ")), "{line}");
    }
    server.stop();
}
