//! A policy with rules of its own, over a real store: what it decides, what it refuses to be, and
//! what a verifier makes of it.

use breakglass_broker::desk::{DeskError, Incoming, Receipt};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::evidence::{Evidence, trust};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::{Code, Verdict};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::policy::{Files, PolicyError};
use breakglass_ledger::statement::{Act, Approve, Collect, Kind};
use breakglass_ledger::time::Ttl;

/// On-call people ask for half an hour at most; whoever approves or ends it is anybody the data
/// names, except bob on Sundays.
const RULES: &str = r#"
@id("on-call-asks-briefly")
permit (principal, action == Action::"request", resource)
when { principal in resource.requesters && context.ttl <= 1800 };

@id("the-chain-decides")
permit (principal, action in [Action::"approve", Action::"deny", Action::"cancel"], resource);

@id("not-bob-on-sundays")
forbid (principal == Principal::"bob", action == Action::"approve", resource)
when { context.weekday == "sun" };
"#;

fn with(rules: &str) -> Files {
    Files { rules: rules.into(), ..sample_files() }
}

fn asked(house: &mut House, ttl: u32) -> Result<Digest, DeskError> {
    let act = Act::Request(ask("sam", "root-on-host", ttl, 1, Person::named("subject").key()));
    let statement = house.statement(act);
    let digest = statement.digest();
    house.submit(&Person::named("sam"), statement).map(|_| digest)
}

fn approved(
    house: &mut House,
    request: Digest,
    who: &str,
    stage: &str,
) -> Result<Receipt, DeskError> {
    let act = Act::Approve(Approve {
        request,
        by: who.parse().unwrap(),
        stage: stage.parse().unwrap(),
        policy: house.desk().policy().digest,
        ttl_max: Ttl::from_seconds(1800).unwrap(),
        comment: None,
    });
    house.act(&Person::named(who), act)
}

fn collected(house: &mut House, request: Digest) -> Result<Receipt, DeskError> {
    house.act(&Person::named("subject"), Act::Collect(Collect { request, kind: Kind::Ssh }))
}

fn refused(answer: Result<impl Sized, DeskError>) -> String {
    match answer {
        Err(DeskError::Refused { refusal, .. }) => refusal.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("not refused"),
    }
}

/// The test house begins on a Sunday.
fn story() -> House {
    let mut house = House::with(with(RULES));
    let long = refused(asked(&mut house, 1801));
    assert!(long.contains("no rule permits it"), "{long}");
    let request = asked(&mut house, 1800).unwrap();
    approved(&mut house, request, "ada", "app-owner").unwrap();
    let bob = refused(approved(&mut house, request, "bob", "security"));
    assert!(bob.contains("cedar:not-bob-on-sundays"), "{bob}");
    // Compiled again at every start.
    house.restart();
    let bob = refused(approved(&mut house, request, "bob", "security"));
    assert!(bob.contains("cedar:not-bob-on-sundays"), "{bob}");
    approved(&mut house, request, "eve", "security").unwrap();
    collected(&mut house, request).unwrap();
    house
}

fn newest(house: &House) -> Body {
    Entry::parse(house.entries().last().unwrap()).unwrap().body
}

#[test]
fn a_grant_under_rules_names_them_and_a_verifier_reaches_the_same_decisions() {
    let house = story();
    let Body::Issued(issued) = newest(&house) else { panic!("not issued") };
    let cedar = ["cedar:on-call-asks-briefly", "cedar:the-chain-decides"];
    assert!(cedar.iter().all(|rule| issued.decision.rules.iter().any(|id| id == rule)));
    let report = Evidence::of(&house).verify(&trust(&house));
    assert_eq!(report.verdict, Verdict::Verified, "{:#?}", report.findings);
}

/// Nobody who cannot judge the rules calls a record under rules fine.
#[test]
fn without_a_judge_of_rules_nothing_is_verified() {
    let house = story();
    let report = Evidence::of(&house).verify_without_rules(&trust(&house));
    assert_eq!(report.verdict, Verdict::Unproven);
    assert!(report.findings.iter().any(|finding| finding.code == Code::RulesUnjudged));
}

/// What a new rule forbids ends at once.
#[test]
fn a_new_rule_ends_what_it_forbids() {
    let mut house = story();
    let shorter = RULES.replace("1800", "900");
    house.push(with(&shorter)).unwrap();
    let Body::Revoked(revoked) = newest(&house) else { panic!("still alive") };
    assert_eq!(revoked.cause.name(), "policy-changed");
    let report = Evidence::of(&house).verify(&trust(&house));
    assert_eq!(report.verdict, Verdict::Verified, "{:#?}", report.findings);
}

/// Rules that do not compile never come into force, and every fault is told with its place.
#[test]
fn rules_that_do_not_compile_are_refused_with_their_places() {
    let mut house = House::sample();
    let before = house.entries().len();
    let bad = "permit (principal, action, resource);\n\
        @id(\"x\") forbid (principal, action == Action::\"request\", resource)\n  when { context.lan == \"a\" };\n";
    let Err(DeskError::Rules(faults)) = house.push(with(bad)) else { panic!("not refused") };
    let places: Vec<(u32, u32)> = faults.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(1, 1), (3, 10)], "{faults:#?}");
    assert_eq!(house.entries().len(), before);
    assert_eq!(house.desk().policy().version, 1);
    assert!(matches!(house.push(with("permit (")), Err(DeskError::Rules(_))));
}

/// R05: no rule lets anybody change the rules: that takes the authority's quorum, whatever they
/// permit.
#[test]
fn nobody_widens_what_the_rules_let_them_do() {
    let mut house = House::with(with("@id(\"all\") permit (principal, action, resource);"));
    let before = house.desk().policy();
    let origin = house.origin().clone();
    let (statement, mut bundle) = house.policy(&origin, sample_files(), 2, before.digest);
    let signature = Person::named("sam").sign(&statement);
    bundle.signatures = vec![signature.clone()];
    let incoming =
        Incoming { statement, signature, user_verified: false, text: None, bundle: Some(bundle) };
    let answer = house.give(incoming);
    assert!(matches!(answer, Err(DeskError::Policy(PolicyError::NotASigner { .. }))), "{answer:?}");
    assert_eq!(house.desk().policy().digest, before.digest);
}
