//! The configuration file, as an operator writes it.

use std::{fs, process::Command};

use tempfile::TempDir;

use crate::server::{Server, command};

#[test]
fn a_file_serves_what_it_says() {
    let root = TempDir::new().expect("a folder to serve");
    let file = root.path().join("tftpd.toml");
    let content =
        format!("root = {:?}\nwrite = \"overwrite\"\nports = \"20000-20999\"\n", root.path());
    fs::write(&file, content).expect("a configuration");
    let shown = format!("serving {} (uploads may replace files)", root.path().display());
    let mut command = command([""; 0]);
    command.arg("--config").arg(file);
    let server = Server::run(root, command);
    let line = server.log_line("serving");
    assert!(line.contains(&shown) && line.contains("ports 20000-20999"), "{line}");
    server.stop();
}

#[test]
fn a_fault_in_the_file_ends_with_2_and_its_line() {
    let root = TempDir::new().expect("a folder");
    let file = root.path().join("tftpd.toml");
    fs::write(&file, "# mine\nwirte = \"create\"\n").expect("a configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tftpd"));
    let output = command.arg("--config").arg(&file).output().expect("tftpd runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    let expected =
        format!("{}:2: there is no option `wirte`; did you mean `write`?\n", file.display());
    assert_eq!(said, expected);
}
