use breakglass_ledger::policy::Policy;

use super::*;
use crate::policy::cases::tests::policy;
use crate::policy::question::Terms;

fn question(who: &str, action: Action, scope: &str) -> Question {
    Question {
        who: who.parse().unwrap(),
        action,
        scope: scope.parse().unwrap(),
        terms: Terms::ORDINARY,
    }
}

fn told(policy: &Policy, question: &Question) -> (Explanation, String) {
    let told = explain(&Hearing::of(policy).unwrap(), question).unwrap();
    let text = told.render(policy, &jiff::tz::TimeZone::UTC);
    (told, text)
}

fn names(of: &[PrincipalId]) -> Vec<&str> {
    of.iter().map(PrincipalId::as_str).collect()
}

#[test]
fn a_yes_says_why_and_what_each_stage_still_needs() {
    let policy = policy();
    let (told, text) = told(&policy, &question("sam", Action::Request, "root-on-host"));
    assert!(matches!(told.said, Said::Yes(_)));
    assert!(
        text.contains("because    requesters: sam is in group:oncall, which may ask"),
        "{text}"
    );
    assert!(text.contains("app-owner  1 of 1 missing; may agree: ada"), "{text}");
    assert!(text.contains("security   1 of 1 missing; may agree: bob, eve"), "{text}");
    assert!(text.contains("opens      SSH as bg-root"), "{text}");
    assert!(text.contains("lapses     15 minutes after asking"), "{text}");
}

#[test]
fn a_no_that_asking_otherwise_would_put_right_says_how() {
    let policy = policy();
    let mut asked = question("sam", Action::Request, "root-on-host");
    asked.terms.ttl = Ttl::from_seconds(7_200);
    asked.terms.has_reason = false;
    let (told, text) = told(&policy, &asked);
    assert!(matches!(&told.said, Said::No(refusal) if refusal.name() == "ttl-too-long"));
    assert_eq!(told.also.iter().map(Refusal::name).collect::<Vec<_>>(), ["reason-missing"]);
    assert!(
        text.contains("yes to: breakglass request root-on-host --reason … --ttl 60m"),
        "{text}"
    );
    assert_eq!(told.stages.len(), 2, "what it would take is said too");
}

#[test]
fn a_no_that_is_about_the_person_says_who_could() {
    let policy = policy();
    let (told, text) = told(&policy, &question("ada", Action::Request, "root-on-host"));
    assert_eq!(told.instead, None);
    assert_eq!(names(&told.others), ["sam"]);
    assert!(text.contains("(12: requester-not-entitled)"), "{text}");
    assert!(told.stages.is_empty(), "nobody approves what is never asked");
}

/// The people of a stage are those whom the rules let approve, not those whom the list names.
#[test]
fn who_may_approve_is_asked_of_the_rules() {
    let policy = policy();
    let (told, _) = told(&policy, &question("ada", Action::Request, "quick"));
    let [stage] = &told.stages[..] else { panic!("{told:?}") };
    assert_eq!(names(&stage.may), ["bob", "eve"]);
    let [(who, why)] = &stage.may_not[..] else { panic!("{stage:?}") };
    assert_eq!((who.as_str(), why.name()), ("ada", "self-approval"));
}

#[test]
fn approvals_that_are_supposed_are_counted() {
    let policy = policy();
    let mut asked = question("bob", Action::Approve, "root-on-host");
    asked.terms.requester = Some("sam".parse().unwrap());
    asked.terms.stage = Some("security".parse().unwrap());
    asked.terms.approvals.insert("app-owner".parse().unwrap(), vec!["ada".parse().unwrap()]);
    let (told, text) = told(&policy, &asked);
    assert!(text.contains("answer     YES, and then nothing is missing"), "{text}");
    assert!(text.contains("bob is in group:security, whose yes counts in security"), "{text}");
    let lacks: Vec<u32> = told.stages.iter().map(|stage| stage.lacks).collect();
    assert_eq!(lacks, [0, 1]);
}

#[test]
fn the_json_says_the_same() {
    let policy = policy();
    let (told, _) = told(&policy, &question("ada", Action::Request, "root-on-host"));
    let json = told.to_json(&policy);
    assert_eq!(json["answer"], "no");
    assert_eq!(json["refusal"]["name"], "requester-not-entitled");
    assert_eq!(json["others"][0], "sam");
}
