//! What surrounds a grant: escalations, locks, delegation, limits, reviews.

use super::*;
use crate::statement::{Ask, Lane, ReviewVerdict};
use crate::testing::CertificateParts;

#[test]
fn a_stage_that_is_passed_on_is_answered_by_others() {
    let mut house = House::lanes();
    let id = house.request("sam", "db", 1800);
    house.approve(id, "bob", "security");
    house.pass(300);
    house.escalate(id, None, "app-owner");
    house.approve(id, "eve", "app-owner");
    house.collect(id);
    assert_eq!(house.verify().findings, []);
    for who in ["sam", "ada", "eve"] {
        let mut house = House::lanes();
        let id = house.request("sam", "db", 1800);
        house.escalate(id, Some(who), "app-owner");
        house.approve(id, "eve", "app-owner");
        assert_eq!(house.verify().findings, [], "{who}");
    }
}

#[test]
fn nobody_answers_a_stage_before_it_is_passed_on_to_them() {
    let mut house = House::lanes();
    let id = house.request("sam", "db", 1800);
    house.approve(id, "bob", "security");
    house.approve(id, "eve", "app-owner");
    house.escalate(id, Some("sam"), "app-owner");
    house.collect(id);
    assert_eq!(only(&house), Code::Threshold);
}

/// Whoever joined counts if it was passed on to them after they did.
#[test]
fn who_joined_since_counts_if_it_was_passed_on_to_them() {
    let people = |house: &House, all: &[&str]| {
        let mut files = house.files_of_lanes();
        let who = files_of(&house.keys, all).people;
        let text = String::from_utf8(files.people).unwrap();
        let bot = text.find("\n[[principal]]\nid = \"bot\"").unwrap();
        files.people = [who.as_slice(), &text.as_bytes()[bot..]].concat();
        files
    };
    let without = ["pia", "sam", "ann", "ada", "bob"];
    for (joined_first, found) in [(true, vec![]), (false, vec![Code::Threshold])] {
        let mut house = House::lanes();
        house.enact(&people(&house, &without), "pia");
        let id = house.request("sam", "db", 1800);
        if joined_first {
            house.enact(&people(&house, &PEOPLE), "pia");
        }
        house.escalate(id, Some("sam"), "app-owner");
        if !joined_first {
            house.enact(&people(&house, &PEOPLE), "pia");
        }
        house.approve(id, "eve", "app-owner");
        assert_eq!(codes(&house.verify()), found);
    }
}

#[test]
fn a_stage_is_passed_on_when_it_is_due_and_once_and_if_it_can_be() {
    let with = |seconds, steps: fn(&mut House, RequestId)| {
        let mut house = House::lanes();
        let id = house.request("sam", "db", 1800);
        house.pass(seconds);
        steps(&mut house, id);
        only(&house)
    };
    let by_clock = |house: &mut House, id| {
        house.escalate(id, None, "app-owner");
    };
    assert_eq!(with(299, by_clock), Code::EscalationInvalid);
    let twice = |house: &mut House, id| {
        house.escalate(id, None, "app-owner");
        house.escalate(id, None, "app-owner");
    };
    assert_eq!(with(300, twice), Code::EscalationInvalid);
    let other = |house: &mut House, id| {
        house.escalate(id, Some("sam"), "security");
    };
    assert_eq!(with(300, other), Code::EscalationInvalid);
    let answered = |house: &mut House, id| {
        house.approve(id, "ada", "app-owner");
        house.escalate(id, None, "app-owner");
    };
    assert_eq!(with(300, answered), Code::EscalationInvalid);
    let stranger = |house: &mut House, id| {
        house.escalate(id, Some("ann"), "app-owner");
    };
    assert_eq!(with(300, stranger), Code::ScopeExceeded);
}

fn targets(house: &House, id: RequestId) -> [String; 6] {
    let key = |name: &str| format!("key:{}", house.keys.public(name).fingerprint());
    let subject = key(&crate::testing::subject_name(id));
    [
        "principal:sam".to_owned(),
        key("sam"),
        subject,
        "scope:db".to_owned(),
        "host:db-1".to_owned(),
        format!("grant:{id}"),
    ]
}

#[test]
fn a_lock_ends_what_it_covers() {
    let mut house = House::lanes();
    let id = house.agreed(Lane::Normal);
    for target in targets(&house, id) {
        let mut house = house.clone();
        let lock = house.lock("eve", &target);
        let mut forgotten = house.clone();
        house.record(house.revoking(id, Cause::Locked, None));
        house.unlock("eve", lock);
        assert_eq!(house.verify().findings, [], "{target}");
        for _ in 0..4 {
            forgotten.pass(100);
            forgotten.record(forgotten.anchor());
        }
        assert_eq!(only(&forgotten), Code::GrantNotClosed, "{target}");
    }
    for target in ["principal:ann", "scope:metered", "host:db-2"] {
        let mut house = house.clone();
        house.lock("eve", target);
        house.record(house.revoking(id, Cause::Locked, None));
        assert_eq!(only(&house), Code::LockInvalid, "{target}");
    }
}

#[test]
fn what_is_locked_is_not_asked_for_approved_or_issued() {
    for target in ["principal:sam", "scope:db", "host:db-1"] {
        let mut house = House::lanes();
        house.lock("eve", target);
        house.request("sam", "db", 60);
        assert_eq!(only(&house), Code::Locked, "{target}");
    }
    let mut house = House::lanes();
    let id = house.request("sam", "db", 1800);
    for target in targets(&house, id) {
        let mut house = house.clone();
        house.lock("eve", &target);
        house.approve(id, "ada", "app-owner");
        assert_eq!(only(&house), Code::Locked, "{target}");
    }
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    for target in targets(&house, id) {
        let mut house = house.clone();
        house.lock("eve", &target);
        house.collect(id);
        assert_eq!(only(&house), Code::Locked, "{target}");
    }
}

#[test]
fn an_approval_does_not_count_while_its_giver_or_their_key_is_locked() {
    let mut house = House::lanes();
    let id = house.request("sam", "db", 1800);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let key = format!("key:{}", house.keys.public("ada").fingerprint());
    for target in ["principal:ada".to_owned(), key] {
        let mut house = house.clone();
        let lock = house.lock("eve", &target);
        let mut lifted = house.clone();
        house.collect(id);
        assert_eq!(only(&house), Code::Threshold, "{target}");
        lifted.unlock("bob", lock);
        lifted.collect(id);
        assert_eq!(lifted.verify().findings, [], "{target}");
    }
}

#[test]
fn who_is_locked_does_nothing_but_give_back() {
    let mut house = House::lanes();
    let id = house.agreed(Lane::Normal);
    let asked = house.request("sam", "db", 60);
    house.lock("eve", "principal:sam");
    house.drop_grant(id, "sam");
    house.withdraw(asked, "sam");
    assert_eq!(house.verify().findings, []);
    let key = |house: &House| format!("key:{}", house.keys.public("ada").fingerprint());
    for target in ["principal:ada".to_owned(), key(&house)] {
        let mut house = House::lanes();
        let id = house.request("sam", "db", 60);
        house.lock("eve", &target);
        house.deny(id, "ada");
        assert_eq!(only(&house), Code::Locked, "{target}");
    }
}

#[test]
fn a_lock_holds_until_its_end_and_no_longer() {
    let with = |seconds| {
        let mut house = House::lanes();
        let until = Some(house.now.plus(60));
        let body = house.locking("eve", "principal:sam", until);
        let lock = body.signed.digest();
        house.record(body);
        house.pass(seconds);
        house.unlock_by_clock(lock);
        codes(&house.verify())
    };
    assert_eq!(with(59), [Code::LockInvalid]);
    assert_eq!(with(60), []);
    let mut house = House::lanes();
    house.record(house.locking("eve", "principal:sam", Some(house.now.plus(60))));
    house.pass(60);
    house.request("sam", "db", 60);
    assert_eq!(house.verify().findings, []);
    for until in [0, 7_776_001] {
        let mut house = House::lanes();
        house.record(house.locking("eve", "principal:sam", Some(house.now.plus(until))));
        assert_eq!(only(&house), Code::LockInvalid);
    }
}

#[test]
fn owners_lock_and_unlock_and_nobody_their_own() {
    let mut house = House::lanes();
    house.lock("sam", "principal:ann");
    assert_eq!(only(&house), Code::ScopeExceeded);
    let mut house = House::lanes();
    let lock = house.lock("eve", "principal:ann");
    house.unlock("sam", lock);
    assert_eq!(only(&house), Code::ScopeExceeded);
    let mut house = House::lanes();
    let lock = house.lock("eve", "principal:ada");
    house.unlock("ada", lock);
    assert_eq!(codes(&house.verify()), [Code::Locked, Code::LockInvalid]);
    // With another key it is still a lock of theirs.
    let mut house = House::lanes();
    let key = format!("key:{}", house.keys.public("bob-2").fingerprint());
    let lock = house.lock("eve", &key);
    house.unlock("bob", lock);
    assert_eq!(only(&house), Code::LockInvalid);
    let mut house = House::lanes();
    let lock = house.lock("eve", "principal:ann");
    house.unlock("eve", lock);
    house.pass(1);
    house.unlock("eve", lock);
    assert_eq!(only(&house), Code::LockInvalid);
}

fn ask_for(house: &mut House, by: &str, behind: &[&str]) -> RequestId {
    let ask = house.ask(by, "db", 60);
    let on_behalf_of = behind.iter().map(|hop| hop.parse().unwrap()).collect();
    house.request_as(by, Ask { on_behalf_of, ..ask })
}

#[test]
fn an_agent_asks_for_who_answers_for_it_and_the_credential_says_so() {
    for behind in ["sam", "ann"] {
        let mut house = House::lanes();
        let id = ask_for(&mut house, "bot", &[behind]);
        house.approve(id, "ada", "app-owner");
        house.approve(id, "bob", "security");
        house.collect(id);
        assert_eq!(house.verify().findings, [], "{behind}");
    }
    let mut house = House::lanes();
    let id = ask_for(&mut house, "bot", &["sam"]);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let silent = CertificateParts { key_id: format!("bg:{id}:bot"), ..house.certificate(id) };
    house.record(house.issuing(id, &silent));
    assert_eq!(only(&house), Code::CredMismatch);
}

#[test]
fn a_chain_that_is_missing_broken_or_wider_is_found() {
    for (by, behind) in [
        ("bot", &[][..]),
        ("bot", &["nobody"]),
        ("bot", &["ada"]),
        ("bot", &["ann", "sam"]),
        ("bot", &["bot"]),
        ("sam", &["ann"]),
    ] {
        let mut house = House::lanes();
        ask_for(&mut house, by, behind);
        assert_eq!(only(&house), Code::Delegation, "{by} {behind:?}");
    }
    // sam answers for the bot and may not ask themselves.
    let mut house = House::lanes();
    let mut files = house.files_of_lanes();
    let scopes = String::from_utf8(files.scopes).unwrap();
    let only_bot = "requesters = [\"principal:ann\", \"principal:bot\"]";
    let from = "requesters = [\"group:oncall\", \"principal:bot\"]";
    files.scopes = scopes.replacen(from, only_bot, 1).into_bytes();
    house.enact(&files, "pia");
    ask_for(&mut house, "bot", &["sam"]);
    assert_eq!(only(&house), Code::Delegation);
}

#[test]
fn an_agent_decides_nothing() {
    let mut house = House::lanes();
    let mut files = house.files_of_lanes();
    let scopes = String::from_utf8(files.scopes).unwrap();
    let (from, to) = ("identity-owner = \"group:security\"", "identity-owner = \"principal:bot\"");
    files.scopes = scopes.replacen(from, to, 1).into_bytes();
    house.enact(&files, "pia");
    for act in [
        |house: &mut House| {
            house.lock("bot", "scope:db");
        },
        |house: &mut House| {
            house.record(house.declaring("bot", 60, "declared"));
        },
        |house: &mut House| {
            let id = house.request("sam", "db", 60);
            let signed = house.said("bot", Act::Cancel(house.about(id, "bot")));
            let decision = house.decision("denied");
            house.record(Denied { link: house.link(id), signed, decision });
        },
    ] {
        let mut house = house.clone();
        act(&mut house);
        assert_eq!(only(&house), Code::ScopeExceeded);
    }
}

fn used(house: &mut House, lane: Lane, scope: &str, seconds: u32) -> RequestId {
    let id = house.request_in(lane, "sam", scope, seconds);
    house.collect(id);
    house.drop_grant(id, "sam");
    id
}

#[test]
fn a_cooldown_is_waited_for() {
    for (seconds, found) in [(599, vec![Code::LimitExceeded]), (600, vec![])] {
        let mut house = House::lanes();
        used(&mut house, Lane::Normal, "metered", 60);
        house.pass(seconds);
        house.request("sam", "metered", 60);
        assert_eq!(codes(&house.verify()), found);
    }
    // Another's grant cools nobody down, and neither does a drill.
    let mut house = House::lanes();
    used(&mut house, Lane::Normal, "metered", 60);
    house.request("ann", "metered", 60);
    house.request_in(Lane::Drill, "sam", "metered", 60);
    assert_eq!(house.verify().findings, []);
    let mut house = House::lanes();
    used(&mut house, Lane::Drill, "metered", 60);
    house.request("sam", "metered", 60);
    assert_eq!(house.verify().findings, []);
}

#[test]
fn a_budget_is_not_overspent() {
    for (ttl, found) in [(1800, vec![]), (1801, vec![Code::LimitExceeded])] {
        let mut house = House::lanes();
        // Half an hour, to come.
        let id = house.request("sam", "metered", 1800);
        house.collect(id);
        house.pass(60);
        house.request("sam", "metered", ttl);
        assert_eq!(codes(&house.verify()), found);
    }
    // Used is what was used, and what the window does not hold any more is not.
    for (days, ttl, found) in
        [(6, 3540, vec![]), (6, 3541, vec![Code::LimitExceeded]), (8, 3600, vec![])]
    {
        let mut house = House::lanes();
        let id = house.request("sam", "metered", 1800);
        house.collect(id);
        house.pass(60);
        house.drop_grant(id, "sam");
        house.close(id, Outcome::Revoked);
        house.pass(days * 86_400);
        house.request("sam", "metered", ttl);
        assert_eq!(codes(&house.verify()), found, "{days} {ttl}");
    }
}

#[test]
fn limits_are_judged_again_when_it_is_issued() {
    let mut house = House::lanes();
    let first = house.request("sam", "metered", 1800);
    let second = house.request("sam", "metered", 1801);
    house.collect(first);
    house.collect(second);
    assert_eq!(only(&house), Code::LimitExceeded);
}

#[test]
fn the_next_grant_waits_for_the_review_of_the_last() {
    let mut house = House::lanes();
    let id = used(&mut house, Lane::Normal, "gated", 60);
    let mut impatient = house.clone();
    impatient.request("ann", "gated", 60);
    assert_eq!(only(&impatient), Code::ReviewMissing);
    house.review(id, "ada", ReviewVerdict::Justified);
    house.request("ann", "gated", 60);
    assert_eq!(house.verify().findings, []);
    let mut house = House::lanes();
    let waiting = house.request("ann", "gated", 60);
    used(&mut house, Lane::Normal, "gated", 60);
    house.collect(waiting);
    assert_eq!(only(&house), Code::ReviewMissing);
    let mut house = House::lanes();
    used(&mut house, Lane::Drill, "gated", 60);
    house.request("ann", "gated", 60);
    assert_eq!(house.verify().findings, []);
}

/// Whatever `review-gate` says.
#[test]
fn after_an_emergency_nobody_is_granted_anything_before_its_review() {
    let mut house = House::lanes();
    house.request("sam", "db", 1800);
    house.pass(600);
    let id = house.request_in(Lane::Emergency, "sam", "db", 900);
    house.pass(120);
    house.collect(id);
    house.drop_grant(id, "sam");
    let mut impatient = house.clone();
    impatient.request("ann", "db", 60);
    assert_eq!(only(&impatient), Code::ReviewMissing);
    house.review(id, "eve", ReviewVerdict::Unjustified);
    house.request("ann", "db", 60);
    assert_eq!(house.verify().findings, []);
}

#[test]
fn a_review_is_an_owners_who_took_no_part_and_once() {
    let mut house = House::lanes();
    let id = house.agreed(Lane::Normal);
    let mut early = house.clone();
    early.review(id, "eve", ReviewVerdict::Justified);
    assert_eq!(only(&early), Code::ReviewInvalid);
    house.drop_grant(id, "sam");
    for (who, found) in
        [("eve", vec![]), ("ada", vec![Code::ReviewInvalid]), ("ann", vec![Code::ScopeExceeded])]
    {
        let mut house = house.clone();
        house.review(id, who, ReviewVerdict::Drill);
        assert_eq!(codes(&house.verify()), found, "{who}");
    }
    let mut open = house.clone();
    open.review(id, "eve", ReviewVerdict::Inconclusive);
    open.pass(1);
    open.review(id, "eve", ReviewVerdict::Justified);
    assert_eq!(open.verify().findings, []);
    open.pass(1);
    open.review(id, "eve", ReviewVerdict::Justified);
    assert_eq!(only(&open), Code::ReviewInvalid);
    let other = house.request("ann", "db", 60);
    let mut lifted = house.clone();
    let signed = {
        let about = lifted.about(other, "eve");
        let verdict = ReviewVerdict::Justified;
        let (request, by) = (about.request, about.by);
        let review = crate::statement::Review { request, by, verdict, comment: None };
        lifted.said("eve", Act::Review(review))
    };
    let decision = lifted.decision("reviewed");
    lifted.record(crate::entry::Reviewed { signed, decision, request: id });
    assert_eq!(only(&lifted), Code::ApprovalRequestMismatch);
}
