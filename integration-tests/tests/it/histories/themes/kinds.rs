//! X.509 certificates and tokens, alone and beside others.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::draw::of;
use super::super::step::{EACH, Holder, How, KINDS, Lane, Step, What};
use super::{NEWEST, approve, end};

pub(super) fn way() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![6 => several(), 1 => late()]
}

/// Another credential in the last second of a grant, or when it is over and nobody has noticed.
fn late() -> impl Strategy<Value = Vec<Step>> {
    let kinds = KINDS.len() - 1;
    let millis = select(vec![59_000_u64, 60_000, 61_000]);
    (ask_for_these(Just(kinds), Just(60)), collect_of(kinds), millis, collect_of(kinds)).prop_map(
        |(ask, first, millis, then)| {
            vec![ask, approve("ada", "lead"), first, Step::Unswept(millis), then]
        },
    )
}

/// Several credentials of one grant, one after the other, and its end.
fn several() -> impl Strategy<Value = Vec<Step>> {
    let ends = prop_oneof![
        3 => Just(vec![end("sam", How::Drop)]),
        2 => Just(vec![end("ada", How::Cancel)]),
        2 => Just(vec![Step::Pass(600_000)]),
        3 => (20..22_usize).prop_map(|law| vec![Step::Push(law)]),
        1 => Just(vec![Step::Lock { who: "bob", what: What::Subject(NEWEST), seconds: None }]),
        1 => Just(vec![Step::Restart]),
        1 => Just(vec![Step::Kill]),
    ];
    let collected = (0..KINDS.len()).prop_flat_map(|kinds| {
        let wait = select(vec![None, None, None, Some(60), Some(239), Some(240)]);
        let collects = prop::collection::vec((collect_of(kinds), wait), 1..6);
        let again = prop::option::weighted(0.4, collect_of(kinds));
        (ask_for_these(Just(kinds), ttl()), collects, again)
    });
    (collected, select(vec!["ada", "kim"]), ends).prop_map(
        |((ask, collects, again), lead, ends)| {
            let mut steps = vec![ask, approve(lead, "lead")];
            for (collect, wait) in collects {
                steps.push(collect);
                steps.extend(wait.map(|seconds| Step::Pass(seconds * 1000)));
            }
            steps.extend(ends);
            steps.extend(again);
            steps
        },
    )
}

/// For any of the kinds, alone or beside others.
pub(super) fn ask_for() -> impl Strategy<Value = Step> {
    ask_for_these(0..KINDS.len(), ttl())
}

fn ttl() -> impl Strategy<Value = u32> {
    select(vec![60, 300, 600, 1200])
}

fn ask_for_these(
    kinds: impl Strategy<Value = usize>,
    ttl: impl Strategy<Value = u32>,
) -> impl Strategy<Value = Step> {
    let lane = select(vec![Lane::Normal, Lane::Normal, Lane::Normal, Lane::Drill]);
    (select(vec!["sam", "sam", "joe"]), kinds, ttl, lane)
        .prop_map(|(who, kinds, ttl, lane)| Step::AskFor { who, kinds, ttl, lane })
}

/// One of the kinds that were asked for.
fn collect_of(kinds: usize) -> impl Strategy<Value = Step> {
    let is_asked = move |kind: &usize| KINDS[kinds].contains(&EACH[*kind]);
    let asked: Vec<usize> = (0..EACH.len()).filter(is_asked).collect();
    select(asked).prop_map(|kind| Step::CollectAs { of: NEWEST, kind, by: Holder::Subject })
}

/// Any kind, and now and then by somebody else.
pub(super) fn collect_as() -> impl Strategy<Value = Step> {
    let by = select(vec![Holder::Subject, Holder::Subject, Holder::Subject, Holder::Requester]);
    (of(), 0..EACH.len(), by).prop_map(|(of, kind, by)| Step::CollectAs { of, kind, by })
}
