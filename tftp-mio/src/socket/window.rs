//! The windows that a socket can take.

use tftp_core::{BlockSize, WindowSize};

/// The largest window that a receive buffer of `bytes` holds, in the system's way of counting: Linux
/// charges a datagram with the memory that it occupies, about the next power of two.
///
/// Who sends a window sends all of it at once: of a larger one the end would be lost every time.
pub(crate) fn window_for(bytes: usize, block_size: BlockSize) -> WindowSize {
    const OVERHEAD: usize = 768;
    let datagram = (usize::from(block_size.get()) + 400).next_power_of_two() + OVERHEAD;
    let blocks = u16::try_from(bytes / datagram).unwrap_or(u16::MAX);
    WindowSize::new(blocks).unwrap_or(WindowSize::LOCK_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(bytes: usize, block_size: u16) -> u16 {
        window_for(bytes, BlockSize::new(block_size).unwrap()).get()
    }

    #[test]
    fn a_window_is_as_large_as_the_buffer_but_never_empty() {
        // What Linux grants without privileges, unless it is told otherwise: twice 208 KiB.
        let granted = 2 * 212_992;
        assert_eq!(blocks(granted, 512), 237);
        assert_eq!(blocks(granted, 1428), 151);
        assert_eq!(blocks(granted, 8192), 24);
        assert_eq!(blocks(granted, 65_464), 3);
        assert_eq!(blocks(1000, 65_464), 1);
        assert_eq!(blocks(usize::MAX, 8), u16::MAX);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_window_that_comes_at_once_finds_room() {
        use std::net::UdpSocket;

        use socket2::SockRef;

        for (buffer, block_size) in
            [(30_000, 8), (30_000, 512), (50_000, 1428), (100_000, 8192), (200_000, 65_464)]
        {
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            let (system, address) = (SockRef::from(&receiver), receiver.local_addr().unwrap());
            system.set_recv_buffer_size(buffer).unwrap();
            let window = blocks(system.recv_buffer_size().unwrap(), block_size);
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut packet = vec![7; usize::from(block_size) + 4];
            for _ in 0..window {
                sender.send_to(&packet, address).unwrap();
            }
            receiver.set_nonblocking(true).unwrap();
            let came = (0..window).take_while(|_| receiver.recv(&mut packet).is_ok());
            assert_eq!(came.count(), window.into(), "{buffer} bytes, blocks of {block_size}");
            assert!(window > 1);
        }
    }
}
