//! Somebody who can write the database, and has none of the broker's keys: what they change makes
//! the broker mint nothing.

use std::path::Path;

use breakglass_broker::desk::{Desk, DeskError, Parts};
use breakglass_broker::krl;
use breakglass_broker::store::{GuardPolicy, Head, RECENT_SECONDS, Store, StoreError};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_integration_tests::record::rows;
use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Anchor, Body, Entry};
use breakglass_ledger::note::{Checkpoint, SignedCheckpoint};
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::statement::{About, Act, Collect, Kind, Lock};
use breakglass_ledger::tree::leaf_hash;

/// The sample policy with joe beside sam.
fn with_joe() -> Files {
    let people = ["pia", "sam", "joe", "ada", "bob", "eve"].map(Person::named);
    let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
    sample(&listed)
}

/// Request, both approvals; answers the request's digest and whose key it is for.
fn approved(house: &mut House, subject: &str) -> (Digest, Person) {
    approved_by(house, "sam", subject)
}

fn approved_by(house: &mut House, who: &str, subject: &str) -> (Digest, Person) {
    let subject = Person::named(subject);
    let number = u64::try_from(house.entries().len()).unwrap();
    let asking = ask(who, "root-on-host", 900, number, subject.key());
    let statement = house.statement(Act::Request(asking));
    let request = statement.digest();
    house.submit(&Person::named(who), statement).unwrap();
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

/// Reading further back for another request does not bring a denied one to life again.
#[test]
fn a_denial_is_not_forgotten_for_an_older_request() {
    let mut house = House::with(with_joe());
    let older = approved_by(&mut house, "joe", "older subject");
    let asked = approved(&mut house, "subject");
    house.restart();
    deny(&mut house, asked.0);
    collect(&mut house, &older).unwrap();
    change(&house, HIDE_THE_DENIAL);
    let told = collect(&mut house, &asked).unwrap_err();
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("hides")), "{told:?}");
}

/// Refusals until there are so many entries. Above each sixteen the tree's hash is kept, so a leaf
/// that is changed among them is not seen by who only looks at the end.
fn fill(house: &mut House, size: usize) {
    while house.entries().len() < size {
        house.approve("sam", "app-owner", Digest::ZERO).unwrap_err();
    }
    assert_eq!(house.entries().len(), size);
}

/// Anchors where the entries from `from` to `to` were, each with the leaf hash that fits it, chained to
/// the one before.
fn write_over(house: &House, from: usize, to: usize) {
    let stored = rows(&house.ledger());
    let mut prev = Digest::of(&stored[from - 1]);
    for bytes in &stored[from..=to] {
        let mut entry = Entry::parse(bytes).unwrap();
        (entry.prev, entry.body) = (prev, Body::Anchor(an_anchor(house)));
        prev = Digest::of(&entry.to_bytes().unwrap());
        put(house, &entry);
    }
}

fn an_anchor(house: &House) -> Anchor {
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    let note: String = database.query_row("SELECT note FROM head", (), |row| row.get(0)).unwrap();
    let (checkpoint, cosignatures) = SignedCheckpoint::parse(&note).unwrap().to_parts();
    Anchor { checkpoint, cosignatures }
}

/// In the place of the denial and of the closing stands something harmless; what follows is real.
#[test]
fn a_denial_that_was_written_over_still_counts_after_a_restart() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    fill(&mut house, 16);
    deny(&mut house, asked.0);
    fill(&mut house, 48);
    house.stop();
    write_over(&house, 16, 17);
    change(&house, HIDE_THE_DENIAL);
    house.restart();
    let told = collect(&mut house, &asked).unwrap_err();
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("chain")), "{told:?}");
}

/// The same under the broker that checked the end at its start, with a chain that is whole.
#[test]
fn a_chain_that_was_written_over_while_the_broker_runs_proves_nothing() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    fill(&mut house, 16);
    deny(&mut house, asked.0);
    fill(&mut house, 48);
    house.restart();
    write_over(&house, 16, 47);
    change(&house, HIDE_THE_DENIAL);
    let told = collect(&mut house, &asked).unwrap_err();
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("chain")), "{told:?}");
}

/// A request has one end, also if its time is over by now: the clock does not write another beside
/// one that the database hides, and says that it cannot.
#[test]
fn a_denial_that_the_database_hides_is_not_followed_by_a_second_end() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    let lapses = house.now().plus(900).unix_seconds();
    deny(&mut house, asked.0);
    house.stop();
    let hide = HIDE_THE_DENIAL.replace("99999999999", &lapses.to_string());
    change(&house, &hide);
    house.restart();
    house.clock.advance(7200);
    // The first pass writes an anchor: from then on the head itself is later than the request.
    for _ in 0..2 {
        assert_eq!(house.sweep().unwrap().unreadable, 1);
    }
    assert_eq!(house.types()[5..], ["denied", "closed", "anchor"]);
}

/// An approval made up, with the leaf hash that fits it.
#[test]
fn an_entry_that_was_never_recorded_approves_nothing() {
    let mut house = House::sample();
    // A start proves the newest entry and the policy; no hash of this entry is needed for either.
    fill(&mut house, 34);
    let asked = approved(&mut house, "subject");
    fill(&mut house, 69);
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
    assert!(is_not_in_the_tree(&told), "{told:?}");
}

#[test]
fn a_policy_that_the_database_hides_is_still_in_force() {
    let mut house = House::sample();
    house.push(sample_files()).unwrap();
    house.stop();
    change(&house, "DELETE FROM policy WHERE version = 2");
    let told = refused_start(&house, || ());
    let hidden = matches!(told, DeskError::Ledger { what } if what.contains("policy in force"));
    assert!(hidden, "{told:?}");
}

/// Why no desk starts over the ledger of `house`; `meanwhile` comes after the check of its end.
fn refused_start(house: &House, meanwhile: impl FnOnce()) -> DeskError {
    let mint = house.mint();
    let store = Store::open(&house.ledger(), &mint.public().log, GuardPolicy::Require).unwrap();
    meanwhile();
    let (clock, entropy) = (house.clock.clone(), house.dice.clone());
    Desk::start(Parts { store, mint, clock, entropy }).err().expect("refused")
}

fn is_not_in_the_tree(told: &DeskError) -> bool {
    let in_tree = "it is in the tree of the signed head";
    matches!(told, DeskError::Store(StoreError::Corrupt { rule, .. }) if *rule == in_tree)
}

/// The entry that put it in force is written over; the one after it is real.
#[test]
fn a_policy_that_was_written_over_is_missed() {
    let mut house = House::sample();
    // Nothing that names a policy comes after it.
    fill(&mut house, 16);
    house.push(sample_files()).unwrap();
    while house.entries().len() < 33 {
        house.pass(3600);
    }
    assert_eq!(house.types()[16..18], ["policy", "anchor"]);
    house.stop();
    write_over(&house, 16, 16);
    change(&house, "DELETE FROM policy WHERE version = 2");
    let told = refused_start(&house, || ());
    assert!(matches!(told, DeskError::Ledger { what } if what.contains("chain")), "{told:?}");
}

/// `bytes` in the place of an entry, with the leaf hash that fits them.
fn put(house: &House, entry: &Entry) {
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    let bytes = entry.to_bytes().unwrap();
    let edit = "UPDATE entry SET bytes = ?1, leaf = ?2 WHERE seq = ?3";
    database.execute(edit, (&bytes, leaf_hash(&bytes).as_bytes(), entry.seq)).unwrap();
}

/// Under the digest of the policy in force stands another one, with all its files.
#[test]
fn a_policy_that_was_never_signed_is_not_read() {
    let mut house = House::sample();
    let mut files = sample_files();
    files.people.extend(b"\n# everybody may\n");
    let origin = house.origin().clone();
    let (manifest, bundle) = house.policy(&origin, files, 1, Digest::ZERO);
    fill(&mut house, 17);
    let mut entry = Entry::parse(&house.entries()[1]).unwrap();
    let Body::Policy(policy) = &mut entry.body else { panic!("{entry:?}") };
    policy.statement = manifest.text().to_owned();
    house.stop();
    put(&house, &entry);
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    for name in Files::NAMES {
        let bytes = bundle.files.get(name).unwrap();
        let insert = "INSERT OR IGNORE INTO blob(digest, bytes) VALUES (?1, ?2)";
        database.execute(insert, (Digest::of(bytes).as_bytes(), bytes)).unwrap();
    }
    let told = refused_start(&house, || ());
    assert!(is_not_in_the_tree(&told), "{told:?}");
}

/// ada's lock on sam, as if it had been on somebody else.
#[test]
fn a_lock_that_was_edited_stops_the_start() {
    let mut house = House::sample();
    let (by, target) = ("ada".parse().unwrap(), "principal:sam".parse().unwrap());
    let lock = Act::Lock(Lock { by, target, until: None, comment: None });
    // Not among the sixteen of the policy, whose proof would miss it too.
    fill(&mut house, 16);
    house.act(&Person::named("ada"), lock).unwrap();
    fill(&mut house, 33);
    let mut entry = Entry::parse(&house.entries()[16]).unwrap();
    let Body::Locked(locked) = &mut entry.body else { panic!("{entry:?}") };
    let edited = locked.signed.statement.replace("principal:sam", "principal:eve");
    assert_ne!(edited, locked.signed.statement);
    locked.signed.statement = edited;
    house.stop();
    put(&house, &entry);
    let told = refused_start(&house, || ());
    assert!(is_not_in_the_tree(&told), "{told:?}");
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

#[test]
fn an_end_that_was_edited_is_refused() {
    let mut house = House::sample();
    fill(&mut house, 16);
    let newest = Entry::parse(house.entries().last().unwrap()).unwrap();
    house.stop();
    let open = |house: &House| {
        let key = house.mint().public().log.clone();
        Store::open(&house.ledger(), &key, GuardPolicy::Require).map(drop)
    };
    for step in ["+ 1", "- 1"] {
        change(&house, &format!("UPDATE head SET time = time {step}"));
        let told = open(&house).unwrap_err();
        assert!(matches!(told, StoreError::Corrupt { seq: 15, .. }), "{told:?}");
        change(&house, &format!("UPDATE head SET time = {}", newest.time.unix_millis()));
    }
    open(&house).unwrap();
    // Its hash is where it belongs; above it, the hash of all sixteen is still the old one.
    let edited = Entry { salt: Salt::from_bytes([9; 16]), ..newest };
    put(&house, &edited);
    let hash = Digest::of(&edited.to_bytes().unwrap());
    change(&house, &format!("UPDATE head SET hash = x'{hash}'"));
    let told = DeskError::Store(open(&house).unwrap_err());
    assert!(is_not_in_the_tree(&told), "{told:?}");
}

/// What was made of a revocation is gone, and the revocation itself is written over.
#[test]
fn a_revocation_that_was_written_over_is_noticed() {
    let mut house = House::sample();
    let granted = house.grant("solo", 600, 1);
    fill(&mut house, 16);
    house.give_back(granted.request).unwrap();
    fill(&mut house, 48);
    house.stop();
    write_over(&house, 16, 16);
    change(
        &house,
        "DELETE FROM grant_entry WHERE seq = 16;
         DELETE FROM statement WHERE seq = 16;
         UPDATE request SET state = 2, due = due - 300, ended = NULL",
    );
    house.restart();
    let told = house.desk().recheck(&|| false).unwrap_err();
    assert!(matches!(told, DeskError::Store(StoreError::Corrupt { .. })), "{told:?}");
    assert!(!house.desk().minting());
}

#[test]
fn every_derived_row_is_compared_after_a_start() {
    for (table, edit) in [
        ("grant_entry", "DELETE FROM grant_entry WHERE gseq = 1"),
        ("policy", "DELETE FROM policy WHERE version = 1"),
        ("request", "UPDATE request SET ended = ended - 1"),
    ] {
        let mut house = House::sample();
        house.push(sample_files()).unwrap();
        let granted = house.grant("solo", 600, 1);
        house.give_back(granted.request).unwrap();
        house.stop();
        change(&house, edit);
        house.restart();
        let told = house.desk().recheck(&|| false).unwrap_err();
        let is_seen = matches!(&told, DeskError::Store(StoreError::Drift { table: found }) if *found == table);
        assert!(is_seen, "{edit}: {told:?}");
        assert!(!house.desk().minting());
    }
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

/// The tables of `of` in the place of the house's own, in one transaction.
fn swap_in(house: &House, of: &Path) {
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    let tables: Vec<String> = {
        let mut names =
            database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let rows = names.query_map((), |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).filter(|name: &String| !name.starts_with("sqlite")).collect()
    };
    database.execute("ATTACH ?1 AS other", [of.to_str().unwrap()]).unwrap();
    let swaps = tables.iter().map(|table| {
        format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM other.{table};")
    });
    let swaps: String = swaps.collect();
    database.execute_batch(&format!("BEGIN IMMEDIATE; {swaps} COMMIT")).unwrap();
}

/// A ledger as it stands now, in a directory of its own.
fn copy(house: &House) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(house.ledger().join("ledger.db")).unwrap();
    let to = dir.path().join("ledger.db");
    database.execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
    std::fs::copy(house.ledger().join("guard"), dir.path().join("guard")).unwrap();
    dir
}

/// A transaction fails, so that the broker reads again where the database ends; then whatever it is
/// asked to write, it does not.
fn goes_no_further(house: &mut House, asked: &(Digest, Person)) {
    let size = rows(&house.ledger()).len();
    house.dice.run_out_after(0);
    let told = collect(house, asked).unwrap_err();
    assert!(matches!(told, DeskError::Entropy(_) | DeskError::Store(_)), "{told:?}");
    house.dice.run_out_after(u64::MAX);
    for _ in 0..2 {
        let told = collect(house, asked).unwrap_err();
        let is_ours = matches!(told, DeskError::Store(_) | DeskError::Ledger { .. });
        assert!(is_ours, "{told:?}");
        house.sweep().unwrap_err();
    }
    assert_eq!(
        rows(&house.ledger()).len(),
        size,
        "something was written after what somebody else wrote"
    );
}

/// The database as it was before the denial, under the daemon that wrote it, all of it signed.
#[test]
fn a_head_that_somebody_else_wrote_is_never_signed_over() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    let older = copy(&house);
    deny(&mut house, asked.0);
    swap_in(&house, &older.path().join("ledger.db"));
    goes_no_further(&mut house, &asked);
}

/// The same with one entry more than the daemon wrote, all hashes in their places; what is missing is
/// the signature.
#[test]
fn an_entry_that_somebody_else_appended_is_never_signed_over() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    deny(&mut house, asked.0);
    let longer = copy(&house);
    let public = house.desk().public().clone();
    let mut store = Store::open(longer.path(), &public.log, GuardPolicy::Require).unwrap();
    let note = store.reader().unwrap().newest_checkpoint().unwrap().to_owned();
    let anchor = an_anchor(&house);
    store
        .write(|tx| {
            tx.append(&Entry {
                seq: tx.size(),
                time: tx.time(),
                prev: tx.hash(),
                salt: Salt::from_bytes([9; 16]),
                log: public.origin.clone(),
                body: Body::Anchor(anchor),
            })?;
            let (_, signature) = note.split_once("\n\n").unwrap();
            let (origin, Head { size, root, .. }) = (public.origin.clone(), tx.head());
            let body = Checkpoint { origin, size, root }.body();
            tx.put_checkpoint(&format!("{body}\n{signature}"))
        })
        .unwrap();
    drop(store);
    swap_in(&house, &longer.path().join("ledger.db"));
    goes_no_further(&mut house, &asked);
}

/// Between the check of the newest end and the reading of what is derived.
#[test]
fn a_database_that_changes_while_the_broker_starts_stops_the_start() {
    let mut house = House::sample();
    let asked = approved(&mut house, "subject");
    let older = copy(&house);
    deny(&mut house, asked.0);
    house.stop();
    let told = refused_start(&house, || swap_in(&house, &older.path().join("ledger.db")));
    let is_seen = matches!(told, DeskError::Ledger { what } if what.contains("somebody else"));
    assert!(is_seen, "{told:?}");
}

/// What a database says about how many are alive is believed only if it is more than we know.
#[test]
fn room_that_the_database_makes_under_live_max_is_none() {
    let mut files = sample_files();
    let scopes = String::from_utf8(files.scopes).unwrap();
    files.scopes = scopes.replace("live-max = 10\n", "live-max = 1\n").into_bytes();
    let mut house = House::with(files);
    let granted = house.grant("solo", 600, 1);
    let no_room = |house: &mut House, number| {
        change(house, "UPDATE scope SET live = 0");
        let subject = Person::numbered("another subject", number);
        let asking = ask("sam", "solo", 600, number.into(), subject.key());
        let told = house.act(&Person::named("sam"), Act::Request(asking)).unwrap_err();
        matches!(told, DeskError::Refused { refusal, .. } if refusal.name() == "live-max")
    };
    assert!(no_room(&mut house, 2));
    house.restart();
    assert!(no_room(&mut house, 3));
    change(&house, "UPDATE scope SET live = 1");
    house.give_back(granted.request).unwrap();
    let asking = ask("sam", "solo", 600, 4, Person::named("the last").key());
    house.act(&Person::named("sam"), Act::Request(asking)).unwrap();
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
