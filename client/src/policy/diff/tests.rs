use breakglass_ledger::policy::Files;
use breakglass_ledger::policy::testing::in_force;
use breakglass_ledger::time::Timestamp;

use super::*;
use crate::policy::cases::tests::files;
use crate::policy::diff::grants::Grant;

fn edited(changes: &[(&str, &str)]) -> Policy {
    let Files { authority, people, rules, scopes } = files();
    let edit = |bytes: Vec<u8>| {
        let mut text = String::from_utf8(bytes).unwrap();
        for (from, to) in changes {
            text = text.replacen(from, to, 1);
        }
        text.into_bytes()
    };
    let (authority, people) = (edit(authority), edit(people));
    let files = Files { authority, people, rules: edit(rules), scopes: edit(scopes) };
    in_force(&files, 2).unwrap()
}

fn old() -> Policy {
    in_force(&files(), 1).unwrap()
}

fn text(changes: &[(&str, &str)]) -> String {
    Difference::between(&old(), &edited(changes)).unwrap().render(None, 0)
}

#[test]
fn two_equal_policies_differ_in_nothing() {
    assert!(Difference::between(&old(), &edited(&[])).unwrap().is_empty());
}

#[test]
fn whoever_joins_a_group_gains_what_it_may() {
    let ada_joins = [(
        "name = \"ada\"\ngroups = [\"leads\"]",
        "name = \"ada\"\ngroups = [\"leads\", \"oncall\"]",
    )];
    // A leader alone in app-owner who asked could never be approved: a second one comes too.
    let told = text(&[
        ada_joins[0],
        ("approvers = \"group:leads\"", "approvers = [\"group:leads\", \"group:security\"]"),
        ("name = \"app-owner\"\n", "name = \"app-owner\"\n"),
    ]);
    assert!(told.contains("people: other keys, kind, team or groups: ada"), "{told}");
    let root: Vec<&str> = told.lines().take_while(|line| !line.starts_with("solo")).collect();
    assert!(root.iter().any(|line| line.trim() == "request            gains ada"), "{told}");
    assert!(root.iter().any(|line| line.trim() == "approve app-owner  gains bob, eve"), "{told}");
    assert!(told.contains("\nsolo\n"), "what ada gains elsewhere is told too: {told}");
}

/// Who may approve is not who is named: somebody who may no longer ask leaves others nothing.
#[test]
fn a_limit_and_a_right_that_change_are_told_by_scope() {
    let told = text(&[("ttl-max = \"1h\"", "ttl-max = \"30m\""), ("live-max = 2", "live-max = 1")]);
    assert_eq!(told, "root-on-host\n  ttl-max   1 hour -> 30 minutes\n  live-max  2 -> 1");
}

#[test]
fn a_scope_that_goes_takes_every_right_with_it() {
    let told = text(&[("id = \"solo\"", "id = \"alone\"")]);
    assert!(told.starts_with("alone (new)\n  request  gains sam"), "{told}");
    assert!(told.contains("solo (gone)\n  request  loses sam"), "{told}");
}

#[test]
fn rules_are_compared_by_their_ids() {
    let rule =
        |id: &str, what: &str| format!("@id(\"{id}\")\n{what} (principal, action, resource);\n");
    let (old, new) = (
        rule("stays", "permit") + &rule("goes", "forbid") + &rule("turns", "permit"),
        rule("stays", "permit") + &rule("turns", "forbid") + &rule("comes", "permit"),
    );
    let told = rules(&old, &new);
    assert_eq!(
        (told.added, told.removed, told.changed),
        (vec!["comes".to_owned()], vec!["goes".to_owned()], vec!["turns".to_owned()])
    );
}

fn grant(who: &str, scope: &str) -> Grant {
    let text = format!(
        "{{\"requests\":[{{\"id\":\"req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d\",\"who\":{who:?},\
         \"scope\":{scope:?},\"lane\":\"normal\",\"ttl_seconds\":600,\"serial\":6,\
         \"expires_at\":2000,\"cause\":\"\",\"on_behalf_of\":[]}}]}}"
    );
    grants_of(&text).unwrap().remove(0)
}

#[test]
fn a_live_grant_that_the_new_policy_would_not_give_ends() {
    let now = Timestamp::from_unix_seconds(1_900);
    let all = || vec![grant("sam", "root-on-host"), grant("sam", "solo")];
    let shorter = edited(&[("principals = [\"bg-root\"]", "principals = [\"bg-other\"]")]);
    let ends = standing(&old(), &shorter, all(), now).unwrap();
    assert_eq!(ends[0].ends.as_deref(), Some("scope-changed"));
    assert_eq!(ends[1].ends, None);
    let told = Difference::between(&old(), &shorter).unwrap().render(Some(&ends), 1_900);
    assert!(told.contains("live grants: 1 of 2 would end at once\n  req-0192"), "{told}");
    assert!(told.contains("sam root-on-host, 1 m 40 s left: scope-changed"), "{told}");
    let same = standing(&old(), &edited(&[]), all(), now).unwrap();
    assert!(same.iter().all(|one| one.ends.is_none()), "{same:?}");
}

#[test]
fn what_is_no_list_of_grants_is_refused() {
    assert_eq!(grants_of("[]").unwrap_err().exit(), crate::failure::Exit::Malformed);
}
