//! Who judges a policy's Cedar rules: not this crate, which knows no Cedar, but whoever calls the
//! verifier may bring somebody who does.

use crate::policy::Policy;
use crate::principal::{PrincipalId, ScopeId, StageId};
use crate::statement::Lane;
use crate::time::{Timestamp, Ttl};

/// Judges one question by the text of a policy's `rules.cedar`.
pub trait Eligibility {
    /// The answer to `question` by `rules`, the exact text, among the people and scopes of `policy`.
    /// Never asked with a text of comments and blanks only.
    fn judge(&self, rules: &str, policy: &Policy, question: &Question<'_>) -> Answer;
}

/// What is asked of the rules: may `principal` do `action` to `scope`, as things are?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Who acts.
    pub principal: &'a PrincipalId,
    /// What they do.
    pub action: Action,
    /// To which scope; `None` stands for the ledger itself.
    pub scope: Option<&'a ScopeId>,
    /// What besides it depends on.
    pub circumstances: Circumstances<'a>,
}

/// The actions that a ledger has decisions of. Reading and exporting leave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// To declare an outage.
    Declare,
    /// To review afterwards.
    Review,
}

impl Action {
    /// Its name in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
            Self::Lock => "lock",
            Self::Declare => "declare",
            Self::Review => "review",
        }
    }
}

/// What an answer may depend on besides who, what and where. What an action does not have is
/// `None`, 0 or false, and not part of its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances<'a> {
    /// The second it is decided at; hour and weekday are its, in UTC.
    pub at: Timestamp,
    /// Lane of the request that the act is about.
    pub lane: Option<Lane>,
    /// Since when the dependency of the scope (or the one declared down) is down; `None` if it is
    /// not.
    pub outage_since: Option<Timestamp>,
    /// The life that is asked for.
    pub ttl: Option<Ttl>,
    /// Whether the request names an incident.
    pub incident: bool,
    /// How many principals stand behind the requester.
    pub depth: u64,
    /// Who asked.
    pub requester: Option<&'a PrincipalId>,
    /// The stage that is approved.
    pub stage: Option<&'a StageId>,
    /// Grants of the scope that are out.
    pub live: u64,
    /// Seconds of the scope that the requester has had in the window of its budget; 0 without one.
    pub budget: u64,
    /// Seconds since a drill of the scope was last passed; `None` if never.
    pub drill_age: Option<u64>,
}

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Permitted, by these rules.
    Permitted {
        /// Their `@id`s, ascending.
        rules: Vec<String>,
    },
    /// Not permitted: by these rules, or for want of one that permits if there are none.
    Forbidden {
        /// Their `@id`s, ascending.
        rules: Vec<String>,
    },
    /// The rules cannot be read, or fail on this question. Never a yes.
    Unreadable {
        /// What is wrong, for people.
        what: String,
    },
}
