//! Why a request could not be made.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::{Fingerprint, KeyType};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, ScopeId};
use breakglass_ledger::time::Ttl;

/// Why a request could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskRefusal {
    /// Not among those who may ask for the scope.
    #[error(
        "{by} is not among the requesters of {scope}; the policy in force does not let them hold \
         it: ask somebody who is, or the scope's owners"
    )]
    RequesterNotEntitled {
        /// The requester.
        by: PrincipalId,
        /// The scope.
        scope: ScopeId,
    },
    /// The scope is not for this kind of identity.
    #[error("{scope} is not open to identities of kind {kind}: let a permitted kind ask")]
    IdentityKindNotAllowed {
        /// The scope.
        scope: ScopeId,
        /// What the requester is.
        kind: PrincipalKind,
    },
    /// The scope does not offer the lane.
    #[error("{scope} does not offer the lane {lane}: ask in a lane that its policy lists")]
    LaneNotOffered {
        /// The scope.
        scope: ScopeId,
        /// The lane asked for.
        lane: &'static str,
    },
    /// The scope does not offer this kind of credential.
    #[error("{scope} does not offer {kind} credentials: ask for a kind that its policy lists")]
    CredentialKindNotOffered {
        /// The scope.
        scope: ScopeId,
        /// The kind of credential.
        kind: &'static str,
    },
    /// The broker lacks what it needs for this kind of credential.
    #[error(
        "this broker cannot mint {kind} credentials; nothing was begun: ask for another kind, or \
         have its operator {remedy}"
    )]
    KindNotMinted {
        /// The kind of credential.
        kind: &'static str,
        /// What the operator can do.
        remedy: &'static str,
    },
    /// Part of the format, but not of this version of the broker.
    #[error(
        "{what} is not supported yet; this broker would have to ignore it, so it does nothing: \
         leave it out, or use a newer broker"
    )]
    NotSupportedYet {
        /// What is not supported, as in `lane outage` or `act lock`.
        what: &'static str,
    },
    /// Longer than the scope allows.
    #[error(
        "a ttl of {ttl} s was asked for, {scope} allows {max} s: ask again for {max} s or less"
    )]
    TtlTooLong {
        /// The scope.
        scope: ScopeId,
        /// What was asked for.
        ttl: Ttl,
        /// The most that the scope allows.
        max: Ttl,
    },
    /// The scope wants an incident and none was named.
    #[error("{scope} is only given for an incident matching {pattern}: ask again naming one")]
    IncidentMissing {
        /// The scope.
        scope: ScopeId,
        /// What the incident must match.
        pattern: String,
    },
    /// The incident has the wrong form.
    #[error("incident {incident} does not match {pattern}, which {scope} wants: check it")]
    IncidentMismatch {
        /// The scope.
        scope: ScopeId,
        /// The incident named.
        incident: String,
        /// What it must match.
        pattern: String,
    },
    /// The scope wants a reason and none was given.
    #[error("{scope} is only given for a reason, and none was given: ask again with --reason")]
    ReasonMissing {
        /// The scope.
        scope: ScopeId,
    },
    /// As many grants are alive as the scope allows.
    #[error(
        "{live} grants of {scope} are alive and it allows {max}; no more is given now: \
         have a holder drop one, or wait until one ends"
    )]
    LiveMax {
        /// The scope.
        scope: ScopeId,
        /// Grants alive.
        live: u32,
        /// The most at once.
        max: u32,
    },
    /// The same person already asks for the same scope.
    #[error(
        "{first} by the same person for the same scope is still open; a second one would split \
         its approvals: follow {first}, or withdraw it first"
    )]
    Duplicate {
        /// The request that is already open.
        first: RequestId,
    },
    /// Another request has this id.
    #[error("another request already has the id {id}; ids are never used twice: draw a new one")]
    IdTaken {
        /// The id.
        id: RequestId,
    },
    /// No key to bind the credential to.
    #[error(
        "the request brings no subject key; a certificate must be bound to one: \
         ask again with a fresh public key"
    )]
    SubjectKeyMissing,
    /// The subject key signs for somebody.
    #[error(
        "subject key {key} is enrolled for signing; a key that signs for a person never carries a \
         credential: ask again with a fresh key"
    )]
    SubjectKeyEnrolled {
        /// The subject key.
        key: Fingerprint,
    },
    /// The subject key belongs to another request that is not closed.
    #[error(
        "subject key {key} belongs to another request that is not closed; a key carries one \
         credential, so that its holder can be told apart: ask again with a fresh key"
    )]
    SubjectKeyUsed {
        /// The subject key.
        key: Fingerprint,
    },
    /// The subject key is of a type that those who check such credentials do not take.
    #[error(
        "field key: a subject key of type {found} cannot carry a credential of kind {kind}, which \
         takes {needed}: ask again with a fresh key of that type"
    )]
    SubjectKeyType {
        /// The kind asked for.
        kind: &'static str,
        /// The type it takes.
        needed: KeyType,
        /// The type of the key.
        found: KeyType,
    },
    /// No rule of the policy permits it, or one forbids it.
    #[error(
        "the policy's rules do not let {by} {action} this ({}); it was not done: \
         `breakglass policy explain` says what would be needed",
        determining(rules)
    )]
    RulesForbid {
        /// Who tried.
        by: PrincipalId,
        /// The action as rules name it.
        action: &'static str,
        /// `cedar:` and the `@id` of each rule that forbids it, ascending; none if no rule permits
        /// it.
        rules: Vec<String>,
    },
    /// The policy's rules cannot be judged.
    #[error(
        "the policy's rules cannot be judged here: {what}; what cannot be judged is refused: \
         have the policy's authority correct rules.cedar"
    )]
    RulesUnreadable {
        /// What is wrong.
        what: String,
    },
}

/// Which rules forbid it, or that none permits it.
fn determining(rules: &[String]) -> String {
    if rules.is_empty() {
        return "no rule permits it".to_owned();
    }
    format!("forbidden by {}", rules.join(", "))
}
