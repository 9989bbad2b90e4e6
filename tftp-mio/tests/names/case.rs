//! `--ignore-case`.

use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;
use tftp_mio::storage::{Folder, Names};

use crate::asking::{CLIENT, code, folder, read, tree, write};

fn any_case(root: &Path) -> Folder {
    folder(root, Names { ignore_case: true, ..Names::default() })
}

#[test]
fn what_exists_as_asked_for_comes_first_and_then_the_first_in_the_order_of_bytes() {
    let root = tree(&["Boot/BCD", "boot/Fonts/a", "FILE", "File", "file", "Other", "oTHER"]);
    let storage = any_case(root.path());
    for (name, expected) in [
        ("file", "file"),
        ("FILE", "FILE"),
        ("fILE", "FILE"),
        ("OTHER", "Other"),
        ("BOOT/bcd", "Boot/BCD"),
        ("\\Boot\\bcd", "Boot/BCD"),
        ("boot/FONTS/A", "boot/Fonts/a"),
        ("x/../FiLe", "FILE"),
    ] {
        if name.starts_with("x/") {
            fs::create_dir(root.path().join("x")).expect("a folder");
        }
        assert_eq!(read(&storage, CLIENT, name).as_deref(), Ok(expected), "{name}");
    }
    // The folder that is there as asked for is the one that counts.
    assert_eq!(code(read(&storage, CLIENT, "boot/bcd")), 1);
    assert_eq!(read(&storage, CLIENT, b"oTheR\xFF").as_deref(), Ok("Other"));
    assert_eq!(code(read(&storage, CLIENT, "missing")), 1);
}

#[test]
fn a_file_is_no_folder_on_the_way() {
    let root = tree(&["AB", "Ab/x"]);
    assert_eq!(read(&any_case(root.path()), CLIENT, "ab/X").as_deref(), Ok("Ab/x"));
}

#[test]
fn no_case_leads_out_of_the_folder_or_to_an_unfinished_upload() {
    let around = tree(&["root/x", "Secret", "root/.tftpd-upload-1"]);
    symlink("../Secret", around.path().join("root/Link")).expect("a link");
    symlink("..", around.path().join("root/Up")).expect("a link");
    let storage = any_case(&around.path().join("root"));
    for name in ["../SECRET", "LINK", "UP/secret", "up/Secret"] {
        assert_eq!(code(read(&storage, CLIENT, name)), 2, "{name}");
    }
    assert_eq!(code(read(&storage, CLIENT, ".TFTPD-UPLOAD-1")), 1);
}

#[test]
fn a_file_is_written_under_the_name_that_exists() {
    let root = tree(&["Boot/BCD"]);
    let storage = any_case(root.path());
    write(&storage, CLIENT, "boot/bcd").expect("a file to replace");
    write(&storage, CLIENT, "BOOT/New").expect("a new file");
    assert_eq!(fs::read(root.path().join("Boot/BCD")).unwrap(), b"written");
    assert_eq!(fs::read(root.path().join("Boot/New")).unwrap(), b"written");
    assert!(!root.path().join("boot").exists() && !root.path().join("BOOT").exists());
}

/// The work for one request is bounded: beyond 4096 names no other case is found.
#[test]
fn in_a_huge_folder_only_so_many_names_are_looked_at() {
    let root = TempDir::new().expect("a folder");
    for number in 0..5000 {
        fs::File::create(root.path().join(format!("File{number}"))).expect("a file");
    }
    let storage = any_case(root.path());
    let mut asked = (0..5000).step_by(50);
    let found =
        asked.by_ref().find(|number| read(&storage, CLIENT, format!("FILE{number}")).is_ok());
    let missed = asked.find(|number| read(&storage, CLIENT, format!("FILE{number}")).is_err());
    assert!(found.is_some() && missed.is_some(), "{found:?} {missed:?}");
    for number in [found, missed].into_iter().flatten() {
        assert!(read(&storage, CLIENT, format!("File{number}")).is_ok(), "as asked for");
    }
}

#[test]
fn without_it_case_counts() {
    let root = tree(&["file"]);
    assert_eq!(code(read(&folder(root.path(), Names::default()), CLIENT, "FILE")), 1);
}

#[test]
fn in_the_clients_folder_any_case_comes_before_the_common_root() {
    let root = tree(&["clients/192.0.2.7/Boot.cfg", "boot.CFG", "boot.cfg"]);
    let folders = "clients/{ip}".parse().expect("a pattern");
    let storage = folder(root.path(), Names { client_folders: Some(folders), ignore_case: true });
    assert_eq!(read(&storage, CLIENT, "boot.cfg").as_deref(), Ok("clients/192.0.2.7/Boot.cfg"));
    assert_eq!(read(&storage, "192.0.2.8", "boot.cfg").as_deref(), Ok("boot.cfg"));
    assert_eq!(code(read(&storage, "192.0.2.8", "CLIENTS/192.0.2.7/BOOT.CFG")), 1);
}
