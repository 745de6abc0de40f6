//! A new policy comes into force while requests wait: what it can never let be issued ends in the same
//! transaction, and stays ended whatever happens to the broker meanwhile. Each story of the desk ends
//! with the tables derived again and the verifier over everything.

use std::fs;

use breakglass_broker::desk::{DeskError, Receipt};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::Verdict;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::policy::Files;
use breakglass_ledger::statement::{About, Act, Approve, Collect, Kind};
use breakglass_ledger::time::Ttl;

/// Enough of them that a test sees whether all are looked at.
const MANY: u32 = 20;

fn scopes(edit: impl FnOnce(String) -> String) -> Files {
    let files = sample_files();
    let scopes = edit(String::from_utf8(files.scopes).unwrap());
    Files { scopes: scopes.into_bytes(), ..files }
}

/// Root for twenty minutes at most.
fn shorter() -> Files {
    scopes(|text| text.replacen("ttl-max = \"1h\"", "ttl-max = \"20m\"", 1))
}

fn asked(house: &mut House, scope: &str, ttl: u32, number: u32) -> Digest {
    let subject = Person::numbered("subject", number);
    let act = Act::Request(ask("sam", scope, ttl, number.into(), subject.key()));
    let statement = house.statement(act);
    let digest = statement.digest();
    house.submit(&Person::named("sam"), statement).unwrap();
    digest
}

fn approved(
    house: &mut House,
    request: Digest,
    who: &str,
    stage: &str,
) -> Result<Receipt, DeskError> {
    let policy = house.desk().policy().digest;
    let (by, stage) = (who.parse().unwrap(), stage.parse().unwrap());
    let ttl_max = Ttl::from_seconds(3600).unwrap();
    let act = Act::Approve(Approve { request, by, stage, policy, ttl_max, comment: None });
    house.act(&Person::named(who), act)
}

fn collected(house: &mut House, request: Digest, number: u32) -> Result<Receipt, DeskError> {
    let subject = Person::numbered("subject", number);
    house.act(&subject, Act::Collect(Collect { request, kind: Kind::Ssh }))
}

fn refusal(told: Result<Receipt, DeskError>) -> &'static str {
    match told {
        Err(DeskError::Refused { refusal, .. }) => refusal.name(),
        other => panic!("{other:?}"),
    }
}

fn bodies(house: &House) -> Vec<Body> {
    let parse = |bytes: Vec<u8>| Entry::parse(&bytes).unwrap().body;
    house.entries().into_iter().map(parse).collect()
}

/// The rules of every `lapsed` entry, in order.
fn lapses(house: &House) -> Vec<String> {
    let rules = |body: Body| {
        let Body::Lapsed(body) = body else { return None };
        Some(body.decision.rules.join(" "))
    };
    bodies(house).into_iter().filter_map(rules).collect()
}

fn end(house: &House) {
    let report = house.audit();
    assert_eq!(report.verdict, Verdict::Verified, "{:#?}", report.findings);
    house.desk().recheck(&|| false).unwrap();
}

#[test]
fn a_new_policy_ends_at_once_what_waits_and_is_not_allowed() {
    let mut house = House::sample();
    let long = asked(&mut house, "root-on-host", 1800, 1);
    approved(&mut house, long, "ada", "app-owner").unwrap();
    approved(&mut house, long, "bob", "security").unwrap();
    let other = asked(&mut house, "quick", 600, 2);
    let before = house.entries().len();
    house.push(shorter()).unwrap();
    let told: Vec<_> = bodies(&house)[before..].iter().map(Body::type_name).collect();
    assert_eq!(told, ["policy", "lapsed", "closed"]);
    assert_eq!(lapses(&house), ["policy-changed ttl-too-long"]);
    assert_eq!(refusal(collected(&mut house, long, 1)), "wrong-state");
    // Nobody is kept from asking again as the new policy has it.
    let again = asked(&mut house, "root-on-host", 1200, 3);
    approved(&mut house, again, "ada", "app-owner").unwrap();
    // What it allows waits on.
    approved(&mut house, other, "ada", "second-person").unwrap();
    collected(&mut house, other, 2).unwrap();
    end(&house);
}

#[test]
fn an_approver_who_leaves_takes_their_word_along_and_others_are_asked() {
    let mut house = House::sample();
    let request = asked(&mut house, "root-on-host", 1800, 1);
    approved(&mut house, request, "ada", "app-owner").unwrap();
    approved(&mut house, request, "bob", "security").unwrap();
    let mut files = sample_files();
    let people = String::from_utf8(files.people).unwrap();
    let bob = people.split("[[principal]]").find(|one| one.contains("\"bob\"")).unwrap();
    files.people = people.replace(&format!("[[principal]]{bob}"), "").into_bytes();
    house.push(files).unwrap();
    assert_eq!(lapses(&house), [""; 0]);
    assert_eq!(refusal(collected(&mut house, request, 1)), "not-approved-yet");
    approved(&mut house, request, "eve", "security").unwrap();
    collected(&mut house, request, 1).unwrap();
    end(&house);
}

/// A start in between: what waits is known from the ledger alone when the policy comes, and what the
/// policy ended stays ended.
#[test]
fn what_waited_before_a_start_is_judged_after_it() {
    let mut house = House::sample();
    let request = asked(&mut house, "root-on-host", 1800, 1);
    approved(&mut house, request, "ada", "app-owner").unwrap();
    house.restart();
    house.push(shorter()).unwrap();
    assert_eq!(lapses(&house), ["policy-changed ttl-too-long"]);
    house.restart();
    house.pass(900);
    assert_eq!(lapses(&house).len(), 1, "it lapses once");
    let about = About { request, by: "sam".parse().unwrap(), comment: None };
    assert_eq!(refusal(house.act(&Person::named("sam"), Act::Withdraw(about))), "wrong-state");
    end(&house);
}

/// The clock was late: the request's own time was over before the policy came.
#[test]
fn what_is_over_by_its_time_lapses_for_that() {
    let mut house = House::sample();
    asked(&mut house, "root-on-host", 1800, 1);
    house.clock.advance(900);
    house.push(shorter()).unwrap();
    house.pass(0);
    assert_eq!(lapses(&house), ["pending-max"]);
    end(&house);
}

/// Rules count what is out and what was used: an open request is judged by what is left after the live
/// grants were judged.
#[test]
fn rules_that_come_end_what_waits_and_are_named() {
    const ALL: &str = "@id(\"all\")\npermit (principal, action, resource);\n";
    let never = format!(
        "{ALL}@id(\"brief\")\nforbid (principal, action == Action::\"request\", resource)\n\
         when {{ context.ttl > 1200 }};\n\
         @id(\"alone\")\nforbid (principal, action == Action::\"request\", resource)\n\
         when {{ context.live > 0 }};\n"
    );
    let mut house = House::with(Files { rules: ALL.into(), ..sample_files() });
    let out = asked(&mut house, "solo", 900, 1);
    collected(&mut house, out, 1).unwrap();
    asked(&mut house, "root-on-host", 1800, 2);
    asked(&mut house, "solo", 900, 3);
    asked(&mut house, "quick", 600, 4);
    house.push(Files { rules: never.into(), ..sample_files() }).unwrap();
    let brief = "policy-changed rules-forbid cedar:brief";
    let alone = "policy-changed rules-forbid cedar:alone";
    assert_eq!(lapses(&house), [alone, brief], "the first to lapse first");
    end(&house);
}

#[test]
fn all_that_waits_is_judged_however_much_there_is() {
    let people: Vec<String> = (0..MANY).map(|number| format!("resp-{number}")).collect();
    let with = |edit: &dyn Fn(String) -> String| {
        let mut files = scopes(edit);
        for (number, name) in people.iter().enumerate() {
            let key = Person::numbered("resp", u32::try_from(number).unwrap()).key().to_openssh();
            let one = format!(
                "\n[[principal]]\nid = {name:?}\nkind = \"human\"\nname = {name:?}\n\
                 groups = [\"oncall\"]\nkeys = [{key:?}]\n"
            );
            files.people.extend_from_slice(one.as_bytes());
        }
        files
    };
    let mut house = House::with(with(&|text| text));
    for (number, by) in (0..MANY).zip(&people) {
        let who = Person::numbered("resp", number);
        let subject = Person::numbered("subject", number);
        let scope = if number % 2 == 0 { "solo" } else { "quick" };
        let act = Act::Request(ask(by, scope, 600, number.into(), subject.key()));
        house.act(&who, act).unwrap();
    }
    house.push(with(&|text| text.replace("id = \"solo\"", "id = \"former\""))).unwrap();
    assert_eq!(lapses(&house), vec!["policy-changed scope-unknown"; people.len() / 2]);
    end(&house);
}

/// R27: with the programs, and `SIGKILL` the moment after: whoever waits is told at once, by words, by
/// exit code, and with the rule; the record of it proves itself.
#[test]
fn whoever_waits_is_told_what_the_new_policy_forbids_also_across_a_crash() {
    let mut dev = Dev::start();
    let request = ["request", "root-on-host", "--reason", "customers", "--incident", "INC-1"];
    let words = [&request[..], &["--ttl", "30m"]].concat();
    let id = dev.done("sam", &words).lines().next().unwrap().to_owned();
    // Known from the ledger alone when the policy comes.
    dev.while_killed(|_| ());
    let file = dev.path("broker/policy/scopes.toml");
    let before = fs::read_to_string(&file).unwrap();
    let shorter = before.replacen("ttl-max = \"1h\"", "ttl-max = \"20m\"", 1);
    assert_ne!(shorter, before);
    fs::write(&file, shorter).unwrap();
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
    dev.while_killed(|_| ());
    let ended = dev.says("sam", &["status", &id]);
    assert_eq!(ended.code, 6, "{ended:?}");
    let told = "ended: the new policy no longer allows it: ttl-too-long";
    assert!(ended.err.contains(told), "{ended:?}");
    let waiting = dev.says("sam", &["collect", &id, "--wait"]);
    assert_eq!(waiting.code, 6, "{waiting:?}");
    assert!(waiting.err.contains(told), "{waiting:?}");
    let json = dev.says("sam", &["-o", "json", "status", &id]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["cause"], &json["ended_rule"]),
        (&"policy-changed".into(), &"ttl-too-long".into())
    );
    dev.done("ada", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &verify), "verified");
    let shown = dev.done("ada", &["audit", "show", "bundle"]);
    assert!(shown.contains("the new policy no longer allows it: ttl-too-long"), "{shown}");
    dev.done("ada", &["audit", "export", "--request", &id, "--out", "case"]);
    let case = ["audit", "verify", "case", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &case), format!("verified {id}"));
}
