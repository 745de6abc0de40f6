//! Outages, told as the shortest story in which each rule decides.

use breakglass_ledger::entry::{Body, Cause, OutageState};
use breakglass_rules::DECLARATION_MAX_SECONDS;

use crate::play::{Told, play, tell};

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

const ASK: &str = "sam: request scope=idp lane=outage\n";

/// Down by measurement, asked, approved, collected.
fn live(rest: &str) -> String {
    format!("probe: down\n {ASK} ada: approve lead\n subject: collect\n {rest}")
}

#[test]
fn the_outage_lane_is_closed_while_nothing_is_down() {
    assert_eq!(play(ASK), Err("outage-lane-closed"));
    assert_eq!(play(&format!("probe: down other\n {ASK}")), Err("outage-lane-closed"));
    assert_eq!(play(&format!("probe: down\n probe: up\n {ASK}")), Err("outage-lane-closed"));
    assert_eq!(play(&format!("probe: down\n {ASK}")), ok("requested"));
    assert_eq!(play("probe: down\n sam: request scope=db lane=outage"), Err("lane-not-offered"));
}

#[test]
fn the_outage_must_last_until_the_credential_is_issued() {
    let approved = format!("probe: down\n {ASK} ada: approve lead\n");
    assert_eq!(play(&format!("{approved} subject: collect")), ok("issued"));
    assert_eq!(
        play(&format!("{approved} probe: up\n subject: collect")),
        Err("outage-lane-closed")
    );
    let again = format!("{approved} probe: up\n probe: down\n subject: collect");
    assert_eq!(play(&again), ok("issued"));
}

#[test]
fn being_down_opens_the_right_to_ask_and_nothing_else() {
    let story = format!("probe: down\n {ASK} subject: collect");
    assert_eq!(play(&story), Err("not-approved-yet"));
}

#[test]
fn decisions_in_the_lane_say_since_when_it_is_down() {
    let (house, _) = tell(&format!("probe: down\n pass 40\n {ASK}"));
    let context = &house.entries.last().unwrap().body.decision().unwrap().context;
    assert_eq!(context.outage, OutageState::Active);
    assert_eq!(context.outage_since, Some(house.now.minus(40)));
    let (house, _) = tell("probe: down\n sam: request");
    let context = &house.entries.last().unwrap().body.decision().unwrap().context;
    assert_eq!((context.outage, context.outage_since), (OutageState::None, None));
}

#[test]
fn two_people_declare_an_outage_and_one_is_not_enough() {
    assert_eq!(play(&format!("liz: declare\n {ASK}")), Err("outage-lane-closed"));
    assert_eq!(play(&format!("liz: declare\n dan: declare\n {ASK}")), ok("requested"));
    let outcome = |story: &str| {
        let (house, _) = tell(story);
        house.entries.last().unwrap().body.decision().unwrap().outcome.clone()
    };
    assert_eq!(outcome("liz: declare"), "declared");
    assert_eq!(outcome("liz: declare\n dan: declare"), "began");
    assert_eq!(outcome("probe: down"), "began");
    assert_eq!(outcome("probe: down\n liz: declare\n dan: declare"), "declared");
    assert_eq!(outcome("liz: declare\n dan: declare\n probe: down"), "measured");
}

#[test]
fn one_person_counts_once_whatever_keys_they_hold() {
    assert_eq!(play("liz: declare\n liz: declare"), Err("already-declared"));
    assert_eq!(play("liz: declare until=60\n pass 59\n liz: declare"), Err("already-declared"));
    assert_eq!(play("liz: declare until=60\n pass 60\n liz: declare"), ok("outage-began"));
}

#[test]
fn a_declaration_renewed_by_the_same_person_does_not_count_as_two() {
    let story = format!("liz: declare until=60\n pass 60\n liz: declare\n {ASK}");
    assert_eq!(play(&story), Err("outage-lane-closed"));
}

#[test]
fn a_declaration_has_an_end_and_it_is_near() {
    let declare = |until: &str| play(&format!("liz: declare until={until}"));
    assert_eq!(declare("-"), Err("declaration-too-long"));
    assert_eq!(declare("0"), Err("declaration-too-long"));
    assert_eq!(declare("1"), ok("outage-began"));
    assert_eq!(declare(&DECLARATION_MAX_SECONDS.to_string()), ok("outage-began"));
    let longer = (DECLARATION_MAX_SECONDS + 1).to_string();
    assert_eq!(declare(&longer), Err("declaration-too-long"));
}

#[test]
fn only_people_who_own_what_depends_on_it_declare_and_resolve() {
    assert_eq!(play("sam: declare"), Err("not-entitled-to-declare"));
    assert_eq!(play("bot: declare"), Err("not-human"));
    assert_eq!(play("liz: declare other"), Err("dependency-unknown"));
    assert_eq!(play("liz: declare\n sam: resolve"), Err("not-entitled-to-declare"));
    assert_eq!(play("liz: declare\n bot: resolve"), Err("not-human"));
    assert_eq!(play("liz: declare\n liz: resolve other"), Err("dependency-unknown"));
}

#[test]
fn one_person_resolves_what_two_declared() {
    let down = "liz: declare\n dan: declare\n dan: resolve\n";
    assert_eq!(play(&format!("{down} {ASK}")), Err("outage-lane-closed"));
    assert_eq!(play(&format!("{down} liz: resolve")), Err("nothing-to-resolve"));
    assert_eq!(play(&format!("{down} liz: declare\n {ASK}")), Err("outage-lane-closed"));
}

#[test]
fn people_do_not_resolve_what_is_measured() {
    assert_eq!(play("probe: down\n liz: resolve"), Err("nothing-to-resolve"));
    let story = format!("probe: down\n liz: declare\n liz: resolve\n {ASK}");
    assert_eq!(play(&story), ok("requested"));
}

#[test]
fn a_declaration_that_ran_out_counts_no_second_longer_and_the_clock_says_so() {
    let down = "liz: declare until=100\n dan: declare until=50\n";
    assert_eq!(play(&format!("{down} pass 49\n {ASK}")), ok("requested"));
    assert_eq!(play(&format!("{down} pass 50\n {ASK}")), Err("outage-lane-closed"));
    assert_eq!(play(&format!("{down} pass 49\n clock: run-out")), Err("not-due"));
    let (house, outcome) = tell(&format!("{down} pass 50\n clock: run-out"));
    assert_eq!(outcome.unwrap(), "outage-ended");
    let ended = house.entries.last().unwrap();
    assert_eq!(ended.body.decision().unwrap().outcome, "ended");
    assert!(ended.body.signed().is_none());
    assert_eq!(play(&format!("{down} pass 50\n clock: run-out\n clock: run-out")), Err("not-due"));
    let over = "pass 50\n clock: run-out\n pass 50\n clock: run-out\n clock: run-out";
    assert_eq!(play(&format!("{down} {over}")), Err("nothing-to-resolve"));
}

#[test]
fn the_probes_write_down_only_what_is_news() {
    assert_eq!(play("probe: up"), Err("wrong-state"));
    assert_eq!(play("probe: down\n probe: down"), Err("wrong-state"));
    assert_eq!(play("probe: down\n probe: up\n probe: up"), Err("wrong-state"));
}

#[test]
fn recovery_ends_what_the_outage_opened_after_its_grace() {
    assert_eq!(play(&live("clock: drain")), Err("still-allowed"));
    assert_eq!(play(&live("probe: up\n pass 299\n clock: drain")), Err("not-due"));
    let (house, outcome) = tell(&live("probe: up\n pass 300\n clock: drain"));
    assert_eq!(outcome.unwrap(), "revoked");
    let Body::Revoked(revoked) = &house.entries.last().unwrap().body else { panic!("not revoked") };
    assert_eq!(revoked.cause, Cause::OutageEnded);
    assert_eq!(revoked.decision.rules, ["outage-ended"]);
}

#[test]
fn an_outage_that_began_again_lets_its_grants_live() {
    let story = live("probe: up\n pass 200\n probe: down\n pass 100\n clock: drain");
    assert_eq!(play(&story), Err("still-allowed"));
    let story = live("probe: up\n probe: down\n pass 60\n probe: up\n pass 299\n clock: drain");
    assert_eq!(play(&story), Err("not-due"), "grace counts from the newest end");
}

#[test]
fn an_outage_that_people_still_vouch_for_is_not_over_when_it_is_measured_up() {
    let story = live("liz: declare\n dan: declare\n probe: up\n pass 300\n clock: drain");
    assert_eq!(play(&story), Err("still-allowed"));
}

#[test]
fn grants_of_other_lanes_and_of_scopes_that_let_them_live_outlast_the_outage() {
    let normal = "probe: down\n sam: request scope=idp\n ada: approve lead\n subject: collect\n \
                  probe: up\n pass 300\n clock: drain";
    assert_eq!(play(normal), Err("still-allowed"));
    let outlived = live("policy outage-outlived\n probe: up\n pass 300\n clock: drain");
    assert_eq!(play(&outlived), Err("still-allowed"));
}

#[test]
fn grace_ends_as_written_down_when_the_clock_was_late_to_write_off_a_declaration() {
    let story = format!(
        "liz: declare until=60\n dan: declare until=60\n {ASK} ada: approve lead\n \
         subject: collect\n pass 400\n"
    );
    assert_eq!(play(&format!("{story} clock: drain")), Err("still-allowed"));
    let over = format!("{story} clock: run-out\n");
    assert_eq!(play(&format!("{over} clock: drain")), Err("not-due"));
    assert_eq!(play(&format!("{over} pass 199\n clock: expire")), Err("not-due"));
}
