//! Two minds over one history: what the broker's rules decide about lanes and what surrounds a
//! grant, the verifier judges again from the record alone, and both have to agree.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;

use breakglass_broker::desk::{DeskError, Probed, Receipt};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::{TrustFile, verify};
use breakglass_ledger::bundle::Bundle;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Cause, Evidence};
use breakglass_ledger::policy::Files;
use breakglass_ledger::statement::{
    Act, Approve, Ask, Collect, Declare, Kind, Lane, Lock, Resolve, Unlock,
};
use breakglass_ledger::time::Ttl;
use breakglass_rules::eligibility::CedarJudge;

/// Beside the sample's scopes, one that an outage opens.
const DB: &str = r#"
[[scope]]
id = "db"
title = "Superuser on the payments database"
purpose = "Repair it when nobody can log in"
business-owner = "group:leads"
technical-owner = "group:security"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "30m"
live-max = 5
requesters = ["group:oncall", "principal:bot"]
kinds = ["human", "agent"]
lanes = ["normal", "outage", "drill"]
outage = "okta"
ends-with-outage = true
grace = "10m"
[[scope.stage]]
name = "lead"
approvers = "group:leads"
quorum = 1
[scope.ssh]
principals = ["dba", "reader"]
source-address = ["10.0.0.0/8"]
extensions = ["permit-pty"]
hosts = ["db-1"]
"#;

fn files(edit: impl FnOnce(String) -> String) -> Files {
    let mut files = sample_files();
    let key = Person::named("bot").key().to_openssh();
    let bot = format!(
        "\n[[principal]]\nid = \"bot\"\nkind = \"agent\"\nname = \"Bot\"\nsponsor = \"sam\"\n\
         keys = [{key:?}]\n"
    );
    files.people.extend(bot.as_bytes());
    files.scopes.extend(edit(DB.to_owned()).as_bytes());
    files
}

struct Story {
    house: House,
    count: u64,
}

/// Everybody may everything, but sam gets `db` only in the first hour of an outage, nobody gets it
/// while two have it, and nobody locks it on a Sunday: 2026-11-22, when every house begins.
const RULES: &str = r#"
@id("anybody")
permit (principal, action, resource);
@id("oncall-for-an-hour")
permit (principal in Group::"oncall", action == Action::"request", resource)
when { context.ttl <= 3600 };
@id("not-without-an-outage")
forbid (principal == Principal::"sam", action == Action::"request", resource == Scope::"db")
when { context.lane == "outage" && context.outage.seconds > 3600 };
@id("not-on-sundays")
forbid (principal, action == Action::"lock", resource == Scope::"db")
when { context.weekday == "sun" };
@id("not-three-at-once")
forbid (principal, action == Action::"request", resource)
when { context.live >= 2 };
"#;

fn ruled(rules: &str) -> Files {
    Files { rules: rules.as_bytes().to_vec(), ..files(|db| db) }
}

impl Story {
    fn new() -> Self {
        Self { house: House::with(files(|db| db)), count: 0 }
    }

    fn ruled() -> Self {
        Self { house: House::with(ruled(RULES)), count: 0 }
    }

    fn act(&mut self, who: &str, act: Act) -> Result<Receipt, DeskError> {
        self.house.act(&Person::named(who), act)
    }

    /// `by` asks for `db` in `lane`, ada agrees, and it is collected.
    fn granted(&mut self, by: &str, lane: Lane, behind: &[&str]) {
        self.count += 1;
        let subject = Person::named(&format!("subject {}", self.count));
        let on_behalf_of = behind.iter().map(|hop| hop.parse().unwrap()).collect();
        let asked = ask(by, "db", 1800, self.count, subject.key());
        let asked = Act::Request(Ask { lane, on_behalf_of, ..asked });
        let statement = self.house.statement(asked);
        let request = statement.digest();
        self.house.submit(&Person::named(by), statement).unwrap();
        let yes = Approve {
            request,
            by: "ada".parse().unwrap(),
            stage: "lead".parse().unwrap(),
            policy: self.house.desk().policy().digest,
            ttl_max: Ttl::from_seconds(1800).unwrap(),
            comment: None,
        };
        self.act("ada", Act::Approve(yes)).unwrap();
        self.house.act(&subject, Act::Collect(Collect { request, kind: Kind::Ssh })).unwrap();
    }

    fn measured(&self, down: bool) {
        let evidence = vec![Evidence {
            probe: "token".parse().unwrap(),
            rounds: 3,
            saw: if down { "timeout" } else { "up" }.parse().unwrap(),
            since: self.house.now().minus(30),
        }];
        let (answer, told) = channel();
        let probed = Probed::Measured { dependency: "okta".parse().unwrap(), down, evidence };
        let reply = Box::new(move |said| drop(answer.send(said)));
        self.house.desk().probed(probed, reply).unwrap();
        told.recv().unwrap().unwrap();
    }

    fn declare(&mut self, who: &str, seconds: u64) {
        let until = Some(self.house.now().plus(seconds));
        let (by, dependency) = (who.parse().unwrap(), "okta".parse().unwrap());
        self.act(who, Act::Declare(Declare { by, dependency, until, comment: None })).unwrap();
    }

    fn lock(&mut self, target: &str, seconds: Option<u64>) -> Digest {
        self.try_lock(target, seconds).unwrap()
    }

    fn try_lock(&mut self, target: &str, seconds: Option<u64>) -> Result<Digest, DeskError> {
        let until = seconds.map(|seconds| self.house.now().plus(seconds));
        let (by, target) = ("eve".parse().unwrap(), target.parse().unwrap());
        let act = Act::Lock(Lock { by, target, until, comment: None });
        let statement = self.house.statement(act);
        let digest = statement.digest();
        self.house.submit(&Person::named("eve"), statement).map(|_| digest)
    }

    fn causes(&self) -> Vec<Cause> {
        let bodies = self.house.bodies();
        let cause = |body: &Body| {
            if let Body::Revoked(revoked) = body { Some(revoked.cause) } else { None }
        };
        bodies.iter().filter_map(cause).collect()
    }

    /// An hour and a half passes, in which everything ends; the verifier has nothing to say, and
    /// the grants ended for these causes.
    fn ends(self, causes: &[Cause]) {
        for _ in 0..30 {
            self.house.pass(180);
        }
        assert_eq!(self.causes(), causes);
        let report = self.house.audit();
        assert_eq!(report.findings, []);
        let kinds = self.house.types();
        let closed = kinds.iter().filter(|kind| **kind == "closed").count();
        assert_eq!(closed, causes.len(), "{kinds:?}");
    }
}

#[test]
fn both_minds_agree_about_a_measured_outage_and_its_drain() {
    let mut story = Story::new();
    story.measured(true);
    story.granted("sam", Lane::Outage, &[]);
    story.granted("sam", Lane::Normal, &[]);
    story.house.pass(60);
    story.measured(false);
    story.ends(&[Cause::OutageEnded, Cause::Expired]);
}

#[test]
fn both_minds_agree_about_an_outage_that_comes_back() {
    let mut story = Story::new();
    story.measured(true);
    story.granted("sam", Lane::Outage, &[]);
    story.measured(false);
    story.house.pass(300);
    story.measured(true);
    story.ends(&[Cause::Expired]);
}

#[test]
fn both_minds_agree_about_declarations() {
    let mut story = Story::new();
    story.declare("ada", 3600);
    story.declare("bob", 600);
    story.granted("sam", Lane::Outage, &[]);
    // bob's word runs out, and one is not enough.
    story.ends(&[Cause::OutageEnded]);
    let mut story = Story::new();
    story.declare("ada", 3600);
    story.house.pass(7);
    story.declare("bob", 3600);
    story.house.pass(7);
    story.granted("sam", Lane::Outage, &[]);
    let (by, dependency) = ("eve".parse().unwrap(), "okta".parse().unwrap());
    story.act("eve", Act::Resolve(Resolve { by, dependency, comment: None })).unwrap();
    story.ends(&[Cause::OutageEnded]);
}

#[test]
fn both_minds_agree_about_a_daemon_that_was_away_when_words_ran_out() {
    let mut story = Story::new();
    story.declare("ada", 600);
    story.declare("bob", 600);
    story.granted("sam", Lane::Outage, &[]);
    story.house.stop();
    story.house.clock.advance(1000);
    story.house.start();
    story.house.pass(1);
    story.ends(&[Cause::OutageEnded]);
}

#[test]
fn both_minds_agree_about_locks() {
    for target in ["principal:sam", "scope:db", "host:db-1"] {
        let mut story = Story::new();
        story.granted("sam", Lane::Normal, &[]);
        let lock = story.lock(target, None);
        let unlock = Unlock { by: "eve".parse().unwrap(), lock, comment: None };
        story.act("eve", Act::Unlock(unlock)).unwrap();
        story.granted("sam", Lane::Normal, &[]);
        story.ends(&[Cause::Locked, Cause::Expired]);
    }
    let mut story = Story::new();
    let key = Person::named("sam").key().fingerprint();
    story.granted("sam", Lane::Normal, &[]);
    story.lock(&format!("key:{key}"), Some(600));
    story.house.pass(600);
    story.granted("sam", Lane::Normal, &[]);
    story.ends(&[Cause::Locked, Cause::Expired]);
}

#[test]
fn both_minds_agree_about_agents_and_who_stands_behind_them() {
    let mut story = Story::new();
    story.granted("bot", Lane::Normal, &["sam"]);
    story.lock("principal:sam", None);
    story.ends(&[Cause::Locked]);
    let mut story = Story::new();
    story.granted("bot", Lane::Normal, &["sam"]);
    // sam may no longer ask, so nobody may for them.
    let by_bot = |db: String| db.replace("\"group:oncall\", ", "\"principal:eve\", ");
    story.house.push(files(by_bot)).unwrap();
    story.ends(&[Cause::PolicyChanged]);
}

#[test]
fn both_minds_agree_about_a_profile_that_narrows() {
    for (from, to, cause) in [
        ("\"dba\", \"reader\"", "\"dba\"", Cause::PolicyChanged),
        ("[\"permit-pty\"]", "[\"permit-port-forwarding\"]", Cause::PolicyChanged),
        ("10.0.0.0/8", "10.1.0.0/16", Cause::PolicyChanged),
        ("hosts =", "force-command = \"psql\"\nhosts =", Cause::PolicyChanged),
        ("\"dba\", \"reader\"", "\"dba\", \"reader\", \"more\"", Cause::Expired),
    ] {
        let mut story = Story::new();
        story.granted("sam", Lane::Normal, &[]);
        story.house.push(files(|db| db.replace(from, to))).unwrap();
        story.ends(&[cause]);
    }
}

#[test]
fn both_minds_agree_about_a_drill() {
    let mut story = Story::new();
    story.granted("sam", Lane::Drill, &[]);
    story.ends(&[Cause::Expired]);
}

#[test]
fn both_minds_agree_about_rules() {
    let mut story = Story::ruled();
    story.measured(true);
    story.house.pass(60);
    story.granted("sam", Lane::Outage, &[]);
    story.granted("bot", Lane::Normal, &["sam"]);
    assert!(story.try_lock("scope:db", None).is_err(), "it is a Sunday");
    let lock = story.lock("principal:bot", None);
    let unlock = Unlock { by: "eve".parse().unwrap(), lock, comment: None };
    story.act("eve", Act::Unlock(unlock)).unwrap();
    story.declare("ada", 600);
    story.measured(false);
    story.ends(&[Cause::Locked, Cause::OutageEnded]);
}

#[test]
fn both_minds_agree_about_new_rules_under_live_grants() {
    let mut story = Story::ruled();
    story.granted("sam", Lane::Normal, &[]);
    let stricter = format!(
        "{RULES}@id(\"no-sam\")\nforbid (principal == Principal::\"sam\", \
         action == Action::\"request\", resource);\n"
    );
    story.house.push(ruled(&stricter)).unwrap();
    story.ends(&[Cause::PolicyChanged]);
}

/// The published bundles whose policy has rules, by a verifier that has Cedar.
#[test]
fn the_published_bundles_with_rules_are_judged_by_cedar() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/ledger/vectors");
    let trust = fs::read_to_string(vectors.join("bundle/trust.toml")).unwrap();
    let trust = TrustFile::parse(&trust).unwrap();
    for (path, found) in [
        ("ruled", None),
        ("ruled-tampered/E_RULES_FORBID", Some("E_RULES_FORBID")),
        ("ruled-tampered/E_RULES_MISMATCH", Some("E_RULES_MISMATCH")),
    ] {
        let path = vectors.join(path);
        let read = |name: &str| fs::read(path.join(name)).unwrap();
        let checkpoint = fs::read_to_string(path.join("checkpoint")).unwrap();
        let (entries, openings) = (read("entries.jsonl"), read("openings.jsonl"));
        let bundle = Bundle {
            entries: &mut entries.as_slice(),
            checkpoint: &checkpoint,
            openings: &mut openings.as_slice(),
            blobs: &|digest| fs::read(path.join("blobs").join(digest.to_string())).ok(),
        };
        let report = verify(bundle, &trust, None, Some(&CedarJudge::default())).unwrap();
        let codes: Vec<_> = report.findings.iter().map(|one| one.code.name()).collect();
        assert_eq!(codes, Vec::from_iter(found), "{}", path.display());
    }
}
