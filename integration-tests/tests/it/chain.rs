//! Escalation, emergencies, drills, pauses, budgets and reviews, through the real desk and store:
//! each story ends with the tables derived again and the verifier over everything.

use breakglass_broker::desk::{DeskError, Receipt};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::Verdict;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Cause, Entry};
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::statement::{
    About, Act, Approve, Collect, Kind, Lane, Pickup, Review, ReviewVerdict,
};
use breakglass_ledger::time::Ttl;

/// Beside the sample's scopes, one with everything.
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
cooldown = "2m"
budget = "40m/1d"
review-within = "1h"
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "emergency", "drill"]
[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1
within = "5m"
escalate = "principal:eve"
[[scope.stage]]
name = "security"
approvers = "principal:bob"
quorum = 1
[scope.emergency]
after = "10m"
ttl-max = "5m"
delay = "2m"
[scope.ssh]
principals = ["bg-hot"]
"#;

fn files(edit: impl FnOnce(String) -> String) -> Files {
    let mut files = sample_files();
    let scopes = String::from_utf8(files.scopes).unwrap() + &edit(HOT.to_owned());
    files.scopes = scopes.into_bytes();
    files
}

struct Story {
    house: House,
    asked: Vec<(Digest, Person)>,
}

impl Story {
    fn new() -> Self {
        Self { house: House::with(files(|hot| hot)), asked: Vec::new() }
    }

    /// sam's request in the ordinary lane waits.
    fn asked() -> Self {
        let mut story = Self::new();
        story.ask("sam", Lane::Normal, 600).unwrap();
        story
    }

    /// sam's ordinary request waited ten minutes, and sam asked to go alone.
    fn alone() -> Self {
        let mut story = Self::asked();
        story.house.pass(600);
        story.ask("sam", Lane::Emergency, 300).unwrap();
        story
    }

    fn ask(&mut self, who: &str, lane: Lane, ttl: u32) -> Result<Receipt, DeskError> {
        let number = u64::try_from(self.asked.len()).unwrap() + 1;
        let subject = Person::named(&format!("subject {number}"));
        let mut ask = ask(who, "hot", ttl, number, subject.key());
        ask.lane = lane;
        let statement = self.house.statement(Act::Request(ask));
        let digest = statement.digest();
        let receipt = self.house.submit(&Person::named(who), statement)?;
        self.asked.push((digest, subject));
        Ok(receipt)
    }

    fn newest(&self) -> Digest {
        self.asked.last().unwrap().0
    }

    fn approve(&mut self, who: &str, stage: &str) -> Result<Receipt, DeskError> {
        let act = Act::Approve(Approve {
            request: self.newest(),
            by: who.parse().unwrap(),
            stage: stage.parse().unwrap(),
            policy: self.house.desk().policy().digest,
            ttl_max: Ttl::from_seconds(1800).unwrap(),
            comment: None,
        });
        self.house.act(&Person::named(who), act)
    }

    fn about(&mut self, who: &str, act: fn(About) -> Act) -> Result<Receipt, DeskError> {
        let about = About { request: self.newest(), by: who.parse().unwrap(), comment: None };
        self.house.act(&Person::named(who), act(about))
    }

    fn review(&mut self, who: &str, verdict: ReviewVerdict) -> Result<Receipt, DeskError> {
        let request = self.newest();
        let act = Act::Review(Review { request, by: who.parse().unwrap(), verdict, comment: None });
        self.house.act(&Person::named(who), act)
    }

    fn collect(&mut self) -> Result<Receipt, DeskError> {
        let (request, subject) = self.asked.last().unwrap();
        let act = Act::Collect(Collect { request: *request, kind: Kind::Ssh });
        let subject = Person::named(&subject.name);
        self.house.act(&subject, act)
    }

    /// Both approve, the holder collects and confirms.
    fn issue(&mut self) -> Receipt {
        self.approve("ada", "app-owner").unwrap();
        self.approve("bob", "security").unwrap();
        let issued = self.collect().unwrap();
        let (request, subject) = self.asked.last().unwrap();
        let act = Act::Pickup(Pickup { request: *request, issued: Digest::of(&issued.entry) });
        let subject = Person::named(&subject.name);
        self.house.act(&subject, act).unwrap();
        issued
    }

    /// The daemon is gone without a word and comes back.
    fn crash(&mut self) {
        self.house.restart();
    }

    /// What was derived is derived again, and the verifier has nothing to say.
    fn end(self) {
        self.house.desk().reader().unwrap().rebuild_and_compare().unwrap();
        let report = self.house.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert_eq!(report.verdict, Verdict::Verified);
    }
}

fn refusal(result: Result<Receipt, DeskError>) -> &'static str {
    match result {
        Err(DeskError::Refused { refusal, .. }) => refusal.name(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_unanswered_stage_is_passed_on_in_time_and_whom_it_was_passed_on_to_approves() {
    let mut story = Story::asked();
    assert_eq!(refusal(story.approve("eve", "app-owner")), "approver-not-entitled");
    story.house.pass(299);
    assert!(!story.house.types().contains(&"escalated"));
    story.house.pass(1);
    assert_eq!(story.house.types().last(), Some(&"escalated"));
    story.approve("eve", "app-owner").unwrap();
    story.approve("bob", "security").unwrap();
    story.collect().unwrap();
    story.end();
}

#[test]
fn what_is_to_be_passed_on_is_known_after_a_restart_and_done_once() {
    let mut story = Story::asked();
    let due = story.house.now().plus(300);
    assert_eq!(story.house.desk().next_due(), Some(due));
    story.crash();
    assert_eq!(story.house.desk().next_due(), Some(due));
    story.house.stop();
    story.house.clock.advance(301);
    story.house.start();
    story.house.pass(0);
    story.crash();
    story.house.pass(10);
    let escalated = story.house.types().iter().filter(|name| **name == "escalated").count();
    assert_eq!(escalated, 1);
    // The ends of the request come as ever.
    story.house.pass(900);
    assert_eq!(story.house.types()[4..], ["lapsed", "closed"]);
    story.end();
}

#[test]
fn a_new_policy_changes_when_a_stage_that_waits_is_passed_on() {
    let mut story = Story::asked();
    story.house.push(files(|hot| hot.replace("within = \"5m\"", "within = \"1m\""))).unwrap();
    story.house.pass(60);
    assert_eq!(story.house.types().last(), Some(&"escalated"));
    story.house.push(files(|hot| hot.replace("principal:eve", "principal:bob"))).unwrap();
    assert_eq!(refusal(story.approve("eve", "app-owner")), "approver-not-entitled");
    story.end();
}

#[test]
fn people_pass_a_stage_on_before_its_time() {
    let mut story = Story::asked();
    story.about("sam", Act::Escalate).unwrap();
    assert_eq!(refusal(story.about("bob", Act::Escalate)), "nothing-to-escalate");
    story.approve("eve", "app-owner").unwrap();
    story.house.pass(300);
    assert_eq!(story.house.types()[2..], ["requested", "escalated", "refused", "approved"]);
    story.end();
}

#[test]
fn an_emergency_goes_alone_after_its_delay_and_is_reviewed_before_the_next_use() {
    let mut story = Story::asked();
    assert_eq!(refusal(story.ask("sam", Lane::Emergency, 300)), "emergency-not-open");
    story.house.pass(600);
    assert_eq!(refusal(story.ask("sam", Lane::Emergency, 301)), "ttl-too-long");
    story.ask("sam", Lane::Emergency, 300).unwrap();
    assert_eq!(refusal(story.collect()), "delay-not-over");
    story.house.pass(119);
    assert_eq!(refusal(story.collect()), "delay-not-over");
    story.house.pass(1);
    story.collect().unwrap();
    story.crash();
    story.house.pass(300);
    assert_eq!(refusal(story.ask("sam", Lane::Drill, 300)), "duplicate");
    // Also after a restart, and after the grant has closed.
    story.crash();
    story.house.pass(300);
    assert_eq!(refusal(story.ask("sam", Lane::Normal, 300)), "review-missing");
    story.review("ada", ReviewVerdict::Justified).unwrap();
    assert_eq!(refusal(story.review("bob", ReviewVerdict::Drill)), "already-reviewed");
    story.ask("sam", Lane::Normal, 300).unwrap();
    story.end();
}

#[test]
fn an_emergency_is_cancelled_inside_its_delay() {
    let mut story = Story::alone();
    story.house.pass(119);
    story.about("bob", Act::Cancel).unwrap();
    story.house.pass(1);
    assert_eq!(refusal(story.collect()), "wrong-state");
    assert!(!story.house.types().contains(&"issued"));
    story.end();
}

#[test]
fn a_policy_without_the_emergency_lane_ends_a_live_emergency_also_after_a_restart() {
    let mut story = Story::alone();
    story.house.pass(120);
    story.collect().unwrap();
    story.crash();
    let without = |hot: String| {
        let lanes = hot.replace("\"emergency\", ", "");
        lanes.replace("[scope.emergency]\nafter = \"10m\"\nttl-max = \"5m\"\ndelay = \"2m\"\n", "")
    };
    story.house.push(files(without)).unwrap();
    let bodies = story.house.bodies();
    let Some(Body::Revoked(revoked)) = bodies.last() else { panic!("it goes on") };
    assert_eq!(revoked.cause, Cause::PolicyChanged);
    // Its review is still due.
    story.crash();
    assert_eq!(refusal(story.ask("sam", Lane::Normal, 60)), "review-missing");
    story.end();
}

#[test]
fn a_drill_is_marked_in_its_certificate_and_its_result_is_written_down() {
    let mut story = Story::new();
    story.ask("sam", Lane::Drill, 600).unwrap();
    let issued = story.issue();
    let Body::Issued(body) = Entry::parse(&issued.entry).unwrap().body else { panic!() };
    assert_eq!(body.principals, ["drill-bg-hot"]);
    let certificate = ssh_key::Certificate::from_openssh(&issued.credential.unwrap()).unwrap();
    assert_eq!(certificate.key_id(), format!("bg:{}:sam:drill", body.link.grant));
    assert_eq!(certificate.valid_principals(), ["drill-bg-hot"]);
    story.house.pass(600);
    story.crash();
    story.house.pass(300);
    let bodies = story.house.bodies();
    let [.., Body::Closed(_), Body::Drill(drill)] = bodies.as_slice() else { panic!("no result") };
    assert!(drill.passed);
    // It cost neither pause nor budget nor review.
    story.ask("sam", Lane::Normal, 1800).unwrap();
    story.end();
}

#[test]
fn a_drill_that_nobody_answers_is_not_passed() {
    let mut story = Story::new();
    story.ask("sam", Lane::Drill, 600).unwrap();
    story.house.pass(1200);
    let bodies = story.house.bodies();
    let [.., Body::Closed(_), Body::Drill(drill)] = bodies.as_slice() else { panic!("no result") };
    assert!(!drill.passed);
    story.end();
}

#[test]
fn pause_and_budget_are_kept_also_across_a_restart() {
    let mut story = Story::new();
    story.ask("sam", Lane::Normal, 1800).unwrap();
    story.issue();
    story.crash();
    assert_eq!(refusal(story.ask("sam", Lane::Normal, 601)), "budget-spent");
    story.house.pass(1700);
    story.about("sam", Act::Drop).unwrap();
    story.crash();
    assert_eq!(refusal(story.ask("sam", Lane::Normal, 700)), "cooldown");
    story.house.pass(120);
    assert_eq!(refusal(story.ask("sam", Lane::Normal, 701)), "budget-spent");
    story.ask("sam", Lane::Normal, 700).unwrap();
    story.end();
}

#[test]
fn the_next_use_waits_for_the_review_of_the_last_where_the_policy_says_so() {
    let mut story = Story::new();
    story.ask("sam", Lane::Normal, 600).unwrap();
    story.issue();
    story.about("sam", Act::Drop).unwrap();
    story.house.pass(120);
    let gated = |hot: String| hot.replace("review-within", "review-gate = true\nreview-within");
    story.house.push(files(gated)).unwrap();
    assert_eq!(refusal(story.ask("sam", Lane::Normal, 60)), "review-missing");
    assert_eq!(refusal(story.review("ada", ReviewVerdict::Justified)), "reviewer-took-part");
    assert_eq!(refusal(story.review("sam", ReviewVerdict::Justified)), "reviewer-took-part");
    story.review("eve", ReviewVerdict::Inconclusive).unwrap();
    story.crash();
    story.review("eve", ReviewVerdict::Unjustified).unwrap();
    story.ask("sam", Lane::Normal, 60).unwrap();
    story.end();
}

/// R17: nothing is left open for ever: what waits has an end that the agenda does not replace.
#[test]
fn whatever_is_passed_on_still_lapses() {
    let mut story = Story::asked();
    story.about("sam", Act::Escalate).unwrap();
    story.crash();
    story.house.pass(1200);
    assert_eq!(story.house.types().last(), Some(&"closed"));
    assert_eq!(story.house.desk().next_due(), None);
    story.end();
}

/// A scope that uses none of this asks no more of the store than before.
#[test]
fn the_sample_policy_has_no_deadlines_beyond_the_stores() {
    let people = ["pia", "sam", "ada", "bob"].map(Person::named);
    let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
    let mut house = House::with(sample(&listed));
    let subject = Person::named("subject");
    let act = Act::Request(ask("sam", "root-on-host", 900, 1, subject.key()));
    house.act(&Person::named("sam"), act).unwrap();
    assert_eq!(house.desk().next_due(), Some(house.now().plus(900)));
}
