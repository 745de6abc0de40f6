//! The numbers of a scope: how long, how many, how often, and when it is looked at afterwards.

use super::fault::Faults;
use super::read::Table;
use super::scopes::{LIVE_MAX, PENDING_MAX_SECONDS};
use super::values;
use crate::time::Ttl;

/// Longest wait between two grants, in seconds: 30 days.
pub const COOLDOWN_MAX_SECONDS: u32 = 30 * 86_400;

/// Longest window of a budget, in seconds: 90 days, a quarter, and a bound on what is summed up.
pub const BUDGET_WINDOW_MAX_SECONDS: u32 = 90 * 86_400;

/// Longest time for a review, in seconds: 90 days, by when nobody remembers.
pub const REVIEW_MAX_SECONDS: u32 = 90 * 86_400;

/// The most granted time per principal in a window, so that break-glass does not become permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Seconds granted at most, 1 to `window`.
    pub time: u32,
    /// Seconds looked back, up to [`BUDGET_WINDOW_MAX_SECONDS`].
    pub window: u32,
}

/// What the fields say; `None` where they are absent or have faults.
pub(super) struct Limits {
    pub(super) ttl_max: Option<Ttl>,
    pub(super) pending_max: Option<u32>,
    pub(super) live_max: Option<u32>,
    pub(super) cooldown: Option<u32>,
    pub(super) budget: Option<Budget>,
    pub(super) review_within: Option<u32>,
    pub(super) review_gate: bool,
}

/// Reads the fields of one scope.
pub(super) fn read(table: &mut Table<'_>, faults: &mut Faults) -> Limits {
    let ttl_max = table.need("ttl-max", faults).and_then(|ttl| values::ttl(&ttl, faults));
    let pending_max = table
        .need("pending-max", faults)
        .and_then(|pending| values::seconds_within(&pending, PENDING_MAX_SECONDS, faults));
    let live_max = table.need("live-max", faults).and_then(|live| live.number(1, LIVE_MAX, faults));
    let cooldown = table
        .take("cooldown")
        .and_then(|wait| values::seconds_within(&wait, COOLDOWN_MAX_SECONDS, faults));
    let budget = table
        .take("budget")
        .and_then(|budget| values::budget(&budget, BUDGET_WINDOW_MAX_SECONDS, faults))
        .map(|(time, window)| Budget { time, window });
    let review_within = table
        .take("review-within")
        .and_then(|within| values::seconds_within(&within, REVIEW_MAX_SECONDS, faults));
    let review_gate = table.take("review-gate").and_then(|gate| gate.flag(faults));
    Limits {
        ttl_max,
        pending_max,
        live_max,
        cooldown,
        budget,
        review_within,
        review_gate: review_gate.unwrap_or(false),
    }
}
