//! Why yes, why no, what is missing, and who could say it: a question answered in full.

mod clause;
mod words;

use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::time::Ttl;
use breakglass_rules::{Pending, Refusal};

use super::hearing::{Hearing, Said};
use super::question::{Action, Question, Terms};
use crate::failure::Failure;

pub(crate) use clause::{example, ids, text_of};
pub use clause::{reason_of, rules_named_in};
pub use words::{Lines, stage_lines};
pub(crate) use words::{named, names, refusal_json, stage_json};

/// A question, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The question, with what it left open filled in.
    pub question: Question,
    /// What the rules say.
    pub said: Said,
    /// What else would be refused, once what comes before is put right.
    pub also: Vec<Refusal>,
    /// The question as it would have to be asked, if asking otherwise helps.
    pub instead: Option<Question>,
    /// Who could do it, if `who` cannot.
    pub others: Vec<PrincipalId>,
    /// The stages of the request, in their order, if it can be asked at all.
    pub stages: Vec<StageSheet>,
}

/// A stage of a request: what it lacks, and who may give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSheet {
    /// The stage.
    pub name: StageId,
    /// How many have to agree.
    pub quorum: u32,
    /// How many are missing.
    pub lacks: u32,
    /// Who has agreed.
    pub given: Vec<PrincipalId>,
    /// Who may agree.
    pub may: Vec<PrincipalId>,
    /// Who is named for the stage and may not agree, and why.
    pub may_not: Vec<(PrincipalId, Refusal)>,
}

/// Answers `question`.
///
/// # Errors
///
/// [`Failure`] if it cannot be asked at all.
pub fn explain(hearing: &Hearing<'_>, question: &Question) -> Result<Explanation, Failure> {
    let mut question = question.clone();
    question.terms.ttl = Some(hearing.ttl(&question));
    let said = hearing.ask(&question)?;
    let (also, instead) = match &said {
        Said::No(refusal) if question.action == Action::Request => {
            put_right(hearing, &question, refusal)?
        }
        Said::Yes(_) | Said::No(_) | Said::Before { .. } | Said::Hidden(_) => (Vec::new(), None),
    };
    let is_helped = instead.is_some();
    let others = match &said {
        Said::No(_) | Said::Hidden(_) if !is_helped => others(hearing, &question)?,
        Said::Yes(_) | Said::No(_) | Said::Before { .. } | Said::Hidden(_) => Vec::new(),
    };
    let asked = instead.as_ref().unwrap_or(&question);
    let can_be_asked = match &said {
        Said::Yes(_) => true,
        Said::No(_) | Said::Hidden(_) => is_helped || question.action != Action::Request,
        Said::Before { action, .. } => *action != Action::Request,
    };
    let stages = if can_be_asked { supposed_stages(hearing, asked)? } else { Vec::new() };
    Ok(Explanation { question, said, also, instead, others, stages })
}

/// Puts right what asking otherwise would put right, one refusal after the other.
fn put_right(
    hearing: &Hearing<'_>,
    question: &Question,
    first: &Refusal,
) -> Result<(Vec<Refusal>, Option<Question>), Failure> {
    let (mut also, mut refusal, mut asked) = (Vec::new(), first.clone(), question.clone());
    for _ in 0..REPAIRS_MAX {
        if !amend(hearing.policy(), &mut asked, &refusal) {
            return Ok((also, None));
        }
        match hearing.ask(&asked)? {
            Said::Yes(_) => return Ok((also, Some(asked))),
            Said::No(next) => {
                also.push(next.clone());
                refusal = next;
            }
            Said::Before { .. } | Said::Hidden(_) => return Ok((also, None)),
        }
    }
    Ok((also, None))
}

/// Changes what the requester can change about `refusal`; whether there is anything.
fn amend(policy: &Policy, asked: &mut Question, refusal: &Refusal) -> bool {
    let Some(scope) = policy.scope(&asked.scope) else { return false };
    let terms = &mut asked.terms;
    match refusal.name() {
        "ttl-too-long" => {
            let in_emergency = scope.emergency.map_or(Ttl::MAX, |lane| lane.ttl_max);
            let is_emergency = terms.lane == breakglass_ledger::statement::Lane::Emergency;
            let most = if is_emergency { in_emergency } else { Ttl::MAX };
            let shorter = Some(scope.ttl_max.min(most));
            let is_new = terms.ttl != shorter;
            terms.ttl = shorter;
            is_new
        }
        "incident-missing" | "incident-mismatch" => {
            let pattern = scope.require_incident.as_ref();
            let fitting = pattern.map(|pattern| example(pattern.as_str()));
            let is_new = fitting.is_some() && terms.incident != fitting;
            terms.incident = fitting;
            is_new
        }
        "reason-missing" => !std::mem::replace(&mut terms.has_reason, true),
        "lane-not-offered" => {
            let offered = scope.lanes.iter().next().copied();
            let is_new = offered.is_some_and(|lane| lane != terms.lane);
            terms.lane = offered.unwrap_or(terms.lane);
            is_new
        }
        _ => false,
    }
}

/// Who of those whom the scope names could do it.
fn others(hearing: &Hearing<'_>, question: &Question) -> Result<Vec<PrincipalId>, Failure> {
    let policy = hearing.policy();
    let Some(scope) = policy.scope(&question.scope) else { return Ok(Vec::new()) };
    let named = match question.action {
        Action::Request => scope.requesters.clone(),
        Action::Review => scope.owned_by().cloned().collect(),
        Action::Approve | Action::Deny | Action::Cancel | Action::Escalate | Action::Read => {
            let approvers = scope.stages().iter().flat_map(|stage| &stage.approvers);
            approvers.chain(scope.owned_by()).cloned().collect()
        }
        Action::Collect | Action::Withdraw | Action::Drop => return Ok(Vec::new()),
    };
    let mut others = Vec::new();
    for who in policy.people.all_of(&named) {
        let mut other = Question { who: who.clone(), ..question.clone() };
        // What the first one could put right is not held against the others.
        if question.action == Action::Request {
            other.terms.incident = scope.require_incident.as_ref().map_or_else(
                || other.terms.incident.clone(),
                |pattern| Some(example(pattern.as_str())),
            );
            other.terms.ttl = Some(scope.ttl_max.min(hearing.ttl(question)));
            other.terms.has_reason = true;
        }
        if *who != question.who && matches!(hearing.ask(&other)?, Said::Yes(_)) {
            others.push(who.clone());
        }
    }
    Ok(others)
}

/// The stages of the question's request, with the approvals it supposes.
fn supposed_stages(hearing: &Hearing<'_>, question: &Question) -> Result<Vec<StageSheet>, Failure> {
    let terms = &question.terms;
    let requester = terms.requester.as_ref().unwrap_or(&question.who);
    let mut pending = hearing.pending(requester, question, terms.at.minus(terms.waited))?;
    for (stage, approvers) in &terms.approvals {
        for who in approvers {
            let given = hearing.given(&pending.asked, who, stage);
            pending.given.push(given);
        }
    }
    let Some(scope) = hearing.policy().scope(&question.scope) else { return Ok(Vec::new()) };
    stages(hearing, scope, &pending, terms)
}

/// The stages of `pending`: what each lacks, and what the rules say to each of its approvers.
///
/// # Errors
///
/// [`Failure`] if an approval cannot be written as a statement.
pub fn stages(
    hearing: &Hearing<'_>,
    scope: &Scope,
    pending: &Pending,
    terms: &Terms,
) -> Result<Vec<StageSheet>, Failure> {
    let missing = match hearing.collect(pending, terms)? {
        Said::No(Refusal::NotApprovedYet { missing }) => Some(missing.0),
        Said::Yes(_) => Some(Vec::new()),
        Said::No(_) | Said::Before { .. } | Said::Hidden(_) => None,
    };
    let mut sheets = Vec::new();
    for stage in scope.stages() {
        let given = pending.given.iter().filter(|given| given.stage == stage.name);
        let given: Vec<PrincipalId> = given.map(|given| given.by.clone()).collect();
        let count = u32::try_from(given.len()).unwrap_or(u32::MAX);
        let lacks = missing.as_ref().map_or_else(
            || stage.quorum.saturating_sub(count),
            |missing| missing.iter().find(|(name, _)| *name == stage.name).map_or(0, |(_, n)| *n),
        );
        let (mut may, mut may_not) = (Vec::new(), Vec::new());
        let escalated = pending.escalated.contains(&stage.name);
        let later = stage.escalate.iter().filter(|_| escalated);
        let named = stage.approvers.iter().chain(later).cloned().collect::<Vec<_>>();
        for who in hearing.policy().people.all_of(&named) {
            if given.contains(who) {
                continue;
            }
            match hearing.approval(pending, terms, who, &stage.name)? {
                Said::No(refusal) => may_not.push((who.clone(), refusal)),
                Said::Yes(_) | Said::Before { .. } | Said::Hidden(_) => may.push(who.clone()),
            }
        }
        let (name, quorum) = (stage.name.clone(), stage.quorum);
        sheets.push(StageSheet { name, quorum, lacks, given, may, may_not });
    }
    Ok(sheets)
}

/// Things to put right about one request: more than there are.
const REPAIRS_MAX: usize = 8;

#[cfg(test)]
mod tests;
