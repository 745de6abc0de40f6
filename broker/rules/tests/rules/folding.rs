//! What the fold refuses: a request's state is exactly its entries, in order.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Closed, Entry, Link, Outcome};
use breakglass_rules::{FoldError, Request};

use crate::house::House;
use crate::play::tell;

fn whole() -> House {
    tell(
        "sam: request\n ada: approve app-owner\n bob: approve security\n subject: collect\n \
         subject: pickup\n sam: drop\n pass 900\n clock: close",
    )
    .0
}

/// Folds the entries at these places of the ledger; the first begins the request.
fn fold(house: &House, places: &[usize]) -> Result<Request, FoldError> {
    let mut request = Request::begin(&house.entries[places[0]])?;
    for at in &places[1..] {
        request = request.apply(&house.entries[*at])?;
    }
    Ok(request)
}

/// The entry, linked as if it came next.
fn relinked(entry: &Entry, request: &Request) -> Entry {
    let mut entry = entry.clone();
    let next = request.next_link();
    match &mut entry.body {
        Body::Requested(body) => body.link = next,
        Body::Approved(body) => body.link = next,
        Body::Issued(body) => body.link = next,
        Body::PickedUp(body) => body.link = next,
        Body::Revoked(body) => body.link = next,
        Body::Closed(body) => body.link = next,
        other => panic!("{}", other.type_name()),
    }
    entry
}

#[test]
fn a_grants_entries_in_order_fold_to_its_state() {
    let house = whole();
    assert_eq!(fold(&house, &[1, 2, 3, 4, 5, 6, 7]).unwrap(), house.requests[0]);
    for (places, state) in [
        (&[1][..], "pending"),
        (&[1, 2, 3], "pending"),
        (&[1, 2, 3, 4], "live"),
        (&[1, 2, 3, 4, 5, 6], "revoked"),
    ] {
        assert_eq!(fold(&house, places).unwrap().state(), state);
    }
}

#[test]
fn a_grant_begins_with_its_request() {
    let house = whole();
    for at in [0, 2, 4, 7] {
        assert!(matches!(fold(&house, &[at]), Err(FoldError::NotABeginning { .. })), "{at}");
    }
}

#[test]
fn an_entry_left_out_repeated_or_swapped_breaks_the_link() {
    let house = whole();
    for places in [&[1, 3][..], &[1, 2, 2], &[1, 3, 2], &[1, 2, 3, 5]] {
        assert!(matches!(fold(&house, places), Err(FoldError::BrokenLink { .. })), "{places:?}");
    }
}

#[test]
fn a_first_entry_has_nothing_before_it() {
    let house = whole();
    let mut entry = house.entries[1].clone();
    let Body::Requested(body) = &mut entry.body else { panic!("not a request") };
    body.link.gprev = Digest::of(b"something");
    assert!(matches!(Request::begin(&entry), Err(FoldError::BrokenLink { .. })));
}

#[test]
fn another_grants_entry_is_not_taken() {
    let (house, _) = tell("sam: request\n eve: request\n ada: approve app-owner of=2");
    assert!(matches!(fold(&house, &[1, 3]), Err(FoldError::OtherGrant { .. })));
    assert!(matches!(fold(&house, &[1, 0]), Err(FoldError::OtherGrant { .. })));
}

#[test]
fn what_cannot_happen_in_a_state_is_refused_however_well_linked() {
    let house = whole();
    let states = [&[1][..], &[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6, 7]];
    // Places of: requested, approved, issued, picked-up, revoked, closed.
    let impossible: [&[usize]; 4] =
        [&[1, 5, 6, 7], &[1, 2, 4, 5, 7], &[1, 2, 4, 5, 6], &[1, 2, 4, 5, 6, 7]];
    for (places, entries) in states.into_iter().zip(impossible) {
        let request = fold(&house, places).unwrap();
        for at in entries {
            let entry = relinked(&house.entries[*at], &request);
            let outcome = request.clone().apply(&entry);
            assert!(matches!(outcome, Err(FoldError::Order { .. })), "{places:?} {at}");
        }
    }
}

#[test]
fn a_grant_closes_with_the_outcome_it_had() {
    let house = whole();
    let request = fold(&house, &[1, 2, 3, 4, 5, 6]).unwrap();
    let mut entry = house.entries[7].clone();
    let link: Link = request.next_link();
    entry.body = Body::Closed(Closed { link, outcome: Outcome::Lapsed });
    assert!(matches!(request.apply(&entry), Err(FoldError::Order { .. })));
}

#[test]
fn an_entry_whose_statement_is_another_act_is_refused() {
    let house = whole();
    let request = fold(&house, &[1]).unwrap();
    let mut entry = house.entries[2].clone();
    let Body::Approved(body) = &mut entry.body else { panic!("not an approval") };
    body.signed = house.entries[1].body.signed().unwrap().clone();
    assert!(matches!(request.apply(&entry), Err(FoldError::OtherAct { .. })));
}
