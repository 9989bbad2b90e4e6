//! What the system was asked is remembered for a while, of those that it is asked about lately.

use std::{collections::HashMap, hash::Hash, mem, time::Duration};

use tftp_core::Instant;

/// Answers by what they are about, in two generations: when the young one is full it becomes the
/// old one, and that is forgotten. What is asked for again is young again.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, Answer<V>>,
    old: HashMap<K, Answer<V>>,
    /// Answers in a generation.
    most: usize,
    good_for: Duration,
}

#[derive(Debug)]
struct Answer<V> {
    value: V,
    asked_at: Instant,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// Of the latest, at least so many are remembered, and at most twice as many.
    pub(crate) fn new(most: usize, good_for: Duration) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most, good_for }
    }

    /// The answer about `key`, for which `ask` is only called where none is remembered.
    pub(crate) fn get(&mut self, now: Instant, key: K, ask: impl Fn() -> V) -> &mut V {
        if self.young.len() >= self.most {
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let ask = || Answer { value: ask(), asked_at: now };
        let known = || self.old.remove(&key).unwrap_or_else(ask);
        let answer = self.young.entry(key).or_insert_with(known);
        if now >= answer.asked_at + self.good_for {
            *answer = ask();
        }
        &mut answer.value
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const GOOD_FOR: Duration = Duration::from_mins(1);
    const MOST: usize = 100;

    /// How many of these had to be asked about.
    fn asked(
        recent: &mut Recent<usize, usize>,
        now: Instant,
        keys: impl IntoIterator<Item = usize>,
    ) -> usize {
        let asked = Cell::new(0);
        for key in keys {
            let value = recent.get(now, key, || {
                asked.set(asked.get() + 1);
                key
            });
            assert_eq!(*value, key);
        }
        asked.get()
    }

    #[test]
    fn one_more_than_a_generation_holds_makes_one_forgotten_and_not_all() {
        let mut recent = Recent::new(MOST, GOOD_FOR);
        assert_eq!(asked(&mut recent, Instant::ZERO, 0..=MOST), MOST + 1);
        assert_eq!(asked(&mut recent, Instant::ZERO, 0..=MOST), 1);
    }

    #[test]
    fn who_comes_again_and_again_is_remembered_among_any_number_of_others() {
        let mut recent = Recent::new(MOST, GOOD_FOR);
        let others = MOST..100 * MOST;
        let keys = others.clone().flat_map(|other| [other % (MOST / 2), other]);
        assert_eq!(asked(&mut recent, Instant::ZERO, keys), MOST / 2 + others.len());
        assert!(recent.young.len() + recent.old.len() <= 2 * MOST);
    }

    #[test]
    fn an_answer_is_good_for_its_time_only() {
        let mut recent = Recent::new(MOST, GOOD_FOR);
        let end = Instant::ZERO + GOOD_FOR;
        assert_eq!(asked(&mut recent, Instant::ZERO, [1]), 1);
        assert_eq!(asked(&mut recent, Instant::ZERO + GOOD_FOR / 2, [1]), 0);
        assert_eq!(asked(&mut recent, end, [1, 1]), 1);
    }
}
