//! Transfers through a network that loses, doubles and reorders: whole, or not at all, and at a price
//! that is in proportion.

use std::fs;

use tempfile::TempDir;
use tftp_core::{BlockSize, WindowSize};
use tftp_mio::client::{Client, Download, Settings, TransferError, Upload};

use crate::{
    peer::content,
    proxy::{Proxy, Weather},
    server::Server,
};

/// One client's transfer of a file there and back, in blocks and windows of these sizes. Returns
/// how many DATA packets were sent for a hundred that were needed.
#[track_caller]
fn there_and_back(weather: Weather, blksize: u16, windowsize: u16, blocks: usize) -> usize {
    let size = usize::from(blksize);
    let file = content(blocks * size + size / 2);
    // With an address of its own, the server has its ports for itself.
    let listen = format!("127.73.{}.{windowsize}:0", weather.lost);
    let server = Server::with(["--listen", &listen, "--write", "create"]);
    let local = TempDir::new().expect("a folder");
    let [source, copy] = ["source", "copy"].map(|name| local.path().join(name));
    fs::write(&source, &file).expect("a file to send");
    let settings = Settings {
        block_size: BlockSize::new(blksize).expect("a block size"),
        window_size: WindowSize::new(windowsize).expect("a window size"),
        ..Settings::default()
    };
    let mut client = Client::new().expect("a client");
    let mut sent = 0;
    for upload in [true, false] {
        let proxy =
            Proxy::before(server.addresses()[0], weather, u64::from(blksize) + weather.lost);
        let result = if upload {
            let from = Upload::open(&source).expect("our own file");
            client.put(proxy.address(), b"file", &settings, from, &mut |_| {})
        } else {
            let to = Download::create(&copy).expect("a file to write");
            client.get(proxy.address(), b"file", &settings, to, &mut |_| {})
        };
        let passed = proxy.end();
        match result {
            Ok(report) => assert_eq!(report.bytes, file.len() as u64),
            // All last ACKs can be lost; whether the file is there is looked at below.
            Err(TransferError::Unconfirmed) if upload => {}
            Err(error) => panic!("{error:?} in {weather:?}: {passed:?}"),
        }
        sent += passed.data;
    }
    assert!(fs::read(server.root().join("file")).expect("the upload") == file);
    assert!(fs::read(copy).expect("the download") == file);
    let line = server.log_line("op=\"write\"");
    assert!(line.contains("outcome=\"completed\""), "{line}");
    server.stop();
    100 * sent / (2 * (blocks + 1))
}

fn all_sizes(weather: Weather, at_most: usize) {
    for (blksize, windowsize, blocks) in [(512, 1, 60), (1428, 16, 300), (8192, 64, 300)] {
        let price = there_and_back(weather, blksize, windowsize, blocks);
        println!("{weather:?}, {blksize}/{windowsize}: {price} %");
        assert!(
            price <= at_most,
            "{price} DATA for a hundred in {weather:?}, {blksize}/{windowsize}"
        );
    }
}

#[test]
fn one_in_a_hundred_is_lost_doubled_and_overtaken() {
    all_sizes(Weather { lost: 1, doubled: 1, delayed: 1 }, 200);
}

#[test]
fn five_in_a_hundred_are_lost_doubled_and_overtaken() {
    all_sizes(Weather { lost: 5, doubled: 5, delayed: 5 }, 400);
}

#[test]
fn twenty_in_a_hundred_are_lost_doubled_and_overtaken() {
    all_sizes(Weather { lost: 20, doubled: 20, delayed: 20 }, 800);
}
