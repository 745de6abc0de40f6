//! Policies that cannot come into force: told in full, and nothing is written.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Files;
use breakglass_proto::v1;
use tonic::Code;

use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::wire::Wire;

use super::bench::Told::Stopped;
use super::bench::{Bench, files};

/// The sample policy with one of its scopes' lines changed.
fn scopes(from: &str, to: &str) -> Files {
    let mut files = files();
    let text = String::from_utf8(files.scopes).unwrap();
    assert!(text.contains(from), "{from:?} is not in the sample");
    files.scopes = text.replacen(from, to, 1).into_bytes();
    files
}

/// R02, R24 and their like: each fault is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_fault_is_refused_by_name_and_the_old_one_stays() {
    let bench = Bench::new().await;
    let before = bench.policy().await;
    let mut broken = files();
    broken.people.extend(b"\n[[principal\n");
    let mut key_of_two = files();
    let ada = format!("{:?}", Person::named("ada").key().to_openssh());
    let eve = format!("{:?}", Person::named("eve").key().to_openssh());
    let people = String::from_utf8(key_of_two.people).unwrap();
    key_of_two.people = people.replace(&eve, &ada).into_bytes();
    let cases = [
        ("not TOML", broken, "people.toml"),
        ("an unknown key", scopes("quorum = 1", "quorum = 1\nqourum = 2"), "qourum"),
        ("a quorum of nobody", scopes("quorum = 1", "quorum = 0"), "quorum"),
        ("a group that is not there", scopes("group:leads", "group:leaders"), "leaders"),
        ("a life over the cap", scopes("ttl-max = \"1h\"", "ttl-max = \"13h\""), "ttl-max"),
        ("any user", scopes("\"bg-root\"", "\"*\""), "[ssh-principal]"),
        ("nobody at all", scopes("[\"bg-root\"]", "[]"), "principal"),
        (
            "a lane that nothing opens",
            scopes("[\"normal\"]", "[\"normal\", \"outage\"]"),
            "[needs]",
        ),
        ("one key of two people", key_of_two, "key"),
    ];
    for (what, files, words) in cases {
        let push = bench.wire.push(&files, 2, before);
        bench.expect(what, push, Stopped(Code::FailedPrecondition, words)).await;
    }
    assert_eq!(bench.policy().await, before);
    bench.close().await;
}

/// R05: a policy needs its authority, and follows the one before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_signed_for_is_refused() {
    let bench = Bench::new().await;
    let before = bench.policy().await;
    let wire = &bench.wire;
    let mut files = files();
    files.people.extend(b"\n# a change\n");
    let good = wire.push(&files, 2, before);
    let by = |name: &str| {
        let text = std::str::from_utf8(&good.statement).unwrap();
        let namespace = "policy.v1@breakglass";
        let signature = Person::named(name).sign_in(namespace, text.as_bytes());
        v1::SubmitRequest { signature: signature.armored().to_owned(), ..good.clone() }
    };
    let mut swapped = good.clone();
    swapped.blobs[1].content.extend(b"# slipped in\n");
    let mut missing = good.clone();
    missing.blobs.pop();
    let mut doubled = good.clone();
    doubled.blobs.push(doubled.blobs[0].clone());
    let mut unknown = good.clone();
    unknown.blobs.push(v1::Blob { name: "more.toml".into(), content: Vec::new() });
    let elsewhere = {
        let log = breakglass_ledger::principal::Origin::new("payments", &[9; 32]).unwrap();
        Wire { log, ..wire.clone() }.push(&files, 2, before)
    };
    let late = Code::FailedPrecondition;
    let cases = [
        ("signed by a responder", by("sam"), late, "belongs to no signer"),
        ("signed by an approver", by("ada"), late, "belongs to no signer"),
        ("signed by a stranger", by("mallory"), Code::Unauthenticated, "is not enrolled"),
        ("a version too far", wire.push(&files, 3, before), late, "the next one is 2"),
        ("the same version", wire.push(&files, 1, before), late, "the next one is 2"),
        ("after another", wire.push(&files, 2, Digest::of(b"?")), late, "in force is"),
        ("for another log", elsewhere, late, "sign it for this log"),
        ("other files than signed", swapped, late, "send the files that were signed"),
        ("a file missing", missing, Code::InvalidArgument, "missing"),
        ("a file twice", doubled, Code::InvalidArgument, "doubled"),
        ("one file more", unknown, Code::InvalidArgument, "unknown"),
    ];
    for (what, push, code, words) in cases {
        bench.expect(what, push, Stopped(code, words)).await;
    }
    assert_eq!(bench.policy().await, before);
    bench.good(good).await;
    bench.close().await;
}
