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
/// allowance. If the broker then fell silent for longer than the allowance, it starts once more
/// when the broker is back: a crash between a deadline and its sweep is no tampering. Only once,
/// so that nobody gains time for ever by saying little.
#[derive(Default)]
pub(super) struct Deadlines {
    rows: BTreeSet<(Timestamp, RequestId)>,
    /// Where each open grant's row is, and how far its allowance has got.
    places: HashMap<RequestId, (Timestamp, Allowance)>,
    /// When the broker was last seen at work.
    last: Option<Timestamp>,
}

/// How far a grant's allowance has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowance {
    /// Not due, or the broker has not been seen since it was.
    Waits,
    /// The broker was seen at work when the grant was due.
    Runs,
    /// The broker fell silent meanwhile, and was seen again.
    RunsAgain,
}

impl Deadlines {
    /// The grant is due at its time, or at once if that is past. A row there was is moved.
    pub(super) fn set(&mut self, grant: &Grant, now: Timestamp) {
        let (id, due) = (grant.ask.id, grant.due);
        self.clear(id);
        // Due already: the entry that made it so is itself the broker at work.
        if due <= now {
            self.put(id, now.plus(ALLOWANCE_SECONDS), Allowance::Runs);
        } else {
            self.put(id, due, Allowance::Waits);
        }
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
        let silence = self.last.map_or(0, |last| now.since(last));
        let was_away = silence > ALLOWANCE_SECONDS;
        self.last = Some(now);
        while let Some(&(place, id)) = self.rows.first() {
            let Some(&(_, allowance)) = self.places.get(&id) else { break };
            let is_over = match allowance {
                Allowance::Waits => place <= now,
                Allowance::Runs | Allowance::RunsAgain => place < now,
            };
            if !is_over {
                break;
            }
            self.clear(id);
            match allowance {
                Allowance::Waits => self.put(id, now.plus(ALLOWANCE_SECONDS), Allowance::Runs),
                Allowance::Runs if was_away => {
                    self.put(id, now.plus(ALLOWANCE_SECONDS), Allowance::RunsAgain);
                }
                Allowance::Runs | Allowance::RunsAgain => {
                    let what = open.get(&id).map_or("is open", |grant| waits_for(&grant.state));
                    let detail = format!("{id} was due and still {what} at {now}");
                    out.add(Code::GrantNotClosed, Some(seq), detail);
                }
            }
        }
    }

    fn put(&mut self, id: RequestId, place: Timestamp, allowance: Allowance) {
        self.rows.insert((place, id));
        self.places.insert(id, (place, allowance));
    }
}

const fn waits_for(state: &State) -> &'static str {
    match state {
        State::Pending => "waits to lapse",
        State::Live(_) => "waits to be revoked",
        State::Revoked(..) | State::Ended(_) => "waits to be closed",
    }
}
