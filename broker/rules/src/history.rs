//! What happened before with a scope, as far as a decision about the next use depends on it.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::ReviewVerdict;
use breakglass_ledger::time::Timestamp;

use crate::request::Request;

/// What happened before, gathered only as far as the scope's policy asks for it; drills never
/// count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Seconds that the requester held the scope within the window of its budget; see [`used`].
    pub budget_used: u64,
    /// When the requester's last grant of the scope ended.
    pub last_end: Option<Timestamp>,
    /// A grant of the scope, anybody's, that has ended and that nobody reviewed.
    pub unreviewed: Option<RequestId>,
    /// The same among those of the emergency lane.
    pub unreviewed_emergency: Option<RequestId>,
    /// Seconds since the scope's last passed drill.
    pub drill_age: Option<u64>,
    /// For a request in the emergency lane: the requester's own request for the same scope in an
    /// ordinary lane, if it waits.
    pub waiting: Option<Request>,
    /// For a review: what the last review of the grant found.
    pub reviewed: Option<ReviewVerdict>,
}

impl History {
    /// Nothing happened before, or nothing of it counts.
    pub const NONE: Self = Self {
        budget_used: 0,
        last_end: None,
        unreviewed: None,
        unreviewed_emergency: None,
        drill_age: None,
        waiting: None,
        reviewed: None,
    };
}

/// One grant that somebody had, as a budget counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it was issued.
    pub from: Timestamp,
    /// When it ended, or if it is alive will end by itself.
    pub until: Timestamp,
}

/// Seconds of `grants` that lie after the beginning of a window of `window` seconds up to `now`;
/// what is alive counts to its end.
#[must_use]
pub fn used(grants: impl IntoIterator<Item = Held>, now: Timestamp, window: u32) -> u64 {
    let begin = now.minus(u64::from(window));
    let each = grants.into_iter().map(|held| held.until.since(held.from.max(begin)));
    each.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(from: u64, until: u64) -> Held {
        let at = Timestamp::from_unix_seconds;
        Held { from: at(from), until: at(until) }
    }

    #[test]
    fn a_budget_counts_what_lies_in_its_window_and_the_rest_of_what_is_alive() {
        let now = Timestamp::from_unix_seconds(1000);
        assert_eq!(used([], now, 100), 0);
        assert_eq!(used([held(950, 960)], now, 100), 10);
        assert_eq!(used([held(850, 960)], now, 100), 60);
        assert_eq!(used([held(100, 900)], now, 100), 0);
        assert_eq!(used([held(990, 1050), held(900, 901)], now, 100), 61);
    }
}
