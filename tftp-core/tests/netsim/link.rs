//! The link between two hosts: what happens to a datagram on its way, and when it arrives.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use tftp_core::Instant;

/// One of the two hosts, named after what it does with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Sender,
    Receiver,
}

/// What becomes of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    Lose,
    /// Comes twice, the second time so much later.
    Double(Duration),
    /// Overtaken by so many of the datagrams right behind it, where there are any.
    Displace(u32),
    /// Comes so much later.
    Delay(Duration),
    /// A byte changes on the way.
    Damage,
    /// The link stops for so long; this datagram and those behind it arrive together at the end.
    HoldBack(Duration),
}

/// A link's constant properties, the same both ways.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// One way.
    pub latency: Duration,
    /// At most so much more, drawn for each datagram: they overtake each other.
    pub jitter: Duration,
    /// The sending interface is busy with each datagram for so long, and longer for long ones.
    pub per_packet: Duration,
    pub per_kilobyte: Duration,
    /// Longer datagrams do not pass: a firewall drops fragments.
    pub mtu: usize,
    pub checksum: Checksum,
}

/// What becomes of damaged datagrams.
///
/// UDP's checksum finds a changed byte, so damage is loss; only then may a test claim that the file
/// is right. A link whose damage gets through (no checksum, as IPv4 allows, or a middlebox that
/// computes it anew) can turn any packet into another valid one, an ACK of another block or a
/// shorter file: TFTP cannot notice, and all that holds is that both sides end, and nobody panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    Verified,
    Missing,
}

/// What the link does at random: chances in a thousand, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub lost: u64,
    /// After each that is lost or damaged, so many are not.
    pub spared: u32,
    pub doubled: u64,
    pub displaced: u64,
    pub most_places: u64,
    pub delayed: u64,
    /// Of delayed datagrams and of second copies.
    pub most_delay: Duration,
    pub damaged: u64,
    pub held_back: u64,
    pub most_hold: Duration,
}

/// How many datagrams met which fate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Harm {
    pub lost: u64,
    pub doubled: u64,
    pub displaced: u64,
    pub delayed: u64,
    pub damaged: u64,
    pub held_back: u64,
}

impl Harm {
    pub fn total(&self) -> u64 {
        self.lost + self.doubled + self.displaced + self.delayed + self.damaged + self.held_back
    }
}

/// A sequence of numbers that a seed brings back (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

pub type Script<'a> = Box<dyn FnMut(End, u64, &[u8]) -> Fate + 'a>;

pub struct Link<'a> {
    path: Path,
    script: Script<'a>,
    random: Random,
    flying: BinaryHeap<Reverse<Flying>>,
    lanes: [Lane; 2],
    /// Datagrams put on the link so far, both ways.
    pub sent: u64,
    pub harm: Harm,
}

/// One direction.
#[derive(Clone, Copy, Default)]
struct Lane {
    free_at: Instant,
    held_until: Instant,
}

/// Ordered by arrival, then by place.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    at: Instant,
    place: u64,
    to: End,
    bytes: Vec<u8>,
}

impl Path {
    /// A round trip of 10 ms, infinitely fast.
    pub const PLAIN: Self = Self {
        latency: Duration::from_millis(5),
        jitter: Duration::ZERO,
        per_packet: Duration::ZERO,
        per_kilobyte: Duration::ZERO,
        mtu: usize::MAX,
        checksum: Checksum::Verified,
    };

    fn serialisation(&self, len: usize) -> Duration {
        self.per_packet + self.per_kilobyte * u32::try_from(len).unwrap() / 1024
    }
}

impl Weather {
    pub const CALM: Self = Self {
        lost: 0,
        spared: 0,
        doubled: 0,
        displaced: 0,
        most_places: 3,
        delayed: 0,
        most_delay: Duration::ZERO,
        damaged: 0,
        held_back: 0,
        most_hold: Duration::ZERO,
    };

    /// Draws the datagrams' fates one after the other.
    pub fn script(self, seed: u64) -> impl FnMut(End, u64, &[u8]) -> Fate {
        let mut random = Random::new(seed);
        let mut since = self.spared;
        move |_, _, _| {
            // Always as many draws, so that one more loss does not change every later fate.
            let (chance, amount) = (random.below(1000), random.next());
            let places = u32::try_from(1 + amount % self.most_places.max(1)).unwrap();
            let part = |of: Duration| of * u32::try_from(amount % 101).unwrap() / 100;
            let fates = [
                (self.lost, Fate::Lose),
                (self.doubled, Fate::Double(part(self.most_delay))),
                (self.displaced, Fate::Displace(places)),
                (self.delayed, Fate::Delay(part(self.most_delay))),
                (self.damaged, Fate::Damage),
                (self.held_back, Fate::HoldBack(part(self.most_hold))),
            ];
            let mut edge = 0;
            let fate = fates.into_iter().find_map(|(chances, fate)| {
                edge += chances;
                (chance < edge).then_some(fate)
            });
            let gone = matches!(fate, Some(Fate::Lose | Fate::Damage));
            if gone && since < self.spared {
                since += 1;
                return Fate::Deliver;
            }
            since = if gone { 0 } else { since.saturating_add(1) };
            fate.unwrap_or(Fate::Deliver)
        }
    }
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn duration(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return most;
        }
        let nanos = u64::try_from(most.as_nanos()).unwrap();
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }
}

impl<'a> Link<'a> {
    pub fn new(path: Path, script: Script<'a>) -> Self {
        Self {
            path,
            script,
            random: Random::new(0),
            flying: BinaryHeap::new(),
            lanes: [Lane::default(); 2],
            sent: 0,
            harm: Harm::default(),
        }
    }

    /// When the next datagram arrives.
    pub fn next(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse(flying)| flying.at)
    }

    pub fn arrive(&mut self) -> Option<(End, Vec<u8>)> {
        self.flying.pop().map(|Reverse(flying)| (flying.to, flying.bytes))
    }

    /// Takes a datagram and returns its fate.
    pub fn send(&mut self, now: Instant, from: End, mut bytes: Vec<u8>) -> Fate {
        self.sent += 1;
        let to = match from {
            End::Sender => End::Receiver,
            End::Receiver => End::Sender,
        };
        let fate = if bytes.len() > self.path.mtu {
            Fate::Lose
        } else {
            (self.script)(from, self.sent, &bytes)
        };
        let step = self.path.serialisation(bytes.len());
        let lane = &mut self.lanes[from as usize];
        lane.free_at = lane.free_at.max(now) + step;
        let mut at = lane.free_at + self.path.latency + self.random.duration(self.path.jitter);
        let mut place = 2 * self.sent;
        let mut second = None;
        let harm = &mut self.harm;
        match fate {
            Fate::Deliver => {}
            Fate::Lose => {
                harm.lost += 1;
                return fate;
            }
            Fate::Double(later) => {
                harm.doubled += 1;
                second = Some((at + later, bytes.clone()));
            }
            Fate::Displace(places) => {
                harm.displaced += 1;
                at = at + step * places;
                place += 2 * u64::from(places) + 1;
            }
            Fate::Delay(later) => {
                harm.delayed += 1;
                at = at + later;
            }
            Fate::Damage => {
                harm.damaged += 1;
                match self.path.checksum {
                    Checksum::Verified => return fate,
                    Checksum::Missing => damage(&mut self.random, &mut bytes),
                }
            }
            Fate::HoldBack(pause) => lane.held_until = lane.held_until.max(at + pause),
        }
        if at < lane.held_until {
            harm.held_back += 1;
            at = lane.held_until;
        }
        if let Some((at, bytes)) = second {
            self.flying.push(Reverse(Flying { at, place: place + 1, to, bytes }));
        }
        self.flying.push(Reverse(Flying { at, place, to, bytes }));
        fate
    }
}

/// Changes a byte, more often one of the header, or cuts the end off.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    let len = bytes.len() as u64;
    let place = match random.below(4) {
        0 => random.below(len),
        1 => return bytes.truncate(usize::try_from(random.below(len)).unwrap()),
        _ => random.below(len.min(4)),
    };
    let Some(byte) = bytes.get_mut(usize::try_from(place).unwrap()) else { return };
    // Small changes make other valid packets; others mostly make nonsense.
    *byte ^= if random.below(2) == 0 { 1 << random.below(3) } else { 1 << random.below(8) };
}
