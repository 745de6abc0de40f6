//! What histories are about besides the plain lane: whole ways there, and single deeds.

mod kinds;

use proptest::prelude::*;
use proptest::sample::select;

use super::draw::{collect, of, whole_way};
use super::law::LAWS;
use super::step::{CHAINS, Found, Holder, How, Lane, Step, Twist, What};

const NEWEST: usize = usize::MAX;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Theme {
    Locks,
    Drills,
    Outages,
    Escalation,
    Emergencies,
    Limits,
    Delegation,
    Laws,
    Kinds,
}

impl Theme {
    pub(crate) const ALL: [Self; 9] = [
        Self::Locks,
        Self::Drills,
        Self::Outages,
        Self::Escalation,
        Self::Emergencies,
        Self::Limits,
        Self::Delegation,
        Self::Laws,
        Self::Kinds,
    ];
}

/// A way that gets somewhere if nothing else happens.
pub(crate) fn way(theme: Theme) -> BoxedStrategy<Vec<Step>> {
    match theme {
        Theme::Locks => lock_way().boxed(),
        Theme::Drills => drill_way().boxed(),
        Theme::Outages => outage_way().boxed(),
        Theme::Escalation => escalation_way().boxed(),
        Theme::Emergencies => emergency_way().boxed(),
        Theme::Limits => limit_way().boxed(),
        Theme::Delegation => delegation_way().boxed(),
        Theme::Laws => law_way().boxed(),
        Theme::Kinds => kinds::way().boxed(),
    }
}

/// One thing of the kind.
pub(crate) fn deed(theme: Theme) -> BoxedStrategy<Step> {
    match theme {
        Theme::Locks => prop_oneof![2 => good_lock(), 1 => lock(), 2 => unlock()].boxed(),
        Theme::Drills => prop_oneof![ask_in(&["hot", "directory", "robot"]), pickup()].boxed(),
        Theme::Outages => {
            prop_oneof![3 => outage_deed(), 1 => ask_in(&["directory", "mirror"])].boxed()
        }
        Theme::Escalation => prop_oneof![escalate(), hot_approval(), ask_in(&["hot"])].boxed(),
        Theme::Emergencies => prop_oneof![
            ask_in(&["hot", "directory"]),
            ending(),
            review(),
            pass(&[59, 60, 299, 300])
        ]
        .boxed(),
        Theme::Limits => {
            prop_oneof![ask_in(&["hot", "mirror"]), review(), pass(&[29, 30, 59, 60, 1200, 3599])]
                .boxed()
        }
        Theme::Delegation => prop_oneof![delegated(), (1..LAWS).prop_map(Step::Push)].boxed(),
        Theme::Laws => prop_oneof![
            3 => (1..LAWS).prop_map(Step::Push),
            2 => select(vec![0, 9, 10, 16]).prop_map(Step::Push),
            1 => lock(),
        ]
        .boxed(),
        Theme::Kinds => prop_oneof![
            2 => kinds::ask_for(),
            4 => kinds::collect_as(),
            1 => pass(&[60, 239, 240, 300, 3600]),
            1 => select(vec![20, 21]).prop_map(Step::Push),
            1 => pickup(),
        ]
        .boxed(),
    }
}

fn ask_as(who: &'static str, scope: &'static str, ttl: u32, lane: Lane) -> Step {
    Step::AskIn { who, scope, ttl, lane, chain: 0 }
}

fn approve(who: &'static str, stage: &'static str) -> Step {
    Step::Approve { of: NEWEST, who, stage, twist: Twist::Nothing }
}

fn end(who: &'static str, how: How) -> Step {
    Step::End { of: NEWEST, who, how, twist: Twist::Nothing }
}

fn picked_up() -> Step {
    Step::Pickup { of: NEWEST, by: Holder::Subject, right: true }
}

fn requester() -> impl Strategy<Value = &'static str> {
    select(vec!["sam", "joe"])
}

fn pass(seconds: &'static [u64]) -> impl Strategy<Value = Step> {
    select(seconds).prop_map(|seconds| Step::Pass(seconds * 1000))
}

fn ask_in(scopes: &'static [&'static str]) -> impl Strategy<Value = Step> {
    let lane = select(vec![Lane::Normal, Lane::Outage, Lane::Emergency, Lane::Drill]);
    let who = select(vec!["sam", "joe", "sam", "ada"]);
    (who, select(scopes), select(vec![60_u32, 120, 300, 600, 1200]), lane)
        .prop_map(|(who, scope, ttl, lane)| ask_as(who, scope, ttl, lane))
}

fn pickup() -> impl Strategy<Value = Step> {
    of().prop_map(|of| Step::Pickup { of, by: Holder::Subject, right: true })
}

// Locks.

fn lock_way() -> impl Strategy<Value = Vec<Step>> {
    let unlocked =
        select(vec!["bob", "eve", "ada"]).prop_map(|who| Step::Unlock { who, of: NEWEST });
    let then = prop_oneof![
        3 => unlocked.prop_map(|step| vec![step]),
        2 => pass(&[59, 60, 300]).prop_map(|step| vec![step]),
        1 => Just(vec![Step::Restart]),
        1 => Just(vec![Step::Kill]),
        1 => Just(Vec::new()),
    ];
    (whole_way(), good_lock(), 0..3_usize, then, whole_way()).prop_map(
        |(mut steps, lock, back, then, again)| {
            // Before the credential, or after.
            let at = steps.len().saturating_sub(back);
            steps.insert(at, lock);
            steps.extend(then);
            steps.extend(again);
            steps
        },
    )
}

/// By somebody who may, on something that matters.
fn good_lock() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        3 => select(vec!["sam", "joe", "ada", "kim"]).prop_map(What::Principal),
        2 => select(vec!["sam", "joe", "ada"]).prop_map(|who| What::Key(who, 0)),
        2 => Just(What::Subject(NEWEST)),
        2 => select(vec!["root-on-host", "root-on-host", "quick", "solo"]).prop_map(What::Scope),
        3 => Just(What::Grant(NEWEST)),
    ];
    let seconds = select(vec![None, None, Some(60), Some(300)]);
    (select(vec!["bob", "eve"]), what, seconds).prop_map(|(who, what, seconds)| Step::Lock {
        who,
        what,
        seconds,
    })
}

fn lock() -> impl Strategy<Value = Step> {
    let anyone = || select(vec!["sam", "joe", "ada", "kim", "bob", "robo", "zoe"]);
    let what = prop_oneof![
        2 => anyone().prop_map(What::Principal),
        1 => (anyone(), 0..2_u32).prop_map(|(who, key)| What::Key(who, key)),
        2 => of().prop_map(What::Subject),
        2 => select(vec!["root-on-host", "quick", "pair", "solo", "hot", "mirror", "directory"])
            .prop_map(What::Scope),
        2 => select(vec!["db-1", "db-9"]).prop_map(What::Host),
        3 => of().prop_map(What::Grant),
    ];
    let seconds = select(vec![None, Some(60), Some(60), Some(300), Some(0), Some(8_000_000)]);
    let who = select(vec!["bob", "eve", "ada", "bob", "kim", "sam", "zoe", "robo"]);
    (who, what, seconds).prop_map(|(who, what, seconds)| Step::Lock { who, what, seconds })
}

fn unlock() -> impl Strategy<Value = Step> {
    (select(vec!["bob", "eve", "ada", "sam", "zoe", "robo"]), of())
        .prop_map(|(who, of)| Step::Unlock { who, of })
}

// Drills.

fn drill_way() -> impl Strategy<Value = Vec<Step>> {
    let ends = prop_oneof![
        3 => Just(vec![picked_up(), end("sam", How::Drop), Step::Pass(600_000)]),
        2 => Just(vec![picked_up(), Step::Pass(300_000), Step::Pass(300_000)]),
        1 => Just(vec![end("ada", How::Cancel), Step::Pass(600_000)]),
        1 => Just(vec![picked_up()]),
        1 => Just(Vec::new()),
    ];
    let scope = select(vec!["hot", "directory", "robot"]);
    let withdrawn = prop::bool::weighted(0.1);
    (scope, ends, withdrawn).prop_map(|(scope, ends, withdrawn)| {
        let mut steps = vec![ask_as("sam", scope, 120, Lane::Drill)];
        if withdrawn {
            steps.push(end("sam", How::Withdraw));
        }
        steps.extend(agreed(scope));
        steps.push(collect(NEWEST));
        steps.extend(ends);
        steps
    })
}

/// Everybody who has to says yes.
fn agreed(scope: &str) -> Vec<Step> {
    match scope {
        "hot" => vec![approve("ada", "app-owner"), approve("bob", "security")],
        "directory" => vec![approve("ada", "lead")],
        "mirror" => vec![approve("eve", "guard")],
        _ => vec![approve("bob", "second-person")],
    }
}

// Outages.

fn outage_way() -> impl Strategy<Value = Vec<Step>> {
    let what = "okta";
    let declare = |who, seconds| Step::Declare { who, what, seconds: Some(seconds) };
    let begins = prop_oneof![
        3 => Just(vec![Step::Probe { down: true }]),
        2 => Just(vec![declare("bob", 600), declare("ada", 900)]),
        1 => Just(vec![declare("eve", 14_400), declare("kim", 14_400)]),
        1 => Just(vec![declare("bob", 600)]),
    ];
    let locked = Step::Lock { who: "bob", what: What::Host("db-1"), seconds: Some(300) };
    let over = prop_oneof![
        3 => Just(vec![Step::Probe { down: false }]),
        2 => Just(vec![Step::Resolve { who: "ada", what }]),
        1 => Just(vec![Step::Pass(600_000)]),
        1 => Just(vec![Step::Probe { down: false }, Step::Restart, Step::Probe { down: true }]),
        1 => Just(vec![locked]),
        1 => Just(vec![Step::Push(11)]),
    ];
    let after = || {
        prop_oneof![
            3 => pass(&[119, 120, 121, 300]).prop_map(|step| vec![step]),
            1 => Just(vec![Step::Unswept(121_000), Step::Sweep]),
            1 => Just(vec![Step::Kill, Step::Pass(120_000)]),
            1 => Just(vec![Step::Probe { down: true }, Step::Pass(120_000)]),
        ]
    };
    let scope = select(vec!["directory", "directory", "directory", "mirror"]);
    (begins, scope, requester(), over, after()).prop_map(|(begins, scope, who, over, after)| {
        let mut steps = begins;
        steps.push(ask_as(who, scope, 600, Lane::Outage));
        steps.extend(agreed(scope));
        steps.push(collect(NEWEST));
        steps.extend(over);
        steps.extend(after);
        steps
    })
}

fn outage_deed() -> impl Strategy<Value = Step> {
    let who = || select(vec!["bob", "eve", "ada", "kim", "sam", "zoe", "robo"]);
    let what = || select(vec!["okta", "okta", "okta", "vault"]);
    let seconds = select(vec![Some(60), Some(600), Some(14_400), Some(14_401), Some(0), None]);
    prop_oneof![
        2 => any::<bool>().prop_map(|down| Step::Probe { down }),
        2 => (who(), what(), seconds)
            .prop_map(|(who, what, seconds)| Step::Declare { who, what, seconds }),
        2 => (who(), what()).prop_map(|(who, what)| Step::Resolve { who, what }),
        1 => pass(&[60, 119, 120]),
    ]
}

// Escalation.

fn escalation_way() -> impl Strategy<Value = Vec<Step>> {
    let waits = prop_oneof![
        pass(&[119, 120, 239, 240]).prop_map(|step| vec![step]),
        select(vec!["sam", "ada", "eve"]).prop_map(|who| vec![end(who, How::Escalate)]),
        select(vec!["sam", "ada", "eve"]).prop_map(|who| vec![end(who, How::Escalate)]),
        Just(vec![Step::Push(19), Step::Pass(240_000)]),
        Just(vec![Step::Pass(120_000), Step::Push(15)]),
        Just(vec![Step::Unswept(121_000), Step::Restart, Step::Sweep]),
    ];
    let passed_on = select(vec!["mia", "mia", "mia", "mia", "max", "zoe", "robo"]);
    let both = prop::bool::ANY;
    (requester(), waits, passed_on, both).prop_map(|(who, waits, passed_on, both)| {
        let mut steps = vec![ask_as(who, "hot", 300, Lane::Normal)];
        if both {
            steps.push(approve("bob", "security"));
        }
        steps.extend(waits);
        steps.extend([approve(passed_on, "app-owner"), approve("eve", "security")]);
        steps.push(collect(NEWEST));
        steps
    })
}

fn escalate() -> impl Strategy<Value = Step> {
    let who = select(vec!["sam", "joe", "ada", "bob", "eve", "zoe", "mia", "robo"]);
    (who, of()).prop_map(|(who, of)| Step::End {
        of,
        who,
        how: How::Escalate,
        twist: Twist::Nothing,
    })
}

fn hot_approval() -> impl Strategy<Value = Step> {
    let who = select(vec!["ada", "kim", "bob", "eve", "mia", "max", "zoe"]);
    (who, select(vec!["app-owner", "security"]), of()).prop_map(|(who, stage, of)| Step::Approve {
        of,
        who,
        stage,
        twist: Twist::Nothing,
    })
}

// Emergencies.

fn emergency_way() -> impl Strategy<Value = Vec<Step>> {
    let half = prop_oneof![
        6 => Just(Vec::new()),
        2 => Just(vec![approve("bob", "security")]),
        1 => Just(vec![approve("ada", "app-owner"), approve("bob", "security")]),
    ];
    let meanwhile = prop_oneof![
        9 => pass(&[60, 61, 120]).prop_map(|step| vec![step]),
        1 => pass(&[1, 59]).prop_map(|step| vec![step]),
        2 => ending().prop_map(|step| vec![step, Step::Pass(60_000)]),
        2 => ending().prop_map(|step| vec![Step::Pass(30_000), step]),
        1 => Just(vec![Step::Push(12), Step::Pass(60_000)]),
        1 => Just(vec![Step::Push(18), Step::Pass(60_000)]),
        1 => Just(vec![Step::Kill, Step::Pass(60_000)]),
    ];
    let ends = prop_oneof![
        2 => Just(vec![end("sam", How::Drop)]),
        1 => Just(vec![Step::Pass(300_000)]),
        1 => ending().prop_map(|step| vec![step]),
        1 => Just(Vec::new()),
    ];
    let reviews = prop::collection::vec(review_of_newest(), 0..4);
    let again = prop_oneof![
        2 => Just(vec![Step::Pass(60_000), ask_as("joe", "hot", 300, Lane::Normal)]),
        1 => Just(vec![ask_as("sam", "hot", 300, Lane::Normal)]),
        1 => Just(Vec::new()),
    ];
    (requester(), half, (pass(&[300, 300, 300, 300, 300, 299]), meanwhile), ends, reviews, again)
        .prop_map(|(who, half, (waits, meanwhile), ends, reviews, again)| {
            let mut steps = vec![ask_as(who, "hot", 600, Lane::Normal)];
            steps.extend(half);
            steps.extend([waits, ask_as(who, "hot", 120, Lane::Emergency)]);
            steps.extend(meanwhile);
            steps.push(collect(NEWEST));
            steps.extend(ends);
            steps.extend(reviews);
            steps.extend(again);
            steps
        })
}

fn ending() -> impl Strategy<Value = Step> {
    let who = select(vec!["ada", "kim", "bob", "eve", "mia", "mia", "zoe", "robo"]);
    (who, select(vec![How::Deny, How::Cancel])).prop_map(|(who, how)| end(who, how))
}

fn review_of_newest() -> impl Strategy<Value = Step> {
    let who = select(vec!["ada", "kim", "kim", "eve", "bob", "sam", "zoe", "robo"]);
    let verdict = select(vec![Found::Justified, Found::Unjustified, Found::Inconclusive]);
    (who, verdict).prop_map(|(who, verdict)| Step::Review { of: NEWEST, who, verdict })
}

fn review() -> impl Strategy<Value = Step> {
    (review_of_newest(), of()).prop_map(|(step, of)| {
        let Step::Review { who, verdict, .. } = step else { unreachable!("a review") };
        Step::Review { of, who, verdict }
    })
}

// Pause, budget, review gate.

fn limit_way() -> impl Strategy<Value = Vec<Step>> {
    let scope = select(vec!["mirror", "mirror", "hot"]);
    let ends = prop_oneof![
        2 => Just(vec![end("sam", How::Drop)]),
        1 => Just(vec![Step::Pass(600_000)]),
        1 => Just(vec![Step::Pass(599_000), end("ada", How::Cancel)]),
        1 => Just(Vec::new()),
    ];
    let reviews = prop::collection::vec(review_of_newest(), 0..4);
    let waits = pass(&[29, 30, 60, 900]);
    (scope, ends, reviews, waits, select(vec![120_u32, 600, 1200])).prop_map(
        |(scope, ends, reviews, waits, ttl)| {
            let mut steps = Vec::new();
            steps.push(ask_as("sam", scope, 600, Lane::Normal));
            steps.extend(agreed(scope));
            steps.push(collect(NEWEST));
            steps.extend(ends);
            steps.extend(reviews);
            steps.extend([waits, ask_as("sam", scope, ttl, Lane::Normal)]);
            steps.extend(agreed(scope));
            steps.push(collect(NEWEST));
            steps
        },
    )
}

// Delegation.

fn delegation_way() -> impl Strategy<Value = Vec<Step>> {
    let between = prop_oneof![
        8 => Just(Vec::new()),
        1 => Just(vec![Step::Push(14)]),
        1 => Just(vec![Step::Push(10)]),
        1 => Just(vec![Step::Push(1)]),
        1 => Just(vec![Step::Lock { who: "bob", what: What::Principal("sam"), seconds: None }]),
    ];
    let ttl = select(vec![60_u32, 600]);
    let good = select(vec![
        ("robo", 1),
        ("helper", 2),
        ("helper", 3),
        ("helper", 3),
        ("ci", 0),
        ("ci", 2),
    ]);
    let by = prop_oneof![6 => Just("ada"), 1 => select(vec!["sam", "robo", "helper", "bob"])];
    (good, ttl, by, between.clone(), between).prop_map(|((who, chain), ttl, by, before, after)| {
        let lane = Lane::Normal;
        let mut steps = vec![Step::AskIn { who, scope: "robot", ttl, lane, chain }];
        steps.push(approve(by, "second-person"));
        steps.extend(before);
        steps.push(collect(NEWEST));
        steps.extend(after);
        steps
    })
}

fn delegated() -> impl Strategy<Value = Step> {
    let who = select(vec!["robo", "helper", "ci", "sam", "joe"]);
    let scope = select(vec!["robot", "robot", "robot", "quick"]);
    let lane = select(vec![Lane::Normal, Lane::Normal, Lane::Drill]);
    (who, scope, lane, 0..CHAINS.len()).prop_map(|(who, scope, lane, chain)| Step::AskIn {
        who,
        scope,
        ttl: 60,
        lane,
        chain,
    })
}

// Changes of the law.

fn law_way() -> impl Strategy<Value = Vec<Step>> {
    let grants = prop_oneof![
        2 => whole_way(),
        1 => outage_way(),
        1 => delegation_way(),
        1 => drill_way(),
    ];
    let law = || prop_oneof![2 => 1..LAWS, 1 => select(vec![9_usize, 10, 16])];
    (grants, law(), 0..3_usize, whole_way(), law(), whole_way()).prop_map(
        |(mut steps, first, back, more, second, last)| {
            let at = steps.len().saturating_sub(back);
            steps.insert(at, Step::Push(first));
            steps.extend(more);
            steps.push(Step::Push(second));
            steps.extend(last);
            steps
        },
    )
}
