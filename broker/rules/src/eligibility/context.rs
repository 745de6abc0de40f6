//! What a rule reads under `context`: for each action exactly what the schema says.

use breakglass_ledger::audit::Circumstances;
use breakglass_ledger::time::Timestamp;
use cedar_policy::RestrictedExpression as Value;

use super::compile::uid;
use super::entities::Names;
use super::{Action, Question};

/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// The names and values.
pub(super) fn pairs(names: &Names, question: &Question<'_>) -> Option<Vec<(String, Value)>> {
    let seen = &question.circumstances;
    let (hour, weekday) = hour_and_weekday(seen.at);
    let mut pairs = vec![
        ("hour".to_owned(), Value::new_long(hour)),
        ("weekday".to_owned(), Value::new_string(weekday.to_owned())),
    ];
    match question.action {
        Action::Lock | Action::Export => {}
        Action::Declare => pairs.push(outage(seen)?),
        Action::Deny | Action::Cancel | Action::Review | Action::Read => {
            pairs.extend(asked(names, seen)?);
        }
        Action::Request => {
            pairs.extend(asked(names, seen)?);
            pairs.extend(counts(seen));
        }
        Action::Approve => {
            pairs.extend(asked(names, seen)?);
            pairs.extend(counts(seen));
            let stage = seen.stage?.as_str().to_owned();
            pairs.push(("stage".to_owned(), Value::new_string(stage)));
        }
    }
    Some(pairs)
}

fn asked(names: &Names, seen: &Circumstances<'_>) -> Option<[(String, Value); 6]> {
    let requester = uid(&names.principal, seen.requester?.as_str());
    let ttl = i64::from(seen.ttl?.seconds());
    Some([
        ("lane".to_owned(), Value::new_string(seen.lane?.name().to_owned())),
        outage(seen)?,
        ("ttl".to_owned(), Value::new_long(ttl)),
        ("incident".to_owned(), Value::new_bool(seen.incident)),
        ("depth".to_owned(), Value::new_long(long(seen.depth))),
        ("requester".to_owned(), Value::new_entity_uid(requester)),
    ])
}

fn counts(seen: &Circumstances<'_>) -> [(String, Value); 3] {
    [
        ("live".to_owned(), Value::new_long(long(seen.live))),
        ("budget".to_owned(), Value::new_long(long(seen.budget))),
        ("drill-age".to_owned(), Value::new_long(seen.drill_age.map_or(-1, long))),
    ]
}

fn outage(seen: &Circumstances<'_>) -> Option<(String, Value)> {
    let seconds = seen.outage_since.map_or(0, |since| long(seen.at.since(since)));
    let fields = [
        ("active".to_owned(), Value::new_bool(seen.outage_since.is_some())),
        ("seconds".to_owned(), Value::new_long(seconds)),
    ];
    // Two names that differ: it cannot fail.
    Some(("outage".to_owned(), Value::new_record(fields).ok()?))
}

fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Hour 0 to 23 and weekday, in UTC.
fn hour_and_weekday(at: Timestamp) -> (i64, &'static str) {
    let seconds = at.unix_seconds();
    let hour = seconds.checked_div(3_600).and_then(|hours| hours.checked_rem(24)).unwrap_or(0);
    let day = seconds.checked_div(86_400).and_then(|days| days.checked_rem(7)).unwrap_or(0);
    let day = usize::try_from(day).unwrap_or(0);
    (long(hour), WEEKDAYS.get(day).copied().unwrap_or("thu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_weekdays_are_those_of_utc() {
        let at = |seconds| hour_and_weekday(Timestamp::from_unix_seconds(seconds));
        assert_eq!(at(0), (0, "thu"));
        assert_eq!(at(86_399), (23, "thu"));
        assert_eq!(at(86_400), (0, "fri"));
        // 2026-11-22T10:15:00Z, a Sunday.
        assert_eq!(at(1_795_342_500), (10, "sun"));
    }
}
