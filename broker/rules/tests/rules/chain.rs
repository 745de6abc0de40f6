//! Escalation, emergencies, drills, pauses, budgets and reviews: each rule as the shortest story in
//! which it decides.

use breakglass_ledger::entry::Body;

use crate::play::{Told, play, tell};

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

/// sam asks for the scope in which everything can happen, then this.
fn hot(rest: &str) -> Told {
    play(&format!("sam: request scope=hot\n{rest}"))
}

const BOTH: &str = "ada: approve app-owner\n bob: approve security\n";

/// sam held the scope for a second, then this.
fn after_use(rest: &str) -> Told {
    hot(&format!("{BOTH} subject: collect\n pass 1\n sam: drop\n{rest}"))
}

/// sam's ordinary request waited ten minutes, sam asks in the emergency lane, then this.
fn alone(rest: &str) -> Told {
    hot(&format!("pass 600\n sam: request scope=hot lane=emergency ttl=300\n{rest}"))
}

#[test]
fn a_stage_is_passed_on_in_the_second_its_time_is_over_and_no_earlier() {
    assert_eq!(hot("pass 299\n clock: escalate"), Err("nothing-to-escalate"));
    assert_eq!(hot("pass 300\n clock: escalate"), ok("escalated"));
}

#[test]
fn each_stage_is_passed_on_once_and_only_while_it_lacks_its_quorum() {
    let both = "pass 300\n clock: escalate\n clock: escalate\n";
    assert_eq!(hot(&format!("{both} clock: escalate")), Err("nothing-to-escalate"));
    let answered = format!("{BOTH} pass 300\n clock: escalate");
    assert_eq!(hot(&answered), Err("nothing-to-escalate"));
    let (house, _) =
        tell("sam: request scope=hot\n ada: approve app-owner\n pass 300\n clock: escalate");
    let Body::Escalated(body) = &house.entries.last().unwrap().body else {
        panic!("not passed on")
    };
    assert_eq!(body.stage.as_str(), "security");
    assert_eq!(body.decision.rules, ["within", "stage:security"]);
}

#[test]
fn whom_a_stage_was_passed_on_to_may_approve_it_from_then_on() {
    assert_eq!(hot("liz: approve app-owner"), Err("approver-not-entitled"));
    assert_eq!(hot("pass 300\n clock: escalate\n liz: approve app-owner"), ok("approved"));
    let issued = "pass 300\n clock: escalate\n liz: approve app-owner\n bob: approve security\n \
                  subject: collect";
    assert_eq!(hot(issued), ok("issued"));
}

#[test]
fn passing_one_stage_on_opens_no_other_and_lets_no_program_in() {
    let first = "sam: escalate\n ";
    assert_eq!(hot(&format!("{first} joe: approve security")), Err("approver-not-entitled"));
    let second = "sam: escalate\n sam: escalate\n ";
    assert_eq!(hot(&format!("{second} joe: approve security")), ok("approved"));
    assert_eq!(hot(&format!("{second} bot: approve security")), Err("not-human"));
}

#[test]
fn who_is_named_for_escalation_later_does_not_decide_over_what_was_open() {
    let story = "policy escalate-others\n sam: escalate\n dan: approve app-owner";
    assert_eq!(hot(story), Err("approver-not-entitled"));
    let left = "sam: escalate\n liz: approve app-owner\n bob: approve security\n \
                policy escalate-others\n subject: collect";
    assert_eq!(hot(left), Err("not-approved-yet"));
}

#[test]
fn requester_approvers_and_owners_pass_on_and_nobody_else() {
    for who in ["sam", "bob", "liz", "kim"] {
        assert_eq!(hot(&format!("{who}: escalate")), ok("escalated"), "{who}");
    }
    assert_eq!(hot("joe: escalate"), Err("not-entitled-to-escalate"));
    assert_eq!(hot("bot: escalate"), Err("not-human"));
    assert_eq!(play("sam: request\n sam: escalate"), Err("nothing-to-escalate"));
}

#[test]
fn whom_a_stage_was_passed_on_to_may_also_say_no() {
    assert_eq!(hot("joe: deny"), Err("not-entitled-to-end"));
    assert_eq!(hot("sam: escalate\n sam: escalate\n joe: deny"), ok("denied"));
}

#[test]
fn nothing_is_passed_on_after_the_request_lapsed() {
    assert_eq!(hot("pass 1200\n clock: escalate"), Err("late"));
    assert_eq!(hot("pass 1200\n sam: escalate"), Err("late"));
}

#[test]
fn an_emergency_needs_an_ordinary_request_that_waited() {
    let emergency = "sam: request scope=hot lane=emergency ttl=300";
    assert_eq!(play(emergency), Err("emergency-not-open"));
    assert_eq!(hot(&format!("pass 599\n {emergency}")), Err("emergency-not-open"));
    assert_eq!(hot(&format!("pass 600\n {emergency}")), ok("requested"));
    assert_eq!(hot(&format!("pass 1200\n {emergency}")), Err("emergency-not-open"));
    let others = "pass 600\n eve: request scope=hot lane=emergency ttl=300";
    assert_eq!(hot(others), Err("emergency-not-open"));
}

#[test]
fn an_emergency_needs_a_stage_that_nobody_answered() {
    let emergency = "pass 600\n sam: request scope=hot lane=emergency ttl=300";
    assert_eq!(hot(&format!("ada: approve app-owner\n {emergency}")), ok("requested"));
    assert_eq!(hot(&format!("{BOTH} {emergency}")), Err("emergency-not-open"));
}

#[test]
fn an_emergency_is_issued_after_its_delay_without_anybody() {
    assert_eq!(alone("pass 119\n subject: collect"), Err("delay-not-over"));
    assert_eq!(alone("pass 120\n subject: collect"), ok("issued"));
    let (house, _) = tell(
        "sam: request scope=hot\n pass 600\n sam: request scope=hot lane=emergency ttl=300\n \
         pass 120\n subject: collect",
    );
    let Body::Issued(body) = &house.entries.last().unwrap().body else { panic!("not issued") };
    assert_eq!(body.decision.rules, ["requesters", "emergency"]);
    assert!(body.approvals.is_empty());
}

/// Owners could cancel an emergency and not deny it, though the contract has both.
#[test]
fn an_owner_who_approves_nothing_denies_an_emergency_and_nothing_else() {
    assert_eq!(alone("liz: deny"), ok("denied"));
    assert_eq!(hot("liz: deny"), Err("not-entitled-to-end"));
}

#[test]
fn whoever_was_passed_over_can_cancel_an_emergency_and_nobody_can_speed_it_up() {
    for who in ["ada", "bob", "liz"] {
        assert_eq!(alone(&format!("{who}: cancel")), ok("denied"), "{who}");
    }
    assert_eq!(alone("bob: deny"), ok("denied"));
    assert_eq!(
        alone("!joe: cancel\n ada: cancel\n pass 120\n subject: collect"),
        Err("wrong-state")
    );
    assert_eq!(alone("ada: approve app-owner"), Err("wrong-state"));
}

#[test]
fn an_emergency_is_shorter_than_an_ordinary_grant() {
    let long = "pass 600\n sam: request scope=hot lane=emergency ttl=301";
    assert_eq!(hot(long), Err("ttl-too-long"));
}

#[test]
fn an_emergency_that_the_policy_no_longer_offers_is_not_issued_and_ends_if_it_is_alive() {
    assert_eq!(alone("pass 120\n law emergency-gone\n subject: collect"), Err("lane-not-offered"));
    let (house, _) = tell(
        "sam: request scope=hot\n pass 600\n sam: request scope=hot lane=emergency ttl=300\n \
         pass 120\n subject: collect\n policy emergency-gone",
    );
    assert_eq!(house.entries.last().unwrap().body.type_name(), "revoked");
}

#[test]
fn only_an_emergency_stands_beside_an_open_request() {
    assert_eq!(hot("sam: request scope=hot"), Err("duplicate"));
    assert_eq!(hot("pass 600\n sam: request scope=hot lane=drill"), Err("duplicate"));
    assert_eq!(alone("sam: request scope=hot lane=emergency ttl=300"), Err("duplicate"));
}

#[test]
fn after_an_emergency_the_next_use_waits_for_its_review() {
    let over = "pass 120\n subject: collect\n sam: drop\n ";
    assert_eq!(alone(&format!("{over} eve: request scope=hot")), Err("review-missing"));
    assert_eq!(alone(&format!("{over} eve: request scope=hot lane=drill")), ok("requested"));
    let reviewed = format!("{over} liz: review justified\n eve: request scope=hot");
    assert_eq!(alone(&reviewed), ok("requested"));
    // The ordinary request beside it was open and approved before: it waits as well.
    let beside = format!(
        "{over} ada: approve app-owner of=1\n bob: approve security of=1\n subject: collect of=1"
    );
    assert_eq!(alone(&beside), Err("review-missing"));
}

#[test]
fn between_two_uses_of_one_person_there_is_a_pause() {
    assert_eq!(after_use("pass 119\n sam: request scope=hot"), Err("cooldown"));
    assert_eq!(after_use("pass 120\n sam: request scope=hot"), ok("requested"));
    assert_eq!(after_use("eve: request scope=hot"), ok("requested"));
    assert_eq!(after_use("sam: request scope=hot lane=drill"), ok("requested"));
}

#[test]
fn a_pause_is_judged_again_when_the_credential_is_made() {
    // Asked for while the first was alive, collected right after it ended.
    let story = "ada: approve app-owner\n bob: approve security\n subject: collect\n \
                 sam: request scope=hot ttl=60\n ada: approve app-owner\n bob: approve security\n \
                 sam: drop of=1\n subject: collect";
    assert_eq!(hot(story), Err("cooldown"));
}

#[test]
fn a_budget_counts_what_was_held_in_its_window_and_what_is_alive_to_its_end() {
    let use_up = |ttl: u32| {
        format!(
            "sam: request scope=hot ttl=1800\n {BOTH} subject: collect\n pass 1800\n \
             clock: expire\n pass 120\n sam: request scope=hot ttl={ttl}"
        )
    };
    assert_eq!(play(&use_up(600)), ok("requested"));
    assert_eq!(play(&use_up(601)), Err("budget-spent"));
    let alive = "sam: request scope=hot ttl=1800\n ada: approve app-owner\n bob: approve security\n \
                 subject: collect\n sam: request scope=hot ttl=";
    assert_eq!(play(&format!("{alive}600")), ok("requested"));
    assert_eq!(play(&format!("{alive}601")), Err("budget-spent"));
    let later = format!(
        "sam: request scope=hot ttl=1800\n {BOTH} subject: collect\n pass 1800\n clock: expire\n \
         pass 86399\n sam: request scope=hot ttl=1800"
    );
    assert_eq!(play(&later), ok("requested"));
}

#[test]
fn a_budget_is_judged_again_when_the_credential_is_made() {
    // Ten minutes are used and thirty asked for; an emergency meanwhile takes five of them.
    let story = "ada: approve app-owner\n bob: approve security\n subject: collect\n pass 600\n \
                 clock: expire\n pass 120\n sam: request scope=hot ttl=1800\n pass 600\n \
                 sam: request scope=hot lane=emergency ttl=300\n pass 120\n subject: collect\n \
                 ada: approve app-owner of=2\n bob: approve security of=2\n subject: collect of=2";
    assert_eq!(hot(story), Err("budget-spent"));
}

#[test]
fn a_drill_takes_the_whole_chain_and_opens_nothing_real() {
    let drill = "sam: request scope=hot lane=drill\n ";
    assert_eq!(play(&format!("{drill} subject: collect")), Err("not-approved-yet"));
    let (house, _) = tell(&format!("{drill} {BOTH} subject: collect"));
    let Body::Issued(body) = &house.entries.last().unwrap().body else { panic!("not issued") };
    assert_eq!(body.principals, ["drill-bg-hot"]);
}

#[test]
fn a_drill_is_passed_if_its_credential_arrived_and_was_taken_back() {
    let last = |rest: &str| {
        let (house, _) =
            tell(&format!("sam: request scope=hot lane=drill\n {BOTH} subject: collect\n {rest}"));
        let Body::Drill(body) = &house.entries.last().unwrap().body else { panic!("no result") };
        body.passed
    };
    assert!(last("subject: pickup\n pass 600\n clock: expire\n pass 300\n clock: close"));
    assert!(!last("pass 600\n clock: expire\n pass 300\n clock: close"));
    let (house, _) = tell("sam: request scope=hot lane=drill\n sam: withdraw");
    let Body::Drill(body) = &house.entries.last().unwrap().body else { panic!("no result") };
    assert!(!body.passed);
}

#[test]
fn drills_cost_no_budget_no_pause_and_no_review() {
    let over = format!(
        "sam: request scope=hot lane=drill ttl=1800\n {BOTH} subject: collect\n pass 1800\n \
         clock: expire\n sam: request scope=hot ttl=1800"
    );
    assert_eq!(play(&over), ok("requested"));
    let gate = "sam: request scope=gate lane=drill\n subject: collect\n sam: drop\n \
                sam: request scope=gate";
    assert_eq!(play(gate), ok("requested"));
}

#[test]
fn where_the_policy_says_so_the_next_use_waits_for_the_review_of_the_last() {
    let used = "sam: request scope=gate\n subject: collect\n sam: drop\n ";
    assert_eq!(play(&format!("{used} eve: request scope=gate")), Err("review-missing"));
    assert_eq!(
        play(&format!("{used} policy gate-open\n eve: request scope=gate")),
        ok("requested")
    );
    let reviewed = format!("{used} liz: review unjustified\n eve: request scope=gate");
    assert_eq!(play(&reviewed), ok("requested"));
    let beside = "sam: request scope=gate\n eve: request scope=gate\n subject: collect of=1\n \
                  sam: drop of=1\n subject: collect of=2";
    assert_eq!(play(beside), Err("review-missing"));
}

#[test]
fn an_owner_who_took_no_part_reviews_what_is_over_once() {
    assert_eq!(after_use("liz: review justified"), ok("reviewed"));
    assert_eq!(after_use("kim: review drill"), ok("reviewed"));
    assert_eq!(after_use("ada: review justified"), Err("reviewer-took-part"));
    assert_eq!(after_use("sam: review justified"), Err("reviewer-took-part"));
    assert_eq!(after_use("zoe: review justified"), Err("not-entitled-to-review"));
    assert_eq!(after_use("bot: review justified"), Err("not-human"));
    let twice = "liz: review justified\n kim: review unjustified";
    assert_eq!(after_use(twice), Err("already-reviewed"));
    let again = "liz: review inconclusive\n kim: review unjustified\n ";
    assert_eq!(after_use(again), ok("reviewed"));
    assert_eq!(after_use(&format!("{again} liz: review drill")), Err("already-reviewed"));
    assert_eq!(after_use("pass 900\n clock: close\n liz: review justified"), ok("reviewed"));
}

#[test]
fn what_was_not_used_or_is_still_in_use_is_not_reviewed() {
    assert_eq!(hot("liz: review justified"), Err("wrong-state"));
    assert_eq!(hot(&format!("{BOTH} subject: collect\n liz: review drill")), Err("wrong-state"));
    assert_eq!(hot("ada: deny\n liz: review justified"), Err("wrong-state"));
}

/// R27: who is asked later has no more time than everybody else.
#[test]
fn an_escalation_revives_nothing_and_gives_no_time() {
    let story =
        "sam: escalate\n pass 1199\n liz: approve app-owner\n pass 1\n bob: approve security";
    assert_eq!(hot(story), Err("late"));
}
