use super::*;
use crate::time::Ttl;

/// The sample with these lines in its first scope, and these lanes beside the normal one.
fn with(lanes: &str, lines: &str) -> Files {
    let files = changed(File::Scopes, "live-max = 2", &format!("live-max = 2\n{lines}"));
    let text = String::from_utf8(files.scopes.clone()).unwrap();
    let lanes = format!("lanes = [\"normal\"{lanes}]");
    let scopes = text.replacen("lanes = [\"normal\"]", &lanes, 1).into_bytes();
    Files { scopes, ..files }
}

/// The sample with these lines in the stage `security`.
fn staged(lines: &str) -> Files {
    changed(File::Scopes, "name = \"security\"", &format!("name = \"security\"\n{lines}"))
}

fn scope(files: &Files) -> Scope {
    let checked = check(files).unwrap();
    checked.scopes.get(&"root-on-host".parse().unwrap()).unwrap().clone()
}

const EMERGENCY: &str = "emergency = { after = \"10m\", ttl-max = \"15m\", delay = \"2m\" }";

#[test]
fn the_fields_of_special_lanes_are_read() {
    let lines = format!(
        "outage = \"okta\"\nends-with-outage = true\ngrace = \"10m\"\nbudget = \"4h/7d\"\n\
         cooldown = \"10m\"\nreview-within = \"72h\"\nreview-gate = true\n{EMERGENCY}"
    );
    let scope = scope(&with(", \"outage\", \"emergency\", \"drill\"", &lines));
    assert_eq!(scope.lanes.len(), 4);
    assert_eq!(scope.outage.unwrap().as_str(), "okta");
    assert!(scope.ends_with_outage && scope.review_gate);
    assert_eq!((scope.grace, scope.cooldown), (600, Some(600)));
    assert_eq!(scope.budget, Some(Budget { time: 14_400, window: 604_800 }));
    assert_eq!(scope.review_within, Some(259_200));
    let ttl_max = Ttl::from_seconds(900).unwrap();
    assert_eq!(scope.emergency, Some(Emergency { after: 600, ttl_max, delay: 120 }));
}

#[test]
fn a_scope_without_them_has_none_of_them() {
    let scope = scope(&five());
    assert_eq!((scope.cooldown, scope.budget, scope.outage), (None, None, None));
    assert_eq!((scope.ends_with_outage, scope.grace, scope.review_within), (false, 0, None));
    assert_eq!((scope.review_gate, scope.emergency), (false, None));
}

#[test]
fn a_field_of_the_outage_lane_needs_the_lane_and_the_dependency() {
    let outage = "outage = \"okta\"";
    assert_eq!(told(&with(", \"outage\"", outage)), "");
    assert_eq!(told(&with(", \"outage\"", "")), "scopes.toml:1 needs");
    assert_eq!(told(&with("", outage)), "scopes.toml:12 needs");
    for field in ["ends-with-outage = true", "grace = \"10m\""] {
        assert_eq!(told(&with("", field)), "scopes.toml:12 needs", "{field}");
    }
    assert_eq!(told(&with(", \"outage\"", "outage = \"Okta\"")), "scopes.toml:12 bad-value");
    let long = format!("{outage}\ngrace = \"13h\"");
    assert_eq!(told(&with(", \"outage\"", &long)), "scopes.toml:13 out-of-range");
}

#[test]
fn the_emergency_lane_and_its_table_need_each_other() {
    let lane = ", \"emergency\"";
    assert_eq!(told(&with(lane, EMERGENCY)), "");
    assert_eq!(kinds(&with(lane, "")), ["needs"]);
    assert_eq!(told(&with("", EMERGENCY)), "scopes.toml:12 needs");
    for missing in ["after = \"10m\", ", "ttl-max = \"15m\", ", ", delay = \"2m\""] {
        let table = EMERGENCY.replace(missing, "");
        assert_eq!(told(&with(lane, &table)), "scopes.toml:12 missing-field", "{missing}");
    }
    let more = EMERGENCY.replace("{ ", "{ surprise = 1, ");
    assert_eq!(told(&with(lane, &more)), "scopes.toml:12 unknown-field");
}

/// Nobody can leave a question unanswered that is put to nobody.
#[test]
fn an_emergency_lane_needs_stages() {
    let text = String::from_utf8(five().scopes).unwrap();
    let at = text.find("approval = \"none\"").unwrap();
    let (head, tail) = text.split_at(at);
    let soon = EMERGENCY.replace("10m", "1m");
    let (before, lanes) = head.rsplit_once("[\"normal\"]").unwrap();
    let scopes = format!("{before}[\"normal\", \"emergency\"]{lanes}{soon}\n{tail}");
    assert_eq!(kinds(&Files { scopes: scopes.into(), ..five() }), ["needs"]);
}

#[test]
fn the_emergency_lane_grants_no_more_than_the_scope_and_in_time() {
    let with = |from: &str, to: &str| with(", \"emergency\"", &EMERGENCY.replace(from, to));
    assert_eq!(told(&with("15m", "1h")), "");
    assert_eq!(told(&with("15m", "3601s")), "scopes.toml:12 emergency-ttl");
    assert_eq!(told(&with("15m", "13h")), "scopes.toml:12 ttl-over-cap");
    // pending-max is 15 minutes.
    assert_eq!(told(&with("10m", "779s")), "");
    assert_eq!(told(&with("10m", "13m")), "scopes.toml:12 not-before-lapse");
}

#[test]
fn a_budget_is_an_amount_within_a_window_of_at_most_ninety_days() {
    let with = |value: &str| told(&with("", &format!("budget = {value}")));
    for good in ["\"4h/7d\"", "\"1s/1s\"", "\"90d/90d\""] {
        assert_eq!(with(good), "", "{good}");
    }
    for bad in ["\"7d/4h\"", "\"4h\"", "\"0s/7d\"", "\"4h/7d/1d\"", "\"\"", "\"4h / 7d\""] {
        assert_eq!(with(bad), "scopes.toml:12 bad-value", "{bad}");
    }
    assert_eq!(with("\"4h/91d\""), "scopes.toml:12 out-of-range");
    assert_eq!(with("4"), "scopes.toml:12 wrong-type");
}

#[test]
fn waits_and_reviews_have_limits() {
    assert_eq!(told(&with("", "cooldown = \"30d\"")), "");
    assert_eq!(told(&with("", "cooldown = \"31d\"")), "scopes.toml:12 out-of-range");
    assert_eq!(told(&with("", "cooldown = 10")), "scopes.toml:12 wrong-type");
    assert_eq!(told(&with("", "review-within = \"91d\"")), "scopes.toml:12 out-of-range");
    assert_eq!(told(&with("", "review-gate = \"yes\"")), "scopes.toml:12 wrong-type");
}

#[test]
fn a_stage_that_waits_says_who_is_asked_then_and_in_time() {
    let escalates = "within = \"5m\"\nescalate = \"group:leads\"";
    let scope = scope(&staged(escalates));
    let stage = scope.stages().last().unwrap();
    assert_eq!((stage.within, stage.escalate.len()), (Some(300), 1));
    assert_eq!(told(&staged("within = \"5m\"")), "scopes.toml:23 needs");
    assert_eq!(told(&staged("escalate = \"group:leads\"")), "scopes.toml:23 needs");
    let late = escalates.replace("5m", "15m");
    assert_eq!(told(&staged(&late)), "scopes.toml:23 not-before-lapse");
    let unknown = escalates.replace("leads", "laeds");
    assert_eq!(told(&staged(&unknown)), "scopes.toml:24 unknown-group");
    assert_eq!(told(&staged("within = \"5m\"\nescalate = []")), "scopes.toml:24 empty-list");
}

/// Whoever is asked when nobody answers is no excuse for a stage that nobody could answer.
#[test]
fn escalation_does_not_make_a_chain_satisfiable() {
    let files = staged("within = \"5m\"\nescalate = \"group:leads\"");
    let files = change(
        files,
        File::Scopes,
        "\"group:security\"\nquorum = 1",
        "\"group:security\"\nquorum = 3",
    );
    assert_eq!(told(&files), "scopes.toml:1 unsatisfiable");
}

#[test]
fn hosts_are_names_of_which_none_stands_twice() {
    let with = |list: &str| {
        changed(File::Scopes, "[\"bg-root\"]\n", &format!("[\"bg-root\"]\nhosts = {list}\n"))
    };
    let scope = scope(&with("[\"db-1\", \"db-2\"]"));
    let hosts = scope.ssh.unwrap().hosts;
    assert_eq!(
        hosts.iter().map(crate::principal::TargetId::as_str).collect::<Vec<_>>(),
        ["db-1", "db-2"]
    );
    for (list, fault) in [
        ("[]", "empty-list"),
        ("\"db-1\"", "wrong-type"),
        ("[\"*\"]", "bad-value"),
        ("[\"a,b\"]", "bad-value"),
        ("[\"db-1\", \"db-1\"]", "repeated"),
    ] {
        assert_eq!(told(&with(list)), format!("scopes.toml:28 {fault}"), "{list}");
    }
}
