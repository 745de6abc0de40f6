//! Generated statements of every act.

use std::fmt::Debug;
use std::str::FromStr;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{
    About, Act, Applied, Approve, Ask, Canary, Collect, Declare, Kind, Lane, List, Lock, Manifest,
    Maybe, Pickup, Resolve, Review, ReviewVerdict, Seen, Serial, Session, Statement, Target,
    Unlock, Use,
};
use breakglass_ledger::time::{Timestamp, Ttl};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::signer::Signer;

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn name<T: FromStr + Debug>() -> impl Strategy<Value = T> {
    "[a-z0-9][a-z0-9._-]{0,63}".prop_filter_map("a name", |text| text.parse().ok())
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.unix_seconds()).prop_map(Timestamp::from_unix_seconds)
}

fn ttl() -> impl Strategy<Value = Ttl> {
    (1..=43_200_u32).prop_filter_map("a ttl", Ttl::from_seconds)
}

fn request_id() -> impl Strategy<Value = RequestId> {
    (0..1_u64 << 48, any::<[u8; 10]>()).prop_map(|(millis, random)| RequestId::new(millis, random))
}

fn ask() -> impl Strategy<Value = Act> {
    let who = (request_id(), name(), name(), vec(name(), 0..=8));
    let kinds = subsequence(Kind::ALL, 1..=3);
    let what = (kinds, select(Lane::ALL), ttl(), option::of("[A-Za-z0-9._:/#-]{1,64}"));
    let key = option::of((0..4_usize).prop_map(|index| Signer::all()[index].public()));
    (who, what, option::of(digest()), key).prop_filter_map(
        "a request",
        |(who, what, reason, key)| {
            let (id, by, scope, on_behalf_of) = who;
            let (kinds, lane, ttl, incident) = what;
            if incident.as_deref() == Some("-") {
                return None;
            }
            let mut once = on_behalf_of.clone();
            once.sort();
            once.dedup();
            (once.len() == on_behalf_of.len()).then_some(Act::Request(Ask {
                id,
                by,
                scope,
                kinds,
                lane,
                ttl,
                incident,
                reason,
                key,
                on_behalf_of,
            }))
        },
    )
}

fn about() -> impl Strategy<Value = Act> {
    let wraps = [Act::Deny, Act::Withdraw, Act::Drop, Act::Cancel, Act::Escalate];
    (digest(), name(), option::of(digest()), any::<Index>()).prop_map(
        move |(request, by, comment, index)| wraps[index.index(5)](About { request, by, comment }),
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        name().prop_map(Target::Principal),
        (0..4_usize).prop_map(|index| Target::Key(Signer::all()[index].public().fingerprint())),
        name().prop_map(Target::Scope),
        name().prop_map(Target::Host),
        request_id().prop_map(Target::Grant),
    ]
}

fn security() -> impl Strategy<Value = Act> {
    let comment = || option::of(digest());
    let until = || option::of(instant());
    prop_oneof![
        (name(), target(), until(), comment()).prop_map(|(by, target, until, comment)| Act::Lock(
            Lock { by, target, until, comment }
        )),
        (name(), digest(), comment()).prop_map(|(by, lock, comment)| Act::Unlock(Unlock {
            by,
            lock,
            comment
        })),
        (name(), name(), until(), comment()).prop_map(|(by, dependency, until, comment)| {
            Act::Declare(Declare { by, dependency, until, comment })
        }),
        (name(), name(), comment()).prop_map(|(by, dependency, comment)| Act::Resolve(Resolve {
            by,
            dependency,
            comment
        })),
        (digest(), name(), select(ReviewVerdict::ALL), comment()).prop_map(
            |(request, by, verdict, comment)| Act::Review(Review { request, by, verdict, comment })
        ),
    ]
}

fn hosts() -> impl Strategy<Value = Act> {
    let list = (select(List::ALL), 1..1_u64 << 53, digest(), select(Canary::ALL));
    let maybe = || option::of(0..1_u64 << 53).prop_map(Maybe);
    let told = (maybe(), maybe());
    prop_oneof![
        (name(), name(), list, told).prop_map(|(by, target, list, (latency, ended))| {
            let (list, version, digest, canary) = list;
            let applied = Applied { by, target, list, version, digest, canary, latency, ended };
            Act::Applied(applied)
        }),
        (name(), name(), any::<u64>(), instant()).prop_map(|(by, target, serial, at)| Act::Use(
            Use { by, target, serial: Serial(serial), at }
        )),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let stage = (digest(), name(), name(), digest(), ttl(), option::of(digest()));
    let files = btree_map("[a-z0-9][a-z0-9._-]{0,63}", digest(), 1..=16);
    prop_oneof![
        3 => ask(),
        3 => about(),
        3 => security(),
        2 => hosts(),
        1 => stage.prop_map(|(request, by, stage, policy, ttl_max, comment)| {
            Act::Approve(Approve { request, by, stage, policy, ttl_max, comment })
        }),
        1 => (digest(), select(Kind::ALL))
            .prop_map(|(request, kind)| Act::Collect(Collect { request, kind })),
        1 => (digest(), digest())
            .prop_map(|(request, issued)| Act::Pickup(Pickup { request, issued })),
        1 => name().prop_map(|by| Act::Session(Session { by })),
        1 => (1..1_u64 << 53, digest(), files).prop_map(|(version, previous, files)| {
            Act::Policy(Manifest { version, previous, files: files.into_iter().collect() })
        }),
    ]
}

/// Any statement that can be composed.
pub(crate) fn statement() -> impl Strategy<Value = Statement> {
    let seen = prop_oneof![
        1 => Just(Seen::NOTHING),
        4 => (1..1_u64 << 53, digest()).prop_map(|(size, root)| Seen { size, root: Some(root) }),
    ];
    (act(), "[a-z0-9][a-z0-9._-]{0,63}", any::<[u8; 32]>(), seen, instant(), any::<[u8; 16]>())
        .prop_map(|(act, deployment, key, seen, expires, nonce)| {
            let log = Origin::new(&deployment, &key).unwrap();
            let has_seen = !matches!(act, Act::Session(_) | Act::Policy(_));
            let expires = (!matches!(act, Act::Policy(_))).then_some(expires);
            let nonce = Salt::from_bytes(nonce);
            Statement::compose(&log, has_seen.then_some(seen), act, expires, nonce).unwrap()
        })
}
