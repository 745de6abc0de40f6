//! Refusals: what they say is true.

use serde_json::Value;

use super::around::took_part;
use super::grant::{Approval, Grant};
use super::spoken::Spoken;
use super::{Eye, text};

impl Eye {
    pub(super) fn refused(&mut self, body: &Value) {
        let name = body["refusal"]["name"].as_str().unwrap();
        self.count(format!("refused {name}"));
        let said = Spoken::read(body);
        let known = said
            .lines
            .get("request")
            .and_then(|request| self.grants.values().find(|grant| grant.statement == *request));
        let asks = (said.act == "request")
            .then(|| self.asked(Spoken::read(body), &text(&body["statement"])));
        let grant = asks.as_ref().or(known);
        if let Some(true_) = self.is_true(name, &said, grant) {
            assert!(true_, "refused as {name}, and it is not so");
        }
    }

    /// Whether a refusal's reason holds; `None`: not looked at here.
    fn is_true(&self, name: &str, said: &Spoken, grant: Option<&Grant>) -> Option<bool> {
        let by = said.by();
        Some(match name {
            "locked" => {
                let asks = ["request", "approve", "collect"].contains(&said.act.as_str());
                self.lock_on(by, &said.key).is_some()
                    || asks && grant.is_some_and(|grant| self.is_covered(grant))
            }
            "not-human" => !self.is_human(by),
            "rules-forbid" => !self.is_permitted(said, grant),
            "outage-lane-closed" => !self.is_lane_open(grant?),
            "emergency-not-open" => !self.is_unanswered(grant?),
            "duplicate" => self.repeats(grant?),
            "cooldown" | "budget-spent" | "review-missing" => self.restrained(grant?) == Some(name),
            "not-approved-yet" => !self.missing(grant?).is_empty(),
            "delay-not-over" => {
                let grant = grant?;
                let (_, _, delay) = self.scope_of(grant)?.emergency?;
                self.now < grant.at + delay
            }
            "self-approval" => grant?.stands_behind(by),
            "already-approved" => grant?.approvals.iter().any(|given| given.said.by() == by),
            "approver-not-entitled" | "approver-joined-later" => {
                let given = Approval { said: repeat(said), seq: self.seq, law: self.law() };
                !self.may_approve(grant?, &given) || self.joined_later(grant?, &given)
            }
            "not-entitled-to-end" => {
                let grant = grant?;
                let owner = self.owns(by, grant.scope_id());
                let as_owner = owner && (said.act == "cancel" || grant.lane() == "emergency");
                !self.is_approver(grant, by) && !as_owner
            }
            "live-max" => self.live_beside(grant?) >= self.scope_of(grant?)?.live_max,
            "already-declared" => self.has_declared(&said.lines["dependency"], by),
            "nothing-to-resolve" => !self.is_declared(&said.lines["dependency"]),
            "not-entitled-to-declare" | "dependency-unknown" => {
                !self.may_declare(by, &said.lines["dependency"])
            }
            "not-entitled-to-lock" => {
                let target = said.lines.get("target").cloned();
                let lifted = || Some(self.lock_named(said.lines.get("lock")?)?.target.clone());
                !self.may_lock(by, &target.or_else(lifted)?)
            }
            "lock-unknown" => self.lock_named(&said.lines["lock"]).is_none(),
            "unlock-own" => self.is_on(&self.lock_named(&said.lines["lock"])?.target, by),
            "reviewer-took-part" => took_part(grant?, by),
            "not-entitled-to-review" => !self.owns(by, grant?.scope_id()),
            "already-reviewed" => grant?.reviewed.is_some(),
            "nothing-to-escalate" => {
                let (grant, missing) = (grant?, self.missing(grant?));
                let mut stages = self.scope_of(grant)?.stages.iter();
                !stages.any(|stage| {
                    !stage.escalate.is_empty()
                        && !grant.is_passed_on(stage.name)
                        && missing.iter().any(|(lacking, _)| lacking == stage.name)
                })
            }
            _ if name.starts_with("delegation") || name == "requester-not-entitled" => {
                !self.may_hold(grant?) || !self.lets_ask(grant?, self.live_beside(grant?))
            }
            _ => return None,
        })
    }

    fn is_permitted(&self, said: &Spoken, grant: Option<&Grant>) -> bool {
        let of = |grant: &Grant| self.lets_ask(grant, self.live_beside(grant));
        match said.act.as_str() {
            "request" | "collect" => grant.is_none_or(of),
            "lock" | "unlock" => self.permits_at_all("lock", said.by()).0,
            "declare" | "resolve" => self.permits_at_all("declare", said.by()).0,
            other => self.permits_at_all(other, said.by()).0,
        }
    }
}

fn repeat(said: &Spoken) -> Spoken {
    Spoken { act: said.act.clone(), lines: said.lines.clone(), key: said.key.clone() }
}
