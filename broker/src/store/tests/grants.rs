//! What the derived tables say while a grant lives.

use breakglass_rules::CLOSE_AFTER_SECONDS;

use super::*;

fn grant(number: u32) -> Grant {
    Grant { number, at: Timestamp::from_unix_seconds(START) }
}

#[test]
fn a_grant_is_followed_from_request_to_close() {
    let (house, mut store) = House::founded();
    let one = grant(1);
    let scope = one.scope().parse().unwrap();
    let due = |store: &Store| {
        let reader = store.reader().unwrap();
        reader.rebuild_and_compare().unwrap();
        let due = reader.due(Timestamp::MAX, 10).unwrap();
        assert_eq!(reader.next_due().unwrap(), due.first().map(|(_, _, at)| *at));
        due
    };

    house.write(&mut store, [one.requested()]).unwrap();
    assert_eq!(due(&store), [(one.id(), Due::Lapse, one.lapses())]);
    let reader = store.reader().unwrap();
    assert_eq!(reader.open_of(&"sam".parse().unwrap(), &scope).unwrap(), [one.id()]);
    assert_eq!(reader.open_of(&"ada".parse().unwrap(), &scope).unwrap(), []);
    assert_eq!(reader.open_requests(None, 10).unwrap().len(), 1);
    assert_eq!(reader.due(one.lapses().minus(1), 10).unwrap(), []);
    assert_eq!(reader.due(one.lapses(), 10).unwrap().len(), 1);

    house.write(&mut store, [one.approved(), one.issued()]).unwrap();
    assert_eq!(due(&store), [(one.id(), Due::Expire, one.valid_before())]);
    let reader = store.reader().unwrap();
    assert_eq!(reader.live_in_scope(&scope).unwrap(), 1);
    assert_eq!(reader.open_of(&"sam".parse().unwrap(), &scope).unwrap(), []);
    let live = reader.live_grants(None, 10).unwrap();
    assert_eq!((live[0].serial, live[0].state), (Some(3), State::Live));
    assert!(reader.revoked_serials().unwrap().is_empty());

    house.write(&mut store, [one.revoked()]).unwrap();
    let closes = one.valid_before().plus(CLOSE_AFTER_SECONDS);
    assert_eq!(due(&store), [(one.id(), Due::Close, closes)]);
    let reader = store.reader().unwrap();
    assert_eq!(reader.live_in_scope(&scope).unwrap(), 0);
    assert_eq!(reader.revoked_serials().unwrap(), [3]);

    house.write(&mut store, [one.closed(4, Outcome::Revoked)]).unwrap();
    assert_eq!(due(&store), []);
    let reader = store.reader().unwrap();
    assert!(reader.revoked_serials().unwrap().is_empty());
    assert_eq!(reader.request(one.id()).unwrap().unwrap().state, State::Closed);
    let seqs: Vec<_> =
        reader.grant_entries(one.id()).unwrap().iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
}

#[test]
fn a_request_is_found_by_its_digest_and_subject_key_even_when_closed() {
    let (house, mut store) = House::founded();
    let (one, two) = (grant(1), grant(2));
    house.write(&mut store, [one.requested(), two.requested()]).unwrap();
    house.write(&mut store, one.lapsed(1)).unwrap();
    let reader = store.reader().unwrap();
    for grant in [one, two] {
        assert_eq!(reader.request_by_digest(grant.digest()).unwrap(), Some(grant.id()));
        let subject = Digest::of(&grant.wire());
        assert_eq!(reader.request_by_subject(subject).unwrap(), Some(grant.id()));
    }
    assert_eq!(reader.request_by_digest(Digest::of(b"other")).unwrap(), None);
    assert_eq!(reader.request_by_subject(Digest::of(b"other")).unwrap(), None);
    assert_eq!(reader.request(grant(3).id()).unwrap(), None);
}

/// Older than one age of the index of closed requests.
#[test]
fn an_old_closed_request_is_still_found_by_its_digest() {
    let (house, mut store) = House::founded();
    let one = grant(1);
    house.write(&mut store, [one.requested()]).unwrap();
    house.write(&mut store, one.lapsed(1)).unwrap();
    for _ in 0..17 {
        house.write(&mut store, (0..1000).map(software)).unwrap();
    }
    house.write(&mut store, [grant(2).requested()]).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.request_by_digest(one.digest()).unwrap(), Some(one.id()));
    let subject = Digest::of(&one.wire());
    assert_eq!(reader.request_by_subject(subject).unwrap(), Some(one.id()));
    assert_eq!(reader.request_by_digest(Digest::of(b"other")).unwrap(), None);
}

#[test]
fn two_digests_that_begin_alike_are_told_apart() {
    let (house, mut store) = House::founded();
    house.write(&mut store, [grant(1).requested()]).unwrap();
    let mut alike = *grant(1).digest().as_bytes();
    alike[31] ^= 1;
    let reader = store.reader().unwrap();
    assert_eq!(reader.request_by_digest(Digest::from_bytes(alike)).unwrap(), None);
}

#[test]
fn pages_of_open_requests_are_complete_and_in_order_of_their_deadlines() {
    let (house, mut store) = House::founded();
    let at = |number: u32| Timestamp::from_unix_seconds(START + u64::from(number % 7));
    let asked = (0..50).map(|number| Grant { number, at: at(number) }.requested());
    house.write(&mut store, asked).unwrap();
    let reader = store.reader().unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = reader.open_requests(after, 8).unwrap();
        let Some(last) = page.last() else { break };
        after = last.cursor();
        assert_eq!(after.unwrap().to_string().parse(), Ok(after.unwrap()), "it has a text form");
        seen.extend(page.iter().map(|row| (row.due.unwrap(), row.seq)));
    }
    assert!(seen.is_sorted());
    assert_eq!(seen.len(), 50);
    let due = reader.due(Timestamp::MAX, 20).unwrap();
    assert_eq!(due.len(), 20);
    assert!(due.is_sorted_by_key(|(_, _, at)| *at));
}

#[test]
fn a_cursor_has_one_spelling() {
    for text in ["", "1", "1.", ".1", "+1.1", "01.1", "1.1.1", "1.9223372036854775808", "1.-1"] {
        assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
    }
}

/// R01, R29: one statement makes one entry, whoever brings it again.
#[test]
fn a_statement_is_recorded_once_and_remembered_until_a_day_after_it_expired() {
    let (mut house, mut store) = House::founded();
    let (one, expires) = (grant(1), grant(1).at.plus(600));
    house.write(&mut store, [one.requested()]).unwrap();
    let seq = |store: &Store| store.reader().unwrap().statement_seq(one.digest(), expires).unwrap();
    assert_eq!(seq(&store), Some(1));
    assert!(matches!(
        house.write(&mut store, [one.requested()]),
        Err(StoreError::Repeated { seq: 2 })
    ));
    house.pass(600 + STATEMENT_KEPT_SECONDS);
    house.write(&mut store, [software(1)]).unwrap();
    assert_eq!(seq(&store), Some(1));
    house.pass(1);
    house.write(&mut store, [software(2)]).unwrap();
    assert_eq!(seq(&store), None);
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

#[test]
fn forgetting_is_bounded_by_what_is_appended() {
    let (mut house, mut store) = House::founded();
    house.write(&mut store, (0..100).map(|number| grant(number).requested())).unwrap();
    house.pass(100_000);
    let left = |house: &House| -> i64 {
        house.intruder().query_row("SELECT count(*) FROM statement", (), |row| row.get(0)).unwrap()
    };
    house.write(&mut store, [software(1)]).unwrap();
    assert_eq!(left(&house), 98);
    store.reader().unwrap().rebuild_and_compare().unwrap();
    house.write(&mut store, (0..49).map(software)).unwrap();
    assert_eq!(left(&house), 0);
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

#[test]
fn what_does_not_fit_its_grant_is_refused_and_nothing_is_written() {
    let (house, mut store) = House::founded();
    let (one, two, three) = (grant(1), grant(2), grant(3));
    house.write(&mut store, [one.requested(), two.requested()]).unwrap();
    house.write(&mut store, two.lapsed(1)).unwrap();
    let mut late = one;
    late.at = one.at.plus(1);
    let before = store.head();
    for (bodies, expected) in [
        (vec![three.approved()], "it was requested before"),
        (vec![late.requested()], "its id is new"),
        (vec![one.revoked()], "only what is live is revoked"),
        (vec![two.closed(3, Outcome::Lapsed)], "nothing follows `closed`"),
        (vec![one.closed(0, Outcome::Lapsed)], "its place in the grant is free"),
        (vec![one.approved(), one.closed(1, Outcome::Lapsed)], "its place in the grant is free"),
    ] {
        let answer = house.write(&mut store, bodies);
        assert!(
            matches!(&answer, Err(StoreError::Grant { rule, .. }) if *rule == expected),
            "{expected}: {answer:?}"
        );
        assert_eq!(store.head(), before);
    }
    store.reader().unwrap().rebuild_and_compare().unwrap();
}

/// Ending a grant puts each of its credentials on the list of its kind, and closing it takes them off.
#[test]
fn a_grant_may_have_several_credentials_which_end_together() {
    let (house, mut store) = House::founded();
    let one = grant(1);
    let Body::Issued(mut second) = one.issued() else { panic!() };
    second.link = one.link(3);
    (second.kind, second.token) = (Kind::Jwt, Some(Digest::of(b"a token")));
    second.signed = one.statement("another-collect");
    let first = [one.requested(), one.approved(), one.issued()];
    house.write(&mut store, first).unwrap();
    house.write(&mut store, [second.clone().into()]).unwrap();
    let Body::Revoked(mut ended) = one.revoked() else { panic!() };
    ended.link = one.link(4);
    let reader = store.reader().unwrap();
    assert_eq!(reader.live_in_scope(&one.scope().parse().unwrap()).unwrap(), 1);
    assert_eq!(reader.live_grants(None, 10).unwrap()[0].serial, Some(3));
    house.write(&mut store, [ended.into()]).unwrap();
    // The other is a token, which no KRL names.
    assert_eq!(store.reader().unwrap().revoked_serials().unwrap(), [3]);
    let recent = store.reader().unwrap().recent(&|| false).unwrap().unwrap();
    assert_eq!(recent.revoked, [3]);
    assert_eq!(recent.tokens[0].seq, 4);
    second.link = one.link(5);
    second.signed = one.statement("late-collect");
    let late = second.into();
    let answer = store.write(|write| write.append(&house.entry(write.head(), late)));
    assert!(matches!(answer, Err(StoreError::Grant { .. })), "none after the end");
    house.write(&mut store, [one.closed(5, Outcome::Revoked)]).unwrap();
    assert!(store.reader().unwrap().revoked_serials().unwrap().is_empty());
}

#[test]
fn a_token_counts_until_another_takes_its_place_or_its_grant_ends() {
    let (house, mut store) = House::founded();
    let one = grant(1);
    let token = |gseq: u64, replaces: Option<u64>| {
        let Body::Issued(mut issued) = one.issued() else { panic!() };
        (issued.kind, issued.token) = (Kind::Jwt, Some(Digest::of(&gseq.to_be_bytes())));
        (issued.link, issued.replaces) = (one.link(gseq), replaces);
        issued.signed = one.statement(&format!("collect-{gseq}"));
        Body::from(issued)
    };
    let standing = |store: &Store| {
        let reader = store.reader().unwrap();
        reader.rebuild_and_compare().unwrap();
        let mut rows = reader.tokens(one.valid_before().minus(1)).unwrap();
        rows.sort_unstable_by_key(|row| row.seq);
        assert!(reader.tokens(one.valid_before()).unwrap().is_empty(), "none that is over");
        assert_eq!(reader.recent(&|| false).unwrap().unwrap().tokens.len(), rows.len());
        assert!(rows.iter().all(|row| row.grant == one.id() && row.ends == one.valid_before()));
        rows.iter().map(|row| (row.seq, row.is_over)).collect::<Vec<_>>()
    };
    house.write(&mut store, [one.requested(), one.approved(), one.issued()]).unwrap();
    assert_eq!(standing(&store), []);
    house.write(&mut store, [token(3, None)]).unwrap();
    assert_eq!(standing(&store), [(4, false)]);
    house.write(&mut store, [token(4, Some(4))]).unwrap();
    assert_eq!(standing(&store), [(4, true), (5, false)]);
    let Body::Revoked(mut ended) = one.revoked() else { panic!() };
    (ended.link, ended.also) = (one.link(5), Some(vec![4, 5]));
    house.write(&mut store, [ended.into()]).unwrap();
    assert_eq!(standing(&store), [(4, true), (5, true)]);
}

#[test]
fn no_later_credential_ends_at_another_time_than_its_grant() {
    let (house, mut store) = House::founded();
    let one = grant(1);
    let Body::Issued(mut second) = one.issued() else { panic!() };
    second.link = one.link(3);
    second.signed = one.statement("another-collect");
    second.ends = Some(one.valid_before().plus(1));
    house.write(&mut store, [one.requested(), one.approved(), one.issued()]).unwrap();
    let answer = store.write(|write| {
        let Body::Issued(mut body) = Body::from(second.clone()) else { panic!() };
        body.serial = write.head().size;
        write.append(&house.entry(write.head(), body.into()))
    });
    assert!(matches!(answer, Err(StoreError::Grant { .. })));
}

/// R40: a serial is the place of its entry, so it is never 0 and never given twice.
#[test]
fn a_serial_that_is_not_the_seq_of_its_entry_is_refused() {
    let (house, mut store) = House::founded();
    let one = grant(1);
    house.write(&mut store, [one.requested(), one.approved()]).unwrap();
    let answer = store.write(|write| write.append(&house.entry(write.head(), one.issued())));
    assert!(matches!(answer, Err(StoreError::Grant { rule, .. }) if rule.contains("serial")));
}

#[test]
fn every_look_up_uses_an_index() {
    let (house, _store) = House::founded();
    let intruder = house.intruder();
    for look_up in [
        "SELECT id FROM request WHERE state < 4
         AND substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1",
        "SELECT id FROM request WHERE state = 4 AND seq >> 13 = ?2
         AND substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1",
        "SELECT id FROM request WHERE state < 4 AND subject IS NOT NULL
         AND substr(subject, 1, 8) = substr(?1, 1, 8) AND subject = ?1 ORDER BY seq DESC LIMIT 1",
        "SELECT id FROM request WHERE state = 4 AND subject IS NOT NULL AND seq >> 13 = ?2
         AND substr(subject, 1, 8) = substr(?1, 1, 8) AND subject = ?1 ORDER BY seq DESC LIMIT 1",
        "SELECT number FROM text WHERE substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1",
        "SELECT id, due FROM request WHERE state = ?1 AND state < 4 AND due <= ?2
         ORDER BY due, seq LIMIT ?3",
        "SELECT due FROM request WHERE state = ?1 AND state < 4 AND due IS NOT NULL
         ORDER BY due LIMIT 1",
        "SELECT seq FROM request WHERE state = ?1 AND state < 4 AND due >= ?2
         AND (due, seq) > (?2, ?3) ORDER BY due, seq LIMIT ?4",
        "SELECT id FROM request WHERE by = ?1 AND scope = ?2 AND state = 1 ORDER BY seq LIMIT 1",
        "SELECT serial FROM request WHERE state = 3 AND state < 4 AND serial IS NOT NULL",
        "SELECT expires, digest FROM statement WHERE expires < ?1 ORDER BY expires LIMIT ?2",
        "SELECT max(seq) FROM entry",
    ] {
        let mut explain = intruder.prepare(&format!("EXPLAIN QUERY PLAN {look_up}")).unwrap();
        let count = explain.parameter_count();
        let plan: Vec<String> = explain
            .query_map(rusqlite::params_from_iter(vec![0; count]), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let plan = plan.join("; ");
        assert!(plan.contains("SEARCH"), "{look_up}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{look_up}: {plan}");
        // By the key's first bytes, not only by state.
        assert!(!look_up.contains("substr") || plan.contains("<expr>=?"), "{look_up}: {plan}");
    }
}
