//! The last few revocation lists, so that a list and its signature can be fetched one after the
//! other while the next list comes out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::krl::SignedList;

/// Lists kept: two requests follow each other within a second, in which hardly more are fetched.
const KEPT: usize = 16;

/// The lists that were asked for last, newest at the back.
#[derive(Default)]
pub(super) struct Shelf(Mutex<VecDeque<Arc<SignedList>>>);

impl Shelf {
    /// The list of number `wanted`, or `newest` if no number is wanted; `None` if it is gone, or
    /// never was.
    pub(super) fn take(
        &self,
        newest: Arc<SignedList>,
        wanted: Option<u64>,
    ) -> Option<Arc<SignedList>> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.back().is_none_or(|last| last.version < newest.version) {
            if lists.len() >= KEPT {
                lists.pop_front();
            }
            lists.push_back(Arc::clone(&newest));
        }
        match wanted {
            None => Some(newest),
            Some(wanted) => lists.iter().find(|list| list.version == wanted).cloned(),
        }
    }
}
