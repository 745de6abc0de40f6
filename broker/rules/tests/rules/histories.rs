//! Generated histories under the judge, and what the generator reaches.

use std::collections::BTreeSet;

use breakglass_ledger::entry::{Body, Entry};
use breakglass_rules::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use crate::house::House;
use crate::law::CHANGES;
use crate::play::Player;

/// Longest history: enough for a handful of grants from request to close.
const STEPS: usize = 50;

/// Histories whose reach is measured.
const MEASURED: usize = 200;

/// Biased towards histories that get somewhere: uniform ones hardly ever reach a credential.
fn steps() -> impl Strategy<Value = Vec<String>> {
    let one = |step: String| vec![step];
    prop_oneof![
        5 => whole_way(),
        3 => request().prop_map(one),
        8 => approval().prop_map(one),
        6 => of().prop_map(|of| vec![format!("subject: collect of={of}")]),
        6 => mischief().prop_map(one),
        4 => (call(), of()).prop_map(|(call, of)| vec![format!("clock: {call} of={of}")]),
        2 => of().prop_map(|of| vec![format!("sam: drop of={of}")]),
        1 => of().prop_map(|of| vec![format!("sam: withdraw of={of}")]),
        3 => prop::sample::select(vec![1, 30, 300, 599, 600, 900])
            .prop_map(|seconds| vec![format!("pass {seconds}")]),
        1 => (approval(), of()).prop_map(|(approval, of)| {
            vec!["back 1".to_owned(), approval, format!("sam: drop of={of}"), "pass 1".to_owned()]
        }),
        3 => locking().prop_map(one),
        1 => of().prop_map(|of| {
            vec!["blind".to_owned(), format!("subject: collect of={of}"), "sighted".to_owned()]
        }),
        3 => (enacting(), prop::sample::select(CHANGES))
            .prop_map(|(enact, change)| vec![format!("{enact} {change}")]),
        2 => Just(vec!["policy base".to_owned()]),
        4 => prop::sample::select(OUTAGES).prop_map(|step| vec![step.to_owned()]),
        3 => Just(OUTAGE_WAY.map(str::to_owned).to_vec()),
        2 => of().prop_map(|of| vec!["pass 300".to_owned(), format!("clock: drain of={of}")]),
        4 => chain(),
        2 => tokens(),
    ]
}

/// A token bound to nothing, others in its place, and what may come between them.
fn tokens() -> impl Strategy<Value = Vec<String>> {
    let between = prop::sample::select(vec![
        "pass 1",
        "pass 299",
        "pass 600",
        "policy sam-left",
        "policy sam-off-call",
        "policy tokens-bound",
        "sam: drop of=99",
        "liz: lock scope:api",
        "subject: collect kind=jwt of=99",
        "sam: collect kind=ssh of=99",
        "blind",
        "sighted",
    ]);
    (between, 1..4_usize).prop_map(|(between, times)| {
        let mut steps = vec!["sam: request scope=api kind=jwt subject=none".to_owned()];
        for _ in 0..times {
            let more = ["sam: collect kind=jwt of=99", between, "sam: collect kind=jwt of=99"];
            steps.extend(more.map(str::to_owned));
        }
        // A broker that stays blind would reach nothing more.
        steps.push("sighted".to_owned());
        steps
    })
}

/// What people and probes say of the directory.
const OUTAGES: &[&str] = &[
    "probe: down",
    "probe: up",
    "liz: declare",
    "liz: declare until=300",
    "dan: declare until=600",
    "eve: declare",
    "dan: resolve",
    "clock: run-out",
];

/// From an outage to a credential.
const OUTAGE_WAY: [&str; 5] = [
    "probe: down",
    "sam: request scope=idp lane=outage",
    "kim: approve lead of=99",
    "subject: collect of=99",
    "probe: up",
];

/// What scopes with lanes, escalation, budget and review offer, on good days and on others.
fn chain() -> impl Strategy<Value = Vec<String>> {
    let story = prop::sample::select(vec![
        "sam: request scope=hot/ pass 300/ clock: escalate/ clock: escalate/ liz: approve app-owner/ \
         joe: approve security/ subject: collect",
        "sam: request scope=hot/ sam: escalate/ liz: approve app-owner/ bob: approve security/ \
         subject: collect/ sam: drop/ liz: review justified/ kim: review justified",
        "sam: request scope=hot/ ada: approve app-owner/ pass 600/ \
         sam: request scope=hot lane=emergency ttl=300/ subject: collect/ pass 120/ subject: collect/ \
         sam: drop/ eve: request scope=hot/ kim: review unjustified",
        "sam: request scope=hot/ pass 600/ sam: request scope=hot lane=emergency ttl=300/ \
         liz: cancel/ pass 120/ subject: collect",
        "sam: request scope=hot lane=drill/ ada: approve app-owner/ bob: approve security/ \
         subject: collect/ subject: pickup/ sam: drop/ pass 900/ clock: close",
        "sam: request scope=hot/ joe: escalate/ ada: escalate/ ada: escalate/ ada: escalate/ \
         new: approve app-owner/ joe: deny",
        "sam: request scope=gate/ subject: collect/ sam: drop/ eve: request scope=gate/ \
         liz: review inconclusive/ eve: review justified/ eve: request scope=gate/ subject: collect",
        "eve: request scope=gate lane=drill/ subject: collect/ eve: withdraw",
    ]);
    let twist = prop_oneof![
        2 => prop::sample::select(vec!["pass 1", "pass 299", "pass 120", "pass 86400"])
            .prop_map(str::to_owned),
        1 => (enacting(), prop::sample::select(CHANGES))
            .prop_map(|(enact, change)| format!("{enact} {change}")),
    ];
    (story, prop::option::of((0..9_usize, twist))).prop_map(|(story, twist)| {
        let newest = |step: &str| match step.split_once(": ") {
            Some((_, what)) if !what.starts_with("request") => format!("{step} of=99"),
            _ => step.to_owned(),
        };
        let mut steps: Vec<String> = story.split('/').map(|step| newest(step.trim())).collect();
        if let Some((at, twist)) = twist {
            steps.insert(at.min(steps.len()), twist);
        }
        steps.insert(0, "policy base".to_owned());
        steps
    })
}

/// With a look at what waits, as it must be; and without, because nothing may depend on that look.
fn enacting() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["policy", "law"])
}

/// Which request, counted from 1; beyond the newest it is the newest.
fn of() -> impl Strategy<Value = usize> {
    1..5_usize
}

/// From request to credential: as a good day would have it, or with one thing wrong on the way.
fn whole_way() -> impl Strategy<Value = Vec<String>> {
    let requester = prop::sample::select(vec!["sam", "eve"]);
    let lead = prop_oneof![
        3 => prop::sample::select(vec!["ada: approve app-owner", "kim: approve app-owner"]),
        1 => Just("eve: approve app-owner"),
    ];
    let guard = prop_oneof![
        3 => prop::sample::select(vec!["bob: approve security", "zoe: approve security"]),
        1 => prop::sample::select(vec!["eve: approve security", "bot: approve security"]),
    ];
    let collect = prop_oneof![
        4 => Just("subject: collect"),
        1 => Just("subject: collect key=19"),
    ];
    let twist = prop_oneof![
        2 => Just("pass 1".to_owned()),
        2 => (enacting(), prop::sample::select(CHANGES))
            .prop_map(|(enact, change)| format!("{enact} {change}")),
        1 => prop::sample::select(vec!["law new-joined", "law sam-key-to-ada"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec![899, 900]).prop_map(|seconds| format!("pass {seconds}")),
    ];
    (requester, lead, guard, collect, twist, 2..5_usize).prop_map(
        |(requester, lead, guard, collect, twist, at)| {
            // Whom a change favours tries to make use of it.
            let lead = match twist.as_str() {
                "law new-joined" => "new: approve app-owner",
                "law sam-key-to-ada" => "ada: approve app-owner key=1",
                _ => lead,
            };
            let newest = |step: &str| format!("{step} of=99");
            let mut steps = vec![
                "policy base".to_owned(),
                format!("{requester}: request"),
                newest(lead),
                newest(guard),
                newest(collect),
            ];
            steps.insert(at, twist);
            steps
        },
    )
}

/// By somebody whom the base policy entitles to it.
fn approval() -> impl Strategy<Value = String> {
    let entitled = prop::sample::select(vec![
        ("ada", "app-owner"),
        ("kim", "app-owner"),
        ("eve", "app-owner"),
        ("bob", "security"),
        ("zoe", "security"),
        ("eve", "security"),
        ("dan", "app-owner"),
        ("ada", "both"),
        ("kim", "both"),
        ("eve", "both"),
    ]);
    (entitled, of()).prop_map(|((who, stage), of)| format!("{who}: approve {stage} of={of}"))
}

/// By anybody, with any key, to any stage.
fn mischief() -> impl Strategy<Value = String> {
    let anyone = || {
        prop::sample::select(vec![
            "sam", "ada", "kim", "eve", "bob", "zoe", "dan", "liz", "joe", "new", "bot", "job",
        ])
    };
    let stage = prop::sample::select(vec!["app-owner", "security", "both", "sec"]);
    let seed = || prop::sample::select(vec![1_u8, 2, 11, 12, 14, 15, 99, 101, 102]);
    prop_oneof![
        3 => (anyone(), stage.clone(), of())
            .prop_map(|(who, stage, of)| format!("{who}: approve {stage} of={of}")),
        2 => (anyone(), stage, seed(), of())
            .prop_map(|(who, stage, seed, of)| format!("{who}: approve {stage} of={of} key={seed}")),
        1 => (590..601_u32, of())
            .prop_map(|(ttl, of)| format!("ada: approve app-owner of={of} ttl-max={ttl}")),
        1 => (seed(), of()).prop_map(|(seed, of)| format!("subject: collect of={of} key={seed}")),
        1 => of().prop_map(|of| format!("subject: pickup of={of}")),
        3 => (end(), anyone(), of()).prop_map(|(end, who, of)| format!("{who}: {end} of={of}")),
        1 => Just("again".to_owned()),
    ]
}

fn request() -> impl Strategy<Value = String> {
    let who = prop::sample::select(vec!["sam", "sam", "eve", "ada", "bot"]);
    let scope = prop::sample::select(vec!["db", "db", "web", "pair", "open"]);
    let ttl = prop::sample::select(vec![1, 600, 601, 1800, 3600, 3601]);
    let own = (who, scope, ttl)
        .prop_map(|(who, scope, ttl)| format!("{who}: request scope={scope} ttl={ttl}"));
    prop_oneof![4 => own, 2 => delegated()]
}

/// By those who may and by others; and lifted again, or nothing would get anywhere.
fn locking() -> impl Strategy<Value = String> {
    let who = || prop::sample::select(vec!["liz", "liz", "liz", "dan", "joe", "job", "sam"]);
    let target = prop::sample::select(vec![
        "principal:sam",
        "principal:ada",
        "principal:bot",
        "principal:liz",
        "key:1",
        "key:15",
        "scope:db",
        "scope:web",
        "host:db-1",
        "grant:1",
        "grant:2",
    ]);
    let until = prop::sample::select(vec!["until=1", "until=30", "until=600", "until=0", ""]);
    let number = 1..9_usize;
    prop_oneof![
        2 => (who(), target, until).prop_map(|(who, target, until)| format!("{who}: lock {target} {until}")),
        3 => (who(), number).prop_map(|(who, lock)| format!("{who}: unlock lock={lock}")),
        2 => Just("clock: unlock".to_owned()),
    ]
}

/// On somebody's behalf: some chains are right, and each of the others is wrong in its own way.
fn delegated() -> impl Strategy<Value = String> {
    let chain = prop::sample::select(vec![
        ("bot", "sam"),
        ("bot", "eve"),
        ("sub", "sam"),
        ("sub", "sam,bot"),
        ("sub", "eve,bot"),
        ("sub", "bot"),
        ("sub", "eve"),
        ("bot", "ada"),
        ("bot", "nobody"),
        ("job", "liz"),
        ("eve", "sam"),
    ]);
    let scope = prop::sample::select(vec!["open", "pair", "pair", "db"]);
    (chain, scope).prop_map(|((who, chain), scope)| {
        format!("{who}: request scope={scope} ttl=600 for={chain}")
    })
}

fn end() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["deny", "withdraw", "drop", "cancel"])
}

fn call() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["lapse", "expire", "close", "rejudge", "escalate"])
}

fn history() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(steps(), 1..STEPS).prop_map(|steps| steps.concat())
}

/// Plays on, whatever is refused; the judge panics at the first entry that should not be there.
fn run(steps: &[String]) -> House {
    let mut player = Player::new();
    for step in steps {
        drop(player.step(step));
    }
    player.house
}

/// Folds the requests again from the bytes of the entries alone.
fn reload(house: &House) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    for entry in &house.entries {
        let entry = Entry::parse(&entry.to_bytes().unwrap()).unwrap();
        let Some(link) = entry.grant() else { continue };
        if let Body::Requested(_) = entry.body {
            requests.push(Request::begin(&entry).unwrap());
        } else {
            let at = requests.iter().position(|request| request.id() == link.grant).unwrap();
            requests[at] = requests[at].clone().apply(&entry).unwrap();
        }
    }
    requests
}

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_entry_of_every_history_can_be_derived_again(steps in history()) {
        let house = run(&steps);
        prop_assert_eq!(reload(&house), house.requests);
    }
}

/// A property is worth what its generator reaches.
#[test]
fn most_histories_reach_a_credential_and_together_they_reach_most_refusals() {
    let mut runner = TestRunner::deterministic();
    let (mut issued, mut refusals, mut types) = (0, BTreeSet::new(), BTreeSet::new());
    for _ in 0..MEASURED {
        let house = run(&history().new_tree(&mut runner).unwrap().current());
        issued += usize::from(house.issued > 0);
        refusals.extend(house.refusals.iter().copied());
        types.extend(house.entries.iter().map(|entry| entry.body.type_name()));
    }
    eprintln!(
        "{issued} of {MEASURED} histories issued a credential; {} kinds of refusal: {refusals:?}; \
         {} types of entry: {types:?}",
        refusals.len(),
        types.len(),
    );
    assert!(issued * 2 > MEASURED, "only {issued} of {MEASURED} histories issued a credential");
    assert!(refusals.len() >= 36, "only {} kinds of refusal", refusals.len());
    assert_eq!(types.len(), 18, "{types:?}");
}
