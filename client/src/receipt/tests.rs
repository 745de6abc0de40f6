use breakglass_ledger::testing::House;

use super::*;
use crate::testing::{answer, trust};

/// A house in which ada has just approved, and her statement.
fn approved() -> (House, Statement) {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    let signed = house.said("ada", Act::Approve(house.yes(id, "ada", "app-owner")));
    let statement = Statement::parse(signed.statement.as_bytes()).unwrap();
    let body = house.approval(id, "app-owner", signed);
    house.record(body);
    (house, statement)
}

fn check(
    house: &House,
    answer: v1::SubmitAnswer,
    sent: &Statement,
) -> Result<Receipt, ReceiptError> {
    Receipt::check(answer, sent, &trust(house), None)
}

#[test]
fn an_entry_that_carries_what_was_signed_is_a_receipt() {
    let (house, sent) = approved();
    let receipt = check(&house, answer(&house), &sent).unwrap();
    assert_eq!(receipt.entry.body.type_name(), "approved");
    assert_eq!(receipt.entry.seq, 3);
    assert!(receipt.request.is_some());
}

/// R32: "done" is said only of what the ledger shows.
#[test]
fn an_answer_that_does_not_show_the_act_is_not_reported_as_done() {
    let (mut house, sent) = approved();
    let good = answer(&house);
    let before = v1::SubmitAnswer { entry: house.entries[2].clone(), seq: 2, ..good.clone() };
    assert!(matches!(check(&house, before, &sent), Err(ReceiptError::OtherStatement)));
    let position = v1::SubmitAnswer { seq: 9, ..good.clone() };
    assert!(matches!(check(&house, position, &sent), Err(ReceiptError::Position)));
    let garbage = v1::SubmitAnswer { entry: b"{}".to_vec(), ..good.clone() };
    assert!(matches!(check(&house, garbage, &sent), Err(ReceiptError::Entry(_))));
    let unsigned = v1::SubmitAnswer { checkpoint: String::new(), ..good };
    assert!(matches!(check(&house, unsigned, &sent), Err(ReceiptError::Checkpoint(_))));
    let id = house.request("ann", "root-on-host", 60);
    house.approve(id, "ada", "app-owner");
    assert!(matches!(check(&house, answer(&house), &sent), Err(ReceiptError::OtherStatement)));
}

/// R32: a refusal that is dressed up as an answer stays a refusal.
#[test]
fn an_entry_of_another_type_is_no_receipt() {
    let (mut house, _) = approved();
    let id = house.request("ann", "root-on-host", 60);
    let signed = house.said("sam", Act::Drop(house.about(id, "sam")));
    let sent = Statement::parse(signed.statement.as_bytes()).unwrap();
    let decision = house.decision("withdrawn");
    let link = house.link(id);
    house.record(breakglass_ledger::entry::Withdrawn { link, signed, decision });
    assert!(matches!(
        check(&house, answer(&house), &sent),
        Err(ReceiptError::OtherOutcome("withdrawn"))
    ));
}

#[test]
fn a_checkpoint_that_ends_before_the_entry_covers_nothing() {
    let (house, sent) = approved();
    let mut shorter = House::new();
    shorter.request("sam", "root-on-host", 1800);
    let early = v1::SubmitAnswer { checkpoint: shorter.checkpoint(), ..answer(&house) };
    assert!(matches!(check(&house, early, &sent), Err(ReceiptError::NotCovered)));
}

/// R37: an answer behind what was seen before is a rollback, however well it is signed.
#[test]
fn a_receipt_is_never_behind_what_was_seen() {
    let (house, sent) = approved();
    let then = answer(&house);
    let mut later = house.clone();
    later.request("ann", "root-on-host", 60);
    let kept = trust(&house).open(&later.checkpoint()).unwrap();
    let error = Receipt::check(then, &sent, &trust(&house), Some(&kept)).unwrap_err();
    assert_eq!(Failure::from(error).exit(), Exit::Tampered);
}

#[test]
fn collecting_again_is_answered_with_the_first_issued_entry() {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.collect(id);
    let issued = answer(&house);
    house.pass(5);
    let Act::Collect(collect) = Statement::parse(
        Entry::parse(&issued.entry).unwrap().body.signed().unwrap().statement.as_bytes(),
    )
    .unwrap()
    .act()
    .clone() else {
        panic!()
    };
    let subject = breakglass_ledger::testing::subject_name(id);
    let again = house.said(&subject, Act::Collect(collect));
    let sent = Statement::parse(again.statement.as_bytes()).unwrap();
    let answer = v1::SubmitAnswer { checkpoint: house.checkpoint(), ..issued };
    assert!(check(&house, answer, &sent).unwrap().credential.is_some());
}
