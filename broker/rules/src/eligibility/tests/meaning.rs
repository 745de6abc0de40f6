use cedar_policy::{Schema, Validator};
use proptest::prelude::*;

use super::*;

const ON_CALL: &str = "@id(\"on-call\")\npermit (principal, action == Action::\"request\", resource)\nwhen { principal in resource.requesters };\n";

#[test]
fn the_schema_is_a_schema_and_knows_every_action() {
    let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    let known: std::collections::BTreeSet<String> =
        schema.actions().map(|uid| uid.id().unescaped().to_owned()).collect();
    let ours = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
    assert_eq!(known, ours);
    let _ = Validator::new(schema);
}

/// What is put to Cedar is what the schema promises, for every action: no rule that validates can
/// meet a context or an entity of another form.
#[test]
fn every_question_and_everybody_is_as_the_schema_says() {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let policy = policy(ON_CALL);
    let names = Names::new().unwrap();
    let all = entities::of(&policy, &names).unwrap();
    let all = all.into_iter().collect::<Vec<_>>();
    Entities::from_entities(all, Some(&schema)).unwrap();
    for action in Action::ALL {
        let asking = Asking { incident: true, ..Asking::of("sam", action) };
        let circumstances = Circumstances {
            at: Timestamp::from_unix_seconds(1_795_342_500),
            lane: Some(Lane::Normal),
            outage_since: None,
            ttl: Ttl::from_seconds(60),
            incident: true,
            depth: 0,
            requester: Some(&asking.requester),
            stage: Some(&asking.stage),
            live: 1,
            budget: 2,
            drill_age: None,
        };
        let question = Question {
            principal: &asking.principal,
            action,
            scope: asking.scope.as_ref(),
            circumstances,
        };
        let context =
            cedar_policy::Context::from_pairs(context::pairs(&names, &question).unwrap()).unwrap();
        let resource = asking.scope.as_ref().map_or_else(
            || names.ledger.clone(),
            |scope| compile::uid(&names.scope, scope.as_str()),
        );
        let principal = compile::uid(&names.principal, "sam");
        cedar_policy::Request::new(
            principal,
            names.action(action),
            resource,
            context,
            Some(&schema),
        )
        .unwrap_or_else(|error| panic!("{}: {error}", action.name()));
    }
}

#[test]
fn whoever_no_rule_permits_is_not_permitted() {
    let rules = rules(ON_CALL);
    assert_eq!(Asking::of("sam", Action::Request).put(&rules), permitted(&["on-call"]));
    assert_eq!(Asking::of("ada", Action::Request).put(&rules), forbidden(&[]));
    assert_eq!(Asking::of("sam", Action::Cancel).put(&rules), forbidden(&[]));
    assert_eq!(Asking::of("nobody", Action::Request).put(&rules), forbidden(&[]));
}

#[test]
fn a_forbid_beats_every_permit_and_is_named() {
    let rules = rules(&format!(
        "{ON_CALL}@id(\"never-sam\") forbid (principal == Principal::\"sam\", action, resource);"
    ));
    assert_eq!(Asking::of("sam", Action::Request).put(&rules), forbidden(&["never-sam"]));
}

#[test]
fn all_rules_that_determine_an_answer_are_named_in_order() {
    let rules = rules(&format!(
        "@id(\"z\") permit (principal, action, resource);\n{ON_CALL}@id(\"a\") permit (principal == Principal::\"sam\", action, resource);"
    ));
    assert_eq!(Asking::of("sam", Action::Request).put(&rules), permitted(&["a", "on-call", "z"]));
}

/// R04: whoever is in a group by way of other groups is in it for the rules too, and so is whoever
/// is named by a scope alone.
#[test]
fn nested_groups_count_in_rules() {
    let mut files = files(
        "@id(\"x\") permit (principal in Group::\"all\", action, resource);\n@id(\"y\") permit (principal, action == Action::\"approve\", resource) when { principal in resource.requesters };",
    );
    let text = String::from_utf8(files.people.clone()).unwrap();
    files.people = format!("{text}\n[[group]]\nid = \"inner\"\nmembers = [\"group:oncall\"]\n\n[[group]]\nid = \"all\"\nmembers = [\"group:inner\"]\n").into_bytes();
    let scopes = String::from_utf8(files.scopes.clone()).unwrap();
    files.scopes = scopes
        .replacen(
            "requesters = \"group:oncall\"",
            "requesters = [\"group:inner\", \"principal:bob\"]",
            1,
        )
        .into_bytes();
    let policy = check(&files).unwrap().into_policy(1, Digest::ZERO);
    let rules = Rules::of(&policy).unwrap();
    assert_eq!(Asking::of("sam", Action::Request).put(&rules), permitted(&["x"]));
    assert_eq!(Asking::of("ada", Action::Request).put(&rules), forbidden(&[]));
    assert_eq!(Asking::of("sam", Action::Approve).put(&rules), permitted(&["x", "y"]));
    assert_eq!(Asking::of("bob", Action::Approve).put(&rules), permitted(&["y"]));
}

/// R26: Cedar passes over a rule that fails; a forbid that is passed over would permit.
#[test]
fn a_rule_that_fails_is_a_no() {
    let overflow = format!(
        "{ON_CALL}@id(\"fails\") forbid (principal, action == Action::\"request\", resource) when {{ context.ttl * 9223372036854775807 > 0 }};"
    );
    let rules = rules(&overflow);
    let Answer::Unreadable { what } = Asking::of("sam", Action::Request).put(&rules) else {
        panic!()
    };
    assert!(what.contains("fails"), "{what}");
}

/// R26: rules that were in force and cannot be read any more permit nothing.
#[test]
fn unreadable_rules_permit_nothing() {
    for action in Action::ALL {
        let answer = Asking::of("sam", action).put(&Rules::unreadable());
        assert!(matches!(answer, Answer::Unreadable { .. }), "{}", action.name());
    }
}

#[test]
fn rules_see_the_circumstances() {
    type Change = fn(&mut Asking);
    let cases: [(&str, Change); 8] = [
        ("context.lane == \"drill\"", |a| a.lane = Lane::Drill),
        ("context.outage.active && context.outage.seconds == 90", |a| a.outage = Some(90)),
        ("context.incident", |a| a.incident = true),
        ("context.live == 2", |a| a.live = 2),
        ("context[\"drill-age\"] >= 60", |a| a.drill_age = Some(60)),
        ("context.requester == Principal::\"eve\"", |a| a.requester = "eve".parse().unwrap()),
        ("principal == Principal::\"eve\"", |a| a.principal = "eve".parse().unwrap()),
        ("resource == Scope::\"quick\"", |a| a.scope = Some("quick".parse().unwrap())),
    ];
    for (condition, change) in cases {
        let rules = rules(&format!(
            "@id(\"x\") permit (principal, action == Action::\"request\", resource) when {{ {condition} }};"
        ));
        let mut asking = Asking::of("sam", Action::Request);
        assert!(!asking.may(&rules), "{condition}");
        change(&mut asking);
        assert!(asking.may(&rules), "{condition}");
    }
    let always = "context.hour == 10 && context.weekday == \"sun\" && context.ttl == 1800 && context.depth == 0 && context.budget == 0 && context[\"drill-age\"] == -1 && principal.kind == \"human\" && resource.sensitivity == \"critical\"";
    let rules = rules(&format!(
        "@id(\"x\") permit (principal, action == Action::\"request\", resource) when {{ {always} }};"
    ));
    assert!(Asking::of("sam", Action::Request).may(&rules));
}

#[test]
fn locks_declarations_and_exports_are_judged_without_a_request() {
    let rules = rules(
        "@id(\"x\") permit (principal in Group::\"security\", action in [Action::\"lock\", Action::\"declare\", Action::\"export\"], resource) when { context.hour < 12 };",
    );
    for action in [Action::Lock, Action::Declare, Action::Export] {
        assert!(Asking::of("bob", action).may(&rules));
        assert!(!Asking::of("sam", action).may(&rules));
    }
    let of_ledger = Asking { scope: None, ..Asking::of("bob", Action::Lock) };
    assert!(of_ledger.may(&rules));
}

/// Pieces of rules that say something about sam, security and the rest.
const CONDITIONS: [&str; 8] = [
    "true",
    "principal in resource.requesters",
    "principal in Group::\"security\"",
    "principal == Principal::\"sam\"",
    "resource.sensitivity == \"critical\"",
    "context.hour < 12",
    "principal.kind == \"human\" && context.hour != 11",
    "principal.team == \"\"",
];

fn rule(effect: &str, at: usize, condition: &str) -> String {
    let scope =
        "action in [Action::\"request\", Action::\"approve\", Action::\"deny\", Action::\"read\"]";
    format!("@id(\"r{at}\") {effect} (principal, {scope}, resource) when {{ {condition} }};\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was refused stays refused, whatever is forbidden besides; and nothing that a forbid
    /// does not concern is lost by it.
    #[test]
    fn one_more_forbid_never_widens(
        given in prop::collection::vec((any::<bool>(), prop::sample::select(CONDITIONS.to_vec())), 1..5),
        more in prop::sample::select(CONDITIONS.to_vec()),
    ) {
        let text: String = given.iter().enumerate().map(|(at, (is_permit, condition))| {
            rule(if *is_permit { "permit" } else { "forbid" }, at, condition)
        }).collect();
        let before = rules(&text);
        let after = rules(&format!("{text}{}", rule("forbid", 99, more)));
        let alone = rules(&rule("permit", 0, more));
        for who in ["sam", "ada", "bob", "eve"] {
            for action in [Action::Request, Action::Approve, Action::Deny, Action::Read] {
                let asking = Asking::of(who, action);
                prop_assert!(asking.may(&before) || !asking.may(&after), "{who}");
                prop_assert_eq!(asking.may(&after), asking.may(&before) && !asking.may(&alone));
            }
        }
    }
}
