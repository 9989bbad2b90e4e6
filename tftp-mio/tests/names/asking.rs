//! A folder to ask, without a server before it.

use std::{fs, path::Path};

use tempfile::TempDir;
use tftp_core::{Mode, Operation};
use tftp_mio::storage::{Denied, Folder, Names, Storage, Wanted, WritePolicy};

pub(crate) const CLIENT: &str = "192.0.2.7";

/// A folder with these files, each of which holds its own path.
pub(crate) fn tree(files: &[&str]) -> TempDir {
    let root = TempDir::new().expect("a folder");
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        fs::write(path, file).expect("a file");
    }
    root
}

/// Serves it in this manner, and lets everything be written.
pub(crate) fn folder(root: &Path, names: Names) -> Folder {
    let uploads = tftp_mio::storage::Uploads { min_free: 0, ..WritePolicy::Overwrite.into() };
    Folder::open(root, uploads).expect("a folder").with_names(names)
}

pub(crate) fn wanted<'a>(operation: Operation, client: &str, name: &'a [u8]) -> Wanted<'a> {
    let client = client.parse().expect("an address");
    Wanted {
        client,
        operation,
        name,
        mode: Mode::Octet,
        announced: None,
        listener: None,
        file: None,
    }
}

/// What a client reads under a name.
pub(crate) fn read(
    storage: &impl Storage,
    client: &str,
    name: impl AsRef<[u8]>,
) -> Result<String, Denied> {
    let mut source = storage.open(&wanted(Operation::Read, client, name.as_ref()))?;
    let mut buffer = [0; 100];
    let len = source.read_at(0, &mut buffer).expect("content");
    Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
}

/// Writes `written` under a name.
pub(crate) fn write(
    storage: &impl Storage,
    client: &str,
    name: impl AsRef<[u8]>,
) -> Result<(), Denied> {
    let mut sink = storage.create(&wanted(Operation::Write, client, name.as_ref()))?;
    sink.write_at(0, b"written").expect("room");
    sink.finish().expect("a file");
    Ok(())
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Denied>) -> u16 {
    result.expect_err("a refusal").code.0
}
