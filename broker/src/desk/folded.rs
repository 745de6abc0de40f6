//! What is kept in memory of much that is on disk: what was used lately stays.

use std::collections::HashMap;
use std::hash::Hash;

use breakglass_ledger::id::RequestId;
use breakglass_rules::Request;

/// Requests in one generation. One takes about 2 KiB, and there are two generations; what is in
/// neither is folded from the ledger again.
pub(super) const GENERATION_MAX: usize = 16_384;

/// Requests kept folded.
pub(super) type Folded = Generations<RequestId, Request, GENERATION_MAX>;

/// Two generations of at most `MAX` each: what is kept or used enters the younger one. When that is
/// full it becomes the older one, and what was not used since goes.
pub(super) struct Generations<K, V, const MAX: usize> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K, V, const MAX: usize> Default for Generations<K, V, MAX> {
    fn default() -> Self {
        Self { younger: HashMap::new(), older: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash, V, const MAX: usize> Generations<K, V, MAX> {
    /// Whether something is kept under `key`. Does not count as use.
    pub(super) fn holds(&self, key: K) -> bool {
        self.younger.contains_key(&key) || self.older.contains_key(&key)
    }

    /// What is kept under `key`; that counts as use.
    pub(super) fn get(&mut self, key: K) -> Option<&V> {
        if let Some(value) = self.older.remove(&key) {
            self.keep(key, value);
        }
        self.younger.get(&key)
    }

    /// Keeps `value`, instead of what was kept under `key`.
    pub(super) fn keep(&mut self, key: K, value: V) {
        self.take(key);
        if self.younger.len() >= MAX {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(key, value);
    }

    /// Takes out what is kept under `key`.
    pub(super) fn take(&mut self, key: K) -> Option<V> {
        self.younger.remove(&key).or_else(|| self.older.remove(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before, all that was kept was thrown away at once when memory was full.
    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut kept: Generations<u32, u32, 100> = Generations::default();
        for number in 0..1000 {
            kept.keep(number, number);
            assert_eq!(kept.get(0), Some(&0), "used all the time, after {number}");
            assert!(kept.younger.len() + kept.older.len() <= 200);
        }
        assert!((900..1000).all(|number| kept.holds(number)), "the newest hundred stay");
        assert!(!kept.holds(1) && !kept.holds(500));
    }

    #[test]
    fn what_is_kept_again_or_taken_out_is_there_once() {
        let mut kept: Generations<u32, &str, 2> = Generations::default();
        kept.keep(1, "old");
        kept.keep(2, "other");
        kept.keep(3, "third");
        kept.keep(1, "new");
        assert_eq!(kept.get(1), Some(&"new"));
        assert_eq!(kept.take(1), Some("new"));
        assert!(!kept.holds(1));
    }
}
