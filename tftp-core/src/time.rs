//! The caller's clock: a point in time as nanoseconds since whenever the caller likes.

use core::{ops::Add, time::Duration};

/// A point on the caller's monotonic clock, in nanoseconds since an origin of the caller's choice.
///
/// Sessions only ever compare instants and add durations to them, so any origin serves: boot,
/// program start, zero in a test. Arithmetic saturates at both ends; nothing here can panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// An instant that never comes: "no timer, but the session is not over".
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant that many nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is in fact later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The same moment on a clock that shows `to` when this one shows `from`. What lies before the
    /// other clock's origin becomes its origin; never stays never.
    pub(crate) const fn rebased(self, from: Self, to: Self) -> Self {
        match self.0.checked_sub(from.0) {
            _ if self.0 == Self::NEVER.0 => self,
            Some(ahead) => Self(to.0.saturating_add(ahead)),
            None => Self(to.0.saturating_sub(from.0.saturating_sub(self.0))),
        }
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let whole = duration.as_secs().saturating_mul(1_000_000_000);
        Self(self.0.saturating_add(whole).saturating_add(duration.subsec_nanos().into()))
    }
}
