//! Why a declaration of an outage, or what rests on one, did not go through.

use breakglass_ledger::principal::{DependencyId, PrincipalId, ScopeId};
use breakglass_ledger::time::Timestamp;

/// Why a declaration of an outage, or what rests on one, did not go through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutageRefusal {
    /// The dependency that opens the scope's outage lane is not down.
    #[error(
        "{} is not down as far as this broker knows, so the outage lane of {scope} is closed; \
         ask in the normal lane, or have two people declare the outage",
        .dependency.as_ref().map_or("nothing", DependencyId::as_str)
    )]
    OutageLaneClosed {
        /// The scope.
        scope: ScopeId,
        /// What would open the lane; `None` if the scope names nothing.
        dependency: Option<DependencyId>,
    },
    /// No scope's outage lane depends on it.
    #[error(
        "no scope depends on {dependency}; declaring it down would open nothing: check the name \
         with `outage status`"
    )]
    DependencyUnknown {
        /// The name in the statement.
        dependency: DependencyId,
    },
    /// The same person's declaration stands.
    #[error(
        "{by} already declared {dependency} down, until {until}; one person counts once: a second \
         person must declare it, or wait until then to renew"
    )]
    AlreadyDeclared {
        /// Who declares.
        by: PrincipalId,
        /// What.
        dependency: DependencyId,
        /// First second at which the standing declaration no longer counts.
        until: Timestamp,
    },
    /// No declaration stands.
    #[error(
        "nobody's declaration that {dependency} is down stands; there is nothing to resolve: what \
         is measured down is over when it is measured up"
    )]
    NothingToResolve {
        /// What was to be resolved.
        dependency: DependencyId,
    },
    /// Without an end, or with one that is past or too far ahead.
    #[error(
        "a declaration counts until a second in the future, {latest} at the latest; what lasts \
         longer is declared again: sign with another end"
    )]
    DeclarationTooLong {
        /// The end in the statement, if there is one.
        until: Option<Timestamp>,
        /// The last end accepted now.
        latest: Timestamp,
    },
    /// No owner of a scope that depends on it.
    #[error(
        "{by} owns no scope that depends on {dependency}; only owners declare and resolve its \
         outages: ask one of them"
    )]
    NotEntitledToDeclare {
        /// Who tried.
        by: PrincipalId,
        /// What about.
        dependency: DependencyId,
    },
}
