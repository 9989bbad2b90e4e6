//! Servers of a file that is fetched.

use crate::{
    End::{Fails, Whole},
    HASTY, OPTIONS, PLAIN, cases,
    common::{Listener, Peer, stranger},
    file,
};

/// Asks for a time-out of 3 seconds too.
const TIMEOUT: &[&str] = &["-b", "512", "-w", "4", "-t", "3"];

cases! {
    "get",
    // OACKs that RFC 2347 does not allow: the client says so with ERROR 8 and stops.
    an_option_that_nobody_asked_for, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"multicast\x00224.0.0.1,1,1\0");
    an_option_of_ours_that_was_not_asked_for, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"timeout\x003\0");
    a_block_size_larger_than_asked, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"blksize\x00513\0");
    a_window_larger_than_asked, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"windowsize\x005\0");
    a_timeout_other_than_asked, TIMEOUT, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"timeout\x004\0");
    a_block_size_that_is_no_number, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"blksize\x0051x\0");
    a_block_size_of_nothing, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"blksize\x000\0");
    an_option_without_a_value, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"blksize\0\0");
    an_option_twice, OPTIONS, Fails(1, "an option twice"),
        |server| oack_is_refused(server, b"blksize\x00512\0tsize\x00600\0blksize\x00256\0");
    an_option_twice_with_the_same_value, OPTIONS, Fails(1, "an option twice"),
        |server| oack_is_refused(server, b"blksize\x00512\0BlkSize\x00512\0");
    a_file_size_beyond_all_numbers, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"tsize\x0099999999999999999999\0");

    an_oack_cut_short, OPTIONS, Fails(1, "broke the protocol"),
        |server| oack_is_refused(server, b"blksize\x0051");

    // OACKs that real servers send and that do no harm.
    garbage_behind_the_options, OPTIONS, Whole("blksize=512,"),
        |server| serve_after_oack(server, b"blksize\x00512\0\xff\xfe");
    an_oack_without_options, OPTIONS, Whole("no options"),
        |server| serve_after_oack(server, b"");
    option_names_in_capitals, OPTIONS, Whole("blksize=512,"),
        |server| serve_after_oack(server, b"BLKSIZE\x00512\0");
    the_oack_twice, OPTIONS, Whole(""), |server| {
        let (_, mut peer) = server.accept_any();
        for _ in 0..2 {
            peer.send(b"\0\x06blksize\x00512\0");
        }
        peer.expect_ack(0);
        peer.serve(&file());
    };
    the_oack_again_in_the_middle, OPTIONS, Whole(""), |server| {
        let (_, mut peer) = server.accept_any();
        peer.send(b"\0\x06blksize\x00512\0");
        peer.expect_ack(0);
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        peer.send(b"\0\x06blksize\x00512\0");
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    an_oack_behind_the_first_block, OPTIONS, Whole("no options"), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        peer.send(b"\0\x06blksize\x00256\0");
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    options_are_ignored, OPTIONS, Whole("no options"), |server| {
        server.accept_any().1.serve(&file());
    };

    // Lies about the size of the file.
    a_file_shorter_than_its_tsize, OPTIONS, Fails(1, "announced 601 bytes and sent 600;"),
        |server| announce(server, b"tsize\x00601\0", 2);
    a_file_longer_than_its_tsize, OPTIONS, Fails(1, "announced 599 bytes and sent 600;"),
        |server| announce(server, b"tsize\x00599\0", 2);
    a_file_that_does_not_end_with_its_tsize, OPTIONS, Fails(1, "announced 60 bytes and sent 512;"),
        |server| announce(server, b"tsize\x0060\0", 1);
    a_tsize_that_no_disk_holds, OPTIONS, Fails(1, "announced 18446744073709551615 bytes"),
        |server| announce(server, b"tsize\x0018446744073709551615\0", 2);
    a_tsize_of_0_for_a_file_that_has_content, OPTIONS, Whole("tsize=0,"),
        |server| serve_after_oack(server, b"tsize\x000\0");

    // The ladder of options.
    options_are_refused_with_error_8, OPTIONS, Whole("fewer options because of an error (code 8): \"no options\""),
        |server| refuse_options(server, 8);
    options_are_refused_with_error_4, OPTIONS, Whole("fewer options because of an error (code 4): \"no options\""),
        |server| refuse_options(server, 4);
    options_are_refused_with_error_0, OPTIONS, Whole("fewer options because of an error (code 0): \"no options\""),
        |server| refuse_options(server, 0);
    options_are_not_answered, &["-b", "512", "-w", "1"],
        Whole("no options, 0 packets sent again, asked again with fewer options because there was no answer"),
        |server| {
            server.accept_any();
            let (request, mut peer) = server.accept_any();
            assert_eq!(request, b"\0\x01a\0octet\0");
            serve(&mut peer);
        };
    everything_is_refused_with_error_0, OPTIONS, Fails(1, "(code 0): \"no\""), |server| {
        for _ in 0..3 {
            server.accept_any().1.send_error(0, b"no");
        }
    };

    // Strangers.
    a_stranger_sends_data, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        let mut stranger = stranger("127.0.0.1", &peer);
        stranger.send_data(2, b"not yours");
        assert_eq!(stranger.receive(), b"\0\x05\0\x05unknown transfer ID\0");
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    a_stranger_sends_an_error, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        stranger("127.0.0.1", &peer).send_error(1, b"stop");
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    another_address_answers_first, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        let mut stranger = stranger("127.0.0.2", &peer);
        stranger.send_data(1, b"not yours");
        assert_eq!(stranger.receive(), b"\0\x05\0\x05unknown transfer ID\0");
        peer.serve(&file());
    };

    two_servers_answer, PLAIN, Whole(""), |server| {
        // As where the request was doubled on its way.
        let mut peer = server.accept_any().1;
        let mut second = stranger("127.0.0.1", &peer);
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        second.send_data(1, &file()[..512]);
        assert_eq!(second.receive(), b"\0\x05\0\x05unknown transfer ID\0");
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };

    // Silence. What is asked again and again is in another test, for it takes its time.
    silence_after_the_oack, &["-b", "512", "-r", "0"], Fails(3, "fell silent"), |server| {
        let mut peer = server.accept_any().1;
        peer.send(b"\0\x06blksize\x00512\0");
        peer.expect_ack(0);
        peer.expect_error();
    };
    silence_after_the_first_block, HASTY, Fails(3, "fell silent"), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        peer.expect_error();
    };
    silence_in_the_middle_of_a_window, &["-b", "8", "-w", "4", "-r", "0"], Fails(3, "fell silent"),
        |server| {
            let mut peer = server.accept_any().1;
            peer.send(b"\0\x06blksize\x008\0windowsize\x004\0");
            peer.expect_ack(0);
            peer.send_data(1, &file()[..8]);
            peer.send_data(2, &file()[8..16]);
            peer.expect_error();
        };
    the_same_block_for_ever, HASTY, Fails(3, "fell silent"), |server| {
        let mut peer = server.accept_any().1;
        // Whatever it answers: it has to give up while it still hears.
        while !peer.has_given_up() {
            peer.send_data(1, &file()[..512]);
        }
    };

    // What networks do.
    every_block_twice, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        for (block, bytes) in [(1, &file()[..512]), (2, &file()[512..])] {
            peer.send_data(block, bytes);
            peer.send_data(block, bytes);
            peer.expect_ack(block);
        }
    };
    blocks_in_the_wrong_order, OPTIONS, Whole("windowsize=4"), |server| {
        let mut peer = server.accept_any().1;
        peer.send(b"\0\x06blksize\x008\0windowsize\x004\0");
        peer.expect_ack(0);
        let blocks: Vec<_> = (1..=76).collect();
        for window in blocks.chunks(4) {
            for &block in [1, 0, 3, 2].iter().filter_map(|&at| window.get(at)) {
                peer.send_data(block, file().chunks(8).nth(usize::from(block) - 1).unwrap_or(&[]));
            }
            peer.expect_ack(window[window.len() - 1]);
        }
    };
    blocks_out_of_the_blue, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        for block in [0, 9, 4000, 65535] {
            peer.send_data(block, b"x");
        }
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    block_0_first, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(0, &[7; 512]);
        peer.serve(&file());
    };
    packets_cut_short, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        for packet in [&b""[..], b"\0", b"\0\x03", b"\0\x03\0", b"\0\x04\0", b"\0\x05\0"] {
            peer.send(packet);
        }
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    packets_that_make_no_sense_here, PLAIN, Whole(""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        for packet in
            [&b"\0\x04\0\x01"[..], b"\0\x01a\0octet\0", b"\0\x02a\0octet\0", b"\0\x09", b"GET / "]
        {
            peer.send(packet);
        }
        peer.send_data(2, &file()[512..]);
        peer.expect_ack(2);
    };
    a_block_longer_than_agreed, PLAIN, Fails(1, "broke the protocol"), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &[0; 513]);
        assert!(peer.receive().starts_with(b"\0\x05\0\x04"));
    };

    // ERRORs of all kinds.
    an_error_without_its_nul, PLAIN, Fails(1, "(code 1): \"gone\""),
        |server| server.accept_any().1.send(b"\0\x05\0\x01gone");
    an_error_without_words, PLAIN, Fails(1, "file not found (code 1);"),
        |server| server.accept_any().1.send(b"\0\x05\0\x01");
    an_error_of_a_code_that_nobody_knows, PLAIN, Fails(1, "error 65535 (code 65535)"),
        |server| server.accept_any().1.send(b"\0\x05\xff\xff\0");
    an_error_that_steers_the_terminal, PLAIN, Fails(1, r#""\x1b]0;owned\x07\r\n\x9b2J""#),
        |server| server.accept_any().1.send_error(2, b"\x1b]0;owned\x07\r\n\x9b2J");
    an_error_of_sixty_thousand_bytes, PLAIN, Fails(1, "\"..."),
        |server| server.accept_any().1.send_error(0, &[b'%'; 60_000]);
    an_error_in_the_middle, PLAIN, Fails(1, "gave up: undefined error (code 0): \"disk error\""), |server| {
        let mut peer = server.accept_any().1;
        peer.send_data(1, &file()[..512]);
        peer.expect_ack(1);
        peer.send_error(0, b"disk error");
    };
}

fn oack_is_refused(server: &mut Listener, options: &[u8]) {
    let mut peer = server.accept_any().1;
    peer.send(&[b"\0\x06", options].concat());
    assert!(peer.receive().starts_with(b"\0\x05\0\x08"));
}

fn serve_after_oack(server: &mut Listener, options: &[u8]) {
    let mut peer = server.accept_any().1;
    peer.send(&[b"\0\x06", options].concat());
    peer.expect_ack(0);
    serve(&mut peer);
}

/// Sends so many blocks of the file after an OACK that is wrong about its size, and is told so.
fn announce(server: &mut Listener, options: &[u8], blocks: usize) {
    let mut peer = server.accept_any().1;
    peer.send(&[b"\0\x06", options].concat());
    peer.expect_ack(0);
    for (block, bytes) in (1..).zip(file().chunks(512)).take(blocks) {
        if block > 1 {
            peer.expect_ack(block - 1);
        }
        peer.send_data(block, bytes);
    }
    assert_eq!(peer.receive(), b"\0\x05\0\0the file is not as long as its tsize\0");
}

/// Refuses a request until it has no options.
fn refuse_options(server: &mut Listener, code: u16) {
    loop {
        let (request, mut peer) = server.accept_any();
        if request.ends_with(b"octet\0") {
            return serve(&mut peer);
        }
        peer.send_error(code, b"no options");
    }
}

fn serve(peer: &mut Peer) {
    peer.serve(&file());
}
