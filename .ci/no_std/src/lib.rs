//! A program without std that uses tftp-core, as a firmware would.
//!
//! It has its own panic handler, and a staticlib is linked whole: if tftp-core or anything beneath it pulled in
//! std, there would be two handlers, and rustc refuses that (E0152). A plain build of tftp-core for the host
//! does not notice, for std is there to be linked.
#![no_std]

use core::panic::PanicInfo;

use tftp_core::{Packet, Request};

/// Called by `main.c`; 0 when tftp-core did what it should.
#[unsafe(no_mangle)]
pub extern "C" fn no_std_check() -> i32 {
    match Packet::parse(b"\0\x01boot.img\0octet\0blksize\x001428\0") {
        Ok(Packet::Request(Request { .. })) => 0,
        _ => 1,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
