//! Puts a [`Question`] to the broker's rules.
//!
//! The request of the question, its approvals and the act itself are made as statements, and each
//! is judged by `decide` in its turn. Only signatures are left out: rules see keys, and the keys are
//! those that the policy gives to each.

mod aside;
mod judging;
mod reading;
mod supposed;

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{Origin, PrincipalId, StageId};
use breakglass_ledger::statement::{
    About, Act, Approve, Collect, Kind, Review, ReviewVerdict, Seen, Statement,
};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::eligibility::Rules;
use breakglass_rules::{Pending, Refusal, Request};

pub use supposed::Beyond;
use supposed::{live, over};

use super::question::{Action, Question, Terms};
use crate::failure::{Exit, Failure};

/// What the rules say to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// They allow it.
    Yes(Yes),
    /// They refuse it.
    No(Refusal),
    /// It does not come to that: something that the question takes for granted is refused.
    Before {
        /// Who is refused.
        who: PrincipalId,
        /// Doing what.
        action: Action,
        /// Why.
        refusal: Refusal,
    },
    /// It is kept from whoever wants to read it: nothing is recorded, so it has no number.
    Hidden(&'static str),
}

/// On what grounds something is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yes {
    /// The rules that determined it.
    pub rules: Vec<String>,
    /// Approvals still missing afterwards, where that makes sense.
    pub missing: Option<u64>,
}

/// A policy and the questions put to it.
pub struct Hearing<'p> {
    policy: &'p Policy,
    rules: Rules,
    then: Option<&'p Policy>,
    log: Origin,
    subject: PublicKey,
    stranger: PublicKey,
    known: Option<Beyond>,
}

impl<'p> Hearing<'p> {
    /// Opens the hearing.
    ///
    /// # Errors
    ///
    /// [`Failure`] never in practice: the names and keys made up here are good ones.
    pub fn of(policy: &'p Policy) -> Result<Self, Failure> {
        let log = Origin::new("what-if", &[0; 32]).map_err(|error| made_up(&error))?;
        Self::about(policy, Some(policy), log)
    }

    /// Opens a hearing about requests of the ledger `log` that were made under `then`; `None` if
    /// that policy is not at hand, which the rules treat as a no.
    ///
    /// # Errors
    ///
    /// As [`Hearing::of`].
    pub fn about(
        policy: &'p Policy,
        then: Option<&'p Policy>,
        log: Origin,
    ) -> Result<Self, Failure> {
        let key = |text| PublicKey::from_openssh(text).map_err(|error| made_up(&error));
        let rules = Rules::of(policy).map_err(|faults| {
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            Failure::usage(first, "correct rules.cedar; `breakglass policy check` tells all faults")
        })?;
        let (subject, stranger) = (key(SUBJECT)?, key(STRANGER)?);
        Ok(Self { policy, rules, then, log, subject, stranger, known: None })
    }

    /// The same hearing, where what is true besides a request is `known` and not for its terms to
    /// suppose.
    #[must_use]
    pub fn knowing(self, known: Beyond) -> Self {
        Self { known: Some(known), ..self }
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// The key that supposed credentials are bound to.
    #[must_use]
    pub const fn subject(&self) -> &PublicKey {
        &self.subject
    }

    /// What the rules say to `question`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the question cannot be written as a statement.
    pub fn ask(&self, question: &Question) -> Result<Said, Failure> {
        if question.action == Action::Request {
            return self.request(&question.who, question, question.terms.at);
        }
        let requester = match &question.terms.requester {
            Some(requester) => requester,
            None if question.action.is_the_requesters() => &question.who,
            None => return Err(Failure::usage("whose request?", "name its requester")),
        };
        let asked_at = question.terms.at.minus(question.terms.waited);
        // Whatever is locked was locked last.
        let terms = Terms { locked: Vec::new(), ..question.terms.clone() };
        let before = Question { terms, ..question.clone() };
        if let Said::No(refusal) = self.request(requester, &before, asked_at)? {
            let (who, action) = (requester.clone(), Action::Request);
            return Ok(Said::Before { who, action, refusal });
        }
        let mut pending = self.pending(requester, question, asked_at)?;
        for (stage, approvers) in &question.terms.approvals {
            for who in approvers {
                if let Said::No(refusal) = self.approval(&pending, &before.terms, who, stage)? {
                    let (who, action) = (who.clone(), Action::Approve);
                    return Ok(Said::Before { who, action, refusal });
                }
                pending.given.push(self.given(&pending.asked, who, stage));
            }
        }
        self.act(pending, question)
    }

    fn act(&self, pending: Pending, question: &Question) -> Result<Said, Failure> {
        let who = &question.who;
        let about = About { request: pending.asked.statement, by: who.clone(), comment: None };
        let act = match question.action {
            Action::Approve => {
                let stage = self.stage_of(question)?;
                return self.approval(&pending, &question.terms, who, &stage);
            }
            Action::Request | Action::Collect => return self.collect(&pending, &question.terms),
            Action::Deny => Act::Deny(about),
            Action::Cancel => Act::Cancel(about),
            Action::Withdraw => Act::Withdraw(about),
            Action::Drop => Act::Drop(about),
            Action::Escalate => Act::Escalate(about),
            Action::Review => {
                let (request, verdict) = (pending.asked.statement, ReviewVerdict::Justified);
                Act::Review(Review { request, by: who.clone(), verdict, comment: None })
            }
            Action::Read => return Ok(self.reading(who, &pending.asked.ask, &question.terms)),
        };
        let request = match question.action {
            Action::Drop => Request::Live(live(pending, question.terms.at)),
            Action::Review => Request::Ended(over(pending, question.terms.at)),
            Action::Request
            | Action::Approve
            | Action::Collect
            | Action::Deny
            | Action::Cancel
            | Action::Withdraw
            | Action::Escalate
            | Action::Read => Request::Pending(pending),
        };
        let statement = self.statement(act, question.terms.at)?;
        Ok(self.judge(&question.terms, Some(&request), &statement, self.key_of(who)))
    }

    pub(super) fn request(
        &self,
        who: &PrincipalId,
        question: &Question,
        at: Timestamp,
    ) -> Result<Said, Failure> {
        let statement = self.statement(Act::Request(self.wish(who, question)), at)?;
        // What began after the request was not yet so when it was made.
        let earlier = question.terms.at.since(at);
        let outage = question.terms.outage.and_then(|seconds| seconds.checked_sub(earlier));
        let terms = Terms { at, outage, ..question.terms.clone() };
        Ok(self.judge(&terms, None, &statement, self.key_of(who)))
    }

    /// What the rules say to an approval of `pending` by `who` in `stage`, on `terms`' occasion.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be written as a statement.
    pub fn approval(
        &self,
        pending: &Pending,
        terms: &Terms,
        who: &PrincipalId,
        stage: &StageId,
    ) -> Result<Said, Failure> {
        let approve = Approve {
            request: pending.asked.statement,
            by: who.clone(),
            stage: stage.clone(),
            policy: self.policy.digest,
            ttl_max: pending.asked.ask.ttl,
            comment: None,
        };
        let statement = self.statement(Act::Approve(approve), terms.at)?;
        let request = Request::Pending(pending.clone());
        Ok(self.judge(terms, Some(&request), &statement, self.key_of(who)))
    }

    /// What the rules say to the credential of `pending` being fetched, on `terms`' occasion.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be written as a statement.
    pub fn collect(&self, pending: &Pending, terms: &Terms) -> Result<Said, Failure> {
        let collect = Collect { request: pending.asked.statement, kind: Kind::Ssh };
        let statement = self.statement(Act::Collect(collect), terms.at)?;
        let key = pending.asked.ask.key.as_ref().unwrap_or(&self.subject);
        Ok(self.judge(terms, Some(&Request::Pending(pending.clone())), &statement, key))
    }

    /// The stage of the question's approval.
    fn stage_of(&self, question: &Question) -> Result<StageId, Failure> {
        if let Some(stage) = &question.terms.stage {
            return Ok(stage.clone());
        }
        match self.policy.scope(&question.scope).map(Scope::stages) {
            Some([stage]) => Ok(stage.name.clone()),
            Some(_) | None => {
                let what = format!("which stage of {}?", question.scope);
                Err(Failure::usage(what, "name the stage that is approved in"))
            }
        }
    }

    /// The key that `who` signs with; nobody's if the policy gives them none.
    pub(super) fn key_of(&self, who: &PrincipalId) -> &PublicKey {
        let principal = self.policy.principal(who);
        principal.and_then(|principal| principal.keys.first()).unwrap_or(&self.stranger)
    }

    pub(super) fn statement(&self, act: Act, at: Timestamp) -> Result<Statement, Failure> {
        let (seen, expires) = (Some(Seen::NOTHING), Some(at.plus(60)));
        let statement =
            Statement::compose(&self.log, seen, act, expires, Salt::from_bytes([0; 16]));
        statement.map_err(|error| Failure::usage(error.to_string(), "correct the question"))
    }
}

fn made_up(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, error.to_string(), "", "")
}

/// The key that a supposed credential is bound to: RFC 8032, 7.1, test 1.
const SUBJECT: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

/// The key of whoever has none: RFC 8032, 7.1, test 2.
const STRANGER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM";
