//! How many sessions there are of which kind, and which of them gives way first.

use std::collections::BTreeSet;

/// What a session is worth when another one needs its place; the least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// All is done and reported; it only repeats its last ACK.
    Lingering,
    /// Its peer has proved nothing.
    Unproved,
    /// It moves a file, and gives way to nobody.
    Running,
}

/// The places of all sessions of a loop.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Those that would give way, by worth and age.
    expendable: BTreeSet<(Place, u64, usize)>,
    running: usize,
    unproved: usize,
}

impl Places {
    /// Counts a session in. Its serial number tells its age.
    pub(crate) fn enter(&mut self, place: Place, serial: u64, session: usize) {
        match place {
            Place::Running => self.running += 1,
            Place::Unproved => self.unproved += 1,
            Place::Lingering => {}
        }
        if place != Place::Running {
            self.expendable.insert((place, serial, session));
        }
    }

    /// Counts it out again.
    pub(crate) fn leave(&mut self, place: Place, serial: u64, session: usize) {
        match place {
            Place::Running => self.running -= 1,
            Place::Unproved => self.unproved -= 1,
            Place::Lingering => {}
        }
        if place != Place::Running {
            self.expendable.remove(&(place, serial, session));
        }
    }

    /// Whether any session still has something to do but linger.
    pub(crate) fn any_running(&self) -> bool {
        self.running + self.unproved > 0
    }

    /// The session that gives way first: who has lingered longest, or else the oldest whose peer
    /// has proved nothing.
    pub(crate) fn least(&self) -> Option<usize> {
        self.expendable.first().map(|&(_, _, session)| session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lingers_goes_before_who_is_unproved_and_the_older_first() {
        let mut places = Places::default();
        for (session, place) in
            [Place::Running, Place::Unproved, Place::Lingering, Place::Unproved].iter().enumerate()
        {
            places.enter(*place, session as u64, session);
        }
        let mut order = Vec::new();
        while let Some(session) = places.least() {
            order.push(session);
            let place = if session == 2 { Place::Lingering } else { Place::Unproved };
            places.leave(place, session as u64, session);
        }
        assert_eq!(order, [2, 1, 3]);
        assert!(places.any_running());
        places.leave(Place::Running, 0, 0);
        assert!(!places.any_running());
    }
}
