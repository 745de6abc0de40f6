//! Requests, approvals and collecting that the rules forbid.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::Act;
use tonic::Code;

use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::wire::{asking, signed};

use super::bench::Bench;
use super::bench::Told::{Stopped, Written};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_policy_does_not_allow_is_refused_and_written_down() {
    let bench = Bench::new().await;
    let (sam, tom, subject) =
        (Person::named("sam"), Person::named("tom"), Person::named("subject"));
    let unknown = bench.wire.ask(&sam, "no-such-scope", 600, &subject);
    bench.expect("an unknown scope", unknown, Written(Code::NotFound, "scope-unknown")).await;
    let long = bench.wire.ask(&sam, "root-on-host", 3601, &subject);
    bench.expect("too long", long, Written(Code::InvalidArgument, "ttl-too-long")).await;
    let told = Written(Code::PermissionDenied, "requester-not-entitled");
    let eves = bench.wire.ask(&Person::named("eve"), "root-on-host", 600, &subject);
    bench.expect("by somebody who may not", eves, told).await;
    let told = Written(Code::InvalidArgument, "subject-key-enrolled");
    let toms_key = bench.wire.ask(&sam, "root-on-host", 600, &tom);
    bench.expect("bound to a key that signs for somebody", toms_key, told).await;
    let mut none = asking("sam", "root-on-host", 600, &subject);
    none.reason = None;
    let none = signed(&sam, &bench.wire.say(Act::Request(none)));
    bench.expect("without a reason", none, Written(Code::InvalidArgument, "reason-missing")).await;

    let first = bench.good(bench.wire.ask(&sam, "root-on-host", 600, &subject)).await;
    let second = bench.wire.ask(&sam, "root-on-host", 600, &subject);
    bench.expect("twice the same", second, Written(Code::AlreadyExists, "duplicate")).await;
    let mut taken = asking("tom", "root-on-host", 600, &subject);
    taken.id = first.request_id.parse().unwrap();
    let taken = signed(&tom, &bench.wire.say(Act::Request(taken)));
    bench.expect("under a taken id", taken, Written(Code::AlreadyExists, "id-taken")).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_alive_as_the_scope_allows() {
    let bench = Bench::new().await;
    let (sam, tom) = (Person::named("sam"), Person::named("tom"));
    let (request, subject) = bench.asked(&sam, "solo").await;
    let (second, seconds) = bench.asked(&tom, "solo").await;
    bench.good(bench.wire.collect(&subject, request)).await;
    let told = Written(Code::ResourceExhausted, "live-max");
    bench.expect("collecting", bench.wire.collect(&seconds, second), told).await;
    let third = bench.wire.ask(&Person::named("kim"), "solo", 600, &Person::named("third"));
    bench.expect("asking", third, told).await;
    bench.good(bench.wire.about(&sam, Act::Drop, request)).await;
    bench.good(bench.wire.collect(&seconds, second)).await;
    bench.close().await;
}

/// R23, R30: an approval counts for its stage, from somebody entitled to it who is somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_only_from_another_entitled_person_once() {
    let bench = Bench::new().await;
    let (sam, ada, eve) = (Person::named("sam"), Person::named("ada"), Person::named("eve"));
    let policy = bench.policy().await;
    // ada may ask for `quick` and may approve it, but not her own, with whichever key.
    let (own, _) = bench.asked(&ada, "quick").await;
    let told = Written(Code::PermissionDenied, "self-approval");
    for key in [0, 1] {
        let ada = Person::numbered("ada", key);
        let approval = bench.wire.approve(&ada, "second-person", own, policy);
        bench.expect("by the requester", approval, told).await;
    }
    bench.good(bench.wire.about(&ada, Act::Withdraw, own)).await;

    let (request, _) = bench.asked(&sam, "root-on-host").await;
    let told = Written(Code::PermissionDenied, "approver-not-entitled");
    let toms = bench.wire.approve(&Person::named("tom"), "app-owner", request, policy);
    bench.expect("by somebody not entitled", toms, told).await;
    let eves = bench.wire.approve(&eve, "app-owner", request, policy);
    bench.expect("by another stage's approver", eves, told).await;
    let astray = bench.wire.approve(&ada, "second-person", request, policy);
    bench
        .expect("for another scope's stage", astray, Written(Code::NotFound, "stage-unknown"))
        .await;
    let stale = bench.wire.approve(&ada, "app-owner", request, Digest::of(b"another"));
    let told = Written(Code::FailedPrecondition, "policy-not-in-force");
    bench.expect("under another policy", stale, told).await;
    let nowhere = bench.wire.approve(&ada, "app-owner", Digest::of(b"nothing"), policy);
    bench.expect("for no request", nowhere, Written(Code::NotFound, "request-unknown")).await;

    bench.good(bench.wire.approve(&ada, "app-owner", request, policy)).await;
    let told = Written(Code::AlreadyExists, "already-approved");
    for key in [0, 1] {
        let ada = Person::numbered("ada", key);
        let again = bench.wire.approve(&ada, "app-owner", request, policy);
        bench.expect("twice by one person", again, told).await;
    }
    bench.close().await;
}

/// R01: what was approved is one request, not the next that looks like it.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_for_another_request_does_not_carry_over() {
    let bench = Bench::new().await;
    let (sam, tom) = (Person::named("sam"), Person::named("tom"));
    let policy = bench.policy().await;
    let (sams, _) = bench.asked(&sam, "root-on-host").await;
    let (toms, subject) = bench.asked(&tom, "root-on-host").await;
    for (who, stage) in [("ada", "app-owner"), ("bob", "security")] {
        bench.good(bench.wire.approve(&Person::named(who), stage, sams, policy)).await;
    }
    let told = Written(Code::FailedPrecondition, "not-approved-yet");
    bench.expect("approved was sam's", bench.wire.collect(&subject, toms), told).await;
    bench.close().await;
}

/// R27: nothing revives a request whose time is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_approval_is_refused() {
    let bench = Bench::hasty().await;
    let (request, subject) = bench.asked(&Person::named("sam"), "quick").await;
    bench.comes("closed");
    let policy = bench.policy().await;
    let late = bench.wire.approve(&Person::named("eve"), "second-person", request, policy);
    bench.expect("late", late, Written(Code::FailedPrecondition, "wrong-state")).await;
    let told = Written(Code::FailedPrecondition, "wrong-state");
    bench.expect("collecting late", bench.wire.collect(&subject, request), told).await;
    bench.close().await;
}

/// R13, R16: only the subject key collects, and only what it was named in.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_collected_by_its_own_key_only() {
    let bench = Bench::new().await;
    let (sam, tom) = (Person::named("sam"), Person::named("tom"));
    let (request, subject) = bench.asked(&sam, "solo").await;
    let (_, toms_subject) = bench.asked(&tom, "solo").await;
    let told = Written(Code::PermissionDenied, "not-the-subject-key");
    let theft = bench.wire.collect(&toms_subject, request);
    bench.expect("somebody else's subject key", theft, told).await;
    for who in [&sam, &tom] {
        bench.expect("a person's own key", bench.wire.collect(who, request), told).await;
    }
    let stranger = bench.wire.collect(&Person::named("mallory"), request);
    bench.expect("a fresh key", stranger, Stopped(Code::Unauthenticated, "is not enrolled")).await;
    let first = bench.good(bench.wire.collect(&subject, request)).await;
    let second = bench.good(bench.wire.collect(&subject, request)).await;
    assert!(second.repeated);
    assert_eq!(second.credential, first.credential);
    // R10, R12: nor is it ended by somebody it does not concern.
    let told = Written(Code::PermissionDenied, "not-yours");
    bench.expect("dropped by another", bench.wire.about(&tom, Act::Drop, request), told).await;
    bench.close().await;
}
