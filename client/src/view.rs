//! A broker's view of a request, put into words and into JSON. For display: whoever must be sure
//! uses [`crate::asked`].

use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Ask, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::{RequestView, StageView, State};
use serde_json::{Value, json};

use crate::failure::Exit;
use crate::landing;
use crate::output::{clean, short_duration};
use crate::telling::{self, telling};

/// What the request asks, if its bytes are a request at all.
#[must_use]
pub fn ask(view: &RequestView) -> Option<Ask> {
    let statement = Statement::parse(&view.statement).ok()?;
    let Act::Request(ask) = statement.act() else { return None };
    Some(ask.clone())
}

/// Who asks, and for whom: `bot for sam`.
#[must_use]
pub fn who(ask: &Ask) -> String {
    let chain: Vec<&str> = ask.on_behalf_of.iter().map(PrincipalId::as_str).collect();
    if chain.is_empty() {
        ask.by.to_string()
    } else {
        format!("{} for {}", ask.by, chain.join(" > "))
    }
}

/// One word: `pending`, `approved`, `live`, `ended`, `closed`.
#[must_use]
pub fn state_word(view: &RequestView) -> &'static str {
    match view.state() {
        State::Pending => "pending",
        State::Approved => "approved",
        State::Live => "live",
        State::Ended => "ended",
        State::Closed => "closed",
        State::Unspecified => "unknown",
    }
}

/// How a command that asks after the request ends.
#[must_use]
pub fn exit_of(view: &RequestView) -> Exit {
    match view.state() {
        State::Approved | State::Live => Exit::Done,
        State::Pending => Exit::Pending,
        State::Ended => Exit::Lapsed,
        State::Closed => match view.outcome.as_str() {
            "denied" | "withdrawn" => Exit::Denied,
            _ => Exit::Lapsed,
        },
        State::Unspecified => Exit::Malformed,
    }
}

/// How it ended, in words; empty while it has not.
#[must_use]
pub fn ending(view: &RequestView) -> String {
    if view.outcome.is_empty() && view.cause.is_empty() {
        return String::new();
    }
    let is_forbidden = view.cause == "policy-changed" && !view.ended_rule.is_empty();
    if is_forbidden && view.outcome == "lapsed" {
        return clean(&format!("ended: the new policy no longer allows it: {}", view.ended_rule));
    }
    let by =
        if view.ended_by.is_empty() { String::new() } else { format!(" by {}", view.ended_by) };
    let cause = match (&view.cause, is_forbidden) {
        (cause, _) if cause.is_empty() => String::new(),
        (cause, true) => format!(" ({cause}: {})", view.ended_rule),
        (cause, false) => format!(" ({cause})"),
    };
    let outcome = if view.outcome.is_empty() { "ended" } else { &view.outcome };
    clean(&format!("{outcome}{by}{cause}"))
}

/// The waiting line: who said yes, who is asked, what silence does.
#[must_use]
pub fn progress(view: &RequestView, now: Timestamp) -> String {
    let needed: u64 = view.stages.iter().map(|stage| u64::from(stage.quorum)).sum();
    let given = view.stages.iter().map(|stage| counted(stage).min(u64::from(stage.quorum)));
    let stages: Vec<String> = view.stages.iter().map(|stage| stage_words(stage, now)).collect();
    let lapses = Timestamp::from_unix_seconds(view.lapses_at);
    let rest = if lapses > now {
        format!("lapses in {}", short_duration(lapses.since(now)))
    } else {
        "past its deadline".to_owned()
    };
    let opens = Timestamp::from_unix_seconds(view.opens_at);
    if view.opens_at > 0 {
        let next = if opens > now {
            format!("opens in {} unless somebody cancels", short_duration(opens.since(now)))
        } else {
            "open".to_owned()
        };
        return format!("emergency: {next}; {rest}");
    }
    if stages.is_empty() {
        return format!("no approval needed; {rest}");
    }
    let rest = match escalation(view, now) {
        Some(soon) => format!("{soon}; {rest}"),
        None => rest,
    };
    let told = telling(view);
    let told = if told.is_empty() { told } else { format!("; {told}") };
    clean(&format!("{} of {needed}: {}; {rest}{told}", given.sum::<u64>(), stages.join("; ")))
}

/// When the next stage passes on to others, if one does.
fn escalation(view: &RequestView, now: Timestamp) -> Option<String> {
    let lacks = |stage: &&StageView| counted(stage) < u64::from(stage.quorum);
    let waiting = view.stages.iter().filter(lacks).filter(|stage| stage.escalates_at > 0);
    let at = Timestamp::from_unix_seconds(waiting.map(|stage| stage.escalates_at).min()?);
    Some(if at > now {
        format!("escalates in {}", short_duration(at.since(now)))
    } else {
        "escalates now".to_owned()
    })
}

/// What an ended use leaves to do; empty if nothing.
#[must_use]
pub fn aftermath(view: &RequestView, now: Timestamp) -> String {
    let mut left = Vec::new();
    let due = Timestamp::from_unix_seconds(view.review_due_at);
    if !view.review.is_empty() {
        left.push(format!("reviewed: {}", view.review));
    } else if view.review_due_at > 0 && due <= now {
        left.push(format!("review overdue by {}", short_duration(now.since(due))));
    } else if view.review_due_at > 0 {
        left.push(format!("review due in {}", short_duration(due.since(now))));
    } else if view.review_gates {
        left.push("waits for its review".to_owned());
    }
    if view.review_gates && view.review.is_empty() {
        left.push("the next use waits for it".to_owned());
    }
    let cooled = Timestamp::from_unix_seconds(view.cooldown_until);
    if cooled > now {
        left.push(format!("its holder may ask again in {}", short_duration(cooled.since(now))));
    }
    clean(&left.join("; "))
}

fn counted(stage: &StageView) -> u64 {
    u64::try_from(stage.given.len()).unwrap_or(u64::MAX)
}

fn stage_words(stage: &StageView, now: Timestamp) -> String {
    let given = stage.given.iter().map(|given| {
        let ago = short_duration(now.since(Timestamp::from_unix_seconds(given.at)));
        format!("{}, {ago} ago", given.by)
    });
    let given = given.collect::<Vec<_>>().join("; ");
    if counted(stage) >= u64::from(stage.quorum) {
        return format!("{} done ({given})", stage.name);
    }
    let mut names: Vec<&str> = stage.may_approve.iter().map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let so_far = if given.is_empty() { String::new() } else { format!(" (so far {given})") };
    format!("waiting for {} ({}{more}){so_far}", stage.name, names.join(", "))
}

/// Approvals still missing, over all stages.
#[must_use]
pub fn missing(view: &RequestView) -> u64 {
    let each = view.stages.iter();
    each.map(|stage| u64::from(stage.quorum).saturating_sub(counted(stage))).sum()
}

/// The view for programs.
#[must_use]
pub fn to_json(view: &RequestView) -> Value {
    let ask = ask(view);
    let stages = view.stages.iter().map(|stage| {
        let given = stage.given.iter().map(|given| {
            json!({"by": given.by, "at": given.at, "key": given.key_fingerprint, "seq": given.seq})
        });
        json!({
            "name": stage.name, "quorum": stage.quorum, "given": given.collect::<Vec<_>>(),
            "may_approve": stage.may_approve, "escalated": stage.escalated,
            "escalates_at": stage.escalates_at, "escalates_to": stage.escalates_to,
        })
    });
    json!({
        "id": view.id,
        "state": state_word(view),
        "who": ask.as_ref().map(|ask| ask.by.as_str()),
        "on_behalf_of": ask.as_ref().map(|ask| {
            ask.on_behalf_of.iter().map(PrincipalId::as_str).collect::<Vec<_>>()
        }),
        "scope": ask.as_ref().map(|ask| ask.scope.as_str()),
        "lane": ask.as_ref().map(|ask| ask.lane.name()),
        "signed_with": SshSig::signer_of(&view.signature).ok().map(|key| key.to_string()),
        "ttl_seconds": ask.as_ref().map(|ask| ask.ttl.seconds()),
        "incident": ask.as_ref().and_then(|ask| ask.incident.as_deref()),
        "reason": view.reason_text,
        "asked_at": view.asked_at,
        "lapses_at": view.lapses_at,
        "expires_at": view.expires_at,
        "serial": view.serial,
        "outcome": view.outcome,
        "cause": view.cause,
        "ended_by": view.ended_by,
        "ended_rule": view.ended_rule,
        "missing": missing(view),
        "notices": telling::to_json(view),
        "opens_at": view.opens_at,
        "review": view.review,
        "review_due_at": view.review_due_at,
        "review_gates": view.review_gates,
        "cooldown_until": view.cooldown_until,
        "stages": stages.collect::<Vec<_>>(),
        "landings": landing::to_json(view),
    })
}

/// More names than this do not fit a line.
const NAMES_SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use breakglass_proto::v1::GivenView;

    use super::*;

    fn stage(name: &str, given: &[(&str, u64)], may: &[&str]) -> StageView {
        let given = given.iter().map(|(by, at)| GivenView {
            by: (*by).to_owned(),
            at: *at,
            key_fingerprint: String::new(),
            seq: 1,
        });
        StageView {
            name: name.to_owned(),
            quorum: 1,
            given: given.collect(),
            may_approve: may.iter().map(|name| (*name).to_owned()).collect(),
            ..StageView::default()
        }
    }

    #[test]
    fn waiting_says_when_it_escalates_and_an_emergency_when_it_opens() {
        let mut view = RequestView {
            lapses_at: 1_780,
            stages: vec![
                stage("app-owner", &[("ada", 986)], &[]),
                stage("security", &[], &["bob"]),
            ],
            ..RequestView::default()
        };
        view.stages[0].escalates_at = 1_100;
        view.stages[1].escalates_at = 1_250;
        let now = Timestamp::from_unix_seconds(1_000);
        let said = progress(&view, now);
        assert!(
            said.ends_with("waiting for security (bob); escalates in 4 m 10 s; lapses in 13 m")
        );
        let emergency = RequestView { lapses_at: 1_780, opens_at: 1_120, ..RequestView::default() };
        assert_eq!(
            progress(&emergency, now),
            "emergency: opens in 2 m unless somebody cancels; lapses in 13 m"
        );
    }

    #[test]
    fn an_ended_use_says_what_it_leaves_to_do() {
        let now = Timestamp::from_unix_seconds(1_000);
        let mut view = RequestView {
            review_due_at: 940,
            review_gates: true,
            cooldown_until: 1_060,
            ..RequestView::default()
        };
        assert_eq!(
            aftermath(&view, now),
            "review overdue by 1 m; the next use waits for it; its holder may ask again in 1 m"
        );
        view.review = "justified".to_owned();
        assert_eq!(aftermath(&view, Timestamp::from_unix_seconds(2_000)), "reviewed: justified");
        assert_eq!(aftermath(&RequestView::default(), now), "");
    }

    #[test]
    fn waiting_says_who_is_done_who_is_asked_and_what_happens_next() {
        let view = RequestView {
            lapses_at: 1_780,
            stages: vec![
                stage("app-owner", &[("ada", 986)], &[]),
                stage("security", &[], &["bob", "eve"]),
            ],
            ..RequestView::default()
        };
        assert_eq!(
            progress(&view, Timestamp::from_unix_seconds(1_000)),
            "1 of 2: app-owner done (ada, 14 s ago); waiting for security (bob, eve); \
             lapses in 13 m"
        );
        assert_eq!(missing(&view), 1);
    }

    #[test]
    fn what_a_new_policy_ended_says_what_that_forbids() {
        let mut view = RequestView {
            outcome: "lapsed".to_owned(),
            cause: "policy-changed".to_owned(),
            ended_rule: "rules-forbid, cedar:nights".to_owned(),
            ..RequestView::default()
        };
        assert_eq!(
            ending(&view),
            "ended: the new policy no longer allows it: rules-forbid, cedar:nights"
        );
        view.outcome = "revoked".to_owned();
        assert_eq!(ending(&view), "revoked (policy-changed: rules-forbid, cedar:nights)");
        view.ended_rule = String::new();
        assert_eq!(ending(&view), "revoked (policy-changed)");
        let lapsed = RequestView { outcome: "lapsed".to_owned(), ..RequestView::default() };
        assert_eq!(ending(&lapsed), "lapsed");
    }

    /// R32: the exit code follows the state that the broker has recorded, never a hope.
    #[test]
    fn the_exit_code_follows_the_recorded_state() {
        let of = |state: State, outcome: &str| {
            let outcome = outcome.to_owned();
            exit_of(&RequestView { state: state.into(), outcome, ..RequestView::default() })
        };
        assert_eq!(of(State::Pending, ""), Exit::Pending);
        assert_eq!(of(State::Approved, ""), Exit::Done);
        assert_eq!(of(State::Live, ""), Exit::Done);
        assert_eq!(of(State::Closed, "denied"), Exit::Denied);
        assert_eq!(of(State::Closed, "withdrawn"), Exit::Denied);
        assert_eq!(of(State::Closed, "lapsed"), Exit::Lapsed);
        assert_eq!(of(State::Ended, "revoked"), Exit::Lapsed);
        assert_eq!(of(State::Unspecified, ""), Exit::Malformed);
    }
}
