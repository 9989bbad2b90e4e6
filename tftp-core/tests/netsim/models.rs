//! Models of other implementations: the clients of two boot loaders, and a plain go-back-N with a
//! fixed timer for comparison. They take options for granted as they were asked for.

use std::time::Duration;

use tftp_core::{Instant, Options, Packet};

use super::host::{Host, Job};

/// What a receiver does with a block that is not the next one. None of them keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// EDK2 (`Mtftp4RrqHandleData`): acknowledges the last block in order, for each of them.
    Edk2,
    /// U-Boot (`tftp_handler`): the same, but only once a gap.
    UBoot,
    /// Once a gap, as RFC 7440 section 4 has it, and repeats its last packet after one second.
    GoBackN,
}

/// A client that reads.
pub struct PlainReceiver {
    pub received: Vec<u8>,
    style: Style,
    request: Vec<u8>,
    block_size: usize,
    window: u64,
    /// All blocks up to this one have come.
    base: u64,
    /// The block whose ACK opened this window.
    acknowledged: u64,
    /// The gap that was answered last.
    answered: Option<u64>,
    whole: bool,
    last_sent: Vec<u8>,
    out: Vec<Vec<u8>>,
    due: Option<Instant>,
}

impl PlainReceiver {
    pub fn new(style: Style, job: &Job<'_>) -> Self {
        let request = job.request();
        Self {
            received: Vec::new(),
            style,
            block_size: job.asked.block_size().map_or(512, |size| size.get().into()),
            window: job.asked.window_size().map_or(1, |size| size.get().into()),
            base: 0,
            acknowledged: 0,
            answered: None,
            whole: false,
            last_sent: request.clone(),
            out: vec![request.clone()],
            due: Some(Instant::ZERO + style.interval()),
            request,
        }
    }

    fn acknowledge(&mut self, now: Instant) {
        self.acknowledged = self.base;
        self.last_sent = vec![0; 4];
        let block = u16::try_from(self.base & 0xFFFF).unwrap();
        Packet::Ack { block, next_window: None }.encode(&mut self.last_sent).unwrap();
        self.out.push(self.last_sent.clone());
        self.due = (!self.whole).then(|| now + self.style.interval());
    }
}

impl Style {
    fn interval(self) -> Duration {
        Duration::from_secs(match self {
            Self::Edk2 => 4,
            Self::UBoot => 5,
            Self::GoBackN => 1,
        })
    }
}

impl Host for PlainReceiver {
    fn handle(&mut self, now: Instant, datagram: &[u8]) {
        match Packet::parse(datagram) {
            Ok(Packet::OptionAck(_)) if self.base == 0 => self.acknowledge(now),
            Ok(Packet::Data { block, payload }) => {
                let next = u16::try_from((self.base + 1) & 0xFFFF).unwrap();
                if block == next && !self.whole {
                    self.base += 1;
                    self.received.extend(payload);
                    self.whole = payload.len() < self.block_size;
                    if self.whole || self.base == self.acknowledged + self.window {
                        self.acknowledge(now);
                    }
                } else if self.style == Style::Edk2
                    || self.whole
                    || self.answered != Some(self.base)
                {
                    self.answered = Some(self.base);
                    self.acknowledge(now);
                }
            }
            _ => {}
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.out.push(self.last_sent.clone());
        self.due = Some(now + self.style.interval());
    }

    fn transmit(&mut self, _: Instant, _: u16, out: &mut Vec<Vec<u8>>) -> bool {
        out.append(&mut self.out);
        true
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn is_finished(&self) -> bool {
        self.whole
    }
}

/// A server that sends a file as go-back-N: a window, and after one second the same again.
pub struct PlainSender<'a> {
    file: &'a [u8],
    options: Options,
    block_size: usize,
    window: u64,
    /// The request has come, and its OACK is or is not acknowledged.
    opened: Option<bool>,
    base: u64,
    out: Vec<Vec<u8>>,
    due: Option<Instant>,
    attempts: u32,
}

impl<'a> PlainSender<'a> {
    pub fn new(job: &Job<'a>) -> Self {
        Self {
            file: job.file,
            options: job.asked,
            block_size: job.asked.block_size().map_or(512, |size| size.get().into()),
            window: job.asked.window_size().map_or(1, |size| size.get().into()),
            opened: None,
            base: 0,
            out: Vec::new(),
            due: None,
            attempts: 0,
        }
    }

    fn last(&self) -> u64 {
        (self.file.len() / self.block_size) as u64 + 1
    }

    fn send(&mut self, now: Instant) {
        self.due = Some(now + Duration::from_secs(1));
        if self.opened == Some(false) {
            let mut oack = b"\0\x06".to_vec();
            for (kind, value) in self.options.iter() {
                oack.extend(format!("{}\0{value}\0", kind.name()).into_bytes());
            }
            self.out.push(oack);
            return;
        }
        for block in self.base + 1..=self.last().min(self.base + self.window) {
            let start = usize::try_from(block - 1).unwrap() * self.block_size;
            let end = (start + self.block_size).min(self.file.len());
            let number = u16::try_from(block & 0xFFFF).unwrap();
            let [high, low] = number.to_be_bytes();
            self.out.push([&[0, 3, high, low], &self.file[start..end]].concat());
        }
    }
}

impl Host for PlainSender<'_> {
    fn handle(&mut self, now: Instant, datagram: &[u8]) {
        match (self.opened, Packet::parse(datagram)) {
            (None | Some(false), Ok(Packet::Request(_))) => {
                self.opened = Some(false);
                self.send(now);
            }
            (Some(false), Ok(Packet::Ack { block: 0, .. })) => {
                self.opened = Some(true);
                self.send(now);
            }
            (Some(true), Ok(Packet::Ack { block, .. })) => {
                let behind = block.wrapping_sub(u16::try_from(self.base & 0xFFFF).unwrap());
                if behind == 0 || u64::from(behind) > self.window || self.base == self.last() {
                    return;
                }
                self.base += u64::from(behind);
                self.attempts = 0;
                if self.base == self.last() {
                    self.due = None;
                } else {
                    self.send(now);
                }
            }
            _ => {}
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.attempts += 1;
        if self.attempts > 20 {
            self.due = None;
        } else {
            self.send(now);
        }
    }

    fn transmit(&mut self, _: Instant, _: u16, out: &mut Vec<Vec<u8>>) -> bool {
        out.append(&mut self.out);
        true
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn is_finished(&self) -> bool {
        self.opened == Some(true) && self.due.is_none()
    }
}
