//! What is due when, and whether it was done.

use std::collections::{BTreeSet, HashMap};

use super::ALLOWANCE_SECONDS;
use super::grant::{Grant, State};
use crate::audit::{Code, Findings};
use crate::id::RequestId;
use crate::time::Timestamp;

/// One row per open grant, the earliest first.
///
/// A broker that was down cannot act, and its absence shows as silence. So what is due is only
/// overdue after the broker was seen at work: the first entry at or after the due time starts the
/// allowance.
#[derive(Default)]
pub(super) struct Deadlines {
    rows: BTreeSet<(Timestamp, RequestId)>,
    /// Where each open grant's row is, and whether its allowance has started.
    places: HashMap<RequestId, (Timestamp, bool)>,
}

impl Deadlines {
    /// The grant is due at its time, or at once if that is past. A row there was is moved.
    pub(super) fn set(&mut self, grant: &Grant, now: Timestamp) {
        let (id, due) = (grant.ask.id, grant.due);
        self.clear(id);
        // Due already: the entry that made it so is itself the broker at work.
        let started = due <= now;
        let place = if started { now.plus(ALLOWANCE_SECONDS) } else { due };
        self.rows.insert((place, id));
        self.places.insert(id, (place, started));
    }

    /// Forgets a grant that is over.
    pub(super) fn clear(&mut self, id: RequestId) {
        if let Some((place, _)) = self.places.remove(&id) {
            self.rows.remove(&(place, id));
        }
    }

    /// The broker was at work at `now`, having written entry `seq`: what should have ended?
    pub(super) fn pass(
        &mut self,
        now: Timestamp,
        seq: u64,
        open: &HashMap<RequestId, Grant>,
        out: &mut Findings,
    ) {
        while let Some(&(place, id)) = self.rows.first() {
            let started = self.places.get(&id).is_some_and(|(_, started)| *started);
            let is_over = if started { place < now } else { place <= now };
            if !is_over {
                break;
            }
            self.rows.pop_first();
            self.places.remove(&id);
            if started {
                let what = open.get(&id).map_or("is open", |grant| waits_for(&grant.state));
                let detail = format!("{id} was due and still {what} at {now}");
                out.add(Code::GrantNotClosed, Some(seq), detail);
            } else {
                let place = now.plus(ALLOWANCE_SECONDS);
                self.rows.insert((place, id));
                self.places.insert(id, (place, true));
            }
        }
    }
}

const fn waits_for(state: &State) -> &'static str {
    match state {
        State::Pending => "waits to lapse",
        State::Live(_) => "waits to be revoked",
        State::Revoked(..) | State::Ended(_) => "waits to be closed",
    }
}
