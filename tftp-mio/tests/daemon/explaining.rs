//! `--check --as IP REQUEST`: how one request would be decided.

use std::fs;

use tempfile::TempDir;

use crate::server::command;

/// What the program says, and its exit status. `FOLDER` in the options is a folder with `file`, 3
/// bytes long, and the rules of the test.
#[track_caller]
fn explained(options: &[&str], client: &str, request: &str) -> (String, i32) {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("root")).expect("a folder");
    fs::write(folder.path().join("root/file"), "abc").expect("a file");
    let rules = "[[rule]]\nmatch = '^menu/'\nrewrite = ''\n\
                 [[rule]]\noperation = 'write'\nmatch = 'key$'\ndeny = 'no keys from {ip}'\n";
    fs::write(folder.path().join("map.toml"), rules).expect("rules");
    let shown = folder.path().display().to_string();
    let options = options.iter().map(|option| option.replace("FOLDER", &shown));
    let output = command(options)
        .args(["--check", "--as", client, request])
        .arg(folder.path().join("root"))
        .output()
        .expect("tftpd runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let left = fs::read_dir(folder.path().join("root")).expect("the folder").count();
    assert_eq!(left, 1, "something was left in the folder");
    let said = String::from_utf8(output.stdout).expect("text");
    (said, output.status.code().expect("a status"))
}

#[test]
fn each_step_of_a_read_that_is_granted() {
    let options = ["--map", "FOLDER/map.toml", "--client-root", "clients/{ip}", "--ignore-case"];
    let request = "RRQ \\menu\\FILE octet blksize=1428 tsize=0 foo=1 windowsize=0 timeout=3";
    let options = options.iter().chain(&["--allow", "192.0.2.0/24"]).copied().collect::<Vec<_>>();
    let expected = "\
RRQ \"\\\\menu\\\\FILE\" octet by 192.0.2.7
  option foo=1: not known, as if it were not there
  option windowsize=0: no value for it, as if it were not there
  client 192.0.2.7 may ask: 192.0.2.0/24 is allowed
  the rules see \"menu/FILE\"
  rule in line 1 makes it \"FILE\"
  rule in line 4 is about other operations
  the client's folder clients/192.0.2.7 does not exist
  file \"FILE\": file not found
  in another case there is \"file\"
  file \"file\": 3 bytes
  options asked for: blksize=1428 tsize=0 timeout=3; granted: blksize=1428 tsize=3 timeout=3
granted: blksize=1428 tsize=3 timeout=3
";
    assert_eq!(explained(&options, "192.0.2.7", request), (expected.into(), 0));
}

#[test]
fn what_refuses_a_request_is_told() {
    for (options, client, request, last) in [
        (&[][..], "192.0.2.7", "RRQ missing", "refused: ERROR 1 \"file not found\""),
        (&[], "192.0.2.7", "RRQ ../file", "refused: ERROR 2 \"access denied\""),
        (
            &[],
            "192.0.2.7",
            "RRQ file mail",
            "refused: ERROR 4 \"mail mode is for write requests only\"",
        ),
        (&[], "192.0.2.7", "RRQ file image", "refused: ERROR 4 \"unknown transfer mode\""),
        (
            &["--write", "create"],
            "192.0.2.7",
            "WRQ file",
            "refused: ERROR 6 \"file already exists: replacing it takes --write overwrite\"",
        ),
        (
            &["--write", "create", "--max-upload-size", "1K"],
            "192.0.2.7",
            "WRQ new octet tsize=2000",
            "refused: ERROR 3 \"the file is larger than is taken here\"",
        ),
        (
            &["--map", "FOLDER/map.toml"],
            "2001:db8::1",
            "WRQ a.key",
            "refused: ERROR 2 \"no keys from 2001:db8::1\"",
        ),
        (&["--deny", "192.0.2.0/24"], "192.0.2.7", "RRQ file", "dropped without an answer"),
        (&["--allow", "192.0.2.0/24"], "198.51.100.1", "RRQ file", "dropped without an answer"),
    ] {
        let (said, status) = explained(options, client, request);
        assert_eq!((said.lines().last(), status), (Some(last), 1), "{request}:\n{said}");
    }
}

#[test]
fn an_upload_that_would_be_taken_leaves_nothing() {
    let (said, status) = explained(&["--write", "create"], "192.0.2.7", "WRQ new octet tsize=9");
    assert_eq!((said.lines().last(), status), (Some("granted: tsize=9"), 0), "{said}");
}

#[test]
fn a_question_that_makes_no_sense_is_wrong_usage() {
    for words in [
        &["--check", "--as", "host", "RRQ x"][..],
        &["--check", "--as", "192.0.2.7", "FETCH x"],
        &["--check", "--as", "192.0.2.7"],
        &["--as", "192.0.2.7", "RRQ x"],
    ] {
        let output = command(words).output().expect("tftpd runs");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
