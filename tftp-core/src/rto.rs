//! When to send again: the measured round trip (RFC 6298), the schedule of retransmissions, and
//! its end.

use core::{num::NonZeroU32, time::Duration};

/// How patient a session is. Plain data; times are kept in hundredths of a second, up to 655 seconds.
///
/// Before the peer has answered: retransmissions after [`opening`](Self::with_opening), twice that,
/// and so on, [`opening_retries`](Self::with_opening) of them. This is also what bounds the bytes
/// that go to an address which nobody has proved.
///
/// Afterwards the first retransmission comes after the measured time-out, which doubles up to
/// [`ceiling`](Self::with_ceiling) without being counted; then come [`retries`](Self::with_retries)
/// more, one `ceiling` apart, then two, four and so on. With the defaults a silent peer is kept for
/// more than 60 seconds: boot loaders stop answering while their console is busy.
///
/// A negotiated `timeout` is the retransmission interval instead (RFC 2349), for as many times as
/// it takes to be as patient. One below a second, which only `utimeout` can be, gives way to the
/// measured time-out where that is longer, and after its retries doubles up to a second. Before the
/// peer has answered it is the first interval, and there are fewer retransmissions where they would
/// take longer than a minute: a forged request must not hold a session for hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    opening: Hundredths,
    ceiling: Hundredths,
    linger: Hundredths,
    opening_retries: u8,
    retries: u8,
    sparing: bool,
}

impl Timing {
    /// A server's: five retransmissions of the first packet, beginning after a second; a ceiling
    /// of one second; six retries; ten seconds of lingering.
    pub const SERVER: Self = Self {
        opening: Hundredths(100),
        ceiling: Hundredths(100),
        linger: Hundredths(1000),
        opening_retries: 5,
        retries: 6,
        sparing: false,
    };

    /// A client's: like a server's, but the request is sent four times within eight seconds, so
    /// that the whole ladder of options takes less than 30, and it lingers for half a second.
    pub const CLIENT: Self = Self { linger: Hundredths(50), opening_retries: 3, ..Self::SERVER };

    /// Changes the first interval before the peer has answered, and the number of retransmissions.
    pub fn with_opening(mut self, first: Duration, retries: u8) -> Self {
        self.opening = Hundredths::from(first).max(Hundredths(1));
        self.opening_retries = retries;
        self
    }

    /// Sends the first packet again only when the request comes again, never by the timer; the
    /// session waits for as long as it would otherwise. For a server whose answers may go to somebody
    /// who has not asked.
    pub fn sparing(mut self) -> Self {
        self.sparing = true;
        self
    }

    /// Changes the ceiling of the measured time-out; at least [`FLOOR`].
    pub fn with_ceiling(mut self, ceiling: Duration) -> Self {
        self.ceiling = ceiling.max(FLOOR).into();
        self
    }

    /// Changes the number of retransmissions that count.
    pub fn with_retries(mut self, retries: u8) -> Self {
        self.retries = retries;
        self
    }

    /// Changes how long a receiver stays to repeat its last ACK. A negotiated `timeout` that is
    /// longer counts instead.
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger.into();
        self
    }

    pub(crate) fn linger(&self, negotiated: Option<Duration>) -> Duration {
        let linger = Duration::from_micros(self.linger.micros());
        negotiated.map_or(linger, |interval| interval.max(linger))
    }

    fn opening(&self) -> u64 {
        self.opening.micros()
    }

    fn ceiling(&self) -> u64 {
        self.ceiling.micros()
    }
}

/// Hundredths of a second, in two bytes: sessions are small, and each has its own timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Hundredths(u16);

impl Hundredths {
    fn micros(self) -> u64 {
        10_000 * u64::from(self.0)
    }
}

impl From<Duration> for Hundredths {
    fn from(duration: Duration) -> Self {
        Self(u16::try_from(duration.as_millis().div_ceil(10)).unwrap_or(u16::MAX))
    }
}

/// The shortest measured time-out. Long enough for a busy peer to be scheduled, short enough that
/// a lost datagram on a local network goes unnoticed.
pub const FLOOR: Duration = Duration::from_micros(FLOOR_MICROS);

// The schedule is worked out in whole microseconds: it is asked for with every packet, and a
// `Duration` is slow to multiply.
const FLOOR_MICROS: u64 = 20_000;

/// The same before blocks have been measured, and for the receivers of servers and of lock-step
/// transfers.
///
/// The opening's small packets say nothing of the time that a window takes on a slow link, where
/// every retransmission too early is one window more in the queue. And the ACKs of a receiver are
/// repeated for senders without a good timer of their own: some of those answer every one with
/// DATA, and wrong DATA at that, so that it must not come to a sender that is only busy.
const CAUTIOUS_FLOOR: u64 = 200_000;

/// How long a silent peer that has chosen the interval itself is kept: at least for so long once
/// it has answered, and at most for so long before.
const PATIENCE: u64 = 60 * SECOND;

/// How short the measured time-out may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pace {
    /// [`CAUTIOUS_FLOOR`].
    Cautious,
    /// [`FLOOR`]: a sender that has seen how long its blocks take.
    Prompt,
    /// Twice that: a receiver, whose ACK must not cross with what is sent again in any case.
    Following,
}

/// No `timeout` is shorter.
const SECOND: u64 = 1_000_000;

/// One session's estimate of the round trip, and where it stands in the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Retransmission {
    timing: Timing,
    /// The interval that both sides know of; a client's wish is not one yet.
    negotiated: Option<Micros>,
    smoothed: Option<Micros>,
    variation: Micros,
    /// The smallest round trip of blocks: of a whole window for a sender.
    smallest: Option<Micros>,
    /// It is a sender's.
    windows_measured: bool,
    pace: Pace,
    /// Doublings of the estimate that stay until an answer comes without a time-out (Karn's rule,
    /// second half).
    backed_off: u8,
    /// Time-outs in a row without progress.
    attempt: u8,
    proved: bool,
}

impl Retransmission {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            negotiated: None,
            smoothed: None,
            variation: Micros::from(Duration::ZERO),
            smallest: None,
            windows_measured: false,
            pace: Pace::Cautious,
            backed_off: 0,
            attempt: 0,
            proved: false,
        }
    }

    /// A `timeout` was agreed on, or none.
    pub(crate) fn agree(&mut self, negotiated: Option<Duration>) {
        self.negotiated = negotiated.map(Micros::from);
    }

    fn negotiated(&self) -> Option<u64> {
        self.negotiated.map(Micros::get)
    }

    pub(crate) fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The smoothed round trip, once measured.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(Duration::from)
    }

    /// The smallest round trip of a whole window, once measured.
    pub(crate) fn smallest_window(&self) -> Option<Duration> {
        self.smallest.filter(|_| self.windows_measured).map(Duration::from)
    }

    /// The round trip of the opening packet was measured.
    pub(crate) fn measured_opening(&mut self, trip: Duration) {
        let trip = Micros::from(trip);
        self.smoothed = Some(trip);
        self.variation = trip.half();
    }

    /// A round trip of blocks was measured, on packets that were sent once (Karn's rule, first
    /// half).
    pub(crate) fn measured(&mut self, trip: Duration) {
        let trip = Micros::from(trip);
        self.smooth(trip);
        self.smallest = Some(self.smallest.map_or(trip, |smallest| smallest.min(trip)));
    }

    /// The same for the first blocks of a sender's window, which are there sooner than all of it.
    pub(crate) fn measured_blocks(&mut self, trip: Duration) {
        self.smooth(trip.into());
        self.pace = Pace::Prompt;
    }

    /// For a receiver that may ask again as soon as a good sender would have sent by itself.
    pub(crate) fn follow_sender(&mut self) {
        self.pace = Pace::Following;
    }

    /// Whether the estimate comes from blocks, not only from the small packets of the opening.
    fn is_measured(&self) -> bool {
        self.smallest.is_some() || self.pace == Pace::Prompt
    }

    fn smooth(&mut self, trip: Micros) {
        // RFC 6298 section 2: alpha is 1/8, beta is 1/4.
        let (smoothed, variation) = match self.smoothed {
            Some(smoothed) if self.is_measured() => {
                let variation = self.variation.towards(smoothed.abs_diff(trip), 4);
                (smoothed.towards(trip, 8), variation)
            }
            Some(_) | None => (trip, trip.half()),
        };
        self.smoothed = Some(smoothed);
        self.variation = variation;
        self.backed_off = 0;
    }

    /// The same for a window of data, whose round trip includes the time to send the window.
    pub(crate) fn measured_window(&mut self, trip: Duration) {
        self.measured(trip);
        self.windows_measured = true;
        self.pace = Pace::Prompt;
    }

    /// The peer has shown by a correct answer that it is there.
    pub(crate) fn progress(&mut self) {
        // An answer that came without a time-out shows that the estimate is long enough, even where
        // it cannot be measured.
        self.backed_off = if self.proved && self.attempt > 0 {
            self.backed_off.saturating_add(self.attempt).min(MAX_DOUBLINGS)
        } else {
            0
        };
        self.proved = true;
        self.attempt = 0;
    }

    pub(crate) fn is_proved(&self) -> bool {
        self.proved
    }

    /// Whether what is on its way was sent more than once.
    pub(crate) fn is_repeating(&self) -> bool {
        self.attempt > 0
    }

    /// The timer went off. Returns whether to send again; `false` is the end.
    pub(crate) fn expired(&mut self) -> bool {
        self.attempt = self.attempt.saturating_add(1);
        self.attempt <= self.most().min(MOST_ATTEMPTS)
    }

    /// Whether one more first packet may go to a peer that has proved nothing, ahead of the timer.
    pub(crate) fn spare_attempt(&mut self) -> bool {
        let spare = self.attempt < self.most_openings();
        self.attempt = self.attempt.saturating_add(u8::from(spare));
        spare
    }

    /// How long to wait for an answer to what was just sent.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_micros(match (self.proved, self.negotiated()) {
            (false, _) => self.opening_wait(),
            (true, Some(interval)) => self.agreed_wait(interval, self.attempt),
            (true, None) if self.attempt == 0 => self.estimate(),
            (true, None) => match self.attempt.checked_sub(self.uncounted()) {
                None => doubled(self.estimate(), self.attempt),
                Some(counted) if counted < self.timing.retries => {
                    doubled(self.ceiling(), counted).max(self.estimate())
                }
                Some(_) => self.ceiling().max(self.estimate()),
            },
        })
    }

    /// The same before the peer has answered.
    fn opening_wait(&self) -> u64 {
        let first = self.opening();
        if self.timing.sparing {
            doubled(first, self.most_openings())
        } else if self.attempt < self.most() {
            doubled(first, self.attempt)
        } else {
            // A short `utimeout` may be over before an answer to any of them can have come.
            first.max(self.timing.opening())
        }
    }

    /// The first interval before the peer has answered.
    fn opening(&self) -> u64 {
        self.negotiated().map_or(self.timing.opening(), |interval| interval.min(PATIENCE))
    }

    /// Retransmissions in a row before the end.
    fn most(&self) -> u8 {
        match (self.proved, self.negotiated()) {
            (false, _) if self.timing.sparing => 0,
            (false, _) => self.most_openings(),
            (true, Some(interval)) => {
                let mut silence = 0;
                (1..MOST_ATTEMPTS)
                    .find(|&times| {
                        silence += self.agreed_wait(interval, times - 1);
                        times >= self.timing.retries && silence >= PATIENCE
                    })
                    .unwrap_or(MOST_ATTEMPTS)
            }
            (true, None) => self.timing.retries.saturating_add(self.uncounted()),
        }
    }

    /// How long to wait at an interval that both sides know of, after so many time-outs in a row.
    fn agreed_wait(&self, interval: u64, attempt: u8) -> u64 {
        if interval >= SECOND {
            return interval;
        }
        let measured = self.measured_wait().unwrap_or_default();
        let most = measured.max(SECOND);
        let first = doubled(interval.max(measured), self.backed_off).min(most);
        doubled(first, attempt.saturating_sub(self.timing.retries)).min(most)
    }

    /// Copies of the first packet that a peer which has proved nothing may be sent.
    fn most_openings(&self) -> u8 {
        let most = self.timing.opening_retries;
        let Some(interval) = self.negotiated() else { return most };
        (0..=most).rfind(|&times| doubled(interval, times) <= PATIENCE).unwrap_or(0)
    }

    /// Doublings of the estimate that stay below the ceiling.
    fn uncounted(&self) -> u8 {
        let (estimate, ceiling) = (self.estimate(), self.ceiling());
        (0..32).find(|&times| doubled(estimate, times) >= ceiling).unwrap_or(0)
    }

    /// RFC 6298 section 2: SRTT + 4 * RTTVAR.
    fn measured_wait(&self) -> Option<u64> {
        self.smoothed.map(|smoothed| smoothed.get() + 4 * self.variation.get())
    }

    /// The same between the floor and the ceiling.
    fn estimate(&self) -> u64 {
        let measured = self.measured_wait().unwrap_or(self.timing.opening());
        let measured = match self.pace {
            Pace::Cautious => measured.max(CAUTIOUS_FLOOR),
            Pace::Prompt => measured.max(FLOOR_MICROS),
            Pace::Following => measured.max(FLOOR_MICROS) * 2,
        };
        let ceiling = self.ceiling();
        // Where a round trip has been measured, time-outs in a row mean that much is lost, not that
        // the peer is far away.
        let most = if self.is_measured() { 1 } else { MOST_BACK_OFF };
        doubled(measured.min(ceiling), self.backed_off).min(ceiling * most)
    }

    /// The ceiling gives way to two round trips: a path slower than it would otherwise have every
    /// window sent twice.
    ///
    /// But not to more than four of the smallest. Where much is lost, an answer is often one that
    /// the peer had to repeat: its time-out becomes part of our round trip and ours of the peer's,
    /// and without a bound both would grow to minutes.
    fn ceiling(&self) -> u64 {
        let smoothed = self.smoothed.map_or(0, Micros::get);
        let smallest = self.smallest.map_or(smoothed, Micros::get);
        self.timing.ceiling().max((2 * smoothed).min(4 * smallest))
    }
}

/// A duration of up to 71 minutes in four bytes, none in no more: sessions are small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Micros(NonZeroU32);

impl Micros {
    pub(crate) const LEAST: Self = Self(NonZeroU32::MIN);

    fn saturating(micros: u64) -> Self {
        let micros = u32::try_from(micros).unwrap_or(u32::MAX);
        NonZeroU32::new(micros).map_or(Self::LEAST, Self)
    }

    pub(crate) fn get(self) -> u64 {
        self.0.get().into()
    }

    fn half(self) -> Self {
        Self::saturating(self.get() / 2)
    }

    fn abs_diff(self, other: Self) -> Self {
        Self::saturating(self.get().abs_diff(other.get()))
    }

    /// One `weight`-th of the way from this average to the next sample.
    pub(crate) fn towards(self, sample: Self, weight: u64) -> Self {
        Self::saturating((self.get() * (weight - 1) + sample.get()) / weight)
    }
}

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        let seconds = duration.as_secs().saturating_mul(SECOND);
        Self::saturating(seconds.saturating_add(duration.subsec_micros().into()))
    }
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Self::from_micros(micros.0.get().into())
    }
}

/// The last attempt that a count of eight bits can tell from all later ones: nobody is spoken to for
/// ever.
const MOST_ATTEMPTS: u8 = u8::MAX - 1;

/// Bounds the back-off that outlives a time-out.
const MAX_DOUBLINGS: u8 = 6;

/// The same in ceilings, before a round trip has been measured: a peer that is not given up must be
/// spoken to before it gives up itself.
const MOST_BACK_OFF: u64 = 16;

fn doubled(micros: u64, times: u8) -> u64 {
    micros.saturating_mul(1u64.checked_shl(times.into()).unwrap_or(u64::MAX))
}
