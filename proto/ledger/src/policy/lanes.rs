//! When a scope's special lanes open: the fields `lanes`, `outage`, `ends-with-outage`, `grace` and
//! the table `[scope.emergency]`.

use std::collections::BTreeSet;

use super::fault::{FaultKind, Faults};
use super::limits::Limits;
use super::read::{Table, Value};
use super::values;
use crate::principal::DependencyId;
use crate::statement::Lane;
use crate::time::Ttl;

/// Longest drain after an outage, in seconds: a grant does not outlive 12 h anyway.
pub const GRACE_MAX_SECONDS: u32 = 43_200;

/// The lane in which nobody answers: one person, compensating controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// Seconds that the requester's ordinary request has to be unanswered first.
    pub after: u32,
    /// Longest grant, at most that of the scope.
    pub ttl_max: Ttl,
    /// Seconds between the request and the earliest credential, in which it can be ended.
    pub delay: u32,
}

/// What the fields say; where they have faults, placeholders.
#[derive(Default)]
pub(super) struct Lanes {
    pub(super) lanes: BTreeSet<Lane>,
    pub(super) outage: Option<DependencyId>,
    pub(super) ends_with_outage: bool,
    pub(super) grace: u32,
    pub(super) emergency: Option<Emergency>,
}

/// Reads the fields of one scope. `has_stages` is whether somebody has to agree in it.
pub(super) fn read(
    table: &mut Table<'_>,
    limits: &Limits,
    has_stages: bool,
    faults: &mut Faults,
) -> Lanes {
    let list = table.need("lanes", faults);
    let lanes = list.as_ref().and_then(|list| values::set(list, 4, faults, lane));
    let mut read = Lanes {
        lanes: lanes.iter().flatten().copied().collect(),
        ..outage(table, lanes.as_deref(), faults)
    };
    let at = table.take("emergency");
    let is_listed = lanes.as_ref().map(|lanes| lanes.contains(&Lane::Emergency));
    match (&at, is_listed) {
        (Some(at), Some(false)) => at.needs("lane emergency", faults),
        (None, Some(true)) => needs(list.as_ref(), "lane emergency", "[scope.emergency]", faults),
        (Some(at), _) if !has_stages => at.needs("[[scope.stage]]", faults),
        (Some(_) | None, _) => {}
    }
    read.emergency =
        at.and_then(|at| at.table(faults)).and_then(|table| emergency(table, limits, faults));
    read
}

fn lane(value: &Value<'_>, faults: &mut Faults) -> Option<Lane> {
    value.parsed("normal, outage, emergency or drill", faults, |text| text.parse().ok())
}

fn outage(table: &mut Table<'_>, lanes: Option<&[Lane]>, faults: &mut Faults) -> Lanes {
    let dependency = table.take("outage");
    let ends = table.take("ends-with-outage");
    let grace = table.take("grace");
    if let Some(lanes) = lanes {
        match (&dependency, lanes.contains(&Lane::Outage)) {
            (None, true) => {
                let kind = FaultKind::Needs { field: "lane outage", needed: "outage" };
                table.fault(kind, faults);
            }
            (Some(dependency), false) => dependency.needs("lane outage", faults),
            (Some(_), true) | (None, false) => {}
        }
    }
    if dependency.is_none() {
        for value in [&ends, &grace].into_iter().flatten() {
            value.needs("outage", faults);
        }
    }
    Lanes {
        outage: dependency.and_then(|id| values::name(&id, faults)),
        ends_with_outage: ends.and_then(|ends| ends.flag(faults)).unwrap_or(false),
        grace: grace
            .and_then(|grace| values::seconds_within(&grace, GRACE_MAX_SECONDS, faults))
            .unwrap_or(0),
        ..Lanes::default()
    }
}

fn emergency(mut table: Table<'_>, limits: &Limits, faults: &mut Faults) -> Option<Emergency> {
    let after = table.need("after", faults).and_then(|after| values::seconds(&after, faults));
    let delay = table.need("delay", faults).and_then(|delay| values::seconds(&delay, faults));
    let ttl = table.need("ttl-max", faults);
    let ttl_max = ttl.as_ref().and_then(|ttl| values::ttl(ttl, faults));
    if let (Some(at), Some(ttl_max), Some(limit)) = (&ttl, ttl_max, limits.ttl_max)
        && ttl_max > limit
    {
        let (seconds, limit) = (ttl_max.seconds(), limit.seconds());
        at.fault(FaultKind::EmergencyTtl { seconds, limit }, faults);
    }
    if let (Some(after), Some(delay), Some(limit)) = (after, delay, limits.pending_max) {
        let seconds = after.saturating_add(delay);
        if seconds >= limit {
            let field = "after and delay together";
            table.fault(FaultKind::NotBeforeLapse { field, seconds, limit }, faults);
        }
    }
    table.finish(faults);
    Some(Emergency { after: after?, ttl_max: ttl_max?, delay: delay? })
}

fn needs(at: Option<&Value<'_>>, field: &'static str, needed: &'static str, faults: &mut Faults) {
    if let Some(at) = at {
        at.fault(FaultKind::Needs { field, needed }, faults);
    }
}
