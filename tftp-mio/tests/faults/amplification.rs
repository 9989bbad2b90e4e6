//! What a forged request makes the server send to somebody who has not asked: the factor that
//! `docs/network.md` states.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use crate::{
    peer::{Peer, request},
    server::Server,
};

/// Headers of UDP over IPv4.
const HEADERS: usize = 28;

/// How long a transfer is kept that nobody follows up is half a minute, whatever was asked a minute.
const KEPT: Duration = Duration::from_secs(66);

/// Bytes in and out, on the wire.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    asked: usize,
    answered: usize,
    answers: usize,
}

impl Bytes {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn factor(self) -> f64 {
        self.answered as f64 / self.asked as f64
    }
}

/// One peer for each request, which listens and says nothing more.
#[track_caller]
fn listen(server: &Server, requests: &[(IpAddr, Vec<u8>)]) -> Vec<Bytes> {
    let mut peers: Vec<Peer> =
        requests.iter().map(|(from, _)| Peer::at(*from, server.addresses()[0])).collect();
    for (peer, (_, request)) in peers.iter_mut().zip(requests) {
        peer.ask(request);
    }
    // What comes waits in the socket.
    let until = Instant::now() + KEPT;
    let mut bytes = Vec::new();
    for (peer, (_, request)) in peers.iter_mut().zip(requests) {
        let mut drawn = Bytes { asked: request.len() + HEADERS, ..Bytes::default() };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some(answer) = peer.receive_within(left.max(Duration::from_millis(1))) else {
                break;
            };
            drawn.answered += answer.len() + HEADERS;
            drawn.answers += 1;
        }
        bytes.push(drawn);
    }
    bytes
}

/// For every combination of options: six answers at most, and of those the largest is the first block
/// of a read without options.
#[test]
#[ignore = "waits for a minute until the server gives up; .ci/run runs it"]
fn a_forged_request_draws_at_most_six_first_packets() {
    let offers = ["--write", "create", "--offer", "utimeout", "--offer", "blksize2"];
    let server = Server::with([&["--listen", "127.72.1.1:0"], &offers[..]].concat());
    // As short as a name can be.
    fs::write(server.root().join("a"), vec![7; 100_000]).expect("a file to serve");
    let options = [
        ("blksize", "65464"),
        ("windowsize", "64"),
        ("tsize", "0"),
        ("timeout", "1"),
        ("blksize2", "32768"),
        ("utimeout", "10000"),
        ("x", ""),
    ];
    let mut requests = Vec::new();
    for opcode in [1, 2] {
        for mode in ["octet", "netascii"] {
            for chosen in 0_u32..1 << options.len() {
                let options: Vec<_> = (0..options.len())
                    .filter(|index| chosen & (1 << index) != 0)
                    .map(|index| options[index])
                    .collect();
                let number = u16::try_from(requests.len()).expect("a few hundred");
                let [high, low] = number.to_be_bytes();
                // New names for uploads, so that none is refused.
                let name = if opcode == 1 { "a".into() } else { format!("w{number}") };
                let request = request(opcode, name.as_bytes(), mode, &options);
                requests.push((Ipv4Addr::new(127, 88, high, low).into(), request));
            }
        }
    }
    let drawn = listen(&server, &requests);
    let worst = drawn.iter().copied().max_by(|a, b| a.factor().total_cmp(&b.factor()));
    let worst = worst.expect("many requests");
    println!("{} requests, the worst: {worst:?}, factor {:.1}", drawn.len(), worst.factor());
    for (drawn, (_, request)) in drawn.iter().zip(&requests) {
        let shown = request.escape_ascii();
        assert!((1..=6).contains(&drawn.answers), "{drawn:?} for {shown}");
        // With any option that is granted it is an OACK, and not the first block.
        let plain = drawn.answered / drawn.answers == 516 + HEADERS;
        assert!(plain || drawn.factor() <= 8.0, "{drawn:?} for {shown}");
    }
    assert_eq!((worst.asked, worst.answered), (10 + HEADERS, 6 * (516 + HEADERS)));
    assert!(worst.factor() < 86.0);
    server.stop();
}

/// An address that many forged requests name gets less for each of them.
#[test]
#[ignore = "waits for a minute until the server gives up; .ci/run runs it"]
fn many_forged_requests_in_one_name_draw_one_first_packet_each() {
    let server = Server::with(["--listen", "127.72.2.1:0"]);
    fs::write(server.root().join("a"), vec![7; 600]).expect("a file to serve");
    let victim = Ipv4Addr::new(127, 88, 255, 1).into();
    let requests = vec![(victim, request(1, b"a", "octet", &[])); 1000];
    let drawn = listen(&server, &requests);
    let answers: usize = drawn.iter().map(|bytes| bytes.answers).sum();
    assert_eq!(answers, 32 * 6 + (1000 - 32));
    println!("1000 requests drew {answers} answers");
    server.stop();
}
