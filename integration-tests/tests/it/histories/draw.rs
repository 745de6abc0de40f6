//! How histories are drawn: biased towards getting somewhere, because uniform ones hardly ever
//! reach a credential.

use proptest::prelude::*;
use proptest::sample::select;

use super::law::LAWS;
use super::step::{Holder, How, Step, Twist};
use super::themes::{self, Theme};

/// A history: of the plain lane, or of a theme with all the rest around it.
pub(crate) fn history() -> impl Strategy<Value = Vec<Step>> {
    let plain = || (begin(), prop::collection::vec(steps(), 6..14));
    let themed = prop_oneof![8 => select(Theme::ALL.to_vec()), 1 => Just(Theme::Kinds)]
        .prop_flat_map(|theme| (themes::way(theme), prop::collection::vec(mixed(theme), 2..7)));
    let flat = |(begin, rest): (Vec<Step>, Vec<Vec<Step>>)| -> Vec<Step> {
        begin.into_iter().chain(rest.concat()).collect()
    };
    prop_oneof![1 => plain().prop_map(flat), 4 => themed.prop_map(flat)]
}

fn begin() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![3 => whole_way(), 1 => ask().prop_map(|step| vec![step])]
}

/// Mostly of the theme, with everything else in between.
fn mixed(theme: Theme) -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        4 => themes::way(theme),
        5 => themes::deed(theme).prop_map(|step| vec![step]),
        1 => select(Theme::ALL.to_vec()).prop_flat_map(themes::way),
        3 => steps(),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = |step: Step| vec![step];
    prop_oneof![
        3 => whole_way(),
        2 => spoiled_way(),
        2 => ask().prop_map(one),
        6 => approval().prop_map(one),
        4 => of().prop_map(|of| vec![collect(of)]),
        6 => mischief().prop_map(one),
        4 => honest_end().prop_map(one),
        1 => (of(), any::<bool>())
            .prop_map(|(of, right)| vec![Step::Pickup { of, by: Holder::Subject, right }]),
        4 => passing().prop_map(one),
        2 => select(vec![500_u64, 30_000, 31_000, 60_000])
            .prop_map(|millis| vec![Step::Unswept(millis)]),
        1 => (1..700_u64, approval(), of())
            .prop_map(|(seconds, step, of)| vec![Step::Back(seconds), step, collect(of)]),
        1 => Just(vec![Step::Sweep]),
        1 => Just(vec![Step::Restart]),
        1 => Just(vec![Step::Kill]),
        2 => (1..LAWS).prop_map(|law| vec![Step::Push(law)]),
        2 => Just(vec![Step::Push(0)]),
        2 => (0..64_usize).prop_map(|which| vec![Step::Again(which)]),
        1 => Just(moved_key()),
    ]
}

fn passing() -> impl Strategy<Value = Step> {
    let millis = vec![1_u64, 999, 1000, 59_500, 299_999, 300_000, 599_000, 600_000, 1_200_500];
    select(millis).prop_map(Step::Pass)
}

/// sam asks with a key that then becomes ada's.
fn moved_key() -> Vec<Step> {
    let twist = Twist::Key("sam", 1);
    vec![
        Step::Ask { who: "sam", key: 1, scope: "root-on-host", ttl: 600 },
        Step::Push(8),
        Step::Approve { of: usize::MAX, who: "ada", stage: "app-owner", twist },
    ]
}

pub(super) fn of() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(usize::MAX), 1 => 0..6_usize]
}

pub(super) fn collect(of: usize) -> Step {
    Step::Collect { of, by: Holder::Subject, twist: Twist::Nothing }
}

pub(super) fn whole_way() -> impl Strategy<Value = Vec<Step>> {
    let who = select(vec!["sam", "joe"]);
    let lead = select(vec!["ada", "kim"]);
    let guard = select(vec!["bob", "eve"]);
    let scope = select(vec!["root-on-host", "root-on-host", "quick", "pair", "solo"]);
    let ttl = select(vec![1, 60, 600, 900]);
    (who, lead, guard, scope, ttl).prop_map(|(who, lead, guard, scope, ttl)| {
        let of = usize::MAX;
        let approve = |who, stage| Step::Approve { of, who, stage, twist: Twist::Nothing };
        let mut steps = vec![Step::Ask { who, key: 0, scope, ttl }];
        match scope {
            "root-on-host" => {
                steps.extend([approve(lead, "app-owner"), approve(guard, "security")]);
            }
            "quick" => steps.push(approve(guard, "second-person")),
            "pair" => steps.extend([approve(lead, "both"), approve(guard, "both")]),
            _ => {}
        }
        steps.push(collect(of));
        steps
    })
}

/// A good day but for one thing; then the holder tries to collect nevertheless.
fn spoiled_way() -> impl Strategy<Value = Vec<Step>> {
    let spoils = select(vec![
        ("sam", "app-owner", Twist::Nothing),
        ("bob", "app-owner", Twist::Nothing),
        ("ada", "security", Twist::Nothing),
        ("ada", "app-owner", Twist::TtlMax(599)),
        ("kim", "app-owner", Twist::OldPolicy),
        ("ada", "app-owner", Twist::Key("sam", 1)),
        ("dan", "security", Twist::Nothing),
        ("eve", "security", Twist::Unknown),
        ("bob", "security", Twist::Nothing),
    ]);
    let waits = select(vec![None, None, None, Some(Step::Pass(900_000)), Some(Step::Push(7))]);
    (spoils, waits).prop_map(|((who, stage, twist), wait)| {
        let of = usize::MAX;
        let approve = |who, stage, twist| Step::Approve { of, who, stage, twist };
        let mut steps = vec![
            Step::Ask { who: "sam", key: 0, scope: "root-on-host", ttl: 600 },
            approve("bob", "security", Twist::Nothing),
        ];
        steps.extend(wait);
        steps.extend([approve(who, stage, twist), collect(of)]);
        steps
    })
}

fn ask() -> impl Strategy<Value = Step> {
    let who = select(vec!["sam", "sam", "joe", "ada", "eve"]);
    let scope = select(vec!["root-on-host", "root-on-host", "quick", "pair", "solo", "nowhere"]);
    let ttl = select(vec![1, 600, 900, 901, 1800, 3600, 3601]);
    (who, scope, ttl).prop_map(|(who, scope, ttl)| Step::Ask { who, key: 0, scope, ttl })
}

/// By somebody whom some law entitles to it.
fn approval() -> impl Strategy<Value = Step> {
    let entitled = select(vec![
        ("ada", "app-owner"),
        ("kim", "app-owner"),
        ("bob", "security"),
        ("eve", "security"),
        ("dan", "security"),
        ("ada", "both"),
        ("bob", "both"),
        ("kim", "second-person"),
    ]);
    (entitled, of()).prop_map(|((who, stage), of)| Step::Approve {
        of,
        who,
        stage,
        twist: Twist::Nothing,
    })
}

/// By somebody who may.
fn honest_end() -> impl Strategy<Value = Step> {
    let end = select(vec![
        ("sam", How::Drop),
        ("joe", How::Drop),
        ("ada", How::Cancel),
        ("bob", How::Cancel),
        ("ada", How::Deny),
        ("sam", How::Withdraw),
    ]);
    (end, of()).prop_map(|((who, how), of)| Step::End { of, who, how, twist: Twist::Nothing })
}

/// By anybody, with any key, about anything.
fn mischief() -> impl Strategy<Value = Step> {
    let anyone =
        || select(vec!["sam", "joe", "ada", "kim", "bob", "eve", "dan", "mia", "robo", "zoe"]);
    let stage = || select(vec!["app-owner", "security", "both", "second-person", "lead", "sec"]);
    let how = select(vec![How::Deny, How::Withdraw, How::Drop, How::Cancel, How::Escalate]);
    let holder = select(vec![Holder::Subject, Holder::Neighbour, Holder::Requester]);
    prop_oneof![
        3 => (anyone(), stage(), of(), twist())
            .prop_map(|(who, stage, of, twist)| Step::Approve { of, who, stage, twist }),
        3 => (anyone(), how, of(), twist())
            .prop_map(|(who, how, of, twist)| Step::End { of, who, how, twist }),
        2 => (holder.clone(), of(), twist())
            .prop_map(|(by, of, twist)| Step::Collect { of, by, twist }),
        1 => (holder, of(), any::<bool>())
            .prop_map(|(by, of, right)| Step::Pickup { of, by, right }),
        1 => (anyone(), 0..3_u32)
            .prop_map(|(who, key)| Step::Ask { who, key, scope: "root-on-host", ttl: 600 }),
    ]
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        6 => Just(Twist::Nothing),
        3 => (select(vec!["sam", "ada", "bob"]), 0..3_u32)
            .prop_map(|(who, key)| Twist::Key(who, key)),
        1 => (1..1000_u32).prop_map(Twist::TtlMax),
        6 => select(vec![
            Twist::OldPolicy,
            Twist::Unknown,
            Twist::Expired,
            Twist::TooFar,
            Twist::OtherLog,
            Twist::SeenWrong,
            Twist::SeenFuture,
            Twist::FirstContact,
        ]),
    ]
}
