//! One line for each thing that happens: for logs, pipes and terminals that cannot be drawn on.

use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::output::{clean, duration, time_of_day};
use crate::view::{ask, ending, progress, state_word, to_json};

/// An alarm of a host, in the broker's words.
#[must_use]
pub fn alarm(detail: &str, at: Timestamp, zone: &TimeZone) -> String {
    format!("{}  ALARM      {}", time_of_day(at, zone), clean(detail))
}

/// What happened at `at`, to the request of `view` if it was about one.
#[must_use]
pub fn text(
    kind: &str,
    at: Timestamp,
    view: Option<&v1::RequestView>,
    now: Timestamp,
    zone: &TimeZone,
) -> String {
    let when = time_of_day(at, zone);
    let Some(view) = view else { return format!("{when}  {kind}") };
    let about = ask(view).map_or_else(String::new, |ask| {
        let ttl = duration(ask.ttl.seconds().into());
        let incident = ask.incident.as_deref().unwrap_or("-");
        format!("{} for {} for {ttl}, incident {incident}; ", ask.by, ask.scope)
    });
    let stands = match view.state() {
        v1::State::Pending => progress(view, now),
        v1::State::Approved | v1::State::Live => state_word(view).to_owned(),
        v1::State::Ended | v1::State::Closed | v1::State::Unspecified => ending(view),
    };
    format!("{when}  {kind:<10} {}  {about}{stands}", view.id)
}

/// The same for programs.
#[must_use]
pub fn json(kind: &str, seq: Option<u64>, at: Timestamp, view: Option<&v1::RequestView>) -> Value {
    json!({
        "kind": kind, "seq": seq, "at": at.unix_seconds(), "request": view.map(to_json),
    })
}
