//! Servers of a file that is sent.

use crate::{
    End::{Fails, Whole},
    HASTY, OPTIONS, PLAIN, cases,
    common::{Listener, Peer, stranger},
    file,
};

cases! {
    "put",
    options_are_ignored, OPTIONS, Whole("no options"), |server| {
        let mut peer = server.accept_any().1;
        take(&mut peer);
    };
    a_block_size_larger_than_asked, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"blksize\x001024\0");
    a_window_larger_than_asked, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"windowsize\x005\0");
    an_option_that_nobody_asked_for, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"multicast\x00224.0.0.1,1,1\0");
    the_oack_again_and_again, OPTIONS, Whole("blksize=512,"), |server| {
        let mut peer = server.accept_any().1;
        peer.send(b"\0\x06blksize\x00512\0");
        peer.send(b"\0\x06blksize\x00512\0");
        peer.expect_data(1, &file()[..512]);
        peer.send(b"\0\x06blksize\x00512\0");
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    options_are_refused_with_error_8, OPTIONS, Whole("asked again with fewer options"), |server| {
        loop {
            let (request, mut peer) = server.accept_any();
            if request.ends_with(b"octet\0") {
                return take(&mut peer);
            }
            peer.send_error(8, b"no options");
        }
    };
    every_ack_twice, PLAIN, Whole(", 0 packets sent again"), |server| {
        // RFC 1123 section 4.2.3.1: a doubled ACK draws no second DATA.
        let mut peer = server.accept_any().1;
        for (block, bytes) in [(1, &file()[..512]), (2, &file()[512..])] {
            peer.send_ack(block - 1);
            peer.send_ack(block - 1);
            peer.expect_data(block, bytes);
        }
        peer.send_ack(2);
        peer.send_ack(2);
    };
    acks_of_blocks_that_were_never_sent, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        for block in [2, 9, 65535] {
            peer.send_ack(block);
        }
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    garbage_behind_an_ack, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send(b"\0\x04\0\0garbage");
        peer.expect_data(1, &file()[..512]);
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    packets_that_make_no_sense_here, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        for packet in [&b"\0\x03\0\x01x"[..], b"\0\x02a\0octet\0", b"\0\x04", b"\0", b"\0\x07ab"] {
            peer.send(packet);
        }
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    a_stranger_acknowledges, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        let mut stranger = stranger("127.0.0.1", &peer);
        stranger.send_ack(1);
        assert_eq!(stranger.receive(), b"\0\x05\0\x05unknown transfer ID\0");
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    a_stranger_sends_an_error, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        stranger("127.0.0.1", &peer).send_error(3, b"stop");
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    packets_cut_short, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        for packet in [&b""[..], b"\0", b"\0\x04", b"\0\x04\0", b"\0\x05\0", b"\0\x06a"] {
            peer.send(packet);
        }
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(2);
    };
    acks_of_earlier_blocks, OPTIONS, Whole(", 0 packets sent again"), |server| {
        // Reordered behind the one that counts.
        let mut peer = server.accept_any().1;
        peer.send(b"\0\x06blksize\x00512\0");
        peer.expect_data(1, &file()[..512]);
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_ack(0);
        peer.send_ack(2);
    };
    an_error_without_its_nul, PLAIN, Fails(1, "(code 2): \"no uploads\";"),
        |server| server.accept_any().1.send(b"\0\x05\0\x02no uploads");
    an_error_that_steers_the_terminal, PLAIN, Fails(1, r#""\x1b[2J\x1b]0;owned\x07""#),
        |server| server.accept_any().1.send_error(2, b"\x1b[2J\x1b]0;owned\x07");
    everything_is_sent_and_then_refused, PLAIN, Fails(1, "(code 3): \"quota\""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.send_error(3, b"quota");
    };
    the_disk_is_full_half_way, PLAIN, Fails(1, "(code 3): \"no space\""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        peer.send_error(3, b"no space");
    };
    silence_after_the_oack, &["-b", "512", "-r", "0"], Fails(3, "fell silent"), |server| {
        let mut peer = server.accept_any().1;
        peer.send(b"\0\x06blksize\x00512\0");
        peer.expect_data(1, &file()[..512]);
        peer.expect_error();
    };
    silence_after_the_first_ack, HASTY, Fails(3, "fell silent"), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        peer.expect_error();
    };
    the_same_ack_for_ever, HASTY, Fails(3, "fell silent"), |server| {
        let mut peer = server.accept_any().1;
        while !peer.has_given_up() {
            peer.send_ack(0);
        }
    };
    the_last_ack_never_comes, HASTY, Fails(3, "did not confirm"), |server| {
        let mut peer = server.accept_any().1;
        peer.send_ack(0);
        peer.expect_data(1, &file()[..512]);
        peer.send_ack(1);
        peer.expect_data(2, &file()[512..]);
        peer.expect_error();
    };
    all_is_sent_at_once_and_never_acknowledged, &["-b", "512", "-w", "4", "-r", "0"], Fails(3, "did not confirm"),
        |server| {
            // All of the file fits into the first window.
            let mut peer = server.accept_any().1;
            peer.send(b"\0\x06blksize\x00512\0windowsize\x004\0tsize\x00600\0");
            peer.expect_data(1, &file()[..512]);
            peer.expect_data(2, &file()[512..]);
            peer.expect_error();
        };
}

fn oack_is_refused(server: &mut Listener, options: &[u8]) {
    let mut peer = server.accept_any().1;
    peer.send(&[b"\0\x06", options].concat());
    assert!(peer.receive().starts_with(b"\0\x05\0\x08"));
}

/// Takes the file as a server of RFC 1350 does.
fn take(peer: &mut Peer) {
    peer.send_ack(0);
    peer.expect_data(1, &file()[..512]);
    peer.send_ack(1);
    peer.expect_data(2, &file()[512..]);
    peer.send_ack(2);
}
