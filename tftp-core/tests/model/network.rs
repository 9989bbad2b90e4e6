//! The packets that are on their way, by what they are: a transfer of a dozen blocks has few.

use tftp_core::Packet;

use crate::halves::{Fault, File, Half, is_request, number_on_wire, request};

/// A packet that a half of a sound transfer may send. Blocks count from the model's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flying {
    Data(u8),
    Ack(u8),
    OptionAck,
    Request,
    TimedOut(Half),
}

/// Blocks of the model, and as many ACKs, with ACK 0 or what stands for it.
const BLOCKS: usize = 12;
const PLACES: usize = 2 * (BLOCKS + 1) + 4;

/// How many copies of each packet are on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network([u8; PLACES]);

impl Network {
    pub(crate) const EMPTY: Self = Self([0; PLACES]);

    pub(crate) fn add(&mut self, packet: Flying) {
        let copies = &mut self.0[place(packet)];
        *copies = copies.saturating_add(1);
    }

    pub(crate) fn remove(&mut self, packet: Flying) {
        self.0[place(packet)] -= 1;
    }

    /// Leaves at most one copy of each: enough where delivering one does not use it up.
    pub(crate) fn forget_copies(&mut self) {
        for copies in &mut self.0 {
            *copies = (*copies).min(1);
        }
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = Flying> + '_ {
        ALL.iter().copied().filter(|&packet| self.0[place(packet)] > 0)
    }

    /// Of the block that has the most copies on their way.
    pub(crate) fn most_copies_of_data(&self) -> u32 {
        self.0[..=BLOCKS].iter().copied().max().unwrap_or(0).into()
    }
}

/// Where the packets of a model lie in the file: all blocks up to `begin` were acknowledged before.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) begin: u64,
    pub(crate) file: File,
    pub(crate) option_ack: Vec<u8>,
}

impl Span {
    /// What a half has sent.
    pub(crate) fn recognise(&self, from: Half, packet: &[u8]) -> Result<(Half, Flying), Fault> {
        let to = match from {
            Half::Sender => Half::Receiver,
            Half::Receiver => Half::Sender,
        };
        if is_request(packet) {
            return Ok((to, Flying::Request));
        }
        let flying = match Packet::parse(packet).map_err(|_| Fault::WrongPacket)? {
            Packet::Data { block, payload } if from == Half::Sender => {
                let index = self.index(block)?;
                let number = self.begin + u64::from(index);
                if index == 0 || payload != self.file.block(number) {
                    return Err(Fault::WrongBytes);
                }
                Flying::Data(index)
            }
            Packet::Ack { block, .. } if from == Half::Receiver => Flying::Ack(self.index(block)?),
            Packet::OptionAck(_) if packet == self.option_ack => Flying::OptionAck,
            Packet::Error { code, message: b"timed out" } if code.0 == 0 => Flying::TimedOut(to),
            _ => return Err(Fault::WrongPacket),
        };
        Ok((to, flying))
    }

    /// The packet on the wire, and whom it is for.
    pub(crate) fn packet(&self, flying: Flying, client: Half) -> (Half, Vec<u8>) {
        let server = match client {
            Half::Sender => Half::Receiver,
            Half::Receiver => Half::Sender,
        };
        let number = |index: u8| number_on_wire(self.begin + u64::from(index)).to_be_bytes();
        match flying {
            Flying::Data(index) => {
                let payload = self.file.block(self.begin + u64::from(index));
                (Half::Receiver, [&[0, 3], &number(index)[..], &payload].concat())
            }
            Flying::Ack(index) => (Half::Sender, [&[0, 4], &number(index)[..]].concat()),
            Flying::OptionAck => (client, self.option_ack.clone()),
            Flying::Request => (server, request()),
            Flying::TimedOut(half) => (half, b"\0\x05\0\0timed out\0".to_vec()),
        }
    }

    fn index(&self, block: u16) -> Result<u8, Fault> {
        let index = block.wrapping_sub(number_on_wire(self.begin));
        let last = self.file.last_block() - self.begin;
        match u8::try_from(index) {
            Ok(index) if u64::from(index) <= last => Ok(index),
            _ => Err(Fault::WrongPacket),
        }
    }
}

const ALL: [Flying; PLACES] = {
    let mut all = [Flying::Request; PLACES];
    let mut index = 0;
    while index <= BLOCKS {
        #[expect(clippy::cast_possible_truncation, reason = "there are a dozen")]
        let number = index as u8;
        all[index] = Flying::Data(number);
        all[BLOCKS + 1 + index] = Flying::Ack(number);
        index += 1;
    }
    all[PLACES - 3] = Flying::OptionAck;
    all[PLACES - 2] = Flying::TimedOut(Half::Sender);
    all[PLACES - 1] = Flying::TimedOut(Half::Receiver);
    all
};

fn place(packet: Flying) -> usize {
    match packet {
        Flying::Data(index) => usize::from(index),
        Flying::Ack(index) => BLOCKS + 1 + usize::from(index),
        Flying::Request => PLACES - 4,
        Flying::OptionAck => PLACES - 3,
        Flying::TimedOut(Half::Sender) => PLACES - 2,
        Flying::TimedOut(Half::Receiver) => PLACES - 1,
    }
}
