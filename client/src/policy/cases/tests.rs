use std::path::Path;

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Files, Policy, sample, testing};

use super::*;
use crate::policy::aside::Deed;
use crate::policy::folder;

const PEOPLE: [(&str, &str); 4] = [
    ("sam", "AAAAC3NzaC1lZDI1NTE5AAAAII2+TtZERnFXZYKLYyPh8Ly2XKZJaMcI1S1Iwu+RrjLc"),
    ("ada", "AAAAC3NzaC1lZDI1NTE5AAAAIFg8ioF1hAJ/5TnQmz8/fVIUFzkQBlYNXSgqBfruNeoA"),
    ("bob", "AAAAC3NzaC1lZDI1NTE5AAAAILX0dQseOyX6yu4xMTLQaDSUvgVtQFDOHFutJc9DvKPM"),
    ("eve", "AAAAC3NzaC1lZDI1NTE5AAAAIKlUJA05q9RJCxYyC+NC5J+jsmkj5wC8qiWtjOAf+zd/"),
];

/// sam asks, ada leads, bob and eve are security: `root-on-host` wants one of each.
pub(crate) fn policy() -> Policy {
    testing::in_force(&files(), 1).unwrap()
}

/// Its files.
pub(crate) fn files() -> Files {
    let key = |text: &str| PublicKey::from_openssh(&format!("ssh-ed25519 {text}")).unwrap();
    let keys: Vec<(&str, PublicKey)> = PEOPLE.map(|(name, text)| (name, key(text))).into();
    let people: Vec<(&str, &PublicKey)> = keys.iter().map(|(name, key)| (*name, key)).collect();
    sample(&people)
}

/// Each case of `text`, and what is wrong with it.
fn wrong(text: &str) -> Vec<Option<String>> {
    let policy = policy();
    let cases = read(text, &policy).unwrap();
    run(&policy, cases).unwrap().into_iter().map(|ran| ran.wrong).collect()
}

fn one(fields: &str) -> Option<String> {
    let mut wrong = wrong(&format!("[[case]]\nname = \"a case\"\n{fields}"));
    wrong.pop().unwrap()
}

fn faults(fields: &str) -> Vec<String> {
    let text = format!("\n[[case]]\nname = \"a case\"\n{fields}");
    read(&text, &policy()).unwrap_err().iter().map(ToString::to_string).collect()
}

const CHAIN: &str = r#"
[[case]]
name = "on call may ask"
who = "sam"
scope = "root-on-host"
expect = "allow"
rules = ["requesters"]

[[case]]
name = "a leader may not ask for it"
who = "ada"
scope = "root-on-host"
expect = "refuse"
refusal = "requester-not-entitled"

[[case]]
name = "one approval leaves one missing"
who = "ada"
action = "approve"
stage = "app-owner"
scope = "root-on-host"
requester = "sam"
expect = "allow"
rules = ["stage:app-owner"]
missing = 1

[[case]]
name = "nobody approves what they asked for"
who = "sam"
action = "approve"
stage = "app-owner"
scope = "root-on-host"
requester = "sam"
expect = "refuse"
refusal = "self-approval"

[[case]]
name = "one of two is not enough"
who = "sam"
action = "collect"
scope = "root-on-host"
approvals = { app-owner = ["ada"] }
expect = "refuse"
refusal = "not-approved-yet"

[[case]]
name = "both are"
who = "sam"
action = "collect"
scope = "root-on-host"
approvals = { app-owner = ["ada"], security = ["bob"] }
expect = "allow"
rules = ["stage:app-owner", "stage:security"]

[[case]]
name = "too late"
who = "bob"
action = "approve"
stage = "security"
scope = "root-on-host"
requester = "sam"
waited = "15m"
expect = "refuse"
refusal = "late"

[[case]]
name = "no more than two at once"
who = "sam"
scope = "root-on-host"
live = 2
expect = "refuse"
refusal = "live-max"
"#;

#[test]
fn cases_are_answered_by_the_rules_themselves() {
    assert_eq!(wrong(CHAIN), vec![None; 8]);
}

#[test]
fn a_case_that_is_not_as_expected_says_what_came_instead() {
    let ask = "who = \"ada\"\nscope = \"root-on-host\"\n";
    let told = one(&format!("{ask}expect = \"allow\"")).unwrap();
    assert_eq!(told, "expected to be allowed, but refused: requester-not-entitled");
    let told = one(&format!("{ask}expect = \"refuse\"\nrefusal = \"ttl-too-long\"")).unwrap();
    assert_eq!(told, "refused, but as requester-not-entitled, not ttl-too-long");
    let sam = "who = \"sam\"\nscope = \"quick\"\nexpect = ";
    let told = one(&format!("{sam}\"refuse\"")).unwrap();
    assert_eq!(told, "expected to be refused, but allowed");
    let told = one(&format!("{sam}\"allow\"\nrules = [\"cedar:x\"]")).unwrap();
    assert_eq!(told, "allowed, but not by cedar:x: by requesters");
}

/// A case about an approval proves nothing if the request would never have been made.
#[test]
fn what_a_case_takes_for_granted_is_judged_too() {
    let deny = "who = \"bob\"\naction = \"deny\"\nscope = \"root-on-host\"\nrequester = \"ada\"\n\
                expect = \"refuse\"";
    let told = one(deny).unwrap();
    assert_eq!(told, "it never comes to that: ada is refused to request: requester-not-entitled");
    let collect = "who = \"sam\"\naction = \"collect\"\nscope = \"quick\"\n\
                   approvals = { second-person = [\"sam\"] }\nexpect = \"refuse\"";
    assert_eq!(
        one(collect).unwrap(),
        "it never comes to that: sam is refused to approve: self-approval"
    );
}

#[test]
fn a_case_that_cannot_mean_what_it_says_is_a_fault_with_its_line() {
    let ask = "who = \"sam\"\nscope = \"quick\"\n";
    let found = [
        ("who = \"sma\"\nscope = \"quick\"\nexpect = \"refuse\"", "sma is not in people.toml"),
        ("who = \"sam\"\nscope = \"quack\"\nexpect = \"refuse\"", "quack is not in scopes.toml"),
        (&format!("{ask}expect = \"refuse\"\nrefusal = \"no\""), "there is no refusal no"),
        (&format!("{ask}expect = \"allow\"\nrefusal = \"late\""), "what is allowed is not refused"),
        (&format!("{ask}expect = \"refuse\"\nmissing = 1"), "what is refused counts nothing"),
        (&format!("{ask}expect = \"allow\"\nstage = \"second-person\""), "only an approval has"),
        (&format!("{ask}expect = \"allow\"\nttl = \"13h\""), "ttl is over 12 hours"),
        (&format!("{ask}expect = \"allow\"\nhour = 24"), "hour is 0 to 23"),
        (&format!("{ask}expect = \"allow\"\nat = \"noon\""), "at is noon"),
        (&format!("{ask}action = \"deny\"\nexpect = \"allow\""), "add requester"),
    ];
    for (fields, words) in found {
        let faults = faults(fields);
        assert_eq!(faults.len(), 1, "{fields}: {faults:?}");
        assert!(faults[0].starts_with("tests.toml:2: ") && faults[0].contains(words), "{faults:?}");
    }
}

#[test]
fn a_field_that_no_case_has_is_a_fault_on_its_own_line() {
    let told = faults("who = \"sam\"\nscope = \"quick\"\nexpect = \"allow\"\nlives = 2");
    assert!(told[0].starts_with("tests.toml:7: unknown field `lives`"), "{told:?}");
    let told = faults("who = \"sam\"\nscope = \"quick\"\nexpect = \"maybe\"");
    assert!(told[0].starts_with("tests.toml:6: unknown variant `maybe`"), "{told:?}");
    let told = faults("who = \"sam\"\nscope = \"quick\"\nexpect = \"allow\"\nttl = \"30\"");
    assert!(told[0].starts_with("tests.toml:7: `30` is not a length"), "{told:?}");
}

#[test]
fn a_sheet_without_cases_is_no_test() {
    let told = read("", &policy()).unwrap_err();
    assert!(told[0].to_string().contains("write 1 to"), "{told:?}");
}

/// What the sample says about itself holds; people copy it to begin with.
#[test]
fn the_sample_policy_does_what_its_cases_say() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks/sample-policy");
    let policy = folder::policy(&dir).unwrap();
    let text = std::fs::read_to_string(dir.join(FILE)).unwrap();
    let ran = run(&policy, read(&text, &policy).unwrap()).unwrap();
    let wrong = ran.iter().filter_map(|ran| Some((&ran.case.name, ran.wrong.as_ref()?)));
    assert_eq!(wrong.collect::<Vec<_>>(), []);
    let name = |ran: &Ran| match &ran.case.question {
        Asked::Request(question) => question.action.name(),
        Asked::Aside(aside) => aside.deed.name(),
    };
    for known in Action::ALL.map(Action::name).into_iter().chain(Deed::NAMES) {
        let of = |is: fn(&Expected) -> bool| {
            ran.iter().any(|ran| name(ran) == known && is(&ran.case.expected))
        };
        assert!(of(|expected| matches!(expected, Expected::Allow { .. })), "no yes to {known}");
        assert!(of(|expected| matches!(expected, Expected::Refuse { .. })), "no no to {known}");
    }
}

#[test]
fn an_action_that_nobody_knows_is_told_with_all_that_there_are() {
    let told = faults("who = \"sam\"\naction = \"escape\"\nscope = \"quick\"\nexpect = \"allow\"");
    assert_eq!(
        told,
        [
            "tests.toml:2: there is no action escape; write one of: request, approve, collect, deny, \
             cancel, withdraw, drop, escalate, review, read, lock, unlock, declare, resolve, export"
        ]
    );
}

#[test]
fn a_case_beside_requests_names_what_it_is_about_and_nothing_else() {
    let found = [
        ("action = \"lock\"", "add target"),
        ("action = \"lock\"\ntarget = \"sam\"", "write principal:NAME"),
        ("action = \"lock\"\ntarget = \"principal:sma\"", "principal:sma is not in the policy"),
        ("action = \"lock\"\ntarget = \"host:nowhere\"", "host:nowhere is not in the policy"),
        ("action = \"lock\"\ntarget = \"grant\"", "add requester and scope"),
        ("action = \"unlock\"\ntarget = \"scope:quick\"\nscope = \"quick\"", "about no request"),
        ("action = \"declare\"", "add dependency"),
        ("action = \"resolve\"\ndependency = \"okat\"", "no scope names okat"),
        ("action = \"export\"\ntarget = \"scope:quick\"", "export has no target"),
        ("action = \"export\"\ndependency = \"okta\"", "export is about no outage"),
        ("action = \"read\"\nrequester = \"sam\"", "add scope"),
        (
            "action = \"read\"\nrequester = \"sam\"\nscope = \"quick\"\ntarget = \"grant\"",
            "read is about a scope",
        ),
    ];
    for (fields, words) in found {
        let faults = faults(&format!("who = \"sam\"\n{fields}\nexpect = \"refuse\""));
        assert_eq!(faults.len(), 1, "{fields}: {faults:?}");
        assert!(faults[0].contains(words), "{faults:?}");
    }
}

/// Without rules the owners of scopes lock, declare and review; the lists keep reading to those
/// whom a request concerns.
#[test]
fn what_is_beside_requests_is_decided_by_owners_where_there_are_no_rules() {
    let sam = "requester = \"sam\"\nscope = \"root-on-host\"\n";
    let cases = [
        ("ada", "lock", "target = \"scope:root-on-host\"\n", true),
        ("ada", "lock", "target = \"scope:root-on-host\"\nlocked = [\"principal:ada\"]\n", false),
        ("bob", "read", sam, true),
        ("ada", "review", sam, true),
        ("sam", "review", sam, false),
        ("sam", "escalate", sam, false),
        ("sam", "export", "", true),
    ];
    for (who, action, fields, yes) in cases {
        let expect = if yes { "allow" } else { "refuse" };
        let case = format!("who = \"{who}\"\naction = \"{action}\"\n{fields}expect = \"{expect}\"");
        assert_eq!(one(&case), None, "{case}");
    }
}
