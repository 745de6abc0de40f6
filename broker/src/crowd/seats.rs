//! How many at once: seats, in total and for each holder. A seat is free again when it is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// A room with `total` seats of which one holder gets at most `each`.
pub(crate) struct Seats<K> {
    total: usize,
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All seats are taken.
    Room,
    /// This holder has all that one may have.
    Holder,
}

impl<K: Clone + Eq + Hash> Seats<K> {
    /// An empty room.
    pub(crate) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { total, each, taken: Mutex::new(HashMap::new()) })
    }

    /// Takes a seat for `holder`.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is none left for it.
    pub(crate) fn take(self: &Arc<Self>, holder: K) -> Result<Seat<K>, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.total {
            return Err(Full::Room);
        }
        let own = taken.get(&holder).copied().unwrap_or(0);
        if own >= self.each {
            return Err(Full::Holder);
        }
        taken.insert(holder.clone(), own.saturating_add(1));
        Ok(Seat { room: Arc::clone(self), holder })
    }
}

/// One seat; dropped, it is free again.
pub(crate) struct Seat<K: Clone + Eq + Hash> {
    room: Arc<Seats<K>>,
    holder: K,
}

impl<K: Clone + Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.holder) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_gets_its_share_and_the_room_its_total() {
        let seats = Seats::new(3, 2);
        let first = seats.take("sam").expect("a seat");
        let _second = seats.take("sam").expect("a seat");
        assert_eq!(seats.take("sam").err(), Some(Full::Holder));
        let _third = seats.take("ada").expect("a seat");
        assert_eq!(seats.take("bob").err(), Some(Full::Room));
        drop(first);
        assert!(seats.take("bob").is_ok());
    }

    #[test]
    fn a_room_remembers_only_who_sits_in_it() {
        let seats = Seats::new(3, 2);
        drop(seats.take("sam").expect("a seat"));
        assert!(seats.taken.lock().expect("lock").is_empty());
    }
}
