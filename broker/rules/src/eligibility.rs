//! Who may, by the policy's own rules: `rules.cedar`, judged in context.
//!
//! Rules narrow what the scopes' data allows and never widen it: both are asked, and whoever is not
//! permitted by a rule is not permitted. A policy without rules is decided by its data alone, at no
//! cost here. This is the only place that knows Cedar, and it decides nothing else.

mod answer;
mod compile;
mod context;
mod entities;
mod fault;
mod permit;
mod reading;
#[cfg(test)]
mod tests;
mod verifier;

use breakglass_ledger::audit::{self, Circumstances};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::{Checked, Policy};
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use cedar_policy::{Entities, PolicySet};

pub use fault::RuleFault;
pub use reading::{concerns, exports, may_read, read};
pub use verifier::CedarJudge;

pub(crate) use permit::{Matter, others_alive, permit};

use self::entities::Names;

/// The schema that rules are validated against, as published.
pub const SCHEMA: &str = include_str!("eligibility/schema.cedarschema");

/// What is done, as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// To ask, and to still be allowed to when the credential is issued.
    Request,
    /// To say yes, and to still count when the credential is issued.
    Approve,
    /// To say no.
    Deny,
    /// To end a request or grant of somebody else.
    Cancel,
    /// To lock, and to unlock.
    Lock,
    /// To declare an outage, and to declare it over.
    Declare,
    /// To review afterwards.
    Review,
    /// To read a request.
    Read,
    /// To export the whole record.
    Export,
}

/// What is asked of the rules: may `principal` do `action` to `scope`, as things are?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who acts.
    pub principal: &'a PrincipalId,
    /// What they do.
    pub action: Action,
    /// To which scope; `None` stands for the ledger itself.
    pub scope: Option<&'a ScopeId>,
    /// What besides it depends on. What the action does not have is not looked at.
    pub circumstances: Circumstances<'a>,
}

/// The compiled rules of one policy, with its people and scopes as the rules see them.
#[derive(Clone, Debug, Default)]
pub struct Rules(State);

#[derive(Clone, Debug, Default)]
enum State {
    /// There are none: the data alone decides.
    #[default]
    None,
    /// There are some.
    Compiled(Box<Compiled>),
    /// There are some, and they cannot be read: nobody may do anything that is judged.
    Unreadable,
}

#[derive(Clone, Debug)]
struct Compiled {
    policies: PolicySet,
    entities: Entities,
    names: Names,
}

/// No rules, for callers that need them by reference.
pub static NO_RULES: Rules = Rules::none();

impl Rules {
    /// No rules.
    #[must_use]
    pub const fn none() -> Self {
        Self(State::None)
    }

    /// The stand-in for rules that were in force and do not compile any more: every question is
    /// answered with "unreadable", which is a no.
    #[must_use]
    pub const fn unreadable() -> Self {
        Self(State::Unreadable)
    }

    /// Compiles `text` and validates it, knowing nobody: for checking a text before there is a
    /// policy. Who is judged by these rules is a stranger to them.
    ///
    /// # Errors
    ///
    /// Every fault, by place.
    pub fn compile(text: &str) -> Result<Self, Vec<RuleFault>> {
        Self::compiled(text, None)
    }

    /// Compiles the rules of `policy` among its people and scopes: what decides under it.
    ///
    /// # Errors
    ///
    /// Every fault, by place; also each name of a principal, group or scope that `policy` lacks.
    pub fn of(policy: &Policy) -> Result<Self, Vec<RuleFault>> {
        Self::compiled(&policy.rules, Some(policy))
    }

    /// Every fault of the rules of a policy that is not in force yet, by place.
    #[must_use]
    pub fn faults(checked: &Checked) -> Vec<RuleFault> {
        let policy = checked.clone().into_policy(0, Digest::ZERO);
        Self::of(&policy).err().unwrap_or_default()
    }

    fn compiled(text: &str, policy: Option<&Policy>) -> Result<Self, Vec<RuleFault>> {
        if is_blank(text) {
            return Ok(Self::none());
        }
        compile::compile(text, policy).map(|compiled| Self(State::Compiled(Box::new(compiled))))
    }

    /// Whether there are none, so that the data alone decides.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self.0, State::None)
    }

    /// What the rules say to `question`. Without rules everything is permitted by none of them.
    #[must_use]
    pub fn judge(&self, question: &Question<'_>) -> audit::Answer {
        match &self.0 {
            State::None => audit::Answer::Permitted { rules: Vec::new() },
            State::Compiled(compiled) => answer::answer(compiled, question),
            State::Unreadable => {
                audit::Answer::Unreadable { what: "the rules do not compile".to_owned() }
            }
        }
    }
}

/// Whether `text` holds nothing but comments and blanks.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with("//"))
}
