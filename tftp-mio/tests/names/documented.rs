//! The examples of docs/names.md, as they stand there.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;
use tftp_core::Operation;
use tftp_mio::storage::Map;

use crate::asking::wanted;

const PAGE: &str = include_str!("../../../docs/names.md");

/// A block of code with what follows it.
struct Block {
    code: String,
    after: &'static str,
}

#[track_caller]
fn block(kind: &str) -> Block {
    let (_, rest) = PAGE.split_once(&format!("```{kind}\n")).expect("a block of code");
    let (code, after) = rest.split_once("```\n").expect("its end");
    Block { code: code.into(), after }
}

/// Holds the table behind a block of rules against what the rules do.
#[track_caller]
fn check(kind: &str, file: &str) {
    let Block { code, after } = block(kind);
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(file);
    fs::write(&path, code).expect("a file");
    let map = Map::load(&path, false).unwrap_or_else(|faults| panic!("{faults}"));
    let rows = after.trim_start().lines().take_while(|line| line.starts_with('|')).skip(2);
    let mut checked = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let [request, client, expected] = cells[..] else { panic!("three cells in {row}") };
        let (verb, name) = request.trim_matches('`').split_once(' ').expect("a request");
        let operation = if verb == "RRQ" { Operation::Read } else { Operation::Write };
        let became = match map.apply(&wanted(operation, client, name.as_bytes())) {
            Ok(names) => names
                .iter()
                .map(|name| format!("`{}`", name.escape_ascii()))
                .collect::<Vec<_>>()
                .join(", "),
            Err(denied) => format!("ERROR {} `{}`", denied.code.0, denied.text),
        };
        assert_eq!(became, expected, "{row}");
        checked += 1;
    }
    assert!(checked >= 5, "{checked} rows behind the {kind} rules");
}

#[test]
fn documented_rules_do_what_their_table_says() {
    check("toml", "map.toml");
}

#[test]
fn documented_rules_of_tftp_hpa_do_what_their_table_says() {
    check("remap", "remap");
}

#[test]
fn documented_explanation_is_what_is_printed() {
    let said = block("console").code;
    let (line, expected) = said.split_once('\n').expect("a command and its output");
    let line = line.strip_prefix("$ tftpd ").expect("a command");
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("map.toml"), block("toml").code).expect("rules");
    fs::create_dir_all(folder.path().join("root/windows")).expect("a folder");
    fs::write(folder.path().join("root/windows/bcd"), "BCD").expect("a file");
    let program = Path::new(env!("CARGO_BIN_EXE_tftpd")).display();
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{program} {line}"))
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}
