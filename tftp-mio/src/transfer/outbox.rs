//! What goes out: the buffers that packets are framed in, and how much of a window at once.

use tftp_core::{Burst, SMALL_PACKET};

use super::ahead::Ahead;
use crate::socket::Paths;

/// Buffers for packets on their way out, and what is known of the way. One serves all transfers of a
/// loop.
pub(crate) struct Outbox {
    pub(super) small: [u8; SMALL_PACKET],
    pub(super) framed: Framed,
    /// Bytes to frame at once: less where more did not go lately.
    at_once: usize,
    pub(super) ahead: Ahead,
    pub(super) paths: Paths,
}

/// Bytes read and framed at once at most: half a window of 64 blocks of 8 KiB, or four of the largest. The
/// sends that it takes follow each other, and the peer need not be woken for each. With a whole window
/// the peer would have nothing to do while it is read.
const FRAMED: usize = 288 * 1024;

/// The same at least: one packet of the largest size. Where a socket takes no more, or a file is not in
/// memory, what does not go would be read again and again.
pub(super) const LITTLE: usize = 64 * 1024;

/// A page of memory, and of a file.
const PAGE: usize = 4096;

/// Packets framed at once: as many as the system cuts a send into.
pub(super) const MOST_PACKETS: usize = 64;

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            small: [0; SMALL_PACKET],
            framed: Framed::new(),
            at_once: FRAMED,
            ahead: Ahead::default(),
            paths: Paths::default(),
        }
    }

    pub(crate) fn paths(&mut self) -> &mut Paths {
        &mut self.paths
    }

    /// What of a burst is framed at once.
    pub(super) fn share(&self, burst: Burst) -> Burst {
        if burst.packets() == 1 {
            return burst;
        }
        let most = (self.at_once / burst.stride()).min(MOST_PACKETS);
        u16::try_from(most).ok().and_then(|most| burst.first(most)).unwrap_or(burst)
    }

    /// Less is framed at once for a while, or a little more again.
    pub(super) fn adapt(&mut self, went: bool) {
        self.at_once = if went { FRAMED.min(2 * self.at_once) } else { LITTLE };
    }
}

/// The buffer that windows are read into, between their headers.
///
/// It begins in the middle of a page. Processors (AMD's, with `rep movsb`) copy a page more slowly to a
/// place that lies in its page just behind where the source lies in its own, and blocks of whole pages
/// would lie so: behind their headers.
pub(super) struct Framed {
    bytes: Box<[u8]>,
    begin: usize,
}

impl Framed {
    fn new() -> Self {
        let bytes: Box<[u8]> = vec![0; FRAMED + 2 * PAGE].into();
        let begin = bytes.as_ptr().align_offset(PAGE) + PAGE / 2;
        Self { bytes, begin }
    }

    pub(super) fn packets(&self) -> &[u8] {
        &self.bytes[self.begin..][..FRAMED]
    }

    pub(super) fn packets_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.begin..][..FRAMED]
    }
}

#[cfg(test)]
mod tests {
    use tftp_core::{BlockSize, Instant, Options, Sender, Timing, Transmit, WindowSize};

    use super::*;

    /// 50 blocks of 8 KiB that may be sent.
    fn burst() -> Burst {
        let options = Options::NONE
            .with_block_size(BlockSize::new(8192).unwrap())
            .with_window_size(WindowSize::new(50).unwrap());
        let peer = ([127, 0, 0, 1], 1).into();
        let mut sender = Sender::reply(Instant::ZERO, peer, options, Some(1 << 20), Timing::SERVER);
        let mut out = [0; SMALL_PACKET];
        let _ = sender.poll_transmit(Instant::ZERO, &mut out);
        let _ = sender.handle_datagram(Instant::ZERO, peer, &[0, 4, 0, 0]);
        match sender.poll_transmit(Instant::ZERO, &mut out) {
            Some(Transmit::Burst(burst)) => burst,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn less_is_framed_at_once_where_more_did_not_go_and_then_more_again() {
        let mut outbox = Outbox::new();
        assert_eq!(outbox.share(burst()).packets(), 35);
        outbox.adapt(false);
        assert_eq!(outbox.share(burst()).packets(), 7);
        let framed = [(); 4].map(|()| {
            outbox.adapt(true);
            outbox.share(burst()).packets()
        });
        assert_eq!(framed, [15, 31, 35, 35]);
    }
}
