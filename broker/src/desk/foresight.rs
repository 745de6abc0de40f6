//! Folds what comes due soon before its time has come, while nobody waits: when ten thousand
//! credentials end in one second, nothing has to be read and proved in that second.
//!
//! It only warms the memory. What is not foreseen, or not readable, is read when its time has come,
//! and that is where a failure counts.

use std::collections::VecDeque;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::time::Timestamp;

use super::DeskError;
use super::folded::GENERATION_MAX;
use super::memory::Memory;
use crate::store::{Anchored, Cursor, Due, StoreError};

/// How far ahead is looked, in seconds. One request takes some tenths of a millisecond to fold, so
/// all that memory holds takes a few seconds of this.
pub(super) const AHEAD_SECONDS: u64 = 120;

/// Requests looked at between two looks at the queue: who comes meanwhile waits one or two
/// milliseconds.
const BITE: usize = 4;

/// Requests foreseen in [`AHEAD_SECONDS`], at most: so that they do not push each other out before
/// their time has come.
const FORESEEN_MAX: usize = GENERATION_MAX;

/// Requests read from the index at a time.
const PAGE: usize = 64;

/// How far ahead was read.
pub(super) struct Foresight {
    /// Up to when; `None` if there is nothing to do until somebody looks again.
    until: Option<Timestamp>,
    /// For each of the clock's acts, in the order of [`Due::EACH`]: where its last page ended.
    places: [Option<Cursor>; Due::EACH.len()],
    /// Which of them is read.
    turn: usize,
    page: VecDeque<RequestId>,
    /// Still allowed until `refilled` is [`AHEAD_SECONDS`] ago.
    left: usize,
    refilled: Timestamp,
}

impl Foresight {
    /// Nothing is read yet.
    pub(super) fn new() -> Self {
        let refilled = Timestamp::from_unix_seconds(0);
        let places = [None; Due::EACH.len()];
        Self { until: None, places, turn: 0, page: VecDeque::new(), left: 0, refilled }
    }

    /// From now on what is due within [`AHEAD_SECONDS`] of `now` is to be read.
    pub(super) fn look(&mut self, now: Timestamp) {
        if now.since(self.refilled) >= AHEAD_SECONDS {
            (self.left, self.refilled) = (FORESEEN_MAX, now);
        }
        self.turn = 0;
        self.until = Some(now.plus(AHEAD_SECONDS)).filter(|_| self.left > 0);
    }

    /// Whether there may be something to read.
    pub(super) const fn has_work(&self) -> bool {
        self.until.is_some()
    }

    /// Nothing until the next look.
    pub(super) fn rest(&mut self) {
        self.until = None;
        self.page.clear();
    }

    /// Folds a few requests more.
    ///
    /// # Errors
    ///
    /// [`DeskError::Store`] if the database does not answer. A request that cannot be read is passed
    /// over: it is reported when its time has come, again and again.
    pub(super) fn bite(
        &mut self,
        memory: &mut Memory,
        store: &impl Anchored,
    ) -> Result<(), DeskError> {
        for _ in 0..BITE {
            if self.page.is_empty() && !self.turn_page(memory, store)? {
                return Ok(());
            }
            let Some(id) = self.page.pop_front() else { continue };
            if let Err(error @ DeskError::Store(StoreError::Database(_))) =
                memory.request(store, id)
            {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads the next page of what is not in memory. Says whether there is more to look at.
    fn turn_page(&mut self, memory: &Memory, store: &impl Anchored) -> Result<bool, StoreError> {
        let (Some(until), Some(what), Some(place)) =
            (self.until, Due::EACH.get(self.turn), self.places.get_mut(self.turn))
        else {
            self.rest();
            return Ok(false);
        };
        let rows = store.read().due_after(*what, *place, PAGE)?;
        let soon = rows.iter().take_while(|row| row.due.is_some_and(|due| due <= until));
        let (mut count, mut last) = (0_usize, None);
        for row in soon {
            (count, last) = (count.saturating_add(1), Some(row));
            if !memory.holds(row.id) {
                self.page.push_back(row.id);
            }
        }
        if let Some(row) = last {
            *place = row.cursor();
        }
        if count < PAGE {
            self.turn = self.turn.saturating_add(1);
        }
        self.left = self.left.saturating_sub(self.page.len());
        if self.left == 0 {
            self.turn = Due::EACH.len();
        }
        Ok(true)
    }
}
