//! The policy's verbs with the real programs: checked, tested, explained, compared, signed by several
//! people in any order, pushed; and an authority that hands over to another.

use std::fs;
use std::path::{Path, PathBuf};

use breakglass_integration_tests::dev::{Dev, LONG};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::wait::until;
use breakglass_ledger::policy::Files;
use serde_json::{Value, json};

/// The policy in force copied to `name`, with `changes` made in whichever file has them.
fn changed(dev: &Dev, from: &str, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let dir = dev.path(name);
    fs::create_dir_all(&dir).unwrap();
    let mut made = 0;
    for file in Files::NAMES {
        let mut text = fs::read_to_string(dev.path(from).join(file)).unwrap();
        for (from, to) in changes {
            made += usize::from(text.contains(from));
            text = text.replacen(from, to, 1);
        }
        fs::write(dir.join(file), text).unwrap();
    }
    assert_eq!(made, changes.len(), "a change was not made");
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A private key file of `who`, and the public key as a line of `authority.toml`.
fn key_of(dev: &Dev, who: &str) -> (PathBuf, String) {
    let person = Person::named(who);
    let path = person.write(&dev.path(who), "");
    (path, person.key().to_openssh())
}

#[test]
fn every_fault_is_told_with_its_place_and_a_clean_policy_has_none() {
    let dev = Dev::start();
    let clean = text(&dev.path("broker/policy")).to_owned();
    assert_eq!(dev.json("sam", &["policy", "check", &clean])["faults"], serde_json::json!([]));
    let bad = changed(
        &dev,
        "broker/policy",
        "bad",
        &[
            ("quorum = 1\n\n[[signer]]", "quorum = 0\n\n[[signer]]"),
            ("live-max = 2", "live-max = 0"),
        ],
    );
    let said = dev.says("sam", &["policy", "check", text(&bad)]);
    assert_eq!(said.code, 5, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert!(lines[0].starts_with("authority.toml:1: [quorum-zero] "), "{said:?}");
    assert!(lines[1].starts_with("scopes.toml:11: [out-of-range] "), "{said:?}");
}

#[test]
fn cases_that_fail_are_named_and_the_exit_code_says_so() {
    let dev = Dev::start();
    let dir = changed(&dev, "broker/policy", "tested", &[]);
    let case = |expect: &str| {
        format!(
            "[[case]]\nname = \"on call\"\nwho = \"sam\"\nscope = \"solo\"\nttl = \"10m\"\n{expect}\n"
        )
    };
    fs::write(dir.join("tests.toml"), case("expect = \"allow\"")).unwrap();
    assert_eq!(dev.says("sam", &["policy", "test", text(&dir)]).code, 0);
    fs::write(dir.join("tests.toml"), case("expect = \"refuse\"")).unwrap();
    let said = dev.says("sam", &["policy", "test", text(&dir)]);
    assert_eq!(said.code, 5, "{said:?}");
    assert!(
        said.out.contains("FAIL  1     on call  expected to be refused, but allowed"),
        "{said:?}"
    );
    fs::write(dir.join("tests.toml"), case("expects = \"refuse\"")).unwrap();
    let said = dev.says("sam", &["policy", "test", text(&dir)]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("tests.toml:6: unknown field `expects`"), "{said:?}");
}

#[test]
fn a_request_is_explained_while_it_waits_while_it_lives_and_from_its_case() {
    let dev = Dev::start();
    let ask = ["request", "root-on-host", "--reason", "disk full", "--ttl", "10m"];
    let id = dev.done("sam", &ask);
    let waiting = dev.says("ada", &["policy", "explain", &id]);
    assert_eq!(waiting.code, 3, "{waiting:?}");
    for words in [
        "requested  entry 2, sam",
        "by requesters: sam is in group:oncall, which may ask",
        "app-owner  1 of 1 missing; may agree: ada",
        "security   1 of 1 missing; may agree: bob, eve",
        "silence    lapses in",
    ] {
        assert!(waiting.out.contains(words), "{words}: {waiting:?}");
    }
    for approver in ["ada", "bob"] {
        let _ = dev.done(approver, &["approve", &id, "--yes"]);
    }
    let ready = dev.done("bob", &["policy", "explain", &id]);
    assert!(ready.contains("nothing is missing: sam can collect"), "{ready}");
    assert!(ready.contains("by stage:security: bob is in group:security"), "{ready}");
    let out = dev.path("credential");
    let _ = dev.done("sam", &["collect", &id, "--out", text(&out)]);
    let live = dev.done("ada", &["policy", "explain", &id]);
    assert!(live.contains("the policy in force still allows this"), "{live}");
    let case = dev.path("case");
    let _ = dev.done("ada", &["audit", "export", "--request", &id, "--out", text(&case)]);
    let told = dev.json("ada", &["policy", "explain", text(&case)]);
    assert_eq!((&told["who"], &told["state"]), (&"sam".into(), &"live".into()));
    let kinds = told["history"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap());
    let kinds: Vec<&str> = kinds.collect();
    assert!(kinds.starts_with(&["requested", "approved", "approved", "issued"]), "{kinds:?}");
}

/// R05, as people live it: who signs the next policy is written in the one before, and nowhere else.
#[test]
fn an_authority_hands_over_and_versions_never_go_back() {
    let dev = Dev::start();
    let (quinns_key, quinn) = key_of(&dev, "quinn");
    let both =
        format!("quorum = 2\n\n[[signer]]\nid = \"quinn\"\nkeys = [\"{quinn}\"]\n\n[[signer]]");
    let changes =
        [("quorum = 1\n\n[[signer]]", both.as_str()), ("ttl-max = \"1h\"", "ttl-max = \"20m\"")];
    let two = changed(&dev, "broker/policy", "two", &changes);
    // Live under the first policy, and longer than the second allows.
    let ask = ["request", "root-on-host", "--reason", "disk full", "--ttl", "30m"];
    let id = dev.done("sam", &ask);
    for approver in ["ada", "bob"] {
        let _ = dev.done(approver, &["approve", &id, "--yes"]);
    }
    let out = dev.path("credential");
    let _ = dev.done("sam", &["collect", &id, "--out", text(&out)]);
    let told = dev.done("ada", &["policy", "diff", "in-force", text(&two), "--live"]);
    for words in [
        "root-on-host\n  ttl-max  1 hour -> 20 minutes",
        "authority: gains quinn",
        "authority: quorum 1 -> 2",
        "live grants: 1 of 1 would end at once",
        ": ttl-too-long",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // The authority of the first policy is enough for the second, although the second wants two.
    let signed = dev.says("pia", &["policy", "sign", text(&two)]);
    assert!(signed.code == 0 && signed.err.contains("the quorum of 1 is reached"), "{signed:?}");
    let _ = dev.done("pia", &["policy", "push", text(&two)]);
    let ended = dev.says("ada", &["policy", "explain", &id]);
    assert!(ended.code == 6 && ended.out.contains("by ttl-too-long"), "{ended:?}");
    assert!(!ended.out.contains("not at hand"), "ada has seen the first policy: {ended:?}");
    // The third needs both, in any order, wherever they are.
    let three = changed(&dev, "two", "three", &[("live-max = 2", "live-max = 1")]);
    let signed = dev.says("pia", &["policy", "sign", text(&three)]);
    assert!(signed.err.contains("1 of 2 signers missing: quinn"), "{signed:?}");
    let early = dev.says("pia", &["policy", "push", text(&three)]);
    assert!(early.code == 3 && early.err.contains("nothing was sent"), "{early:?}");
    let elsewhere = changed(&dev, "three", "elsewhere", &[]);
    fs::copy(three.join("manifest"), elsewhere.join("manifest")).unwrap();
    let key = ["--key", text(&quinns_key), "--state-dir"];
    let home = dev.path("quinns-home");
    let by_quinn = [&key[..], &[text(&home), "policy", "sign", text(&elsewhere)]].concat();
    let file = dev.done("pia", &by_quinn);
    let list = dev.says("pia", &["policy", "sign", text(&three), "--list"]);
    assert_eq!(list.code, 3, "{list:?}");
    let taken = dev.done("pia", &["policy", "sign", text(&three), "--add", &file]);
    assert!(taken.contains("the quorum of 2 is reached"), "{taken}");
    let _ = dev.done("pia", &["policy", "push", text(&three)]);
    // What was in force once does not come back, with all its signatures.
    let back = dev.says("pia", &["policy", "push", text(&two)]);
    assert!(back.code != 0 && back.err.contains("the next one is 4"), "{back:?}");
}

/// What keeps `root-on-host` from being had all the time, and nobody on call owns anything.
fn tight(dev: &Dev) -> PathBuf {
    let lane = "[scope.emergency]\nafter = \"1s\"\nttl-max = \"5m\"\ndelay = \"1s\"\n\n";
    let ssh = "[scope.ssh]\nprincipals = [\"bg-root\"]";
    let owner = ("technical-owner = \"group:oncall\"", "technical-owner = \"group:leads\"");
    let changes = [
        (
            "lanes = [\"normal\"]",
            "lanes = [\"outage\", \"emergency\"]\noutage = \"okta\"\nbudget = \"12m/1d\"",
        ),
        (ssh, &format!("{lane}{ssh}")),
        owner,
        owner,
        owner,
        owner,
        owner,
    ];
    changed(dev, "broker/policy", "tight", &changes)
}

/// An explanation that supposed nothing to be locked, spent or over told people to wait for approvers
/// who could not have helped.
#[test]
fn what_stands_in_the_way_at_the_running_broker_is_told_and_what_one_may_not_see_too() {
    let dev = Dev::start();
    let dir = tight(&dev);
    let _ = dev.done("pia", &["policy", "sign", text(&dir)]);
    let _ = dev.done("pia", &["policy", "push", text(&dir)]);
    for who in ["ada", "bob"] {
        let _ =
            dev.done(who, &["outage", "declare", "okta", "--reason", "nobody gets in", "--yes"]);
    }
    let ask = ["request", "root-on-host", "--reason", "disk full", "--lane"];
    let id = dev.done("sam", &[&ask[..], &["outage", "--ttl", "10m"]].concat());
    let free = dev.says("ada", &["policy", "explain", &id]);
    assert_eq!(free.code, 3, "{free:?}");
    assert!(free.out.contains("1 of 1 missing") && !free.out.contains("in the way"), "{free:?}");
    assert!(!free.out.contains("not visible"), "an owner sees everything: {free:?}");

    // Nobody answers: sam goes alone, and while that grant lives the budget holds no second one.
    let alone = [&ask[..], &["emergency", "--ttl", "5m"]].concat();
    let alone = until("the lane opens", LONG, || {
        let said = dev.says("sam", &alone);
        (said.code == 0).then_some(said.out)
    });
    let out = dev.path("credential");
    let collect = ["collect", &alone, "--out", text(&out)];
    until("the delay is over", LONG, || (dev.says("sam", &collect).code == 0).then_some(()));
    let lock = ["lock", &format!("grant:{id}"), "--message", "looked at by security", "--yes"];
    let seq = dev.done("bob", &lock);
    let _ = dev.done("ada", &["outage", "resolve", "okta", "--yes"]);

    let said = dev.says("ada", &["policy", "explain", &id]);
    assert_eq!(said.code, 5, "{said:?}");
    let told = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["(70: locked)", "(53: outage-lane-closed)", "(64: budget-spent)"] {
        assert!(told.contains(words), "{words}: {said:?}");
    }
    assert!(told.contains("locked by bob: looked at by security"), "{said:?}");
    let names = |who: &str| -> (Vec<String>, Value) {
        let running = dev.says(who, &["policy", "explain", &id, "-o", "json"]);
        let told: Value = serde_json::from_str(&running.out).unwrap();
        let way = told["in_the_way"].as_array().unwrap().iter();
        let names = way.map(|refusal| refusal["name"].as_str().unwrap().to_owned());
        (names.collect(), told["not_visible"].clone())
    };
    let (way, unseen) = names("ada");
    assert_eq!(way, ["locked", "outage-lane-closed", "budget-spent"], "lock {seq}");
    assert_eq!(unseen, json!([]));

    // sam owns nothing: not told of the lock, and told so.
    let (way, unseen) = names("sam");
    assert_eq!(way, ["outage-lane-closed", "budget-spent"]);
    assert!(unseen[0].as_str().unwrap().starts_with("locks on anything but sam"), "{unseen}");
    let said = dev.says("sam", &["policy", "explain", &id]).out;
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("unseen not visible to you: locks on anything but sam"), "{said}");

    // An export of one request says nothing of all this, and is not taken to.
    let case = dev.path("case");
    let _ = dev.done("ada", &["audit", "export", "--request", &id, "--out", text(&case)]);
    let told = dev.says("ada", &["policy", "explain", text(&case), "-o", "json"]).out;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(told["not_visible"][0].as_str().unwrap().starts_with("locks, outages"), "{told}");
}
