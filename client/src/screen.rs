//! The approval screen: everything a person must know before they say yes, and where it comes from.
//!
//! R22: a pure function of the verified request, the checked policy and the clock. No field of it
//! is taken from what a broker says about the request.

mod opens;

use std::fmt::Write;

use breakglass_ledger::policy::{Policy, Scope, Sensitivity, Stage};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::time::Timestamp;
use jiff::tz::TimeZone;

use crate::asked::{Asked, Doubt};
use crate::output::{clean, duration, when};

pub(crate) use opens::opens;

/// What an approver is looking at.
pub struct Screen<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The policy it is judged under.
    pub policy: &'a Policy,
    /// Who is looking.
    pub viewer: &'a PrincipalId,
    /// The stage they would approve, if they may.
    pub stage: Option<&'a Stage>,
    /// Now.
    pub now: Timestamp,
    /// The user's time zone.
    pub zone: &'a TimeZone,
}

impl Screen<'_> {
    /// The text.
    ///
    /// # Errors
    ///
    /// [`Doubt`] if scope or requester are not in the policy.
    pub fn render(&self) -> Result<String, Doubt> {
        let scope = self.asked.scope(self.policy)?;
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            let mut label = label;
            for part in value.lines() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {label:<10} {}", clean(part));
                label = "";
            }
        };
        line("request", &self.asked.ask.id.to_string());
        line("who", &self.who()?);
        line("asked", &when(self.asked.asked_at(), self.now, self.zone));
        line("incident", self.asked.ask.incident.as_deref().unwrap_or("none named"));
        line("reason", &self.reason());
        line("scope", &format!("{}: {}", scope.id, scope.title));
        line("purpose", &format!("{} [{}]", scope.purpose, sensitivity(scope.sensitivity)));
        line("opens", &opens(scope, &self.asked.ask.kinds));
        line("for", &self.length(scope));
        line("bound to", &self.bound());
        line("policy", &format!("version {}, {}", self.policy.version, self.policy.digest));
        for stage in scope.stages() {
            line(&format!("stage {}", index(scope, stage)), &self.stage_line(stage));
        }
        line("you", &self.you());
        line("then", &self.then(scope));
        line("silence", &self.silence(scope));
        Ok(text)
    }

    fn who(&self) -> Result<String, Doubt> {
        let who = self.asked.requester(self.policy)?;
        let team = who.team.as_deref().map(|team| format!(", team {team}")).unwrap_or_default();
        let chain = &self.asked.ask.on_behalf_of;
        let chain: Vec<&str> = chain.iter().map(PrincipalId::as_str).collect();
        let behalf = if chain.is_empty() {
            String::new()
        } else {
            format!("\non behalf of {}", chain.join(" > "))
        };
        let key = self.asked.key.fingerprint();
        Ok(format!("{} ({}, {}{team})\nsigned with {key}{behalf}", who.id, who.name, who.kind))
    }

    fn reason(&self) -> String {
        match (&self.asked.reason, self.asked.ask.reason) {
            (Some(reason), _) => format!("“{reason}”"),
            (None, Some(_)) => "a text was given but it is not shown (erased)".to_owned(),
            (None, None) => "none given".to_owned(),
        }
    }

    fn length(&self, scope: &Scope) -> String {
        let ttl = duration(self.asked.ask.ttl.seconds().into());
        let most = duration(scope.ttl_max.seconds().into());
        format!("{ttl} from the moment it is collected (the scope allows {most})")
    }

    fn bound(&self) -> String {
        match &self.asked.ask.key {
            Some(key) => {
                format!("{}, a key that only the requester's machine has", key.fingerprint())
            }
            None => "nothing: whoever has the credential can use it".to_owned(),
        }
    }

    fn stage_line(&self, stage: &Stage) -> String {
        let given = self.asked.approvals.get(&stage.name).map(Vec::as_slice).unwrap_or_default();
        let given: Vec<&str> = given.iter().map(PrincipalId::as_str).collect();
        let missing = self.asked.missing_in(stage);
        let mut may = self.policy.people.all_of(&stage.approvers);
        if self.asked.escalated.contains(&stage.name) {
            may.extend(self.policy.people.all_of(&stage.escalate));
        }
        let ask = &self.asked.ask;
        let may = may.into_iter().filter(|id| **id != ask.by && !ask.on_behalf_of.contains(id));
        let may: Vec<&str> =
            may.map(PrincipalId::as_str).filter(|id| !given.contains(id)).collect();
        let done =
            if given.is_empty() { String::new() } else { format!(" by {}", given.join(", ")) };
        if missing == 0 {
            return format!("{}: done{done}", stage.name);
        }
        let so_far = if given.is_empty() { String::new() } else { format!(", approved{done}") };
        let mut who = may.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
        if may.len() > NAMES_SHOWN {
            who = format!("{who} and {} more", may.len().saturating_sub(NAMES_SHOWN));
        }
        let next = self.passes_on(stage).unwrap_or_default();
        let needs = format!("{}: {missing} missing of {}{so_far}", stage.name, stage.quorum);
        format!("{needs}; {who} may approve{next}")
    }

    /// When a stage that stays unanswered passes on, and to whom.
    fn passes_on(&self, stage: &Stage) -> Option<String> {
        let within = stage.within.filter(|_| !self.asked.escalated.contains(&stage.name))?;
        let at = self.asked.asked_at().plus(u64::from(within));
        let to: Vec<String> = stage.escalate.iter().map(ToString::to_string).collect();
        Some(format!("; passes on to {} {}", to.join(", "), when(at, self.now, self.zone)))
    }

    fn you(&self) -> String {
        let Some(stage) = self.stage else {
            return format!("are {} and have no approval to give here", self.viewer);
        };
        let by = stage
            .approvers
            .iter()
            .chain(&stage.escalate)
            .find(|of| self.policy.is_member(self.viewer, of));
        let by = by.map(|of| format!(" as a member of {of}")).unwrap_or_default();
        format!("are {} and may approve stage {}{by}", self.viewer, stage.name)
    }

    fn then(&self, scope: &Scope) -> String {
        let Some(mine) = self.stage else { return "nothing changes by looking".to_owned() };
        let left = scope.stages().iter().filter_map(|stage| {
            let own = usize::from(stage.name == mine.name);
            let missing = self.asked.missing_in(stage).saturating_sub(own);
            (missing > 0).then(|| format!("{missing} in {}", stage.name))
        });
        let left: Vec<String> = left.collect();
        if left.is_empty() {
            format!("with your yes nothing is missing: {} can collect", self.asked.ask.by)
        } else {
            format!("with your yes still missing: {}", left.join(", "))
        }
    }

    fn silence(&self, scope: &Scope) -> String {
        let lapses = self.asked.asked_at().plus(scope.pending_max.into());
        if lapses <= self.now {
            return format!(
                "unless it was collected, it lapsed {}",
                when(lapses, self.now, self.zone)
            );
        }
        format!(
            "unless it is collected, it lapses {}; nothing is granted then",
            when(lapses, self.now, self.zone)
        )
    }
}

const fn sensitivity(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Low => "low",
        Sensitivity::High => "high",
        Sensitivity::Critical => "critical",
    }
}

fn index(scope: &Scope, stage: &Stage) -> usize {
    let before = scope.stages().iter().take_while(|other| other.name != stage.name);
    before.count().saturating_add(1)
}

/// More names than this do not help anybody at three in the morning.
const NAMES_SHOWN: usize = 8;

#[cfg(test)]
mod tests;
