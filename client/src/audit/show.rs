//! An export as a table: one line per entry, in words. Shows, and proves nothing.

use std::io::BufRead;

use breakglass_ledger::entry::{Body, Config, ConfigChange, ENTRY_MAX, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::{Act, Statement};
use serde_json::{Value, json};

use super::BundleError;
use crate::failure::{Exit, Failure};
use crate::output::Table;

/// The entries of `source`, or only those of `request`, as a table and as JSON.
///
/// # Errors
///
/// [`Failure`] if a line is not an entry.
pub fn table(
    source: &mut dyn BufRead,
    request: Option<RequestId>,
) -> Result<(Table, Vec<Value>), Failure> {
    let mut table = Table::new(&["SEQ", "TIME", "TYPE", "WHO", "WHAT"]);
    let mut rows = Vec::new();
    let mut line = Vec::new();
    while next(source, &mut line)? {
        let entry = Entry::parse(&line).map_err(|error| not_an_entry(&error.to_string()))?;
        let grant = entry.grant().map(|link| link.grant);
        if request.is_some() && grant != request {
            continue;
        }
        if rows.len() >= ROWS_MAX {
            return Err(Failure::usage(
                format!("there are more than {ROWS_MAX} entries to show"),
                "show one request with --request, or read entries.jsonl itself, one entry a line",
            ));
        }
        let (who, what) = (who(&entry.body), what(&entry.body));
        rows.push(json!({
            "seq": entry.seq, "time": entry.time.to_string(), "type": entry.body.type_name(),
            "request": grant.map(|id| id.to_string()), "who": who, "what": what,
        }));
        table.row(&[
            entry.seq.to_string(),
            entry.time.to_string(),
            entry.body.type_name().to_owned(),
            who,
            what,
        ]);
    }
    Ok((table, rows))
}

/// Reads a line of at most an entry's length into `line`, without its line feed.
pub(crate) fn next(source: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, Failure> {
    line.clear();
    let limit = u64::try_from(ENTRY_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let mut bounded = std::io::Read::take(source, limit);
    bounded.read_until(b'\n', line).map_err(|source| {
        Failure::from(BundleError::Io { path: "entries.jsonl".into(), source })
    })?;
    if line.is_empty() {
        return Ok(false);
    }
    match line.pop() {
        Some(b'\n') => Ok(true),
        Some(_) | None => Err(not_an_entry("a line is torn or too long")),
    }
}

fn not_an_entry(rule: &str) -> Failure {
    Failure::new(
        Exit::Malformed,
        format!("a line is not an entry: {rule}"),
        "the table ends here",
        "run `breakglass audit verify` on it",
    )
}

fn statement(body: &Body) -> Option<Statement> {
    Statement::parse(body.signed()?.statement.as_bytes()).ok()
}

/// Who said it: a principal, the subject key, or nobody (the clock, the broker).
pub(crate) fn who(body: &Body) -> String {
    match statement(body) {
        Some(statement) => match statement.by() {
            Some(by) => by.to_string(),
            None => "subject key".to_owned(),
        },
        None => "-".to_owned(),
    }
}

/// The gist of an entry.
pub(crate) fn what(body: &Body) -> String {
    let said = statement(body);
    match body {
        Body::Genesis(genesis) => format!("{}, {}", genesis.deployment, genesis.software),
        Body::Policy(policy) => format!("version {} {}", policy.version, policy.digest),
        Body::Requested(_) => match said.as_ref().map(Statement::act) {
            Some(Act::Request(ask)) => format!(
                "{} for {} s, {}, lane {}",
                ask.scope,
                ask.ttl,
                ask.incident.as_deref().unwrap_or("no incident"),
                ask.lane.name(),
            ),
            _ => String::new(),
        },
        Body::Approved(approved) => {
            format!("stage {}, {} missing", approved.stage, approved.missing)
        }
        Body::Issued(issued) => format!(
            "serial {}, {} until {}",
            issued.serial,
            issued.principals.join(","),
            issued.valid_before,
        ),
        Body::Revoked(revoked) => format!("serial {}, {}", revoked.serial, revoked.cause.name()),
        Body::Lapsed(lapsed) => match lapsed.decision.after_policy() {
            Some(rules) => format!("the new policy no longer allows it: {}", rules.join(", ")),
            None => "unanswered or uncollected in time".to_owned(),
        },
        Body::Closed(closed) => closed.outcome.name().to_owned(),
        Body::Refused(refused) => {
            format!("{}: {} {}", refused.act, refused.refusal.number, refused.refusal.name)
        }
        Body::Escalated(escalated) => format!("stage {}", escalated.stage),
        Body::Locked(_) => match said.as_ref().map(Statement::act) {
            Some(Act::Lock(lock)) => match lock.until {
                Some(until) => format!("{} until {until}", lock.target),
                None => format!("{} until unlocked", lock.target),
            },
            _ => String::new(),
        },
        Body::Unlocked(unlocked) => format!("lock {}", unlocked.lock),
        Body::OutageBegan(began) => format!("{} {}", began.dependency, began.decision.outcome),
        Body::OutageEnded(ended) => format!("{} {}", ended.dependency, ended.decision.outcome),
        Body::Reviewed(reviewed) => match said.as_ref().map(Statement::act) {
            Some(Act::Review(review)) => format!("{} {}", reviewed.request, review.verdict),
            _ => reviewed.request.to_string(),
        },
        Body::Drill(drill) => {
            let outcome = if drill.passed { "passed" } else { "not passed" };
            format!("{} {outcome}", drill.scope)
        }
        Body::Applied(_) | Body::Used(_) | Body::Reconciled(_) => report(said.as_ref()),
        Body::Config(Config { what: ConfigChange::Overdue(late) }) => {
            format!("{} has not reported the revocation of entry {}", late.target, late.entry)
        }
        Body::Denied(_)
        | Body::Withdrawn(_)
        | Body::PickedUp(_)
        | Body::Anchor(_)
        | Body::Keys(_)
        | Body::Config(_) => String::new(),
    }
}

/// What a host reports.
fn report(said: Option<&Statement>) -> String {
    match said.map(Statement::act) {
        Some(Act::Applied(applied)) => {
            let ended = applied.ended.0.unwrap_or(0);
            format!(
                "{} {} in force at {}, canary {}, {ended} sessions ended",
                applied.list, applied.version, applied.target, applied.canary
            )
        }
        Some(Act::Use(used)) => {
            format!("serial {} at {} at {}", used.serial.0, used.target, used.at)
        }
        _ => String::new(),
    }
}

/// Most rows of a table: it is laid out in memory, and nobody reads more.
const ROWS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use breakglass_ledger::entry::Entry;

    use super::*;

    #[test]
    fn every_entry_that_changes_something_besides_a_request_says_what() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/ledger/vectors/lanes/entries.jsonl");
        let entries = std::fs::read_to_string(path).unwrap();
        let mut said = Vec::new();
        for line in entries.lines() {
            let body = Entry::parse(line.as_bytes()).unwrap().body;
            said.push(format!("{} {}", body.type_name(), what(&body)));
        }
        for (kind, words) in [
            ("outage-began", "began"),
            ("outage-ended", "ended"),
            ("locked", ":"),
            ("unlocked", "lock "),
            ("reviewed", "req-"),
            ("drill", "passed"),
            ("escalated", "stage "),
        ] {
            let of_kind = |one: &&String| one.starts_with(&format!("{kind} "));
            let found = said.iter().find(|one| of_kind(one) && one.contains(words));
            assert!(found.is_some(), "{kind}: {said:#?}");
        }
    }
}
