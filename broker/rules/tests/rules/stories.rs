//! Every rule, told as the shortest story in which it decides.

use breakglass_ledger::entry::{Body, Cause};
use breakglass_rules::{
    AskRefusal, BACKDATE_SECONDS, CLOSE_AFTER_SECONDS, Refusal, Request, StatementRefusal,
};

use crate::play::{Told, play, refusal, tell};

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

const APPROVED: &str = "sam: request\n ada: approve app-owner\n bob: approve security\n";

fn then(rest: &str) -> String {
    format!("{APPROVED}{rest}")
}

fn live(rest: &str) -> String {
    format!("{APPROVED}subject: collect\n{rest}")
}

#[test]
fn an_emergency_from_request_to_close() {
    let story = live("subject: pickup\n pass 600\n clock: expire\n pass 300\n clock: close");
    let (house, outcome) = tell(&story);
    assert_eq!(outcome.unwrap(), "closed");
    let types: Vec<_> = house.entries.iter().map(|entry| entry.body.type_name()).collect();
    assert_eq!(
        types,
        ["policy", "requested", "approved", "approved", "issued", "picked-up", "revoked", "closed"]
    );
    assert!(matches!(house.requests[0], Request::Closed(_)));
}

#[test]
fn a_credential_lives_for_its_ttl_from_issuing_and_is_backdated_for_slow_clocks() {
    let (house, _) = tell(
        "sam: request ttl=600\n ada: approve app-owner\n pass 100\n \
                           bob: approve security\n pass 100\n subject: collect",
    );
    let Body::Issued(issued) = &house.entries.last().unwrap().body else { panic!("not issued") };
    assert_eq!(issued.valid_after, house.now.minus(BACKDATE_SECONDS));
    assert_eq!(issued.valid_before, house.now.plus(600));
    assert_eq!(issued.approvals, [2, 3]);
    assert_eq!(issued.decision.rules, ["requesters", "stage:app-owner", "stage:security"]);
    assert_eq!(issued.decision.outcome, "issued");
}

#[test]
fn a_statement_for_another_log_is_worthless() {
    assert_eq!(play("sam: request log=payments/0000000000000000"), Err("other-log"));
}

#[test]
fn a_statement_counts_in_the_second_it_expires_and_not_after_it() {
    assert_eq!(play("sam: request expires=1"), ok("requested"));
    assert_eq!(play("sam: request expires=0"), ok("requested"));
    assert_eq!(play("sam: request expires=-1"), Err("expired"));
    assert_eq!(play("sam: request expires=-5"), Err("expired"));
}

#[test]
fn a_statement_expires_at_most_a_day_ahead() {
    assert_eq!(play("sam: request expires=86400"), ok("requested"));
    assert_eq!(play("sam: request expires=86401"), Err("expires-too-far"));
}

#[test]
fn a_retried_request_is_recognised_and_not_doubled() {
    assert_eq!(play("sam: request\n again"), ok("again 1"));
}

#[test]
fn a_retried_collect_is_answered_with_the_same_entry() {
    assert_eq!(play(&live("again")), ok("again 4"));
}

#[test]
fn any_other_statement_counts_once_and_the_refusal_names_its_entry() {
    assert_eq!(
        refusal("sam: request\n ada: approve app-owner\n again"),
        Refusal::Statement(StatementRefusal::Repeated { seq: 2 })
    );
    assert_eq!(play(&live("sam: drop\n again")), Err("repeated"));
}

#[test]
fn a_refused_statement_cannot_be_tried_until_it_works() {
    let story = "sam: request\n back 1\n !ada: approve app-owner\n pass 1\n again";
    assert_eq!(play(story), Err("repeated"));
}

#[test]
fn a_signer_who_saw_another_history_is_told() {
    assert_eq!(play("mismatch\n sam: request"), Err("seen-mismatch"));
    assert_eq!(play("future\n sam: request"), Err("seen-future"));
}

#[test]
fn nothing_is_granted_on_a_clock_that_went_back() {
    assert_eq!(play("sam: request\n back 1\n ada: approve app-owner"), Err("clock-behind"));
    assert_eq!(play(&then("back 1\n subject: collect")), Err("clock-behind"));
}

#[test]
fn endings_and_refusals_do_not_wait_for_a_good_clock() {
    assert_eq!(play(&live("back 1\n sam: drop")), ok("revoked"));
    assert_eq!(play(&live("back 1\n ada: cancel")), ok("revoked"));
    assert_eq!(play("sam: request\n back 1\n ada: deny"), ok("denied"));
    assert_eq!(play("sam: request\n back 1\n sam: withdraw"), ok("withdrawn"));
}

#[test]
fn only_an_enrolled_key_speaks_and_only_for_its_owner() {
    assert_eq!(play("sam: request key=77"), Err("key-unknown"));
    assert_eq!(play("sam: request key=11"), Err("key-not-theirs"));
    assert_eq!(play("sam: request\n ada: approve app-owner key=15"), Err("key-not-theirs"));
    assert_eq!(play("sam: request\n bob: deny by=ada"), Err("key-not-theirs"));
    assert_eq!(play(&live("bob: drop by=sam")), Err("key-not-theirs"));
}

#[test]
fn a_key_that_left_the_policy_no_longer_speaks() {
    assert_eq!(play("policy sam-rekeyed\n sam: request"), Err("key-unknown"));
}

#[test]
fn asking_needs_a_scope_that_exists_and_names_the_requester() {
    assert_eq!(play("sam: request scope=nowhere"), Err("scope-unknown"));
    assert_eq!(play("ada: request"), Err("requester-not-entitled"));
    assert_eq!(play("joe: request"), Err("requester-not-entitled"));
}

#[test]
fn a_scope_says_which_kinds_of_identity_may_ask() {
    assert_eq!(play("bot: request"), Err("identity-kind-not-allowed"));
    assert_eq!(play("bot: request scope=open for=sam"), ok("requested"));
    assert_eq!(play("job: request scope=open"), ok("requested"));
}

#[test]
fn lanes_that_the_scope_does_not_list_are_closed() {
    for lane in ["outage", "emergency", "drill"] {
        assert_eq!(play(&format!("sam: request lane={lane}")), Err("lane-not-offered"));
    }
}

#[test]
fn a_kind_that_the_scope_does_not_mint_is_not_offered() {
    for kind in ["x509", "jwt"] {
        let asked = format!("sam: request kind={kind}");
        assert_eq!(play(&asked), Err("credential-kind-not-offered"));
    }
}

/// Nobody approves what will never be given, and a broker that lost its means gives nothing.
#[test]
fn what_the_broker_cannot_mint_is_neither_asked_for_nor_collected() {
    assert_eq!(play("keyless\n sam: request"), Err("kind-not-minted"));
    assert_eq!(play(&then("keyless\n subject: collect")), Err("kind-not-minted"));
}

/// sam holds a token that is bound to nothing.
const TOKEN: &str = "sam: request scope=api kind=jwt subject=none\n sam: collect kind=jwt\n ";

/// A lost token is replaced in the same grant, as often as one every ten minutes of a day, by whoever
/// may still have it, and not for longer than the grant.
#[test]
fn a_grant_gives_token_after_token_and_not_without_end() {
    let (house, told) = tell(&format!("{TOKEN}sam: collect kind=jwt"));
    assert_eq!(told.unwrap(), "issued");
    let Body::Issued(second) = &house.entries.last().unwrap().body else { panic!("not issued") };
    assert_eq!(second.replaces, Some(second.serial - 1));
    let more = |count: usize| format!("{TOKEN}{}", "sam: collect kind=jwt\n ".repeat(count));
    assert_eq!(play(&more(143)), ok("issued"));
    assert_eq!(play(&more(144)), Err("tokens-spent"));
    // The grant goes on, and ends as any other.
    assert_eq!(play(&format!("{}sam: drop", more(143))), ok("revoked"));
    let over = format!("{TOKEN}pass 600\n sam: collect kind=jwt");
    assert_eq!(play(&over), Err("wrong-state"));
    assert_eq!(play(&format!("{TOKEN}sam: drop\n sam: collect kind=jwt")), Err("wrong-state"));
}

#[test]
fn a_later_token_is_judged_like_the_first() {
    let (ada, subject) = ("ada: collect kind=jwt", "subject: collect kind=jwt");
    for thief in [ada, subject] {
        assert_eq!(play(&format!("{TOKEN}{thief}")), Err("not-the-subject-key"));
    }
    assert_eq!(play(&format!("{TOKEN}sam: collect kind=ssh")), Err("kind-not-asked"));
    assert_eq!(play(&format!("{TOKEN}blind\n sam: collect kind=jwt")), Err("cannot-revoke"));
    assert_eq!(play(&format!("{TOKEN}keyless\n sam: collect kind=jwt")), Err("kind-not-minted"));
}

/// A token may be bound to nothing where its scope says so, alone.
#[test]
fn a_request_without_a_key_is_for_tokens_of_a_scope_that_says_so() {
    for step in ["scope=api kind=ssh", "scope=db kind=ssh", "scope=open kind=ssh"] {
        assert_eq!(play(&format!("sam: request {step} subject=none")), Err("subject-key-missing"));
    }
    let bearer = "sam: request scope=api kind=jwt subject=none";
    assert_eq!(play(&format!("policy tokens-bound\n {bearer}")), Err("subject-key-missing"));
    // Nor does one live on when the scope says so no more.
    let told = play(&format!("{TOKEN}policy tokens-bound\n sam: collect kind=jwt"));
    assert_eq!(told, Err("wrong-state"));
    // Whoever checks tokens takes no Ed25519.
    assert_eq!(play("sam: request scope=api kind=jwt"), Err("subject-key-type"));
}

#[test]
fn nobody_asks_for_longer_than_the_scope_allows() {
    assert_eq!(play("sam: request ttl=3600"), ok("requested"));
    assert_eq!(play("sam: request ttl=3601"), Err("ttl-too-long"));
}

#[test]
fn an_incident_is_named_where_the_scope_wants_one_and_looks_like_one() {
    assert_eq!(play("sam: request incident=-"), Err("incident-missing"));
    assert_eq!(play("sam: request incident=TICKET-1"), Err("incident-mismatch"));
    assert_eq!(play("sam: request incident=INC-1x"), Err("incident-mismatch"));
    assert_eq!(play("sam: request scope=web incident=-"), ok("requested"));
}

#[test]
fn a_reason_is_given_unless_the_scope_says_otherwise() {
    assert_eq!(play("sam: request reason=-"), Err("reason-missing"));
    assert_eq!(play("sam: request scope=web reason=-"), ok("requested"));
}

#[test]
fn as_many_grants_live_as_the_scope_allows() {
    let one = "sam: request scope=web\n dan: approve app-owner\n subject: collect\n";
    assert_eq!(play(&format!("{one}eve: request scope=web")), Err("live-max"));
    assert_eq!(play(&format!("{one}sam: drop\n eve: request scope=web")), ok("requested"));
}

#[test]
fn live_grants_are_counted_again_when_collecting() {
    let both = "sam: request scope=web\n dan: approve app-owner\n \
                eve: request scope=web\n dan: approve app-owner\n subject: collect of=1\n";
    assert_eq!(play(&format!("{both}subject: collect of=2")), Err("live-max"));
    assert_eq!(play(&format!("{both}sam: drop of=1\n subject: collect of=2")), ok("issued"));
}

#[test]
fn a_second_open_request_is_answered_with_the_first_ones_id() {
    let (house, outcome) = tell("sam: request\n sam: request");
    assert_eq!(
        outcome.unwrap_err(),
        Refusal::Ask(AskRefusal::Duplicate { first: house.requests[0].id() })
    );
    assert_eq!(play("sam: request\n eve: request"), ok("requested"));
    assert_eq!(play("sam: request\n sam: request scope=web"), ok("requested"));
    assert_eq!(play("sam: request\n sam: withdraw\n sam: request"), ok("requested"));
}

#[test]
fn an_id_is_never_used_twice() {
    assert_eq!(play("sam: request\n eve: request id=1"), Err("id-taken"));
}

#[test]
fn a_certificate_is_bound_to_a_fresh_key() {
    assert_eq!(play("sam: request subject=none"), Err("subject-key-missing"));
    assert_eq!(play("sam: request subject=1"), Err("subject-key-enrolled"));
    assert_eq!(play("sam: request subject=19"), Err("subject-key-enrolled"));
    let of_another = "sam: request subject=99\n eve: request scope=web subject=99";
    assert_eq!(play(of_another), Err("subject-key-used"));
    let of_a_closed_one = "sam: request subject=99\n sam: withdraw\n sam: request subject=99";
    assert_eq!(play(of_a_closed_one), ok("requested"));
}

#[test]
fn an_approval_needs_a_request_that_waits() {
    assert_eq!(play("ada: approve app-owner"), Err("request-unknown"));
    assert_eq!(play("sam: request\n ada: deny\n ada: approve app-owner"), Err("wrong-state"));
    assert_eq!(play(&live("kim: approve app-owner")), Err("wrong-state"));
}

#[test]
fn an_approval_names_the_policy_in_force() {
    let story = "policy live-1\n sam: request\n ada: approve app-owner policy=1";
    assert_eq!(play(story), Err("policy-not-in-force"));
}

#[test]
fn a_stage_is_one_of_the_scopes_at_the_request_and_now() {
    assert_eq!(play("sam: request\n ada: approve review"), Err("stage-unknown"));
    assert_eq!(play("sam: request\n law stage-renamed\n bob: approve sec"), Err("stage-unknown"));
    let story = "sam: request\n law stage-renamed\n bob: approve security";
    assert_eq!(play(story), Err("stage-unknown"));
    assert_eq!(play("sam: request scope=open\n ada: approve app-owner"), Err("stage-unknown"));
}

#[test]
fn only_a_stages_approvers_approve_in_it() {
    assert_eq!(play("sam: request\n joe: approve app-owner"), Err("approver-not-entitled"));
    assert_eq!(play("sam: request\n bob: approve app-owner"), Err("approver-not-entitled"));
    assert_eq!(play("sam: request\n liz: approve app-owner"), Err("approver-not-entitled"));
}

#[test]
fn whoever_joins_later_does_not_decide_over_what_was_open() {
    let story = "sam: request\n policy new-joined\n new: approve app-owner";
    assert_eq!(play(story), Err("approver-joined-later"));
    assert_eq!(play("policy new-joined\n sam: request\n new: approve app-owner"), ok("approved"));
}

#[test]
fn only_people_decide() {
    assert_eq!(play("sam: request\n bot: approve security"), Err("not-human"));
    assert_eq!(play("sam: request\n bot: deny"), Err("not-human"));
    assert_eq!(play(&live("bot: cancel")), Err("not-human"));
}

#[test]
fn a_person_counts_once_in_one_stage() {
    assert_eq!(
        refusal("sam: request\n eve: approve app-owner\n eve: approve security"),
        Refusal::AlreadyApproved {
            by: "eve".parse().unwrap(),
            stage: "app-owner".parse().unwrap(),
            seq: 2
        }
    );
    let story = "sam: request scope=pair\n ada: approve both\n ada: approve both";
    assert_eq!(play(story), Err("already-approved"));
}

#[test]
fn an_approval_covers_the_whole_ttl_or_does_not_count() {
    let story = "sam: request ttl=600\n ada: approve app-owner ttl-max=";
    assert_eq!(play(&format!("{story}600")), ok("approved"));
    assert_eq!(play(&format!("{story}599")), Err("ttl-max-below"));
}

#[test]
fn an_approval_says_how_many_are_still_missing() {
    let (house, _) = tell(APPROVED);
    let missing = |at: usize| match &house.entries[at].body {
        Body::Approved(approved) => approved.missing,
        other => panic!("{}", other.type_name()),
    };
    assert_eq!((missing(2), missing(3)), (1, 0));
}

#[test]
fn denial_wins() {
    assert_eq!(play(&then("eve: deny\n subject: collect")), Err("wrong-state"));
    assert_eq!(play(&then("bob: deny")), ok("denied"));
}

#[test]
fn a_denial_closes_at_once() {
    let (house, _) = tell("sam: request\n ada: deny");
    assert_eq!(house.entries.last().unwrap().body.type_name(), "closed");
}

#[test]
fn only_approvers_deny() {
    for who in ["joe", "sam", "liz", "dan"] {
        assert_eq!(play(&format!("sam: request\n {who}: deny")), Err("not-entitled-to-end"));
    }
}

#[test]
fn a_denial_after_issuing_is_too_late_and_cancel_is_the_way() {
    assert_eq!(play(&live("bob: deny")), Err("wrong-state"));
    assert_eq!(play(&live("bob: cancel")), ok("revoked"));
}

#[test]
fn owners_and_approvers_cancel_before_and_after_issuing() {
    assert_eq!(play("sam: request\n liz: cancel"), ok("denied"));
    assert_eq!(play("sam: request\n ada: cancel"), ok("denied"));
    let (house, _) = tell(&live("liz: cancel"));
    let Body::Revoked(revoked) = &house.entries.last().unwrap().body else { panic!() };
    assert_eq!(revoked.cause, Cause::Cancelled);
    assert_eq!(revoked.decision.rules, ["owner"]);
}

#[test]
fn only_the_requester_withdraws_and_gives_back() {
    assert_eq!(play("sam: request\n ada: withdraw"), Err("not-yours"));
    assert_eq!(play(&live("ada: drop")), Err("not-yours"));
    assert_eq!(play("sam: request\n sam: withdraw"), ok("withdrawn"));
    assert_eq!(play(&live("sam: drop")), ok("revoked"));
}

#[test]
fn withdrawing_is_for_before_and_dropping_for_after() {
    assert_eq!(play(&live("sam: withdraw")), Err("wrong-state"));
    assert_eq!(play("sam: request\n sam: drop"), Err("wrong-state"));
    assert_eq!(play(&live("sam: drop\n sam: drop")), Err("wrong-state"));
}

#[test]
fn what_is_over_by_itself_is_not_ended_again_by_people() {
    assert_eq!(play(&live("pass 600\n sam: drop")), Err("wrong-state"));
    assert_eq!(play(&live("pass 600\n ada: cancel")), Err("wrong-state"));
    assert_eq!(play(&live("pass 600\n subject: collect")), Err("wrong-state"));
    assert_eq!(play("sam: request\n pass 900\n ada: deny"), Err("late"));
    assert_eq!(play("sam: request\n pass 900\n sam: withdraw"), Err("late"));
}

#[test]
fn collecting_tells_what_is_missing_per_stage() {
    let Refusal::NotApprovedYet { missing } = refusal("sam: request\n subject: collect") else {
        panic!("another refusal");
    };
    assert_eq!(missing.to_string(), "stage app-owner needs 1 more, stage security needs 1 more");
    let story = "sam: request\n bob: approve security\n subject: collect";
    assert_eq!(play(story), Err("not-approved-yet"));
    let story = "sam: request scope=pair\n ada: approve both\n subject: collect";
    assert_eq!(play(story), Err("not-approved-yet"));
}

#[test]
fn a_scope_that_needs_no_approval_says_so_in_its_decision() {
    let (house, outcome) = tell("sam: request scope=open\n subject: collect");
    assert_eq!(outcome.unwrap(), "issued");
    let Body::Issued(issued) = &house.entries.last().unwrap().body else { panic!() };
    assert_eq!(issued.decision.rules, ["requesters", "approval:none"]);
}

#[test]
fn only_what_was_asked_for_is_collected() {
    assert_eq!(play(&then("subject: collect kind=x509")), Err("kind-not-asked"));
}

#[test]
fn collecting_again_while_live_answers_with_the_same_credential() {
    assert_eq!(play(&live("pass 599\n subject: collect")), ok("again 4"));
}

/// R10: who may revoke tokens revokes what was a token, and nothing else.
#[test]
fn a_service_takes_back_no_certificate_and_nothing_that_waits_or_is_over() {
    for story in ["caller: take-back", "sam: drop\n caller: take-back"] {
        assert_eq!(play(&live(story)), Err("wrong-state"), "{story}");
    }
    assert_eq!(play(&then("caller: take-back")), Err("wrong-state"));
}

#[test]
fn a_broker_that_cannot_revoke_does_not_grant() {
    assert_eq!(play(&then("blind\n subject: collect")), Err("cannot-revoke"));
    assert_eq!(play(&then("blind\n !subject: collect\n sighted\n subject: collect")), ok("issued"));
}

#[test]
fn an_approver_who_left_no_longer_counts_when_issuing() {
    for change in ["bob-left", "ada-demoted", "ada-rekeyed", "bob-agent"] {
        let story = then(&format!("policy {change}\n subject: collect"));
        assert_eq!(play(&story), Err("not-approved-yet"), "{change}");
    }
    let story =
        then("policy bob-left\n !subject: collect\n zoe: approve security\n subject: collect");
    assert_eq!(play(&story), ok("issued"));
}

#[test]
fn a_quorum_raised_meanwhile_counts() {
    assert_eq!(play(&then("policy quorum-2\n subject: collect")), Err("not-approved-yet"));
    let story = then("policy quorum-2\n zoe: approve security\n subject: collect");
    assert_eq!(play(&story), ok("issued"));
}

#[test]
fn a_requester_who_may_no_longer_hold_it_gets_nothing() {
    for (change, why) in [
        ("sam-left", "requester-not-entitled"),
        ("sam-off-call", "requester-not-entitled"),
        ("sam-rekeyed", "key-not-theirs"),
        ("db-gone", "scope-unknown"),
        ("ttl-lower", "not-approved-yet"),
        ("agents-only", "identity-kind-not-allowed"),
        ("subject-enrolled", "subject-key-enrolled"),
        ("principals-changed", "scope-changed"),
        ("principals-added", "scope-changed"),
        ("command-forced", "scope-changed"),
    ] {
        let story = format!("sam: request\n law {change}\n subject: collect");
        assert_eq!(play(&story), Err(why), "{change}");
    }
    let story = "sam: request ttl=601\n law ttl-lower\n subject: collect";
    assert_eq!(play(story), Err("ttl-too-long"));
}

#[test]
fn a_pickup_is_for_the_credential_that_was_issued_and_by_the_subject_key() {
    assert_eq!(play(&live("subject: pickup")), ok("picked-up"));
    assert_eq!(play(&live("subject: pickup other")), Err("pickup-mismatch"));
    assert_eq!(play(&live("subject: pickup key=1")), Err("not-the-subject-key"));
    assert_eq!(play(&then("subject: pickup")), Err("wrong-state"));
    assert_eq!(play(&live("subject: pickup\n subject: pickup")), ok("again 5"));
}

#[test]
fn the_clock_ends_nothing_before_its_time() {
    assert_eq!(play("sam: request\n pass 899\n clock: lapse"), Err("not-due"));
    assert_eq!(play("sam: request\n pass 900\n clock: lapse"), ok("lapsed"));
    assert_eq!(play(&live("pass 599\n clock: expire")), Err("not-due"));
    assert_eq!(play(&live("pass 600\n clock: expire")), ok("revoked"));
    assert_eq!(CLOSE_AFTER_SECONDS, 300);
    assert_eq!(play(&live("sam: drop\n pass 899\n clock: close")), Err("not-due"));
    assert_eq!(play(&live("sam: drop\n pass 900\n clock: close")), ok("closed"));
}

#[test]
fn the_clock_ends_only_what_is_there_to_end() {
    assert_eq!(play(&live("pass 900\n clock: lapse")), Err("wrong-state"));
    assert_eq!(play("sam: request\n pass 900\n clock: expire"), Err("wrong-state"));
    assert_eq!(play(&live("pass 1000\n clock: close")), Err("wrong-state"));
    assert_eq!(play("sam: request\n ada: deny\n clock: close"), Err("wrong-state"));
}

#[test]
fn a_fully_approved_request_that_nobody_collects_lapses() {
    assert_eq!(play(&then("pass 900\n subject: collect")), Err("late"));
    assert_eq!(play(&then("pass 900\n clock: lapse")), ok("lapsed"));
}

#[test]
fn a_changed_policy_ends_what_it_no_longer_allows() {
    for change in [
        "sam-left",
        "sam-off-call",
        "sam-rekeyed",
        "db-gone",
        "agents-only",
        "subject-enrolled",
        "principals-changed",
        "source-narrowed",
        "command-forced",
    ] {
        let (house, _) = tell(&live(&format!("policy {change}")));
        let Body::Revoked(revoked) = &house.entries.last().unwrap().body else {
            panic!("{change} left it alive");
        };
        assert_eq!(revoked.cause, Cause::PolicyChanged, "{change}");
    }
}

#[test]
fn a_changed_policy_leaves_alone_what_it_still_allows() {
    for change in ["bob-left", "ada-demoted", "ttl-lower", "principals-added", "quorum-2", "live-1"]
    {
        assert_eq!(play(&live(&format!("policy {change}\n clock: rejudge"))), Err("still-allowed"));
    }
}

#[test]
fn a_refused_entry_says_under_which_rule_and_what_it_saw() {
    let (house, _) = tell("sam: request ttl=3601");
    let Body::Refused(refused) = &house.entries.last().unwrap().body else { panic!() };
    assert_eq!((refused.refusal.number, refused.refusal.name.as_str()), (17, "ttl-too-long"));
    assert_eq!(refused.decision.rules, ["ttl-too-long"]);
    assert_eq!(refused.decision.outcome, "refused");
    assert_eq!(refused.decision.policy, house.policy().digest);
    assert!(refused.decision.context.kind.is_some() && refused.decision.context.lane.is_some());
}
