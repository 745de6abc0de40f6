//! The policies that the tests are judged by: one base, and named changes of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Checked, Files, Policy, check};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Statement};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Subject keys of requests 1, 2, 3, … are the keys of these seeds plus the number.
pub(crate) const SUBJECT: u8 = 100;

/// Every change of the base policy that a test may bring into force.
pub(crate) const CHANGES: &[&str] = &[
    "base",
    "bob-left",
    "sam-left",
    "ada-demoted",
    "new-joined",
    "sam-off-call",
    "sam-key-to-ada",
    "ada-rekeyed",
    "sam-rekeyed",
    "bob-agent",
    "subject-enrolled",
    "db-gone",
    "ttl-lower",
    "principals-changed",
    "principals-added",
    "source-narrowed",
    "command-forced",
    "quorum-2",
    "live-1",
    "agents-only",
    "stage-renamed",
    "bot-disowned",
    "bot-left",
    "outage-outlived",
    "escalate-others",
    "emergency-gone",
    "gate-open",
    "tokens-bound",
    "web-on-db-1",
    "liz-on-call",
    "hot-leads-gone",
    "hot-leads-and-owners-gone",
    "eve-alone",
];

struct Person {
    id: &'static str,
    kind: &'static str,
    groups: Vec<&'static str>,
    keys: Vec<u8>,
    /// Who answers for it, if it is no person: its sponsor, then its owner.
    answers: [&'static str; 2],
}

fn people() -> Vec<Person> {
    let person = |id, groups: &[&'static str], keys: &[u8]| Person {
        id,
        kind: "human",
        groups: groups.to_vec(),
        keys: keys.to_vec(),
        answers: ["liz", "group:owners"],
    };
    vec![
        person("sam", &["oncall"], &[1, 2]),
        person("ada", &["leads"], &[11, 12]),
        person("kim", &["leads"], &[13]),
        person("eve", &["oncall", "leads", "security"], &[14]),
        person("bob", &["security"], &[15]),
        person("zoe", &["security"], &[16]),
        person("dan", &["web-leads"], &[17]),
        person("liz", &["owners"], &[18]),
        person("joe", &[], &[19]),
        person("new", &[], &[20]),
        Person {
            kind: "agent",
            answers: ["sam", "group:oncall"],
            ..person("bot", &["bots", "security"], &[21])
        },
        Person {
            kind: "agent",
            answers: ["sam", "principal:bot"],
            ..person("sub", &["bots"], &[22])
        },
        Person { kind: "workload", ..person("job", &["bots", "owners"], &[23]) },
        Person { kind: "service", ..person("db-1", &[], &[24]) },
        Person { kind: "service", ..person("db-2", &[], &[25]) },
        Person { kind: "service", ..person("db-2.web", &[], &[26]) },
    ]
}

const SCOPES: &str = r#"
[[scope]]
id = "db"
title = "Superuser on the payments cluster"
purpose = "Repair the database when sign-on is down"
business-owner = "group:owners"
technical-owner = "group:owners"
identity-owner = "group:owners"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "15m"
live-max = 2
requesters = ["group:oncall", "group:bots"]
kinds = ["human"]
lanes = ["normal"]
require-incident = "INC-[0-9]+"
[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1
[[scope.stage]]
name = "security"
approvers = "group:security"
quorum = 1
[scope.ssh]
principals = ["bg-dba"]
hosts = ["db-1"]
source-address = ["10.20.0.0/16", "10.30.0.0/16"]
extensions = ["permit-pty"]

[[scope]]
id = "web"
title = "Shell on the web hosts"
purpose = "Restart the shop"
business-owner = "group:web-leads"
technical-owner = "group:owners"
identity-owner = "group:owners"
sensitivity = "high"
ttl-max = "30m"
pending-max = "10m"
live-max = 1
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal"]
require-reason = false
[[scope.stage]]
name = "app-owner"
approvers = "group:web-leads"
quorum = 1
[scope.ssh]
principals = ["bg-web"]

[[scope]]
id = "open"
title = "Shell on the jump host"
purpose = "Look around"
business-owner = "group:owners"
technical-owner = "group:owners"
identity-owner = "group:owners"
sensitivity = "low"
ttl-max = "30m"
pending-max = "10m"
live-max = 1
requesters = ["group:oncall", "group:bots"]
kinds = ["human", "agent", "workload"]
lanes = ["normal"]
require-reason = false
approval = "none"
[scope.ssh]
principals = ["bg-jump"]

[[scope]]
id = "api"
title = "The shop's interface"
purpose = "Repair orders"
business-owner = "group:owners"
technical-owner = "group:owners"
identity-owner = "group:owners"
sensitivity = "low"
ttl-max = "1h"
pending-max = "10m"
live-max = 2
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal"]
require-reason = false
approval = "none"
[scope.ssh]
principals = ["bg-api"]
[scope.jwt]
audience = "https://shop.example.com"
ttl-max = "5m"
bearer = true

[[scope]]
id = "pair"
title = "Root on the key host"
purpose = "Recover the key host"
business-owner = "group:owners"
technical-owner = "group:owners"
identity-owner = "group:owners"
sensitivity = "critical"
ttl-max = "30m"
pending-max = "10m"
live-max = 1
requesters = ["group:oncall", "group:bots"]
kinds = ["human", "agent"]
lanes = ["normal"]
[[scope.stage]]
name = "both"
approvers = ["group:leads", "principal:liz"]
quorum = 2
[scope.ssh]
principals = ["bg-root"]

[[scope]]
id = "idp"
title = "Root on the directory servers"
purpose = "Repair sign-on"
business-owner = "group:owners"
technical-owner = "group:web-leads"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "15m"
live-max = 4
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "outage"]
outage = "okta"
ends-with-outage = true
grace = "5m"
require-reason = false
[[scope.stage]]
name = "lead"
approvers = "group:leads"
quorum = 1
[scope.ssh]
principals = ["bg-idp"]

[[scope]]
id = "hot"
title = "Switch of the payment rails"
purpose = "Stop the money"
business-owner = "group:owners"
technical-owner = "group:leads"
identity-owner = "group:owners"
sensitivity = "critical"
ttl-max = "30m"
pending-max = "20m"
live-max = 3
cooldown = "2m"
budget = "40m/1d"
review-within = "1d"
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "emergency", "drill"]
require-reason = false
[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1
within = "5m"
escalate = "group:owners"
[[scope.stage]]
name = "security"
approvers = "group:security"
quorum = 1
within = "5m"
escalate = "principal:joe"
[scope.emergency]
after = "10m"
ttl-max = "5m"
delay = "2m"
[scope.ssh]
principals = ["bg-hot"]

[[scope]]
id = "gate"
title = "Door of the vault"
purpose = "Fetch the spare keys"
business-owner = "group:owners"
technical-owner = "group:oncall"
identity-owner = "group:owners"
sensitivity = "high"
ttl-max = "30m"
pending-max = "10m"
live-max = 2
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "drill"]
review-gate = true
require-reason = false
approval = "none"
[scope.ssh]
principals = ["bg-gate"]
"#;

/// The key made from `seed`; made once, because there are few of them and many tests.
pub(crate) fn key(seed: u8) -> PublicKey {
    static KEYS: Mutex<BTreeMap<u8, PublicKey>> = Mutex::new(BTreeMap::new());
    KEYS.lock().unwrap().entry(seed).or_insert_with(|| make_key(seed)).clone()
}

fn make_key(seed: u8) -> PublicKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let mut wire = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), pair.public_key().as_ref()] {
        wire.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        wire.extend_from_slice(part);
    }
    PublicKey::from_wire(&wire).unwrap()
}

/// The seed of the first key of `who` in the base policy.
pub(crate) fn seed_of(who: &str) -> u8 {
    people().iter().find(|person| person.id == who).unwrap().keys[0]
}

/// The ledger that the tests write.
pub(crate) fn log() -> Origin {
    Origin::new("payments", &[7; 32]).unwrap()
}

/// The base policy with the named change, as version `version`; read once, as are the keys.
pub(crate) fn law(change: &str, version: u64) -> (Policy, Statement) {
    static LAWS: Mutex<BTreeMap<String, (Files, Checked)>> = Mutex::new(BTreeMap::new());
    let (files, checked) =
        LAWS.lock().unwrap().entry(change.to_owned()).or_insert_with(|| draft(change)).clone();
    let manifest = Act::Policy(files.manifest(version, Digest::ZERO));
    let manifest =
        Statement::compose(&log(), None, manifest, None, Salt::from_bytes([0; 16])).unwrap();
    (checked.into_policy(version, manifest.digest()), manifest)
}

fn draft(change: &str) -> (Files, Checked) {
    let mut people = people();
    let mut scopes = SCOPES.to_owned();
    amend(change, &mut people, &mut scopes);
    let files = Files {
        authority: authority().into_bytes(),
        people: people_toml(&people).into_bytes(),
        rules: rules(change).into_bytes(),
        scopes: scopes.into_bytes(),
    };
    let checked = check(&files).unwrap_or_else(|faults| panic!("{change}: {faults:#?}"));
    (files, checked)
}

/// Rules that permit everything that is judged, and one more by the name of the change.
fn rules(change: &str) -> String {
    let Some(name) = change.strip_prefix("rules:") else { return String::new() };
    let all = "@id(\"all\")\npermit (principal, action, resource);\n";
    let when = |action: &str, condition: &str| {
        format!(
            "{all}@id(\"{name}\")\nforbid (principal, action == Action::\"{action}\", resource)\n\
             when {{ {condition} }};\n"
        )
    };
    match name {
        "all" => all.to_owned(),
        "no-sam" => when("request", "principal == Principal::\"sam\""),
        "no-ada" => {
            when("approve", "principal == Principal::\"ada\" && context.stage == \"app-owner\"")
        }
        "no-bob" => when("approve", "principal == Principal::\"bob\""),
        "no-deny" => when("deny", "principal in resource.approvers"),
        "no-cancel" => when("cancel", "context.lane == \"normal\""),
        "no-eve-lock" => when("lock", "principal == Principal::\"eve\""),
        "no-dan-declare" => when("declare", "principal == Principal::\"dan\""),
        "no-liz-review" => when("review", "principal == Principal::\"liz\""),
        "one-live" => when("request", "context.live >= 1"),
        "short" => when("request", "context.ttl > 300"),
        "fails" => when("request", "context.ttl * 9223372036854775807 > 0"),
        "approvals-fail" => when("approve", "context.ttl * 9223372036854775807 > 0"),
        "only-outage" => when("request", "context.lane == \"outage\" && !context.outage.active"),
        "reads-only" => {
            "@id(\"reads\")\npermit (principal, action == Action::\"read\", resource);\n".to_owned()
        }
        other => panic!("no rules {other}"),
    }
}

fn amend(change: &str, people: &mut Vec<Person>, scopes: &mut String) {
    let mut edit = |from: &str, to: &str| {
        assert!(scopes.contains(from), "{from}");
        *scopes = scopes.replacen(from, to, 1);
    };
    let mut with = |who: &str, change: &dyn Fn(&mut Person)| {
        change(people.iter_mut().find(|person| person.id == who).unwrap());
    };
    match change {
        "base" => {}
        rules if rules.starts_with("rules:") => {}
        "bob-left" => people.retain(|person| person.id != "bob"),
        "sam-left" => {
            people.retain(|person| person.id != "sam");
            let sams = people.iter_mut().filter(|one| one.answers[0] == "sam");
            sams.for_each(|program| program.answers[0] = "liz");
        }
        "ada-demoted" => with("ada", &|ada| ada.groups.clear()),
        "new-joined" => with("new", &|new| new.groups.push("leads")),
        "sam-off-call" => with("sam", &|sam| sam.groups.clear()),
        "sam-key-to-ada" => {
            with("sam", &|sam| sam.keys = vec![2]);
            with("ada", &|ada| ada.keys.push(1));
        }
        "ada-rekeyed" => with("ada", &|ada| ada.keys = vec![99]),
        "sam-rekeyed" => with("sam", &|sam| sam.keys = vec![2]),
        "bob-agent" => with("bob", &|bob| bob.kind = "agent"),
        "subject-enrolled" => with("joe", &|joe| joe.keys.push(SUBJECT + 1)),
        "db-gone" => edit("id = \"db\"", "id = \"former\""),
        "ttl-lower" => edit("ttl-max = \"1h\"", "ttl-max = \"10m\""),
        "principals-changed" => edit("[\"bg-dba\"]", "[\"bg-other\"]"),
        "principals-added" => edit("[\"bg-dba\"]", "[\"bg-dba\", \"bg-other\"]"),
        "source-narrowed" => edit(", \"10.30.0.0/16\"", ""),
        "command-forced" => {
            edit("[\"bg-dba\"]", "[\"bg-dba\"]\nforce-command = \"/usr/bin/repair\"");
        }
        "quorum-2" => {
            let stage = "approvers = \"group:security\"\nquorum = ";
            edit(&format!("{stage}1"), &format!("{stage}2"));
        }
        "live-1" => edit("live-max = 2", "live-max = 1"),
        "agents-only" => edit("kinds = [\"human\"]", "kinds = [\"agent\"]"),
        "bot-disowned" => with("bot", &|bot| disown(bot)),
        "bot-left" => {
            people.retain(|person| person.id != "bot");
            people.iter_mut().filter(|one| one.answers[1] == "principal:bot").for_each(disown);
        }
        "outage-outlived" => edit("ends-with-outage = true\ngrace = \"5m\"\n", ""),
        "liz-on-call" => with("liz", &|liz| liz.groups.push("oncall")),
        "web-on-db-1" => edit("[\"bg-web\"]", "[\"bg-web\"]\nhosts = [\"db-1\"]"),
        "stage-renamed" => edit("name = \"security\"", "name = \"sec\""),
        "escalate-others" => {
            edit("escalate = \"group:owners\"", "escalate = \"group:web-leads\"");
        }
        "emergency-gone" => {
            edit("[\"normal\", \"emergency\", \"drill\"]", "[\"normal\", \"drill\"]");
            edit("[scope.emergency]\nafter = \"10m\"\nttl-max = \"5m\"\ndelay = \"2m\"\n", "");
        }
        "tokens-bound" => edit("bearer = true\n", ""),
        "gate-open" => edit("review-gate = true\n", ""),
        stages => restaff(stages, edit),
    }
}

/// The changes that put others into stages.
fn restaff(change: &str, mut edit: impl FnMut(&str, &str)) {
    match change {
        // Others are named in their place, who were not asked.
        "hot-leads-gone" | "hot-leads-and-owners-gone" => {
            let stage = |leads: &str, next: &str| {
                format!("approvers = {leads:?}\nquorum = 1\nwithin = \"5m\"\nescalate = {next:?}")
            };
            let keeps = change == "hot-leads-gone";
            let next = if keeps { "group:owners" } else { "group:web-leads" };
            let (leads, to) = (stage("group:leads", "group:owners"), stage("principal:joe", next));
            edit(&leads, &to);
        }
        "eve-alone" => {
            let stage = |who: &str| format!("approvers = {who}\nquorum = 1");
            let (leads, guards) = ("\"group:leads\"", "\"group:security\"");
            edit(&stage(leads), &stage("[\"principal:eve\", \"principal:joe\"]"));
            edit(
                &stage(guards),
                &stage("[\"principal:eve\", \"principal:liz\", \"principal:dan\"]"),
            );
        }
        other => panic!("no such change: {other}"),
    }
}

/// Whoever answered for it does so no more.
fn disown(program: &mut Person) {
    program.answers = ["liz", "group:owners"];
}

fn authority() -> String {
    let line = key(200).to_openssh();
    format!("quorum = 1\n[[signer]]\nid = \"chief\"\nkeys = [\"{line}\"]\n")
}

fn people_toml(people: &[Person]) -> String {
    let mut text = String::new();
    for group in ["oncall", "leads", "security", "web-leads", "owners", "bots"] {
        writeln!(text, "[[group]]\nid = \"{group}\"").unwrap();
    }
    for Person { id, kind, groups, keys, answers: [sponsor, owner] } in people {
        let keys: Vec<String> = keys.iter().map(|seed| key(*seed).to_openssh()).collect();
        writeln!(text, "[[principal]]\nid = \"{id}\"\nkind = \"{kind}\"\nname = \"{id}\"").unwrap();
        if !groups.is_empty() {
            writeln!(text, "groups = {groups:?}").unwrap();
        }
        writeln!(text, "keys = {keys:?}").unwrap();
        if *kind != "human" {
            writeln!(text, "sponsor = {sponsor:?}\nowner = {owner:?}").unwrap();
        }
    }
    text
}
