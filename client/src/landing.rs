//! What became of revocations on hosts, in tables and for programs. All of it is a broker's word about
//! what hosts signed; `audit verify` checks the signatures.

use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::{
    LandingView, ListTargetsAnswer, RequestView, TargetLandingView, TargetView, UnlandedView,
};
use serde_json::{Value, json};

use crate::output::{Table, short_duration};

/// Where the revocation of `view` has landed, one table for each list; empty if it was not revoked.
#[must_use]
pub fn landings(view: &RequestView, columns: Option<usize>) -> String {
    let each = view.landings.iter().map(|landing| of_list(landing, columns));
    each.collect::<Vec<_>>().join("\n")
}

fn of_list(landing: &LandingView, columns: Option<usize>) -> String {
    let LandingView { list, targets_total, landed_total, .. } = landing;
    if landing.targets.is_empty() {
        return format!("{list}: no host reports this list, so nobody knows where it is in force");
    }
    let mut table =
        Table::new(&["TARGET", "SENT", "APPLIED", "LATENCY", "VERIFIED", "SESSIONS ENDED"]);
    for target in &landing.targets {
        let sent = if landing.newest > landing.seq { "yes" } else { "NOT YET" };
        table.row(&[
            target.target.clone(),
            sent.to_owned(),
            applied(landing.sent_at, target),
            millis(target.latency_ms),
            verified(landing.sent_at, target),
            target.sessions_ended.map_or_else(|| "-".to_owned(), |ended| ended.to_string()),
        ]);
    }
    let hidden = u64::from(*targets_total).saturating_sub(count(&landing.targets));
    let more = if hidden > 0 { format!(", {hidden} of them not shown") } else { String::new() };
    let head = format!("{list}: in force at {landed_total} of {targets_total} targets{more}");
    format!("{head}\n{}", table.render(columns))
}

fn applied(sent_at: u64, target: &TargetLandingView) -> String {
    match (target.applied_at, target.overdue) {
        (0, true) => format!("OVERDUE, at {}", target.version),
        (0, false) => format!("not yet, at {}", target.version),
        (at, _) => after(sent_at, at),
    }
}

fn verified(sent_at: u64, target: &TargetLandingView) -> String {
    match (target.accepted, target.verified_at) {
        (true, _) => "ACCEPTED".to_owned(),
        (false, 0) => "untried".to_owned(),
        (false, at) => after(sent_at, at),
    }
}

/// How long after the revocation: entries of one second are not told apart.
fn after(sent_at: u64, at: u64) -> String {
    format!("+{}", short_duration(at.saturating_sub(sent_at)))
}

fn millis(latency: Option<u64>) -> String {
    latency.map_or_else(|| "-".to_owned(), |latency| format!("{latency} ms"))
}

fn count<T>(all: &[T]) -> u64 {
    u64::try_from(all.len()).unwrap_or(u64::MAX)
}

/// The same for programs.
#[must_use]
pub fn to_json(view: &RequestView) -> Value {
    let each = view.landings.iter().map(|landing| {
        let targets = landing.targets.iter().map(|target| {
            json!({
                "target": target.target, "by": target.by, "applied_at": target.applied_at,
                "version": target.version, "latency_ms": target.latency_ms,
                "verified_at": target.verified_at, "accepted": target.accepted,
                "sessions_ended": target.sessions_ended, "overdue": target.overdue,
            })
        });
        json!({
            "seq": landing.seq, "list": landing.list, "sent_at": landing.sent_at,
            "newest": landing.newest, "targets": targets.collect::<Vec<_>>(),
            "targets_total": landing.targets_total, "landed_total": landing.landed_total,
        })
    });
    each.collect()
}

/// Every target with its newest list and how old that report is.
#[must_use]
pub fn targets(answer: &ListTargetsAnswer, now: Timestamp, columns: Option<usize>) -> String {
    if answer.targets.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "TARGET", "LIST", "VERSION", "NEWEST", "REPORTED", "LATENCY", "CANARY", "STATE",
    ]);
    for target in &answer.targets {
        let ago = now.since(Timestamp::from_unix_seconds(target.applied_at));
        table.row(&[
            target.target.clone(),
            target.list.clone(),
            target.version.to_string(),
            target.newest.to_string(),
            format!("{} ago", short_duration(ago)),
            millis(target.latency_ms),
            target.canary.clone(),
            state(target),
        ]);
    }
    table.render(columns)
}

fn state(target: &TargetView) -> String {
    let mut words = Vec::new();
    if !target.enrolled {
        words.push("not enrolled any more".to_owned());
    }
    if let Some(revoked) = target.overdue {
        words.push(format!("OVERDUE with entry {revoked}"));
    } else if target.version < target.newest {
        words.push("behind".to_owned());
    }
    if target.canary == "accepted" {
        words.push("ACCEPTS A REVOKED CREDENTIAL".to_owned());
    }
    if target.unlogged > 0 {
        words.push(format!("{} UNLOGGED CREDENTIALS", target.unlogged));
    }
    if words.is_empty() { "up to date".to_owned() } else { words.join(", ") }
}

/// The revocations that are not everywhere; empty if there is none.
#[must_use]
pub fn unlanded(answer: &ListTargetsAnswer, now: Timestamp, columns: Option<usize>) -> String {
    if answer.unlanded.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["REVOKED", "ENTRY", "LIST", "AGO", "NOT YET AT"]);
    for one in &answer.unlanded {
        table.row(&[
            one.request_id.clone(),
            one.seq.to_string(),
            one.list.clone(),
            short_duration(now.since(Timestamp::from_unix_seconds(one.sent_at))),
            missing(one),
        ]);
    }
    format!("not everywhere yet:\n{}", table.render(columns))
}

fn missing(one: &UnlandedView) -> String {
    let more = u64::from(one.missing_total).saturating_sub(count(&one.missing));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", one.missing.join(", "))
}

/// Targets for programs.
#[must_use]
pub fn targets_to_json(answer: &ListTargetsAnswer) -> Value {
    let each = answer.targets.iter().map(|target| {
        json!({
            "target": target.target, "by": target.by, "list": target.list,
            "version": target.version, "newest": target.newest, "applied_at": target.applied_at,
            "seq": target.seq, "canary": target.canary, "latency_ms": target.latency_ms,
            "sessions_ended": target.sessions_ended, "overdue": target.overdue,
            "unlogged": target.unlogged, "enrolled": target.enrolled,
        })
    });
    each.collect()
}

/// What is not everywhere, for programs.
#[must_use]
pub fn unlanded_to_json(answer: &ListTargetsAnswer) -> Value {
    let each = answer.unlanded.iter().map(|one| {
        json!({
            "id": one.request_id, "seq": one.seq, "sent_at": one.sent_at, "list": one.list,
            "missing": one.missing, "missing_total": one.missing_total,
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> TargetLandingView {
        TargetLandingView { target: name.to_owned(), version: 40, ..TargetLandingView::default() }
    }

    fn revoked(targets: Vec<TargetLandingView>) -> RequestView {
        let total = u32::try_from(targets.len()).unwrap();
        let landing = LandingView {
            seq: 41,
            list: "krl".to_owned(),
            sent_at: 1000,
            newest: 42,
            targets,
            targets_total: total,
            landed_total: 1,
        };
        RequestView { landings: vec![landing], ..RequestView::default() }
    }

    #[test]
    fn each_target_says_sent_applied_verified_and_sessions_ended() {
        let landed = TargetLandingView {
            applied_at: 1000,
            version: 42,
            latency_ms: Some(120),
            verified_at: 1002,
            sessions_ended: Some(1),
            ..target("db-2")
        };
        let late = TargetLandingView { overdue: true, ..target("db-1") };
        let text = landings(&revoked(vec![late, landed]), None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "krl: in force at 1 of 2 targets");
        let cells = |line: &str| {
            line.split("  ")
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .map(String::from)
                .collect::<Vec<_>>()
        };
        assert_eq!(cells(lines[2]), ["db-1", "yes", "OVERDUE, at 40", "-", "untried", "-"]);
        assert_eq!(cells(lines[3]), ["db-2", "yes", "+0 s", "120 ms", "+2 s", "1"]);
    }

    #[test]
    fn an_accepted_canary_is_never_shown_as_verified() {
        let accepts = TargetLandingView {
            applied_at: 1000,
            verified_at: 1001,
            accepted: true,
            ..target("db-1")
        };
        assert!(landings(&revoked(vec![accepts]), None).contains("ACCEPTED"));
    }

    #[test]
    fn without_a_host_nothing_is_claimed() {
        assert!(landings(&revoked(vec![]), None).contains("no host reports"));
        assert_eq!(landings(&RequestView::default(), None), "");
    }

    #[test]
    fn a_target_that_is_behind_says_so() {
        let view = TargetView { version: 4, newest: 5, enrolled: true, ..TargetView::default() };
        assert_eq!(state(&view), "behind");
        assert_eq!(state(&TargetView { version: 5, ..view.clone() }), "up to date");
        let bad = TargetView { overdue: Some(4), unlogged: 2, ..view };
        assert_eq!(state(&bad), "OVERDUE with entry 4, 2 UNLOGGED CREDENTIALS");
    }
}
