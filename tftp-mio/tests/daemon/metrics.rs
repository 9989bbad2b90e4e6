//! The metrics, as whoever scrapes them sees them.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use crate::{
    peer::{Peer, ack, content, data, error, oack, rrq, wrq},
    server::Server,
};

/// A server that tells its metrics, and where.
fn measured() -> (Server, SocketAddr) {
    let server = Server::with(["--write", "create", "--metrics", "127.0.0.1:0"]);
    let line = server.log_line("metrics at http://");
    let (_, rest) = line.split_once("http://").expect("an address");
    let address = rest.trim_end_matches("/metrics").parse().expect("an address");
    fs::write(server.root().join("file"), content(1000)).expect("a file to serve");
    (server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out above zero");
    stream
}

/// The answer to one request: its head, and its body.
fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(address);
    write!(stream, "{request} HTTP/1.1\r\nHost: metrics\r\n\r\n").expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

#[track_caller]
fn assert_has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|found| found == *line), "{line} is not in:\n{page}");
    }
}

/// A read that is completed, one that is not, a refusal, and a write that is half open.
fn some_transfers(server: &Server) -> Peer {
    let mut peer = Peer::of(server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, &content(1000)[..512]));
    peer.send(ack(1));
    peer.expect(data(2, &content(1000)[512..]));
    peer.send(ack(2));
    server.log_line("\"completed\"");
    peer.ask(rrq("file", &[("tsize", "0")]));
    peer.expect(oack(&[("tsize", "1000")]));
    peer.send(error(0, "TFTP Aborted"));
    server.log_line("\"probe\"");
    peer.ask(rrq("missing", &[]));
    peer.expect_error(1);
    peer.ask(wrq("new", &[("timeout", "9")]));
    peer.expect(oack(&[("timeout", "9")]));
    peer
}

#[test]
fn what_has_happened_is_counted() {
    let (server, address) = measured();
    let _half_open = some_transfers(&server);
    let (head, page) = ask(address, "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert_has(
        &page,
        &[
            "tftpd_transfers_started_total{operation=\"read\"} 2",
            "tftpd_transfers_started_total{operation=\"write\"} 1",
            "tftpd_transfers_total{operation=\"read\",outcome=\"completed\"} 1",
            "tftpd_transfers_total{operation=\"read\",outcome=\"probe\"} 1",
            "tftpd_transfers_total{operation=\"read\",outcome=\"failed\"} 0",
            "tftpd_moved_bytes_total{operation=\"read\"} 1000",
            "tftpd_refused_total{reason=\"not found\"} 1",
            "tftpd_active_transfers 1",
            "tftpd_half_open_transfers 1",
            "tftpd_ports_in_use 1",
            "tftpd_transfer_duration_seconds_count 1",
            "tftpd_transfer_duration_seconds_bucket{le=\"+Inf\"} 1",
            "tftpd_transfer_rate_bytes_per_second_count 1",
        ],
    );
    assert!(page.ends_with("# EOF\n"), "{page}");
    server.stop();
}

#[test]
fn other_requests_get_the_status_that_is_theirs() {
    let (server, address) = measured();
    for (request, status) in [
        ("HEAD /metrics", "200"),
        ("GET /", "404"),
        ("GET /metrics/../../etc/passwd", "404"),
        ("POST /metrics", "405"),
        ("nonsense", "400"),
    ] {
        let (head, _) = ask(address, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
    }
    server.stop();
}

/// More connections than are served at a time say nothing, or too much, or do not listen.
#[test]
fn clients_that_behave_badly_disturb_nobody() {
    let (server, address) = measured();
    let mut bad: Vec<TcpStream> = (0..40).map(|_| connect(address)).collect();
    for (index, stream) in bad.iter_mut().enumerate() {
        let said = match index % 4 {
            0 => continue,
            1 => stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: "),
            2 => stream.write_all(&[0xFF; 100]),
            _ => stream.write_all("a".repeat(100_000).as_bytes()),
        };
        // Some are answered by a reset, and rightly so.
        drop(said);
    }
    let mut peer = Peer::of(&server);
    peer.ask(rrq("file", &[]));
    peer.expect(data(1, &content(1000)[..512]));
    peer.send(ack(1));
    peer.expect(data(2, &content(1000)[512..]));
    peer.send(ack(2));
    server.log_line("\"completed\"");
    // Each is let go of after its time.
    let (_, page) = ask(address, "GET /metrics");
    assert_has(&page, &["tftpd_transfers_total{operation=\"read\",outcome=\"completed\"} 1"]);
    for mut stream in bad {
        let _ = stream.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }
    server.stop();
}

#[test]
fn the_oldest_connection_gives_way_to_one_more() {
    let (server, address) = measured();
    let half = || {
        let mut stream = connect(address);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").expect("it is taken");
        stream
    };
    let mut waiting: Vec<TcpStream> = (0..40).map(|_| half()).collect();
    let (head, _) = ask(address, "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // The first is gone, and the last is not.
    let mut byte = [0];
    match waiting[0].read(&mut byte) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    waiting[39].write_all(b"metrics\r\n\r\n").expect("it is open");
    let mut answer = String::new();
    waiting[39].read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // One of those in between was in nobody's way either.
    waiting[30].set_nonblocking(true).expect("our own socket");
    let open = waiting[30].read(&mut byte).expect_err("nothing to read");
    assert_eq!(open.kind(), ErrorKind::WouldBlock);
    server.stop();
}

/// Prometheus' own parser, which `.ci/run` installs and names in `PROMETHEUS_PYTHON`.
#[test]
#[ignore = "needs a Python with prometheus_client, named by PROMETHEUS_PYTHON; .ci/run has one"]
fn the_parser_of_prometheus_accepts_the_page() {
    let python = std::env::var_os("PROMETHEUS_PYTHON").expect("PROMETHEUS_PYTHON");
    let (server, address) = measured();
    let _half_open = some_transfers(&server);
    let script = "\
import sys, urllib.request
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
page = urllib.request.urlopen(sys.argv[1]).read().decode()
for family in parse(page):
    for sample in family.samples:
        print(family.type, sample.name, *sorted(sample.labels.items()), float(sample.value))
";
    let url = format!("http://{address}/metrics");
    let output = Command::new(python).args(["-c", script, &url]).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let parsed = String::from_utf8(output.stdout).expect("text");
    assert_has(
        &parsed,
        &[
            "counter tftpd_transfers_total ('operation', 'read') ('outcome', 'completed') 1.0",
            "counter tftpd_moved_bytes_total ('operation', 'read') 1000.0",
            "counter tftpd_refused_total ('reason', 'not found') 1.0",
            "gauge tftpd_active_transfers 1.0",
            "histogram tftpd_transfer_duration_seconds_count 1.0",
            concat!("info tftpd_build_info ('version', '", env!("CARGO_PKG_VERSION"), "') 1.0"),
        ],
    );
    server.stop();
}
