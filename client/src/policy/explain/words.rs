//! An explanation as labelled lines, and as JSON.

mod asked;

use std::fmt::Write;

use breakglass_ledger::policy::{Members, Policy, Scope};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Kind, Lane};
use breakglass_rules::Refusal;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Explanation, StageSheet, reason_of, rules_named_in};
use crate::output::duration;
use crate::policy::hearing::Said;
use crate::policy::question::{Action, Question};
use crate::screen::opens;
use asked::{command, question, terms};

/// Labelled lines, as on the approval screen.
#[derive(Default)]
pub struct Lines(String);

impl Lines {
    /// Adds `value` under `label`; what has several lines goes on under its own column.
    pub fn line(&mut self, label: &str, value: &str) {
        let mut label = label;
        for part in value.lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(self.0, "  {label:<10} {part}");
            label = "";
        }
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

impl Explanation {
    /// The explanation for people; `zone` is theirs.
    #[must_use]
    pub fn render(&self, policy: &Policy, zone: &TimeZone) -> String {
        let mut lines = Lines::default();
        let scope = policy.scope(&self.question.scope);
        lines.line("question", &question(&self.question, scope));
        lines.line("terms", &terms(&self.question, zone));
        lines.line("answer", &self.answer());
        self.grounds(policy, &mut lines);
        for refusal in &self.also {
            lines.line("and then", &named(refusal));
        }
        if let Some(instead) = &self.instead {
            lines.line("instead", &format!("yes to: {}", command(instead)));
        }
        if !self.others.is_empty() {
            let who = if self.instead.is_some() { "also" } else { "who may" };
            lines.line(who, &names(&self.others));
        }
        if let Some(scope) = scope {
            self.chain(policy, scope, &mut lines);
        }
        lines.text()
    }

    fn answer(&self) -> String {
        let Question { who, action, .. } = &self.question;
        match &self.said {
            Said::Yes(yes) => match yes.missing {
                Some(0) if *action == Action::Approve => "YES, and then nothing is missing".into(),
                Some(missing @ 1..) => format!("YES, and then {missing} more are missing"),
                Some(_) | None => "YES".to_owned(),
            },
            Said::No(refusal) => format!("NO: {}", named(refusal)),
            Said::Before { who: other, action, refusal } if other == who => {
                format!("NO, already to {action}: {}", named(refusal))
            }
            Said::Before { who, action, refusal } => {
                format!("it never comes to that. {who} is refused to {action}: {}", named(refusal))
            }
            Said::Hidden(why) => format!("NO: {why}"),
        }
    }

    fn grounds(&self, policy: &Policy, lines: &mut Lines) {
        match &self.said {
            Said::Yes(yes) => {
                let mut label = "because";
                for id in &yes.rules {
                    let why = reason_of(policy, &self.question, id);
                    let text = if why.is_empty() { id.clone() } else { format!("{id}: {why}") };
                    lines.line(label, &text);
                    label = "";
                }
            }
            Said::No(refusal) | Said::Before { refusal, .. } => {
                for id in rules_named_in(&policy.rules, &refusal.to_string()) {
                    let id = format!("cedar:{id}");
                    lines.line("the rule", &reason_of(policy, &self.question, &id));
                }
            }
            Said::Hidden(_) => {}
        }
    }

    fn chain(&self, policy: &Policy, scope: &Scope, lines: &mut Lines) {
        let asked = self.instead.as_ref().unwrap_or(&self.question);
        let can_be_asked = !self.stages.is_empty() || matches!(self.said, Said::Yes(_));
        if !can_be_asked && self.instead.is_none() {
            return;
        }
        stage_lines(policy, scope, &self.stages, lines);
        if asked.action != Action::Request {
            return;
        }
        lines.line("opens", &opens(scope, Kind::ALL));
        let ttl = asked.terms.ttl.map_or(0, |ttl| u64::from(ttl.seconds()));
        let most = duration(scope.ttl_max.seconds().into());
        lines.line(
            "lives",
            &format!(
                "{} from collecting; {} allows {most}, and {} alive at once",
                duration(ttl),
                scope.id,
                scope.live_max
            ),
        );
        lines.line("lapses", &format!("{} after asking, uncollected", length(scope.pending_max)));
        lines.line("ended by", &enders(policy, scope, &asked.who));
        for (label, text) in conditions(scope, asked.terms.lane) {
            lines.line(label, &text);
        }
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self, policy: &Policy) -> Value {
        let (answer, refusal, rules, missing) = match &self.said {
            Said::Yes(yes) => ("yes", None, yes.rules.as_slice(), yes.missing),
            Said::No(refusal) => ("no", Some(refusal), [].as_slice(), None),
            Said::Before { refusal, .. } => ("before", Some(refusal), [].as_slice(), None),
            Said::Hidden(_) => ("no", None, [].as_slice(), None),
        };
        let because = rules
            .iter()
            .map(|id| json!({ "rule": id, "why": reason_of(policy, &self.question, id) }));
        json!({
            "who": self.question.who, "action": self.question.action.name(),
            "scope": self.question.scope, "lane": self.question.terms.lane.name(),
            "ttl_seconds": self.question.terms.ttl.map(|ttl| ttl.seconds()),
            "at": self.question.terms.at.to_string(),
            "answer": answer, "refusal": refusal.map(refusal_json), "missing": missing,
            "because": because.collect::<Vec<_>>(),
            "also": self.also.iter().map(refusal_json).collect::<Vec<_>>(),
            "instead": self.instead.as_ref().map(command), "others": self.others,
            "stages": self.stages.iter().map(stage_json).collect::<Vec<_>>(),
        })
    }
}

pub(crate) fn refusal_json(refusal: &Refusal) -> Value {
    json!({ "number": refusal.number(), "name": refusal.name(), "what": refusal.to_string() })
}

pub(crate) fn stage_json(stage: &StageSheet) -> Value {
    let may_not = stage.may_not.iter();
    let may_not = may_not.map(|(who, why)| json!({ "who": who, "refusal": refusal_json(why) }));
    json!({
        "name": stage.name, "quorum": stage.quorum, "lacks": stage.lacks, "given": stage.given,
        "may": stage.may, "may_not": may_not.collect::<Vec<_>>(),
    })
}

/// What each stage lacks, who may give it, who may not and why, and what silence does.
pub fn stage_lines(policy: &Policy, scope: &Scope, stages: &[StageSheet], lines: &mut Lines) {
    if scope.stages().is_empty() {
        lines.line("then", "nobody has to agree; it can be collected at once");
    }
    for sheet in stages {
        let mut text = match sheet.lacks {
            0 => "done".to_owned(),
            lacks => format!("{lacks} of {} missing", sheet.quorum),
        };
        if !sheet.given.is_empty() {
            let _ = write!(text, ", agreed: {}", names(&sheet.given));
        }
        if sheet.lacks > 0 {
            let may = if sheet.may.is_empty() { "nobody".to_owned() } else { names(&sheet.may) };
            let _ = write!(text, "; may agree: {may}");
        }
        for (who, why) in sheet.may_not.iter().take(NAMES_SHOWN) {
            let _ = write!(text, "\nnot {who}: {}", why.name());
        }
        if let Some(hidden) = sheet.may_not.len().checked_sub(NAMES_SHOWN).filter(|n| *n > 0) {
            let _ = write!(text, "\nnor {hidden} more");
        }
        let stage = scope.stage(&sheet.name);
        if let Some((within, stage)) = stage.and_then(|stage| Some((stage.within?, stage))) {
            let also = all(policy, &stage.escalate);
            let _ = write!(text, "\nafter {} without them, also {also}", length(within));
        }
        lines.line(sheet.name.as_str(), &text);
    }
}

fn enders(policy: &Policy, scope: &Scope, who: &PrincipalId) -> String {
    let approvers = scope.stages().iter().flat_map(|stage| &stage.approvers);
    let named: Vec<Members> = approvers.chain(scope.owned_by()).cloned().collect();
    format!("{who} (drop); approvers and owners (cancel): {}", all(policy, &named))
}

/// What else the scope asks of whoever uses it.
fn conditions(scope: &Scope, lane: Lane) -> Vec<(&'static str, String)> {
    let mut conditions = Vec::new();
    if let Some(dependency) = &scope.outage {
        let ends = if scope.ends_with_outage {
            format!("; grants of that lane end {} after the outage", length(scope.grace))
        } else {
            String::new()
        };
        conditions.push(("outage", format!("lane outage opens while {dependency} is down{ends}")));
    }
    if let Some(emergency) = &scope.emergency {
        conditions.push((
            "emergency",
            format!(
                "lane emergency opens when a stage is silent for {}: at most {}, after {} in \
                 which any approver or owner can cancel",
                length(emergency.after),
                length(emergency.ttl_max.seconds()),
                length(emergency.delay)
            ),
        ));
    }
    if let Some(cooldown) = scope.cooldown {
        conditions.push(("cooldown", format!("{} between two grants of one", length(cooldown))));
    }
    if let Some(budget) = &scope.budget {
        let (time, window) = (length(budget.time), length(budget.window));
        conditions.push(("budget", format!("{time} for each requester within {window}")));
    }
    if scope.review_gate || lane == Lane::Emergency {
        conditions.push(("review", "the next use waits for the review of the last".to_owned()));
    } else if let Some(within) = scope.review_within {
        conditions.push(("review", format!("within {} of its end", length(within))));
    }
    conditions
}

fn length(seconds: u32) -> String {
    duration(u64::from(seconds))
}

pub(crate) fn named(refusal: &Refusal) -> String {
    format!("{refusal} ({}: {})", refusal.number(), refusal.name())
}

fn all(policy: &Policy, of: &[Members]) -> String {
    let all: Vec<PrincipalId> = policy.people.all_of(of).into_iter().cloned().collect();
    names(&all)
}

pub(crate) fn names(of: &[PrincipalId]) -> String {
    let shown: Vec<&str> = of.iter().take(NAMES_SHOWN).map(PrincipalId::as_str).collect();
    let more = of.len().saturating_sub(NAMES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// More names than this are read by nobody.
const NAMES_SHOWN: usize = 8;
