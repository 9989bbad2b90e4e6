//! What a server grants, a client that asked for it accepts; and nothing is granted unasked.

use tftp_core::{
    BlockSize, Instant, Limits, Operation, OptionKind, OptionSet, Order, Packet, Received,
    Receiver, SMALL_PACKET, Sender, Status, Timing, Transmit, Verdict, WindowSize,
};

use super::script::PEER;

/// Two bytes of limits, then a request.
pub fn check(input: &[u8]) {
    let Some((&[block_size, window_size], datagram)) = input.split_first_chunk() else {
        return;
    };
    let limits = Limits {
        max_block_size: BlockSize::new(8 + 256 * u16::from(block_size)).unwrap_or(BlockSize::MAX),
        max_window_size: WindowSize::new(1 + u16::from(window_size)).expect("not zero"),
        max_upload: Some(1 << 40),
        mail: window_size % 2 == 0,
        options: OptionKind::ALL.into_iter().fold(OptionSet::NONE, OptionSet::with),
    };
    let Ok(Packet::Request(request)) = Packet::parse(datagram) else {
        return;
    };
    let Ok(granted) = limits.answer(&request, Some(1000)) else {
        return;
    };
    let asked = request.options;
    assert!(granted.iter().all(|(kind, _)| asked.contains(kind)), "granted unasked");
    assert!(granted.block_size() <= asked.block_size());
    assert!(granted.block_size() <= Some(limits.max_block_size));
    assert!(granted.window_size() <= asked.window_size());
    assert!(granted.window_size() <= Some(limits.max_window_size));
    if granted.is_empty() {
        return;
    }
    let mut out = [0; SMALL_PACKET];
    let now = Instant::ZERO;
    let transmit = match request.operation {
        Operation::Read => Sender::reply(now, PEER, granted, Some(1000), Timing::SERVER)
            .poll_transmit(now, &mut out),
        Operation::Write => Receiver::reply(now, PEER, granted, Order::Any, Timing::SERVER)
            .poll_transmit(now, &mut out),
    };
    let Some(Transmit::Packet(len)) = transmit else { panic!("{transmit:?} in place of an OACK") };
    let oack = &out[..len];
    let status = match request.operation {
        Operation::Read => {
            let mut client = Receiver::request(now, PEER, asked, Order::Any, Timing::CLIENT);
            let verdict = client.handle_datagram(now, PEER, oack);
            assert_eq!(verdict, Received::Other(Verdict::Accepted));
            client.status()
        }
        Operation::Write => {
            let mut client = Sender::request(now, PEER, asked, Some(1000), Timing::CLIENT);
            assert_eq!(client.handle_datagram(now, PEER, oack), Verdict::Accepted);
            client.status()
        }
    };
    let Status::Active(agreed) = status else { panic!("the client says {status:?}") };
    assert_eq!(agreed.options, granted, "both sides agree, in the same order");
}
