//! The client engine as a library: put, get, progress, an ERROR, and a transfer that is cancelled.
//!
//! `cargo run -p tftp-mio --example client` talks to a server on a thread nearby and prints
//!
//! ```text
//! put: 100000 bytes
//! get: 100000 bytes, all as they were
//! get of what is not there: file not found
//! get that was cancelled: the file is as it was
//! ```

use std::{error::Error, fs, net::SocketAddr, path::Path, sync::Arc, thread};

use tftp_mio::{
    client::{Client, Download, Settings, TransferError, Upload},
    server::{Config, Server},
    storage::{Folder, WritePolicy},
};

fn main() -> Result<(), Box<dyn Error>> {
    let (theirs, ours) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = start_server(theirs.path())?;
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let (original, copy) = (ours.path().join("original"), ours.path().join("copy"));
    fs::write(&original, &content)?;

    let mut client = Client::new()?;
    let settings = Settings::default();

    // Called at the beginning, a few times a second, and at the end.
    let mut told = 0;
    let source = Upload::open(&original)?;
    let mut progress = |progress: tftp_mio::client::Progress| told = progress.bytes;
    let report = client.put(server, b"file", &settings, source, &mut progress)?;
    assert_eq!(told, report.bytes);
    println!("put: {} bytes", report.bytes);

    // Until the file is whole, there is nothing under its name.
    let sink = Download::create(&copy)?;
    let report = client.get(server, b"file", &settings, sink, &mut |_| {})?;
    assert!(fs::read(&copy)? == content);
    println!("get: {} bytes, all as they were", report.bytes);

    let sink = Download::create(&copy)?;
    match client.get(server, b"missing", &settings, sink, &mut |_| {}) {
        // What the server said is its own bytes: escape them before you show them.
        Err(TransferError::Server { code, message: _ }) => {
            println!("get of what is not there: {code}");
        }
        other => return Err(format!("{other:?}").into()),
    }

    // Any thread may cancel; here it is the one that is told of the progress.
    let canceller = client.canceller();
    let sink = Download::create(&copy)?;
    match client.get(server, b"file", &settings, sink, &mut |_| canceller.cancel()) {
        Err(TransferError::Cancelled) => {
            assert!(fs::read(&copy)? == content);
            println!("get that was cancelled: the file is as it was");
        }
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}

/// Serves a folder on a free port for as long as the program runs.
fn start_server(root: &Path) -> Result<SocketAddr, Box<dyn Error>> {
    let storage = Folder::open(root, WritePolicy::Create)?;
    let config = Config { listen: vec!["127.0.0.1:0".parse()?], ..Config::default() };
    let server = Server::bind(&config, Arc::new(storage))?;
    let address = *server.local_addrs().first().ok_or("no address")?;
    thread::spawn(move || server.run());
    Ok(address)
}
