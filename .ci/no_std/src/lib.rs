//! A program without std that uses tftp-core, as a firmware would.
//!
//! It has its own panic handler, and a staticlib is linked whole: if tftp-core or anything beneath it pulled in
//! std, there would be two handlers, and rustc refuses that (E0152). A plain build of tftp-core for the host
//! does not notice, for std is there to be linked.
#![no_std]

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::panic::PanicInfo;

use tftp_core::{
    Instant, Limits, Order, Packet, Received, Receiver, SMALL_PACKET, Sender, Status, Timing, Transmit,
};

const REQUEST: &[u8] = b"\0\x01boot.img\0octet\0blksize\x008\0windowsize\x002\0";

/// Called by `main.c`: moves the `len` bytes at `file` to `copy`, from request to last ACK. Returns how many have
/// arrived, or -1 when the transfer did not end as it should.
///
/// # Safety
/// `file` and `copy` are distinct and have `len` bytes each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tftp_transfer(file: *const u8, copy: *mut u8, len: usize) -> isize {
    let (file, copy) =
        unsafe { (core::slice::from_raw_parts(file, len), core::slice::from_raw_parts_mut(copy, len)) };
    transfer(file, copy).and_then(|arrived| isize::try_from(arrived).ok()).unwrap_or(-1)
}

fn transfer(file: &[u8], copy: &mut [u8]) -> Option<u64> {
    let now = Instant::ZERO;
    let client = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 40_000));
    let server = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 69));
    let Ok(Packet::Request(request)) = Packet::parse(REQUEST) else { return None };
    let len = u64::try_from(file.len()).ok();
    let granted = Limits::default().answer(&request, len).ok()?;
    let mut sender = Sender::reply(now, client, granted, len, Timing::SERVER);
    let mut receiver = Receiver::request(now, server, request.options, Order::Any, Timing::CLIENT);

    let mut out = [0; SMALL_PACKET];
    while let Some(transmit) = sender.poll_transmit(now, &mut out) {
        let len = match transmit {
            Transmit::Burst(burst) => {
                let one = burst.first(1)?;
                let start = usize::try_from(one.offset()).ok()?;
                for payload in one.frame(&mut out) {
                    payload.copy_from_slice(file.get(start..)?.get(..payload.len())?);
                }
                sender.commit(now, one);
                one.framed_len()
            }
            Transmit::Packet(len) => len,
            Transmit::Request => return None,
        };
        if let Received::Data(chunk) = receiver.handle_datagram(now, server, out.get(..len)?) {
            let start = usize::try_from(chunk.offset).ok()?;
            copy.get_mut(start..)?.get_mut(..chunk.bytes.len())?.copy_from_slice(chunk.bytes);
        }
        while let Some(transmit) = receiver.poll_transmit(now, &mut out) {
            if let Transmit::Packet(len) = transmit {
                let _ = sender.handle_datagram(now, client, out.get(..len)?);
            }
        }
    }
    match (sender.status(), receiver.status()) {
        (Status::Done(sent), Status::Lingering(got)) if sent == got => Some(got.bytes),
        _ => None,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
