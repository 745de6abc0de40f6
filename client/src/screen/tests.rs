use breakglass_ledger::id::RequestId;
use breakglass_ledger::testing::House;
use breakglass_proto::v1;

use super::*;
use crate::testing::view;

fn rendered(house: &House, view: &v1::RequestView, viewer: &str, stage: Option<&str>) -> String {
    let asked = Asked::verify(view, &house.policy, &house.keys.origin()).unwrap();
    let scope = asked.scope(&house.policy).unwrap();
    let stage = stage.map(|name| scope.stage(&name.parse().unwrap()).unwrap());
    let (viewer, zone) = (viewer.parse().unwrap(), TimeZone::UTC);
    let now = house.now;
    Screen { asked: &asked, policy: &house.policy, viewer: &viewer, stage, now, zone: &zone }
        .render()
        .unwrap()
}

fn house() -> (House, RequestId) {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    house.pass(14);
    (house, id)
}

/// R22: everything a yes covers is on the screen.
#[test]
fn the_screen_shows_who_why_what_where_how_long_and_under_which_policy() {
    let (mut house, id) = house();
    house.approve(id, "ada", "app-owner");
    let shown = rendered(&house, &view(&house, id), "bob", Some("security"));
    let subject = house.keys.public(&breakglass_ledger::testing::subject_name(id));
    for part in [
        id.to_string(),
        "sam (sam, human".to_owned(),
        format!("signed with {}", house.keys.public("sam").fingerprint()),
        "14 s ago".to_owned(),
        "INC-4711".to_owned(),
        "“sam must repair root-on-host”".to_owned(),
        "root-on-host: Root on the payments hosts".to_owned(),
        "SSH as bg-root on every host".to_owned(),
        "from anywhere; any command; permit-pty".to_owned(),
        "30 minutes from the moment it is collected (the scope allows 1 hour)".to_owned(),
        subject.fingerprint().to_string(),
        format!("version 1, {}", house.policy.digest),
        "app-owner: done by ada".to_owned(),
        "security: 1 missing of 1; bob, eve may approve".to_owned(),
        "are bob and may approve stage security as a member of group:security".to_owned(),
        "with your yes nothing is missing: sam can collect".to_owned(),
        "unless it is collected, it lapses in 14 m 46 s".to_owned(),
    ] {
        assert!(shown.contains(&part), "`{part}` is not in\n{shown}");
    }
}

#[test]
fn the_first_of_two_stages_says_what_remains_after_it() {
    let (house, id) = house();
    let shown = rendered(&house, &view(&house, id), "ada", Some("app-owner"));
    assert!(shown.contains("with your yes still missing: 1 in security"), "{shown}");
}

/// R22: the screen is the same whatever the broker says beside the signed bytes.
#[test]
fn nothing_on_the_screen_comes_from_the_brokers_own_fields() {
    let (house, id) = house();
    let honest = view(&house, id);
    let lying = v1::RequestView {
        state: v1::State::Approved.into(),
        policy_digest: "f".repeat(64),
        asked_at: 1,
        lapses_at: 9_999_999_999,
        expires_at: 9_999_999_999,
        stages: vec![v1::StageView { name: "none".to_owned(), ..v1::StageView::default() }],
        outcome: "harmless".to_owned(),
        ended_by: "ada".to_owned(),
        ..honest.clone()
    };
    assert_eq!(
        rendered(&house, &honest, "ada", Some("app-owner")),
        rendered(&house, &lying, "ada", Some("app-owner"))
    );
}

/// R22: a reason cannot draw a second screen over the first.
#[test]
fn control_characters_in_a_reason_are_shown_not_obeyed() {
    let mut house = House::new();
    let mut ask = house.ask("sam", "root-on-host", 1800);
    ask.reason = Some(house.commit("all fine\u{1b}[2J\u{1b}[H  scope      quick"));
    let id = ask.id;
    let signed = house.said("sam", breakglass_ledger::statement::Act::Request(ask));
    let requested = house.requesting(id, "root-on-host", signed);
    house.record(requested);
    let shown = rendered(&house, &view(&house, id), "ada", None);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(shown.contains("\\u{1b}[2J"), "{shown}");
    assert!(shown.contains("have no approval to give here"), "{shown}");
}

#[test]
fn a_line_feed_in_a_reason_stays_within_the_reason() {
    let mut house = House::new();
    let mut ask = house.ask("sam", "root-on-host", 1800);
    ask.reason = Some(house.commit("one\nscope      quick: nothing much"));
    let id = ask.id;
    let signed = house.said("sam", breakglass_ledger::statement::Act::Request(ask));
    let requested = house.requesting(id, "root-on-host", signed);
    house.record(requested);
    let shown = rendered(&house, &view(&house, id), "ada", None);
    let forged = shown.lines().find(|line| line.contains("nothing much")).unwrap();
    assert!(forged.starts_with("             scope"), "{forged}");
}
