//! Parse, encode, parse again: the same packet.

use tftp_core::{Packet, Request};

pub fn check(datagram: &[u8]) {
    let Ok(packet) = Packet::parse(datagram) else {
        return;
    };
    let mut out = vec![0; datagram.len() + Request::MAX_LEN];
    let Some(len) = packet.encode(&mut out) else {
        // Only a request can be read and not be written: it may have more than 512 bytes.
        assert!(matches!(packet, Packet::Request(_)) && datagram.len() > 500);
        return;
    };
    match (packet, Packet::parse(&out[..len])) {
        // Garbage behind the options is not written again.
        (Packet::OptionAck(one), Ok(Packet::OptionAck(other))) => {
            assert!(one.iter().eq(other.iter()));
        }
        (one, other) => assert_eq!(other, Ok(one)),
    }
}
