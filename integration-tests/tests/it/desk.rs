//! The desk over a real store and real keys: one command, one decision, one entry.

use breakglass_broker::desk::{DeskError, Receipt};
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::statement::{About, Act, Approve, Collect, Kind};
use breakglass_ledger::time::Ttl;

/// One emergency: sam asks for root, ada and bob agree.
struct Story {
    house: House,
    sam: Person,
    subject: Person,
    request: Digest,
}

impl Story {
    fn asked() -> Self {
        let mut house = House::sample();
        let (sam, subject) = (Person::named("sam"), Person::named("subject"));
        let act = Act::Request(ask("sam", "root-on-host", 900, 1, subject.key()));
        let statement = house.statement(act);
        let request = statement.digest();
        house.submit(&sam, statement).unwrap();
        Self { house, sam, subject, request }
    }

    fn approved() -> Self {
        let mut story = Self::asked();
        story.approve("ada", "app-owner").unwrap();
        story.approve("bob", "security").unwrap();
        story
    }

    fn issued() -> (Self, Receipt) {
        let mut story = Self::approved();
        let receipt = story.collect().unwrap();
        (story, receipt)
    }

    fn approve(&mut self, who: &str, stage: &str) -> Result<Receipt, DeskError> {
        let act = Act::Approve(Approve {
            request: self.request,
            by: who.parse().unwrap(),
            stage: stage.parse().unwrap(),
            policy: self.house.desk().policy().digest,
            ttl_max: Ttl::from_seconds(1800).unwrap(),
            comment: None,
        });
        self.house.act(&Person::named(who), act)
    }

    fn collect(&mut self) -> Result<Receipt, DeskError> {
        let act = Act::Collect(Collect { request: self.request, kind: Kind::Ssh });
        let Self { house, subject, .. } = self;
        house.act(subject, act)
    }

    fn about(&self, by: &str) -> About {
        About { request: self.request, by: by.parse().unwrap(), comment: None }
    }
}

/// Somebody edits the first grant's `requested` entry behind the daemon's back.
fn edit_first_request(house: &House) {
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    let edit = "UPDATE entry SET bytes = CAST(
        replace(CAST(bytes AS TEXT), 'root-on-host', 'root-on-hosT') AS BLOB) WHERE seq = 2";
    assert_eq!(database.execute(edit, ()).unwrap(), 1);
}

fn refusal(result: Result<Receipt, DeskError>) -> &'static str {
    match result {
        Err(DeskError::Refused { refusal, .. }) => refusal.name(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_emergency_becomes_one_entry_for_each_act() {
    let (mut story, receipt) = Story::issued();
    assert!(receipt.credential.unwrap().starts_with("ssh-ed25519-cert-v01@openssh.com "));
    let drop = Act::Drop(story.about("sam"));
    story.house.act(&story.sam, drop).unwrap();
    assert_eq!(
        story.house.types(),
        ["genesis", "policy", "requested", "approved", "approved", "issued", "revoked"]
    );
    story.house.pass(900 + 300);
    assert_eq!(story.house.types().last(), Some(&"closed"));
    story.house.desk().reader().unwrap().rebuild_and_compare().unwrap();
}

#[test]
fn a_refusal_is_written_down_too() {
    let mut story = Story::asked();
    assert_eq!(refusal(story.collect()), "not-approved-yet");
    let entries = story.house.entries();
    let last = Entry::parse(entries.last().unwrap()).unwrap();
    let Body::Refused(refused) = last.body else { panic!("{}", last.body.type_name()) };
    assert_eq!(refused.refusal.name, "not-approved-yet");
}

#[test]
fn repeated_bytes_write_nothing() {
    let mut story = Story::asked();
    let act = Act::Deny(story.about("ada"));
    let statement = story.house.statement(act);
    let ada = Person::named("ada");
    story.house.submit(&ada, statement.clone()).unwrap();
    let before = story.house.entries().len();
    assert_eq!(refusal(story.house.submit(&ada, statement)), "repeated");
    assert_eq!(story.house.entries().len(), before);
}

#[test]
fn a_lost_answer_is_given_again_with_the_same_certificate() {
    let (mut story, first) = Story::issued();
    let second = story.collect().unwrap();
    assert!(second.repeated);
    assert_eq!(second.credential, first.credential);
    assert_eq!(second.seq, first.seq);
}

#[test]
fn expiry_is_written_on_the_second_also_after_a_restart() {
    let (mut story, _) = Story::issued();
    story.house.pass(899);
    assert_eq!(story.house.types().last(), Some(&"issued"));
    story.house.stop();
    story.house.clock.advance(1);
    story.house.start();
    story.house.pass(0);
    assert_eq!(story.house.types().last(), Some(&"revoked"));
    assert_eq!(story.house.desk().lists().version, 7);
}

#[test]
fn an_uncollected_request_lapses_and_a_late_approval_does_not_revive_it() {
    let mut story = Story::asked();
    story.approve("ada", "app-owner").unwrap();
    story.house.clock.advance(24 * 3600);
    assert_eq!(refusal(story.approve("bob", "security")), "late");
    story.house.pass(0);
    assert_eq!(story.house.types()[4..], ["refused", "lapsed", "closed"]);
}

#[test]
fn a_clock_that_went_back_grants_nothing_but_still_revokes() {
    let (mut story, _) = Story::issued();
    story.house.clock.set(House::begin());
    story.house.pass(60);
    story.house.clock.set(House::begin());
    let late = Story::approved();
    drop(late);
    let drop = Act::Drop(story.about("sam"));
    let statement = story.house.statement(drop);
    story.house.submit(&story.sam, statement).unwrap();
    assert_eq!(story.house.types().last(), Some(&"revoked"));
}

#[test]
fn a_failing_sweep_stops_minting() {
    let mut story = Story::approved();
    story.house.desk().report(breakglass_broker::desk::Revoking::Sweep, false);
    assert_eq!(refusal(story.collect()), "cannot-revoke");
    story.house.desk().report(breakglass_broker::desk::Revoking::Sweep, true);
    story.collect().unwrap();
}

#[test]
fn a_sweep_that_died_silently_stops_minting_too() {
    let mut story = Story::approved();
    let other = Person::named("other subject");
    let statement = story.house.statement(Act::Request(ask("sam", "solo", 60, 2, other.key())));
    let request = statement.digest();
    story.house.submit(&story.sam, statement).unwrap();
    let collect = Act::Collect(Collect { request, kind: Kind::Ssh });
    story.house.act(&other, collect).unwrap();
    // That credential is now half a minute overdue, and nobody swept.
    story.house.clock.advance(60 + 31);
    assert_eq!(refusal(story.collect()), "cannot-revoke");
    story.house.pass(0);
    story.collect().unwrap();
}

#[test]
fn an_idle_ledger_says_that_it_is_idle() {
    let house = House::sample();
    house.pass(3599);
    assert_eq!(house.entries().len(), 2);
    house.pass(1);
    let last = Entry::parse(house.entries().last().unwrap()).unwrap();
    assert_eq!(last.body.type_name(), "anchor");
}

#[test]
fn one_unreadable_request_keeps_nobody_else_from_their_end() {
    let (mut story, issued) = Story::issued();
    let other = Person::named("other subject");
    let statement = story.house.statement(Act::Request(ask("sam", "solo", 900, 2, other.key())));
    let request = statement.digest();
    story.house.submit(&story.sam, statement).unwrap();
    let collect = Act::Collect(Collect { request, kind: Kind::Ssh });
    story.house.act(&other, collect).unwrap();
    story.house.stop();
    edit_first_request(&story.house);
    story.house.start();
    story.house.clock.advance(900);
    let swept = story.house.sweep().unwrap();
    assert_eq!((swept.met, swept.unreadable), (1, 1));
    let last = Entry::parse(story.house.entries_from(8).last().unwrap()).unwrap();
    let Body::Revoked(revoked) = last.body else { panic!("{}", last.body.type_name()) };
    assert_ne!(revoked.serial, issued.seq);
}

#[test]
fn one_poisoned_command_takes_nobody_down_with_it() {
    let (mut story, _) = Story::issued();
    let drop_it = Act::Drop(story.about("sam"));
    let poisoned = story.house.statement(drop_it);
    story.house.stop();
    edit_first_request(&story.house);
    story.house.start();
    let other = Person::named("other subject");
    let ask = Act::Request(ask("sam", "solo", 60, 2, other.key()));
    let good = story.house.statement(ask);
    let (poison, fine) = story.house.submit_both(&story.sam, [poisoned, good]);
    assert!(matches!(poison, Err(DeskError::Store(_))), "{poison:?}");
    fine.unwrap();
    assert_eq!(story.house.entries_from(6).len(), 1);
}

#[test]
fn a_subject_key_carries_one_credential_at_a_time() {
    let (mut story, _) = Story::issued();
    let ann = Act::Request(ask("sam", "solo", 60, 2, story.subject.key()));
    assert_eq!(refusal(story.house.act(&story.sam, ann)), "subject-key-used");
}
