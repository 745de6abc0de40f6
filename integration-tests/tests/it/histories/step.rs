//! Steps of a history, and how they are drawn.

use proptest::prelude::*;
use proptest::sample::select;

use super::law::LAWS;

/// Longest history in drawn steps; whole ways count as one.
const STEPS: usize = 26;

/// One thing that happens. `of` counts requests from 0; beyond the newest it is the newest.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `who` asks, signing with their key of this number.
    Ask { who: &'static str, key: u32, scope: &'static str, ttl: u32 },
    /// `who` approves.
    Approve { of: usize, who: &'static str, stage: &'static str, twist: Twist },
    /// `who` wants to end it.
    End { of: usize, who: &'static str, how: How, twist: Twist },
    /// The holder of the subject key (or of another) collects.
    Collect { of: usize, by: Holder, twist: Twist },
    /// The holder confirms that it arrived, naming the right entry or another.
    Pickup { of: usize, by: Holder, right: bool },
    /// Milliseconds pass, and the sweep comes by.
    Pass(u64),
    /// Milliseconds pass unnoticed by the sweep.
    Unswept(u64),
    /// The clock goes back by this many seconds.
    Back(u64),
    /// The sweep comes by, too early or too late.
    Sweep,
    /// The daemon is stopped and started.
    Restart,
    /// The authority pushes the law of this number.
    Push(usize),
    /// Bytes that were sent before come again.
    Again(usize),
}

/// How an ending is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Deny,
    Withdraw,
    Drop,
    Cancel,
}

/// Whose key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder {
    Subject,
    /// The subject key of the request after it.
    Neighbour,
    Requester,
}

/// What is wrong with a statement that is otherwise right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Twist {
    Nothing,
    /// Signed with this person's key of this number.
    Key(&'static str, u32),
    /// The policy before the one in force.
    OldPolicy,
    TtlMax(u32),
    /// About a request that nobody made.
    Unknown,
    Expired,
    /// Good for two days.
    TooFar,
    OtherLog,
    SeenWrong,
    SeenFuture,
    FirstContact,
}

/// A history.
pub(crate) fn history() -> impl Strategy<Value = Vec<Step>> {
    let begin = prop_oneof![3 => whole_way(), 1 => ask().prop_map(|step| vec![step])];
    let rest = prop::collection::vec(steps(), 8..STEPS);
    (begin, rest).prop_map(|(begin, rest)| begin.into_iter().chain(rest.concat()).collect())
}

/// Biased towards histories that get somewhere: uniform ones hardly ever reach a credential.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = |step: Step| vec![step];
    prop_oneof![
        3 => whole_way(),
        3 => spoiled_way(),
        2 => ask().prop_map(one),
        6 => approval().prop_map(one),
        4 => of().prop_map(|of| vec![collect(of)]),
        6 => mischief().prop_map(one),
        4 => honest_end().prop_map(one),
        1 => (of(), any::<bool>())
            .prop_map(|(of, right)| vec![Step::Pickup { of, by: Holder::Subject, right }]),
        4 => select(vec![1_u64, 999, 1000, 59_500, 299_999, 300_000, 599_000, 600_000, 1_200_500])
            .prop_map(|millis| vec![Step::Pass(millis)]),
        2 => select(vec![500_u64, 30_000, 31_000, 60_000])
            .prop_map(|millis| vec![Step::Unswept(millis)]),
        1 => (1..700_u64, approval(), of())
            .prop_map(|(seconds, step, of)| vec![Step::Back(seconds), step, collect(of)]),
        1 => Just(vec![Step::Sweep]),
        1 => Just(vec![Step::Restart]),
        2 => (1..LAWS).prop_map(|law| vec![Step::Push(law)]),
        2 => Just(vec![Step::Push(0)]),
        2 => (0..64_usize).prop_map(|which| vec![Step::Again(which)]),
        1 => Just(moved_key()),
    ]
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

fn of() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(usize::MAX), 1 => 0..6_usize]
}

fn collect(of: usize) -> Step {
    Step::Collect { of, by: Holder::Subject, twist: Twist::Nothing }
}

/// From request to credential, as a good day would have it.
fn whole_way() -> impl Strategy<Value = Vec<Step>> {
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
    let anyone = || select(vec!["sam", "joe", "ada", "kim", "bob", "eve", "dan"]);
    let stage = || select(vec!["app-owner", "security", "both", "second-person", "sec"]);
    let how = select(vec![How::Deny, How::Withdraw, How::Drop, How::Cancel]);
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
