use breakglass_ledger::bytes::Digest;
use breakglass_ledger::testing::House;

use super::*;
use crate::testing::view;

fn house() -> (House, RequestId) {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    (house, id)
}

fn verify(house: &House, view: &v1::RequestView) -> Result<Asked, Doubt> {
    Asked::verify(view, &house.policy, &house.keys.origin())
}

/// Another request, signed by `signer`, put where the broker would show sam's.
fn shown_instead(
    house: &mut House,
    signer: &str,
    change: impl FnOnce(&mut Ask),
) -> v1::RequestView {
    let mut ask = house.ask("sam", "root-on-host", 1800);
    change(&mut ask);
    let id = ask.id;
    let signed = house.said(signer, Act::Request(ask));
    let mut view = v1::RequestView { id: id.to_string(), ..v1::RequestView::default() };
    view.statement = signed.statement.into_bytes();
    view.signature = signed.signature;
    view
}

#[test]
fn a_request_signed_by_its_requester_is_shown_with_its_reason() {
    let (house, id) = house();
    let asked = verify(&house, &view(&house, id)).unwrap();
    assert_eq!(asked.ask.by.as_str(), "sam");
    assert_eq!(asked.reason.as_deref(), Some("sam must repair root-on-host"));
    assert_eq!(asked.asked_at(), house.now);
}

/// R22: the broker's word about a request is worth nothing; only its signed bytes are shown.
#[test]
fn a_request_that_was_edited_after_signing_is_never_shown() {
    let (house, id) = house();
    let good = view(&house, id);
    let text = String::from_utf8(good.statement.clone()).unwrap();
    for (from, to) in [("ttl: 1800", "ttl: 9999"), ("root-on-host", "quick"), ("INC-4711", "INC-1")]
    {
        let edited = text.replace(from, to).into_bytes();
        let shown = v1::RequestView { statement: edited, ..good.clone() };
        assert!(matches!(verify(&house, &shown), Err(Doubt::Signature(_))), "{from}");
    }
    let reworded = v1::RequestView { reason_text: "harmless".to_owned(), ..good.clone() };
    assert_eq!(verify(&house, &reworded).unwrap_err(), Doubt::Reason);
    let other = v1::RequestView { id: good.id.replace('1', "2"), ..good.clone() };
    assert_eq!(verify(&house, &other).unwrap_err(), Doubt::OtherId);
    let failure = Failure::from(verify(&house, &other).unwrap_err());
    assert_eq!(failure.exit(), Exit::Tampered);
}

/// R22: a request in sam's name counts only under a key that people.toml gives to sam.
#[test]
fn a_request_signed_by_somebody_else_is_never_shown() {
    let (mut house, _) = house();
    for signer in ["ann", "nobody at all"] {
        let shown = shown_instead(&mut house, signer, |_| {});
        assert_eq!(verify(&house, &shown).unwrap_err(), Doubt::Stranger("sam".to_owned()));
    }
    let second_key = shown_instead(&mut house, "sam-2", |_| {});
    assert!(verify(&house, &second_key).is_ok());
}

#[test]
fn a_signature_made_for_another_purpose_does_not_count() {
    let (mut house, _) = house();
    let ask = house.ask("sam", "root-on-host", 1800);
    let id = ask.id;
    let signed = house.said_in("approve.v1@breakglass", "sam", Act::Request(ask));
    let shown = v1::RequestView {
        id: id.to_string(),
        statement: signed.statement.into_bytes(),
        signature: signed.signature,
        ..v1::RequestView::default()
    };
    assert!(matches!(verify(&house, &shown), Err(Doubt::Signature(_))));
}

#[test]
fn a_scope_that_the_policy_does_not_have_is_a_refusal_not_a_blank() {
    let (mut house, _) = house();
    let shown = shown_instead(&mut house, "sam", |ask| ask.scope = "moon".parse().unwrap());
    let asked = verify(&house, &shown).unwrap();
    assert_eq!(asked.scope(&house.policy).unwrap_err(), Doubt::NoScope("moon".to_owned()));
}

/// R22: what is missing is counted from verified approvals, not from the broker's list.
#[test]
fn only_verified_approvals_of_entitled_people_are_counted() {
    let (mut house, id) = house();
    let scope = house.policy.scope(&"root-on-host".parse().unwrap()).unwrap().clone();
    let (owner, security) = (&scope.stages()[0], &scope.stages()[1]);
    house.approve(id, "ada", "app-owner");
    // None of these may count: not entitled, twice, the requester, and about another request.
    house.approve(id, "ann", "security");
    house.approve(id, "ada", "security");
    house.approve(id, "sam", "security");
    let mut other = house.yes(id, "bob", "security");
    other.request = Digest::of(b"another request");
    let signed = house.said("bob", Act::Approve(other));
    let lifted = house.approval(id, "security", signed);
    house.record(lifted);
    // Signed by eve in bob's name.
    let signed = house.said("eve", Act::Approve(house.yes(id, "bob", "security")));
    let forged = house.approval(id, "security", signed);
    house.record(forged);
    let asked = verify(&house, &view(&house, id)).unwrap();
    assert_eq!(asked.missing_in(owner), 0);
    assert_eq!(asked.missing_in(security), 1);
    house.approve(id, "bob", "security");
    assert_eq!(verify(&house, &view(&house, id)).unwrap().missing_in(security), 0);
}

#[test]
fn a_statement_that_is_no_request_is_not_shown_as_one() {
    let (house, id) = house();
    let signed = house.said("sam", Act::Drop(house.about(id, "sam")));
    let shown = v1::RequestView {
        statement: signed.statement.into_bytes(),
        signature: signed.signature,
        ..view(&house, id)
    };
    assert_eq!(verify(&house, &shown).unwrap_err(), Doubt::NotARequest);
}
