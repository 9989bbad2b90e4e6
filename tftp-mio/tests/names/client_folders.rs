//! `--client-root`.

use std::{fs, os::unix::fs::symlink, path::Path};

use tftp_mio::storage::{Folder, Names};

use crate::asking::{CLIENT, code, folder, read, tree, write};

fn per_client(root: &Path, pattern: &str) -> Folder {
    let folders = pattern.parse().expect("a pattern");
    folder(root, Names { client_folders: Some(folders), ..Names::default() })
}

const FILES: &[&str] = &[
    "common",
    "both",
    "dir/common",
    "clients/192.0.2.7/both",
    "clients/192.0.2.7/own",
    "clients/192.0.2.9/own",
    "clients/192.0.2.9/secret",
    "clients/2001-db8--1/own",
    "clients/lab/shared",
];

#[test]
fn the_clients_folder_comes_first_and_the_common_root_after_it() {
    let root = tree(FILES);
    let storage = per_client(root.path(), "clients/{ip}");
    for (client, name, expected) in [
        (CLIENT, "both", "clients/192.0.2.7/both"),
        (CLIENT, "own", "clients/192.0.2.7/own"),
        (CLIENT, "common", "common"),
        (CLIENT, "dir/../common", "common"),
        ("192.0.2.9", "own", "clients/192.0.2.9/own"),
        ("192.0.2.9", "both", "both"),
        ("192.0.2.8", "both", "both"),
        ("2001:db8::1", "own", "clients/2001-db8--1/own"),
    ] {
        assert_eq!(read(&storage, client, name).as_deref(), Ok(expected), "{client} {name}");
    }
    assert_eq!(code(read(&storage, "192.0.2.8", "own")), 1);
    // The byte of old boot ROMs is no part of the name here either.
    assert_eq!(read(&storage, CLIENT, b"own\xFF").as_deref(), Ok("clients/192.0.2.7/own"));
}

#[test]
fn no_spelling_leads_into_another_clients_folder() {
    let root = tree(FILES);
    symlink("clients", root.path().join("link")).expect("a link");
    symlink("clients/192.0.2.9/secret", root.path().join("to-secret")).expect("a link");
    symlink("../192.0.2.9", root.path().join("clients/192.0.2.7/peer")).expect("a link");
    let storage = per_client(root.path(), "clients/{ip}");
    for name in [
        "clients/192.0.2.9/secret",
        "/clients//192.0.2.9/./secret",
        "dir/../clients/192.0.2.9/secret",
        "clients/192.0.2.7/../192.0.2.9/secret",
        "link/192.0.2.9/secret",
        "to-secret",
        "peer/secret",
        "clients/lab/shared",
        "../192.0.2.9/secret",
    ] {
        let refused = code(read(&storage, CLIENT, name));
        assert!([1, 2].contains(&refused), "{name}: {refused}");
        // A new name is written into the client's own folder.
        if name.contains('/') {
            assert_eq!(code(write(&storage, CLIENT, name)), 2, "{name}");
        }
    }
    assert_eq!(
        fs::read(root.path().join("clients/192.0.2.9/secret")).unwrap(),
        b"clients/192.0.2.9/secret"
    );
    let own = "clients/192.0.2.7/own";
    assert_eq!(read(&storage, CLIENT, own).as_deref(), Ok(own), "one's own under its full name");
}

#[test]
fn a_folder_in_the_root_itself_is_as_private() {
    let root = tree(&["192.0.2.9/secret", "192.0.2.7/own", "common"]);
    let storage = per_client(root.path(), "{ip}");
    assert_eq!(read(&storage, CLIENT, "own").as_deref(), Ok("192.0.2.7/own"));
    assert_eq!(read(&storage, CLIENT, "common").as_deref(), Ok("common"));
    assert_eq!(code(read(&storage, CLIENT, "192.0.2.9/secret")), 1);
}

#[test]
fn links_of_the_operator_share_what_they_lead_to() {
    let root = tree(FILES);
    symlink("lab", root.path().join("clients/10.0.0.1")).expect("a link");
    symlink("lab", root.path().join("clients/10.0.0.2")).expect("a link");
    symlink("../../common", root.path().join("clients/192.0.2.7/mine")).expect("a link");
    let storage = per_client(root.path(), "clients/{ip}");
    for client in ["10.0.0.1", "10.0.0.2"] {
        assert_eq!(read(&storage, client, "shared").as_deref(), Ok("clients/lab/shared"));
    }
    assert_eq!(read(&storage, CLIENT, "mine").as_deref(), Ok("common"));
}

#[test]
fn a_client_writes_into_its_own_folder_where_it_has_one() {
    let root = tree(FILES);
    let storage = per_client(root.path(), "clients/{ip}");
    let content = |name: &str| fs::read_to_string(root.path().join(name)).unwrap_or_default();

    write(&storage, CLIENT, "common").expect("its own");
    assert_eq!(content("clients/192.0.2.7/common"), "written");
    assert_eq!(content("common"), "common");
    assert_eq!(read(&storage, CLIENT, "common").as_deref(), Ok("written"));

    write(&storage, "192.0.2.8", "common").expect("the common one");
    assert_eq!(content("common"), "written");
    assert!(!root.path().join("clients/192.0.2.8").exists());
}
