//! What a notice says to people. No link, nothing to click that decides, no free text of anybody.

use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::Ttl;

use super::notice::{About, Asked, Notice, Topic};
use crate::alarm::{Alarm, Wrong};

/// Longest value of a line, in characters: a title of a scope has 400 bytes at most.
const VALUE_MAX: usize = 400;

/// A notice in words. Every text in it is [`clean`]; each channel escapes it in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// One line that says it all.
    pub(super) title: String,
    /// What it is about, as name and value.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What to do.
    pub(super) advice: String,
}

impl Message {
    /// `notice` in words.
    pub(super) fn of(notice: &Notice) -> Self {
        let (title, facts) = match notice.about.as_ref() {
            About::Request(asked) => (request_title(&notice.topic, asked), request_facts(asked)),
            About::Outage(dependency) => {
                let what = if notice.topic == Topic::OutageEnded { "is over" } else { "has begun" };
                (format!("An outage of {dependency} {what}"), vec![])
            }
            About::Target(target, grant) => {
                let grant = grant.map(|id| ("request", id.to_string()));
                let facts = [("target", target.to_string())].into_iter().chain(grant);
                (alarm_title(&notice.topic), facts.collect())
            }
            About::Nothing => ("A test of breakglassd: this channel works".to_owned(), vec![]),
        };
        let mut facts = facts;
        match &notice.topic {
            Topic::Issued(until) => facts.push(("valid until", until.to_string())),
            Topic::Revoked(cause, _) => facts.push(("cause", cause.to_string())),
            Topic::Escalated(stage) => facts.push(("stage", stage.to_string())),
            Topic::Disallowed(rule) => facts.push(("rule", rule.clone())),
            Topic::Asked
            | Topic::Emergency
            | Topic::Reminder(_)
            | Topic::Approved
            | Topic::Denied
            | Topic::Lapsed
            | Topic::ReviewDue
            | Topic::OutageBegan
            | Topic::OutageEnded
            | Topic::Alarm(_)
            | Topic::Test => {}
        }
        facts.push(("notice", notice.id.to_string()));
        let facts = facts.into_iter().map(|(name, value)| (name, clean(&value))).collect();
        Self { title: clean(&title), facts, advice: advice(notice) }
    }

    /// All of it as plain text, one fact to a line.
    pub(super) fn body(&self) -> String {
        let mut body = String::new();
        for (name, value) in &self.facts {
            body.push_str(&format!("{name}: {value}\n"));
        }
        body.push('\n');
        body.push_str(&self.advice);
        body
    }
}

/// `text` without what a terminal or a screen would obey instead of showing it, at most
/// [`VALUE_MAX`] characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().take(VALUE_MAX).map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

fn request_title(topic: &Topic, asked: &Asked) -> String {
    let Asked { by, scope, lane, .. } = asked;
    let title = match topic {
        Topic::Emergency => format!("EMERGENCY: {by} takes {scope} unless somebody cancels it"),
        Topic::Escalated(stage) => format!("ESCALATED: {by} asks for {scope}, {stage} is silent"),
        Topic::Reminder(number) => format!("Reminder {number}: {by} still waits for {scope}"),
        Topic::Approved => format!("Approved: {scope} for {by} can be collected"),
        Topic::Denied => format!("Denied: {scope} for {by}"),
        Topic::Lapsed => format!("Lapsed: {scope} for {by} was not granted in time"),
        Topic::Disallowed(_) => format!("Ended: the new policy does not allow {scope} for {by}"),
        Topic::Issued(_) => format!("Issued: {by} holds {scope}"),
        Topic::Revoked(..) => format!("Revoked: {scope} of {by}"),
        Topic::ReviewDue => format!("Review due: {by} held {scope}"),
        Topic::Asked | Topic::OutageBegan | Topic::OutageEnded | Topic::Alarm(_) | Topic::Test => {
            format!("{by} asks for {scope}")
        }
    };
    if *lane == Lane::Drill { format!("DRILL: {title}") } else { title }
}

fn request_facts(asked: &Asked) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("request", asked.id.to_string()),
        ("requester", asked.by.to_string()),
        ("scope", format!("{}: {}", asked.scope, asked.title)),
        ("lane", asked.lane.name().to_owned()),
        ("for", duration(asked.ttl)),
    ];
    facts.extend(asked.incident.clone().map(|incident| ("incident", incident)));
    facts.extend(asked.fingerprint.clone().map(|key| ("key", format!("{key}…"))));
    facts.push(("answer before", asked.lapses.to_string()));
    facts
}

/// What to do. Commands to type, with the id: whoever acts does so with their own key.
fn advice(notice: &Notice) -> String {
    let id = notice.request().map(|id| id.to_string()).unwrap_or_default();
    match &notice.topic {
        Topic::Asked | Topic::Escalated(_) | Topic::Reminder(_) => format!(
            "Look at it with `breakglass show {id}`, then approve or deny it there. This message \
             approves nothing."
        ),
        Topic::Emergency => format!(
            "It is granted without approval after a delay. To stop it: `breakglass deny {id}`. This \
             message decides nothing."
        ),
        Topic::Approved => format!("Collect it with `breakglass collect {id}`."),
        Topic::ReviewDue | Topic::Revoked(_, true) => {
            format!("Review it with `breakglass review {id}`.")
        }
        Topic::Denied
        | Topic::Lapsed
        | Topic::Disallowed(_)
        | Topic::Issued(_)
        | Topic::Revoked(_, false) => format!("More with `breakglass show {id}`."),
        Topic::OutageBegan | Topic::OutageEnded => {
            "More with `breakglass outage status`.".to_owned()
        }
        Topic::Alarm(alarm) => alarm_advice(alarm),
        Topic::Test => "Nothing has happened and nothing is to be done.".to_owned(),
    }
}

fn alarm_title(topic: &Topic) -> String {
    let Topic::Alarm(alarm) = topic else { return String::new() };
    format!("ALARM: {alarm}")
}

/// What to do about a host. What is revoked may still open it.
fn alarm_advice(alarm: &Alarm) -> String {
    let first = match alarm.what {
        Wrong::Overdue { .. } => {
            "What was revoked may still open this host. See that its agent runs and reaches the \
             broker, or take the host off the network."
        }
        Wrong::Accepted { .. } => {
            "What was revoked still opens this host: the list that is in place there is not what its \
             server reads. Compare with `breakglass doctor --target sshd`."
        }
        Wrong::Unlogged { .. } => {
            "Somebody may hold a key of ours, or a record may be missing. Verify the ledger with \
             `breakglass audit verify`, and consider rotating the authority."
        }
    };
    format!("{first} All hosts: `breakglass grants --targets`.")
}

/// `1h`, `30m`, `90s`: in the largest unit that is exact.
fn duration(ttl: Ttl) -> String {
    let seconds = ttl.seconds();
    for (unit, length) in [("h", 3600), ("m", 60)] {
        if seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds.checked_div(length).unwrap_or_default());
        }
    }
    format!("{seconds}s")
}

/// Control characters, and the format characters that reorder or hide what stands beside them
/// (Unicode, general category Cf).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing::{about, notice};

    #[test]
    fn approvers_read_what_they_compare_with_the_approval_screen() {
        let message = Message::of(&notice(Topic::Asked, "ntfy:ada"));
        assert_eq!(message.title, "sam asks for root-on-host");
        let body = message.body();
        for told in [
            "request: req-",
            "requester: sam\n",
            "scope: root-on-host: Root <on> the *payments* hosts & more\n",
            "lane: normal\n",
            "for: 30m\n",
            "incident: INC-1\n",
            "key: SHA256:0123456789ab…\n",
            "This message approves nothing.",
        ] {
            assert!(body.contains(told), "{told} in {body}");
        }
        assert!(!body.contains("://"), "no link: {body}");
    }

    #[test]
    fn a_request_that_a_new_policy_ended_says_by_which_rule() {
        let told = notice(Topic::Disallowed("ttl-too-long".to_owned()), "ntfy:sam");
        let message = Message::of(&told);
        assert_eq!(message.title, "Ended: the new policy does not allow root-on-host for sam");
        assert!(message.body().contains("rule: ttl-too-long\n"), "{}", message.body());
    }

    #[test]
    fn a_drill_says_so_first() {
        let mut notice = notice(Topic::Asked, "ntfy:ada");
        notice.about = about(Lane::Drill, "Root");
        assert_eq!(Message::of(&notice).title, "DRILL: sam asks for root-on-host");
    }

    #[test]
    fn nothing_in_it_is_obeyed_by_a_screen() {
        let mut notice = notice(Topic::Asked, "ntfy:ada");
        notice.about = about(Lane::Normal, "a\u{1b}[2J\r\nSubject: x\u{202e}y");
        let body = Message::of(&notice).body();
        assert!(body.contains("a\u{fffd}[2J\u{fffd}\u{fffd}Subject: x\u{fffd}y"), "{body:?}");
        assert_eq!(clean(&"x".repeat(1000)).len(), VALUE_MAX);
    }
}
