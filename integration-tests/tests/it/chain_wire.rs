//! Approval chains with the programs that people run: what passes on, by the clock and by hand, also
//! when the broker is killed before; an emergency that is cancelled, and one that is not, with its
//! review.

use std::fs;

use breakglass_integration_tests::dev::{Dev, LONG, Said};
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::signers::entries;
use breakglass_integration_tests::wait::until;
use breakglass_integration_tests::wire::now;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::time::{Moment, Timestamp};
use serde_json::Value;

/// Two stages: ada, after whom eve is asked; and bob.
const HOT: &str = r#"
[[scope]]
id = "hot"
title = "Switch of the payment rails"
purpose = "Stop the money"
business-owner = "group:leads"
technical-owner = "group:security"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "30m"
pending-max = "20m"
live-max = 3
review-within = "1h"
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "emergency"]
[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1
within = "WITHIN"
escalate = "principal:eve"
[[scope.stage]]
name = "security"
approvers = "principal:bob"
quorum = 1
[scope.emergency]
after = "1s"
ttl-max = "5m"
delay = "DELAY"
[scope.ssh]
principals = ["bg-hot"]
"#;

/// How a client ends whom the broker tells to ask less often.
const SLOWER: i32 = 7;

/// Beside the sample's scopes, [`HOT`]: ada's stage passes on `within`, an emergency opens `delay` late.
fn start(within: &str, delay: &str) -> Dev {
    let dev = Dev::start();
    let policy = dev.path("broker/policy");
    let scopes = fs::read_to_string(policy.join("scopes.toml")).unwrap();
    let hot = HOT.replace("WITHIN", within).replace("DELAY", delay);
    fs::write(policy.join("scopes.toml"), scopes + &hot).unwrap();
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
    dev
}

fn ask(dev: &Dev, lane: &str) -> Said {
    dev.says("sam", &["request", "hot", "--reason", "rails", "--ttl", "5m", "--lane", lane])
}

/// The first line of what `request` prints is the id.
fn asked(dev: &Dev, lane: &str) -> String {
    let said = ask(dev, lane);
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().next().unwrap().to_owned()
}

/// The emergency lane is shut until the ordinary request was left alone long enough.
fn alone(dev: &Dev) -> String {
    until("the emergency lane opens", LONG, || {
        let said = ask(dev, "emergency");
        if said.code == SLOWER {
            return None;
        }
        if said.code != 0 {
            refused(&said, "emergency-not-open");
            return None;
        }
        Some(said.out.lines().next().unwrap().to_owned())
    })
}

/// `status`, which ends with another code for each state.
fn status(dev: &Dev, id: &str) -> Value {
    view(&dev.says("sam", &["-o", "json", "status", id]))
}

fn view(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("no JSON: {said:?}"))
}

/// Waits until the first stage has passed on.
fn passed_on(dev: &Dev, id: &str) {
    until("the stage passes on", LONG, || {
        let said = dev.says("sam", &["-o", "json", "status", id]);
        if said.code == SLOWER {
            return None;
        }
        view(&said)["stages"][0]["escalated"].as_bool()?.then_some(())
    });
}

/// What bob's stage and eve, for ada's, make possible.
fn approved_by_the_next_and_collected(dev: &Dev, id: &str) {
    assert_eq!(status(dev, id)["stages"][0]["may_approve"], serde_json::json!(["ada", "eve"]));
    dev.done("eve", &["approve", id, "--yes"]);
    dev.done("bob", &["approve", id, "--yes"]);
    dev.done("sam", &["collect", id, "--out", "credential"]);
    assert_eq!(status(dev, id)["state"], "live");
}

fn refused(said: &Said, name: &str) {
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.err.contains(name), "not {name}: {said:?}");
}

/// Every entry, once the verifier has nothing to say about them.
fn proven(dev: &Dev) -> Vec<Value> {
    dev.done("ada", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &verify), "verified");
    entries(&dev.path("bundle"))
}

fn of<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["type"] == kind).collect()
}

fn at(entry: &Value) -> Timestamp {
    entry["time"].as_str().unwrap().parse::<Moment>().unwrap().second()
}

#[test]
fn a_stage_that_nobody_answers_passes_on_and_the_next_person_approves() {
    let dev = start("1s", "5m");
    let id = asked(&dev, "normal");
    passed_on(&dev, &id);
    let late = dev.says("sam", &["escalate", &id]);
    refused(&late, "nothing-to-escalate");
    approved_by_the_next_and_collected(&dev, &id);

    let entries = proven(&dev);
    let passed = of(&entries, "escalated");
    assert_eq!(passed.len(), 1, "{passed:?}");
    assert!(passed[0]["body"].get("statement").is_none(), "nobody signed it: {passed:?}");
}

#[test]
fn a_requester_who_cannot_wait_passes_the_stage_on_by_hand() {
    let dev = start("10m", "5m");
    let id = asked(&dev, "normal");
    let shown = dev.done("ada", &["show", &id]);
    assert!(shown.contains("principal:eve"), "{shown}");
    refused(
        &dev.says("eve", &["approve", &id, "--stage", "app-owner", "--yes"]),
        "not an approver of stage",
    );
    assert_eq!(dev.says("pia", &["escalate", &id]).code, 8, "not hers to see");
    assert_eq!(dev.done("sam", &["escalate", &id, "--reason", "no answer"]), "escalated");
    assert_eq!(status(&dev, &id)["stages"][0]["escalated"], true);
    refused(&dev.says("sam", &["escalate", &id]), "nothing-to-escalate");
    approved_by_the_next_and_collected(&dev, &id);

    let entries = proven(&dev);
    let passed = of(&entries, "escalated");
    assert_eq!(passed.len(), 1, "{passed:?}");
    assert!(passed[0]["body"]["statement"].is_string(), "sam signed it: {passed:?}");
}

/// A broker that was killed before a stage was to be passed on `within`, and came back later: the
/// request, and since when. `None` if it was passed on before.
fn killed_before(within: &str) -> Option<(Dev, String, Timestamp)> {
    let mut dev = start(within, "5m");
    let id = asked(&dev, "normal");
    let due = status(&dev, &id)["stages"][0]["escalates_at"].as_u64()?;
    let back = dev.while_killed(|dev| {
        let rows = rows(&dev.path("broker/state/ledger"));
        let is_passed_on = rows
            .iter()
            .any(|row| matches!(Entry::parse(row).expect("in form").body, Body::Escalated(_)));
        until("it is overdue", LONG, || (now().unix_seconds() > due).then_some(()));
        (!is_passed_on).then(now)
    });
    Some((dev, id, back?))
}

#[test]
fn a_broker_killed_before_a_stage_passes_on_passes_it_on_when_it_is_back_and_once() {
    // On a slow machine the first ones are passed on before the broker is killed.
    let (mut dev, id, back) = ["5s", "15s", "45s"].into_iter().find_map(killed_before).unwrap();
    passed_on(&dev, &id);
    dev.while_killed(|_| ());
    approved_by_the_next_and_collected(&dev, &id);

    let entries = proven(&dev);
    let passed = of(&entries, "escalated");
    assert_eq!(passed.len(), 1, "{passed:?}");
    let at = at(passed[0]);
    assert!(at >= back, "passed on at {at}, before the kill; back at {back}");
}

#[test]
fn an_emergency_is_cancelled_inside_its_delay_by_one_who_was_passed_over() {
    let dev = start("10m", "5m");
    refused(&ask(&dev, "emergency"), "emergency-not-open");
    let _ordinary = asked(&dev, "normal");
    let id = alone(&dev);
    refused(&dev.says("sam", &["collect", &id, "--out", "credential"]), "delay-not-over");
    let waiting = dev.says("sam", &["status", &id]);
    assert!(waiting.err.contains("emergency: opens in"), "{waiting:?}");
    let reason = ["--reason", "no emergency here", "--yes"];
    assert_eq!(dev.done("bob", &[&["cancel", &id][..], &reason].concat()), "denied");
    refused(&dev.says("sam", &["collect", &id, "--out", "credential"]), "the request is denied");
    assert!(!dev.path("credential").exists());
    assert!(of(&proven(&dev), "issued").is_empty());
}

#[test]
fn an_emergency_that_nobody_cancels_is_collected_reviewed_and_only_then_repeated() {
    let dev = start("10m", "2s");
    let ordinary = asked(&dev, "normal");
    let id = alone(&dev);
    dev.done("sam", &["collect", &id, "--wait", "--out", "credential"]);
    dev.done("sam", &["withdraw", &ordinary]);
    let found = ["--verdict", "justified", "--comment", "rails were down", "--yes"];
    let review = [&["review", &id][..], &found].concat();
    refused(&dev.says("ada", &review), "wrong-state");
    dev.done("sam", &["drop", &id]);

    let ended = dev.says("sam", &["status", &id]);
    assert!(ended.err.contains("the next use waits for it"), "{ended:?}");
    refused(&ask(&dev, "normal"), "review-missing");
    refused(&dev.says("sam", &review), "reviewer-took-part");
    refused(&ask(&dev, "normal"), "review-missing");
    assert_eq!(dev.done("ada", &review), "reviewed");
    refused(&dev.says("eve", &review), "already-reviewed");
    assert_eq!(status(&dev, &id)["review"], "justified");
    asked(&dev, "normal");

    let entries = proven(&dev);
    let emergency = at(of(&entries, "requested")[1]);
    assert!(at(of(&entries, "issued")[0]) >= emergency.plus(2), "not before its delay is over");
    assert!(of(&entries, "approved").is_empty(), "nobody was asked");
}
