//! A text is erased, the evidence stays.

use std::sync::mpsc::channel;

use breakglass_broker::desk::{DeskError, Incoming, Receipt, Text};
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::evidence::{Evidence, trust};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::{Code, Verdict};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, ConfigChange, Entry};
use breakglass_ledger::statement::{Act, commitment};

const CANARY: &str = "the password is hunter2-canary, sorry";
const SALT: [u8; 32] = [9; 32];

fn erase(house: &House, text: Digest) -> Result<Receipt, DeskError> {
    let (answer, told) = channel();
    house.desk().erase(text, Box::new(move |said| drop(answer.send(said)))).unwrap();
    told.recv().unwrap()
}

/// A house in which sam gave the canary as reason.
fn told() -> (House, Digest) {
    let mut house = House::sample();
    let digest = commitment(&SALT, CANARY);
    let subject = Person::named("subject");
    let mut wish = ask("sam", "root-on-host", 900, 1, subject.key());
    wish.reason = Some(digest);
    let statement = house.statement(Act::Request(wish));
    let signature = Person::named("sam").sign(&statement);
    let text = Some(Text { salt: SALT, text: CANARY.to_owned() });
    house
        .give(Incoming { statement, signature, user_verified: false, text, bundle: None })
        .unwrap();
    (house, digest)
}

/// Whether any file of the house holds the canary: database, its log, its index, keys, guard.
fn on_disk(house: &House) -> bool {
    let holds = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
    };
    let mut folders = vec![house.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if holds(&path) {
                return true;
            }
        }
    }
    false
}

/// R19: what was erased is in no file any more; the ledger says so, and the verifier says redacted.
#[test]
fn an_erased_text_is_gone_and_the_ledger_verifies_as_redacted() {
    let (mut house, digest) = told();
    assert!(on_disk(&house), "the canary must be there to be erased");
    let before = house.audit();
    assert_eq!((before.verdict, before.texts, before.redacted), (Verdict::Verified, 1, 0));
    let receipt = erase(&house, digest).unwrap();
    assert!(!on_disk(&house));
    let Body::Config(config) = Entry::parse(&receipt.entry).unwrap().body else {
        panic!("not written down")
    };
    assert_eq!(config.what, ConfigChange::Erased { text: digest });
    let after = house.audit();
    assert_eq!(after.verdict, Verdict::Verified, "{:?}", after.findings);
    assert_eq!((after.texts, after.redacted), (0, 1));
    house.restart();
    assert!(!on_disk(&house));
    assert!(matches!(erase(&house, digest), Err(DeskError::NoText)));
}

#[test]
fn a_text_that_is_missing_without_a_word_is_a_finding() {
    let (house, _) = told();
    let mut evidence = Evidence::of(&house);
    evidence.openings.clear();
    let report = evidence.verify(&trust(&house));
    assert_eq!(report.verdict, Verdict::Unproven);
    let codes: Vec<_> = report.findings.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::OpeningMissing]);
}

/// Nor can the entry be left out: then the chain, the size and the root are wrong as well.
#[test]
fn an_erasure_that_is_not_written_down_is_a_finding() {
    let (house, digest) = told();
    erase(&house, digest).unwrap();
    let mut evidence = Evidence::of(&house);
    evidence.entries.pop();
    let report = evidence.verify(&trust(&house));
    assert_eq!(report.verdict, Verdict::Tampered);
    let codes: Vec<_> = report.findings.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::SizeMismatch, Code::OpeningMissing]);
}

/// A text that is there although an entry says that it was erased is one too.
#[test]
fn a_text_that_came_back_is_a_finding() {
    let (house, digest) = told();
    let before = Evidence::of(&house);
    erase(&house, digest).unwrap();
    let mut evidence = Evidence::of(&house);
    evidence.openings = before.openings;
    let report = evidence.verify(&trust(&house));
    let codes: Vec<_> = report.findings.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::OpeningMismatch]);
}
