//! What was asked, in words.

use std::fmt::Write;

use breakglass_ledger::policy::Scope;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::Timestamp;
use jiff::tz::TimeZone;

use crate::output::{duration, when};
use crate::policy::question::{Action, Question};

/// The question in one sentence.
pub(super) fn question(question: &Question, scope: Option<&Scope>) -> String {
    let Question { who, action, scope: id, terms } = question;
    let title = scope.map(|scope| format!(" ({})", scope.title)).unwrap_or_default();
    let of = terms.requester.as_ref().filter(|of| *of != who);
    let of = of.map(|of| format!("{of}'s request for ")).unwrap_or_default();
    match action {
        Action::Request => format!("may {who} ask for {id}{title}?"),
        Action::Approve => {
            let stage = terms.stage.as_ref().map(|stage| format!(", stage {stage}"));
            format!("may {who} approve {of}{id}{title}{}?", stage.unwrap_or_default())
        }
        Action::Collect => format!("may {who} collect {id}{title}?"),
        Action::Deny
        | Action::Cancel
        | Action::Withdraw
        | Action::Drop
        | Action::Escalate
        | Action::Review
        | Action::Read => {
            format!("may {who} {action} {of}{id}{title}?")
        }
    }
}

/// What it supposes.
pub(super) fn terms(question: &Question, zone: &TimeZone) -> String {
    let terms = &question.terms;
    let ttl = terms.ttl.map_or(0, |ttl| u64::from(ttl.seconds()));
    let incident = terms.incident.as_ref();
    let incident = incident.map_or_else(|| "no incident".to_owned(), |id| format!("incident {id}"));
    let reason = if terms.has_reason { "a reason" } else { "no reason" };
    let mut text = format!("lane {}, {}, {incident}, {reason}", terms.lane, duration(ttl));
    if terms.waited > 0 {
        let _ = write!(text, ", asked {} before", duration(terms.waited));
    }
    if let Some(outage) = terms.outage {
        let _ = write!(text, ", dependency down for {}", duration(outage));
    }
    if terms.live > 0 {
        let _ = write!(text, ", {} alive", terms.live);
    }
    let _ = write!(text, "\n{}", clock_words(terms.at, zone));
    text
}

/// The instant in the user's zone with UTC beside it.
fn clock_words(at: Timestamp, zone: &TimeZone) -> String {
    let now = crate::clock::now();
    let day = at.unix_seconds() / 86_400;
    // 1970-01-01 was a Thursday.
    let weekday = usize::try_from(day.saturating_add(3) % 7).unwrap_or(0);
    let weekday = crate::policy::question::WEEKDAYS.get(weekday).copied().unwrap_or_default();
    if at.since(now) == 0 && now.since(at) < 60 {
        return format!("{weekday}, now");
    }
    format!("{weekday}, {}", when(at, now, zone))
}

/// What the requester would type.
pub(super) fn command(question: &Question) -> String {
    let Question { scope, terms, .. } = question;
    let mut text = format!("breakglass request {scope}");
    if let Some(incident) = &terms.incident {
        let _ = write!(text, " --incident {incident}");
    }
    if terms.has_reason {
        text.push_str(" --reason …");
    }
    if let Some(ttl) = terms.ttl {
        let minutes = ttl.seconds() / 60;
        let _ = match ttl.seconds() % 60 {
            0 => write!(text, " --ttl {minutes}m"),
            _ => write!(text, " --ttl {}s", ttl.seconds()),
        };
    }
    if terms.lane != Lane::Normal {
        let _ = write!(text, " --lane {}", terms.lane);
    }
    text
}
