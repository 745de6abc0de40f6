//! `tests.toml`: what a policy is expected to say, case by case.
//!
//! ```toml
//! [[case]]
//! name = "nobody approves what they asked for"
//! who = "ada"
//! action = "approve"        # request is the default
//! scope = "payments-logs"
//! requester = "ada"
//! expect = "refuse"         # or "allow"
//! refusal = "self-approval" # which refusal exactly
//! ```
//!
//! The actions on a request are request, approve, collect, deny, cancel, withdraw, drop, escalate, review and
//! read; besides, one can lock and unlock a `target`, declare and resolve an outage of a `dependency`, and
//! export the record.
//!
//! It is no part of the signed policy: it says what its authors meant, not what is law. A case that
//! could not mean what it says (an unknown name, a refusal beside `allow`) is a fault, not a pass.

mod beside;
mod check;
mod read;

use breakglass_ledger::policy::Policy;
use breakglass_rules::Refusal;

use super::aside::Aside;
use super::hearing::{Hearing, Said, Yes};
use super::question::{Action, Question};
use crate::failure::Failure;

pub use read::{CASES_MAX, CaseFault, FILE, FILE_MAX_BYTES, read};

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is about, in words.
    pub name: String,
    /// The line of its header, from 1.
    pub line: usize,
    /// What is asked.
    pub question: Asked,
    /// What is expected.
    pub expected: Expected,
}

/// What a case asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether somebody may act on a request.
    Request(Box<Question>),
    /// Whether somebody may do something else.
    Aside(Box<Aside>),
}

/// What a case expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Yes.
    Allow {
        /// Rules that must be among those that determined it.
        rules: Vec<String>,
        /// How many approvals must still be missing afterwards.
        missing: Option<u64>,
    },
    /// No.
    Refuse {
        /// The refusal's name, if it matters which.
        refusal: Option<String>,
        /// Rules that the refusal must name.
        rules: Vec<String>,
    },
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The case.
    pub case: Case,
    /// What the rules said.
    pub said: Said,
    /// What is not as expected, in words; `None` if all is.
    pub wrong: Option<String>,
}

/// Puts every case to the rules.
///
/// # Errors
///
/// [`Failure`] if a question cannot be asked at all.
pub fn run(policy: &Policy, cases: Vec<Case>) -> Result<Vec<Ran>, Failure> {
    let hearing = Hearing::of(policy)?;
    let ran = cases.into_iter().map(|case| {
        let said = match &case.question {
            Asked::Request(question) => hearing.ask(question)?,
            Asked::Aside(aside) => hearing.ask_aside(aside)?,
        };
        let wrong = wrong(&case, &said);
        Ok(Ran { case, said, wrong })
    });
    ran.collect()
}

fn wrong(case: &Case, said: &Said) -> Option<String> {
    match (&case.expected, said) {
        (Expected::Allow { rules, missing }, Said::Yes(yes)) => amiss(rules, *missing, yes),
        (Expected::Refuse { refusal, rules }, Said::No(no)) => other(refusal.as_deref(), rules, no),
        (Expected::Allow { .. }, Said::No(no)) => {
            Some(format!("expected to be allowed, but refused: {}", no.name()))
        }
        (Expected::Refuse { .. }, Said::Yes(_)) => {
            Some("expected to be refused, but allowed".to_owned())
        }
        (Expected::Allow { .. }, Said::Hidden(why)) => {
            Some(format!("expected to be allowed, but kept from them: {why}"))
        }
        (Expected::Refuse { refusal, rules }, Said::Hidden(_)) => {
            let mut names = refusal.iter().chain(rules);
            names.next().map(|name| format!("refused by the lists of the scopes, not as {name}"))
        }
        (_, Said::Before { who, action, refusal }) => Some(before(who, *action, refusal)),
    }
}

/// That it did not come to the question.
fn before(who: &dyn std::fmt::Display, action: Action, refusal: &Refusal) -> String {
    format!("it never comes to that: {who} is refused to {action}: {}", refusal.name())
}

fn amiss(rules: &[String], missing: Option<u64>, yes: &Yes) -> Option<String> {
    if let Some(rule) = rules.iter().find(|rule| !yes.rules.contains(rule)) {
        return Some(format!("allowed, but not by {rule}: by {}", yes.rules.join(", ")));
    }
    if let Some(expected) = missing
        && yes.missing != Some(expected)
    {
        let found = yes.missing.map_or_else(|| "no number".to_owned(), |found| found.to_string());
        return Some(format!("allowed, but {found} of approvals missing, not {expected}"));
    }
    None
}

fn other(refusal: Option<&str>, rules: &[String], no: &Refusal) -> Option<String> {
    if let Some(expected) = refusal
        && expected != no.name()
    {
        return Some(format!("refused, but as {}, not {expected}", no.name()));
    }
    let text = no.to_string();
    let unnamed = rules.iter().find(|rule| !text.contains(rule.trim_start_matches("cedar:")));
    unnamed.map(|rule| format!("refused, but not by {rule}: {text}"))
}

#[cfg(test)]
pub(crate) mod tests;
