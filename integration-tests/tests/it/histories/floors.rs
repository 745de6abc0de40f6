//! A property is worth what its generator reaches: how often at least the histories of one run come
//! to what they are for.

use std::collections::BTreeMap;

/// What, and how often at least over all histories: less than half of what it is, so that other ways of
/// drawing may shift it, and it cannot go unnoticed that something is no longer reached.
const FLOORS: &[(&str, usize)] = &[
    ("issued normal", 123),
    ("issued outage", 18),
    ("issued outage declared", 5),
    ("issued outage measured", 12),
    ("issued emergency", 4),
    ("issued drill", 18),
    ("issued of kind x509", 20),
    ("issued of kind jwt", 25),
    ("issued beside another: ssh", 3),
    ("issued beside another: x509", 2),
    ("issued beside another: jwt", 15),
    ("token replaced", 10),
    ("issued on behalf of 1", 8),
    ("issued on behalf of 2", 3),
    ("issued normal under rules", 13),
    ("issued under a later policy", 7),
    ("issued after a review", 3),
    ("approved after escalation", 6),
    ("escalated by the clock", 32),
    ("escalated by hand", 3),
    ("denied in normal", 1),
    ("denied in emergency", 1),
    ("denied in emergency by an owner", 1),
    ("entry withdrawn", 2),
    ("entry lapsed", 64),
    ("entry picked-up", 16),
    ("drill passed", 14),
    ("drill not passed", 8),
    ("reviewed in emergency", 1),
    ("reviewed in normal", 6),
    ("reviewed inconclusive", 3),
    ("revoked expired in normal", 80),
    ("revoked expired in outage", 13),
    ("revoked expired in emergency", 2),
    ("revoked expired in drill", 11),
    ("revoked expired with others", 8),
    ("revoked dropped", 13),
    ("revoked dropped with others", 2),
    ("revoked cancelled", 8),
    ("revoked policy-changed", 18),
    ("revoked locked in normal", 13),
    ("revoked locked in outage", 1),
    ("revoked outage-ended", 1),
    ("locked principal", 11),
    ("locked key", 9),
    ("locked scope", 3),
    ("locked host", 1),
    ("locked grant", 6),
    ("unlocked by hand", 11),
    ("unlocked by the clock", 10),
    ("outage measured and began", 12),
    ("outage measured up and ended", 4),
    ("outage declared and began", 4),
    ("outage resolved and ended", 1),
    ("outage run out and ended", 2),
    ("policy with rules", 26),
    ("restarted", 16),
    ("killed", 11),
    ("refused approver-not-entitled", 5),
    ("refused credential-kind-not-offered", 1),
    ("refused kind-not-asked", 5),
    ("refused budget-spent", 3),
    ("refused cooldown", 6),
    ("refused review-missing", 12),
    ("refused delay-not-over", 1),
    ("refused delegation-not-sponsored", 3),
    ("refused emergency-not-open", 4),
    ("refused outage-lane-closed", 2),
    ("refused locked", 19),
    ("refused live-max", 6),
    ("refused not-approved-yet", 22),
    ("refused not-human", 11),
    ("refused rules-forbid", 9),
    ("lapsed by a policy", 13),
    ("refused requester-not-entitled", 14),
    ("refused reviewer-took-part", 9),
    ("refused already-declared", 1),
    ("refused wrong-state", 50),
];

/// Refusals that come in some history or other; there are more.
const REFUSALS: usize = 45;

/// Fails if something is reached less often.
pub(crate) fn check(tally: &BTreeMap<String, usize>) {
    let reached = |what: &str| tally.get(what).copied().unwrap_or_default();
    let missed: Vec<_> = FLOORS
        .iter()
        .filter(|(what, floor)| reached(what) < *floor)
        .map(|(what, floor)| format!("{what}: {} of {floor}", reached(what)))
        .collect();
    let refusals = tally.keys().filter(|what| what.starts_with("refused ")).count();
    assert!(refusals >= REFUSALS, "only {refusals} refusals");
    assert!(missed.is_empty(), "seldom reached: {missed:#?}");
}
