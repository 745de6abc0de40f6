//! Somebody who can write the database, and has none of the broker's keys: what they change makes
//! the broker mint nothing.

use breakglass_broker::desk::{Desk, DeskError, Parts};
use breakglass_broker::krl;
use breakglass_broker::store::{GuardPolicy, RECENT_SECONDS, Store, StoreError};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::{About, Act, Collect, Kind, Lock};
use breakglass_ledger::tree::leaf_hash;

/// Request, both approvals; answers the request's digest and whose key it is for.
fn approved(house: &mut House, subject: &str) -> (Digest, Person) {
    let subject = Person::named(subject);
    let number = u64::try_from(house.entries().len()).unwrap();
    let asking = ask("sam", "root-on-host", 900, number, subject.key());
    let statement = house.statement(Act::Request(asking));
    let request = statement.digest();
    house.submit(&Person::named("sam"), statement).unwrap();
    house.approve("ada", "app-owner", request).unwrap();
    house.approve("bob", "security", request).unwrap();
    (request, subject)
}

fn deny(house: &mut House, request: Digest) {
    let about = About { request, by: "eve".parse().unwrap(), comment: None };
    house.act(&Person::named("eve"), Act::Deny(about)).unwrap();
}

fn collect(house: &mut House, (request, subject): &(Digest, Person)) -> Result<(), DeskError> {
    let act = Act::Collect(Collect { request: *request, kind: Kind::Ssh });
    house.act(subject, act).map(|receipt| assert!(receipt.credential.is_some()))
}

fn change(house: &House, sql: &str) {
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    database.execute_batch(sql).unwrap();
}

/// What a denied request looked like before it was denied.
const HIDE_THE_DENIAL: &str = "
    DELETE FROM grant_entry WHERE gseq >= 3;
    UPDATE request SET state = 1, due = 99999999999;";

#[test]
fn a_denial_that_the_database_hides_still_counts_after_a_restart() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    deny(&mut house, asked.0);
    house.stop();
    change(&house, HIDE_THE_DENIAL);
    house.restart();
    let before = house.entries();
    let told = collect(&mut house, &asked).unwrap_err();
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("hides")), "{told:?}");
    assert_eq!(house.entries(), before);
}

/// The denial came after the start, and what is remembered of the request was forgotten with it.
#[test]
fn a_denial_that_the_database_hides_still_counts_while_the_broker_runs() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    house.restart();
    deny(&mut house, asked.0);
    change(&house, HIDE_THE_DENIAL);
    let told = collect(&mut house, &asked).unwrap_err();
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("hides")), "{told:?}");
}

/// The same request, asked for and denied since the start.
#[test]
fn a_denial_hidden_from_the_broker_that_wrote_it_still_counts() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    deny(&mut house, asked.0);
    change(&house, HIDE_THE_DENIAL);
    let told = collect(&mut house, &asked).unwrap_err();
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("hides")), "{told:?}");
}

/// An approval made up, with the leaf hash that fits it.
#[test]
fn an_entry_that_was_never_recorded_approves_nothing() {
    let mut house = House::sample();
    // A start proves the newest entry and the policy; no hash of this entry is needed for either.
    let others = |house: &mut House| {
        for _ in 0..32 {
            house.approve("sam", "app-owner", Digest::ZERO).unwrap_err();
        }
    };
    others(&mut house);
    let asked = approved(&mut house, "subject");
    others(&mut house);
    house.stop();
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    let read = "SELECT bytes FROM entry WHERE seq = 35";
    let bytes: Vec<u8> = database.query_row(read, (), |row| row.get(0)).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let forged = text.replace("\"missing\":1", "\"missing\":0");
    assert_ne!(text, forged);
    let leaf = leaf_hash(forged.as_bytes());
    let edit = "UPDATE entry SET bytes = ?1, leaf = ?2 WHERE seq = 35";
    database.execute(edit, (forged.as_bytes(), leaf.as_bytes())).unwrap();
    drop(database);
    house.restart();
    let told = collect(&mut house, &asked).unwrap_err();
    let in_tree = "it is in the tree of the signed head";
    let seen =
        matches!(&told, DeskError::Store(StoreError::Corrupt { rule, .. }) if *rule == in_tree);
    assert!(seen, "{told:?}");
}

#[test]
fn a_policy_that_the_database_hides_is_still_in_force() {
    let mut house = House::sample();
    house.push(sample_files()).unwrap();
    house.stop();
    change(&house, "DELETE FROM policy WHERE version = 2");
    let mint = house.mint();
    let store = Store::open(&house.ledger(), &mint.public().log, GuardPolicy::Require).unwrap();
    let (clock, entropy) = (house.clock.clone(), house.dice.clone());
    let told = Desk::start(Parts { store, mint, clock, entropy }).err().expect("refused");
    let hidden = matches!(told, DeskError::Ledger { what } if what.contains("policy in force"));
    assert!(hidden, "{told:?}");
}

/// The list of a start is made of derived rows; the check that follows reads the entries.
#[test]
fn a_revocation_that_the_database_hides_is_listed_again_and_nothing_is_minted() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    let request = asked.0;
    collect(&mut house, &asked).unwrap();
    let about = About { request, by: "sam".parse().unwrap(), comment: None };
    house.act(&Person::named("sam"), Act::Drop(about)).unwrap();
    let listed = |house: &House| {
        let authority = house.desk().public().ssh_ca.wire().to_vec();
        krl::read(&house.desk().lists().krl, &authority).unwrap().runs().to_vec()
    };
    let before = listed(&house);
    assert_eq!(before.len(), 1);
    house.stop();
    change(&house, "UPDATE request SET state = 4, due = NULL");
    house.restart();
    assert_eq!(listed(&house), []);
    let told = house.desk().recheck(&|| false).unwrap_err();
    let drift = matches!(told, DeskError::Store(StoreError::Drift { table: "request" }));
    assert!(drift, "{told:?}");
    assert_eq!(listed(&house), before);
    assert!(!house.desk().minting());
    let next = approved(&mut house, "another subject");
    let told = collect(&mut house, &next).unwrap_err();
    assert!(
        matches!(&told, DeskError::Refused { refusal, .. } if refusal.name() == "cannot-revoke")
    );
}

/// A statement counts once because it is remembered; who makes the broker forget it is noticed.
#[test]
fn a_statement_that_the_database_forgets_is_noticed() {
    let mut house = House::sample();
    approved(&mut house, "subject");
    house.stop();
    change(&house, "DELETE FROM statement WHERE seq = 3");
    house.restart();
    let told = house.desk().recheck(&|| false).unwrap_err();
    let drift = matches!(told, DeskError::Store(StoreError::Drift { table: "statement" }));
    assert!(drift, "{told:?}");
    assert!(!house.desk().minting());
}

/// A lock that the database hides is a lock: who took it away is noticed after the next start.
#[test]
fn a_lock_that_the_database_hides_is_noticed() {
    let mut house = House::sample();
    let target = "principal:sam".parse().unwrap();
    let by = "ada".parse().unwrap();
    house
        .act(&Person::named("ada"), Act::Lock(Lock { by, target, until: None, comment: None }))
        .unwrap();
    house.restart();
    house.desk().recheck(&|| false).unwrap();
    house.stop();
    change(&house, "DELETE FROM standing_entry");
    house.restart();
    let told = house.desk().recheck(&|| false).unwrap_err();
    let drift = matches!(told, DeskError::Store(StoreError::Drift { table: "standing_entry" }));
    assert!(drift, "{told:?}");
    assert!(!house.desk().minting());
}

/// Nothing is wrong, also when older entries are out of sight and only the newer ones are read.
#[test]
fn an_honest_ledger_passes_the_check_after_a_start() {
    let mut house = House::sample();
    for subject in ["first", "second"] {
        let asked = approved(&mut house, subject);
        collect(&mut house, &asked).unwrap();
        house.pass(RECENT_SECONDS - 600);
        house.restart();
        house.desk().recheck(&|| false).unwrap();
    }
    let asked = approved(&mut house, "third");
    collect(&mut house, &asked).unwrap();
    house.restart();
    house.desk().recheck(&|| false).unwrap();
    assert!(house.desk().minting());
}

#[test]
fn honest_requests_go_on_after_a_restart() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    house.restart();
    house.restart();
    collect(&mut house, &asked).unwrap();
}
