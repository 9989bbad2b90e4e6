//! An input read as a script: one byte after the other, and zeros when it is used up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tftp_core::{BlockSize, FineTimeout, MsftWindow, Options, Rollover, Timeout, WindowSize};

pub(crate) const PEER: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000);
pub(crate) const STRANGER: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 40_000);

pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(self.0.len().min(most));
        self.0 = rest;
        bytes
    }

    /// Blocks of 8 to 32 bytes in windows of 1 to 70, sometimes with more options; or none.
    pub(crate) fn options(&mut self) -> Options {
        let (block_size, window_size) = (self.byte(), self.byte());
        if block_size == 0 {
            return Options::NONE;
        }
        let most = 1 + window_size % 70;
        let options = Options::NONE
            .with_block_size(BlockSize::new(8 + u16::from(block_size % 25)).expect("in range"))
            .with_window_size(WindowSize::new(most.into()).expect("not zero"));
        match block_size / 25 {
            7 => options.with_msft_window(MsftWindow::Granted { most }),
            8 => options.with_rollover(Rollover::ToOne),
            9 => options.with_fine_timeout(FineTimeout::new(10_000).expect("in range")),
            10 => options.with_timeout(Timeout::new(2).expect("in range")),
            _ => options,
        }
    }
}

pub(crate) fn oack(options: &Options) -> Vec<u8> {
    let mut packet = vec![0, 6];
    for (kind, value) in options.iter() {
        packet.extend(format!("{}\0{value}\0", kind.name()).bytes());
    }
    packet
}
