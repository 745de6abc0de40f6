//! Why the chain of those on whose behalf it is asked does not hold.

use breakglass_ledger::principal::{PrincipalId, PrincipalKind, ScopeId};

/// Why the chain of those on whose behalf it is asked does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DelegationRefusal {
    /// An agent names nobody on whose behalf it asks.
    #[error(
        "{by} is an agent and names nobody on whose behalf it asks; an agent does nothing of its \
         own accord: ask again with --on-behalf-of and the person behind it"
    )]
    Missing {
        /// The agent.
        by: PrincipalId,
    },
    /// Somebody on whose behalf it is asked does not exist.
    #[error(
        "{hop}, on whose behalf this is asked, is not in the policy in force; a chain counts only \
         if every hop is known: check the name in people.toml"
    )]
    Unknown {
        /// The hop.
        hop: PrincipalId,
    },
    /// Somebody on whose behalf it is asked may not ask themselves.
    #[error(
        "{hop}, on whose behalf this is asked, is not among the requesters of {scope}; nobody \
         passes on what they may not hold: have somebody ask who may"
    )]
    Widens {
        /// The hop.
        hop: PrincipalId,
        /// The scope.
        scope: ScopeId,
    },
    /// A hop does not answer for the next one.
    #[error(
        "{next} cannot act on behalf of {hop}, who is neither its sponsor nor among its owners \
         (and a person asks only for themselves): name the chain of those who answer for it"
    )]
    NotSponsored {
        /// The hop.
        hop: PrincipalId,
        /// The next one: the hop inside it, or the requester.
        next: PrincipalId,
    },
    /// The chain does not begin with a person.
    #[error(
        "the chain begins with {hop} of kind {kind}; a person must stand behind every request: \
         name the person first"
    )]
    NotHuman {
        /// The outermost hop.
        hop: PrincipalId,
        /// What it is.
        kind: PrincipalKind,
    },
}
