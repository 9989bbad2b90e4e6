//! Who is the peer: transfer IDs (RFC 1350 section 4, INTEROP F33, F46).

mod trace;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use tftp_core::{Ignored, Malformed, Options, Order, Receiver, Timing, Verdict};
use trace::{
    ASKED, Half, PEER, REQUEST, Trace, ack, at, blksize, data, error, oack, read, serve_read,
    serve_write, windows_of, write,
};

const OTHER_PORT: SocketAddr = SocketAddr::new(PEER.ip(), 40_001);
const OTHER_HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 40_000);

#[test]
fn a_server_knows_its_clients_tid_from_the_request_on() {
    let mut reading = serve_read(windows_of(2), b"file");
    reading.sends(0, &[oack("blksize=8 windowsize=2")]);
    assert_eq!(reading.hear(10, OTHER_PORT, &ack(0)), Verdict::Stray);
    reading.is_silent(10).gets(10, ack(0)).sends(10, &[data(1, b"file")]);
    let mut writing = serve_write(windows_of(2));
    writing.sends(0, &[oack("blksize=8 windowsize=2")]);
    assert_eq!(writing.hear(10, OTHER_PORT, &data(1, b"file")), Verdict::Stray);
    writing.is_silent(10).gets(10, data(1, b"file")).sends(10, &[ack(1)]);
}

#[test]
fn a_strangers_packet_is_stray_and_disturbs_nothing() {
    let packets =
        [ack(1), ack(0), data(1, b"theirs"), oack("blksize=8"), b"\0\x01f\0octet\0".into()];
    for mut session in under_way() {
        let before = session.half.clone();
        for from in [OTHER_PORT, OTHER_HOST] {
            for packet in &packets {
                assert_eq!(session.hear(20, from, packet), Verdict::Stray);
            }
        }
        assert_eq!(session.half, before);
    }
}

#[test]
fn f33_a_strangers_error_malformed_packet_or_port_0_is_never_answered() {
    let port_0 = SocketAddr::new(PEER.ip(), 0);
    let cases: [(SocketAddr, Vec<u8>); 6] = [
        (OTHER_PORT, error(5, "unknown transfer ID")),
        (OTHER_HOST, error(0, "")),
        (OTHER_PORT, b"\0\x05".into()),
        (OTHER_PORT, b"".into()),
        (OTHER_HOST, b"\0\x07what".into()),
        (port_0, ack(1)),
    ];
    for mut session in under_way() {
        let before = session.half.clone();
        for (from, packet) in &cases {
            let verdict = session.hear(20, *from, packet);
            assert_eq!(verdict, Verdict::Ignored(Ignored::StrangerNotAnswered), "{packet:?}");
        }
        assert_eq!(session.half, before);
    }
}

#[test]
fn f46_a_client_takes_its_first_answer_from_the_asked_host_only() {
    for (mut session, answer) in
        [(read(Options::NONE), data(1, b"a")), (write(blksize(8), b"a"), ack(0))]
    {
        session.sends(0, &[REQUEST]);
        assert_eq!(session.hear(5, OTHER_HOST, &answer), Verdict::Stray);
        let port_0 = session.hear(5, SocketAddr::new(PEER.ip(), 0), &answer);
        assert_eq!(port_0, Verdict::Ignored(Ignored::StrangerNotAnswered));
        session.gets(10, &answer);
        assert_eq!(session.hear(11, OTHER_PORT, &answer), Verdict::Stray);
        assert_eq!(session.hear(11, ASKED, &answer), Verdict::Stray);
    }
}

#[test]
fn f46_a_packet_that_is_no_answer_does_not_lock_the_tid() {
    let mut session = read(Options::NONE);
    session.sends(0, &[REQUEST]);
    for junk in [ack(0), ack(1), data(2, b"?"), data(0, b"?"), b"\0\x09".into()] {
        let before = session.half.clone();
        let verdict = session.hear(5, OTHER_PORT, &junk);
        assert!(matches!(verdict, Verdict::Ignored(_)), "{verdict:?}");
        assert_eq!(session.half, before);
    }
    session.gets(10, data(1, b"all")).sends(10, &[ack(1)]);
}

#[test]
fn a_second_server_answering_the_same_request_is_stray() {
    // The example in RFC 1350 section 4: a doubled request has opened two transfers.
    let mut session = write(Options::NONE, b"all");
    session.sends(0, &[REQUEST]).gets(10, ack(0)).sends(10, &[data(1, b"all")]);
    assert_eq!(session.hear(11, OTHER_PORT, &ack(0)), Verdict::Stray);
    session.is_silent(11).gets(20, ack(1)).is_silent(20).is_done();
}

#[test]
fn malformed_packets_of_the_peer_change_nothing() {
    let cases: [(&[u8], Malformed); 6] = [
        (b"", Malformed::TooShort),
        (b"\0", Malformed::TooShort),
        (b"\0\x04\0", Malformed::TooShort),
        (b"\0\x03\0", Malformed::TooShort),
        (b"\0\x05\0", Malformed::TooShort),
        (b"\0\x00\0\x01", Malformed::UnknownOpcode),
    ];
    for mut session in under_way() {
        for (packet, why) in cases {
            session.ignores(20, packet, Ignored::Malformed(why));
        }
    }
}

#[test]
fn an_ipv6_flow_label_is_nobodys_identity() {
    let ip = Ipv6Addr::LOCALHOST;
    let mut receiver = Receiver::reply(
        at(0),
        SocketAddrV6::new(ip, 40_000, 7, 0).into(),
        Options::NONE,
        Order::Any,
        Timing::SERVER,
    );
    let from = SocketAddrV6::new(ip, 40_000, 9, 0).into();
    let outcome = receiver.handle_datagram(at(10), from, b"\0\x03\0\x01all");
    assert!(matches!(outcome, tftp_core::Received::Data(_)), "{outcome:?}");
}

#[test]
fn nobody_is_a_stranger_to_a_session_that_is_over() {
    let mut session = serve_read(Options::NONE, b"all");
    session.poll(0);
    session.gets(10, ack(1)).is_done();
    for from in [PEER, OTHER_PORT, OTHER_HOST] {
        assert_eq!(session.hear(11, from, &ack(1)), Verdict::Ignored(Ignored::Over));
    }
}

/// One session of each half with its TID known, and a receiver that lingers.
fn under_way() -> [Trace; 3] {
    let mut sender = serve_read(Options::NONE, b"all");
    sender.sends(0, &[data(1, b"all")]);
    let mut receiver = serve_write(Options::NONE);
    receiver.sends(0, &[ack(0)]);
    let mut lingering = read(Options::NONE);
    lingering.sends(0, &[REQUEST]).gets(5, data(1, b"all")).sends(5, &[ack(1)]);
    assert!(matches!(lingering.half, Half::Receiver(_)));
    [sender, receiver, lingering]
}
