//! Several workers are one server.

use std::fs;

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, content, data, oack, rrq, wrq},
    server::Server,
};

fn server(options: &[&str]) -> Server {
    let root = TempDir::new().expect("a folder to serve");
    fs::write(root.path().join("file"), content(2000)).expect("a file to serve");
    let options = [&["--write", "create", "--workers", "4"], options].concat();
    Server::serving(root, options)
}

/// Enough peers that every worker has some.
fn peers(server: &Server) -> Vec<Peer> {
    (0..32).map(|_| Peer::of(server)).collect()
}

#[test]
fn every_client_is_served_and_no_two_share_a_port() {
    let server = server(&[]);
    let mut peers = peers(&server);
    for peer in &mut peers {
        peer.ask(rrq("file", &[("timeout", "9")]));
        peer.expect(oack(&[("timeout", "9")]));
    }
    let mut ports: Vec<u16> = peers.iter().map(|peer| peer.tid().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), peers.len());
    for peer in &mut peers {
        peer.send(ack(0));
        assert!(peer.read_blocks(1, 512, 1) == content(2000));
    }
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 32, "{log}");
}

#[test]
fn every_client_is_served_through_a_single_port() {
    let server = server(&["--single-port"]);
    let mut peers = peers(&server);
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.ask(rrq("file", &[("timeout", "9")]));
        peer.expect(oack(&[("timeout", "9")]));
        let mut writer = Peer::of(&server);
        writer.ask(wrq(format!("new{number}"), &[]));
        writer.expect(ack(0));
        writer.send(data(1, "short"));
        writer.expect(ack(1));
    }
    for peer in &mut peers {
        peer.send(ack(0));
        assert!(peer.read_blocks(1, 512, 1) == content(2000));
    }
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 64, "{log}");
}

#[test]
fn a_stop_is_told_once_and_ends_all_of_them() {
    let server = server(&["--grace", "30"]);
    let mut peers = peers(&server);
    for peer in &mut peers {
        peer.ask(wrq("new", &[("timeout", "9")]));
        peer.receive();
    }
    server.signal(rustix::process::Signal::TERM);
    server.log_line("stopping");
    let log = server.stop();
    assert_eq!(log.matches("stopping").count(), 1, "{log}");
}

/// Polling instead of sleeping changes nothing but the time.
#[test]
fn a_server_that_polls_busily_serves_and_stops_like_any_other() {
    let server = server(&["--busy-poll", "500"]);
    let mut peers = peers(&server);
    for peer in &mut peers {
        peer.ask(rrq("file", &[("timeout", "9")]));
        peer.expect(oack(&[("timeout", "9")]));
        peer.send(ack(0));
        assert!(peer.read_blocks(1, 512, 1) == content(2000));
    }
    let log = server.stop();
    assert_eq!(log.matches("outcome=\"completed\"").count(), 32, "{log}");
}
