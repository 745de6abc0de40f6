//! Why a review did not count.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::ReviewVerdict;

/// Why a review did not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefusal {
    /// Whoever took part does not judge it afterwards.
    #[error(
        "{by} took part in {request}, as requester or approver; nobody reviews what they took \
         part in: have another owner review it"
    )]
    ReviewerTookPart {
        /// Who tried.
        by: PrincipalId,
        /// The grant.
        request: RequestId,
    },
    /// The grant was reviewed before.
    #[error(
        "{request} was already reviewed as {verdict}; a review counts once: nothing is left to do"
    )]
    AlreadyReviewed {
        /// The grant.
        request: RequestId,
        /// What was found.
        verdict: ReviewVerdict,
    },
    /// Not one of the scope's owners.
    #[error("{by} does not own {scope}; only its owners review its grants: ask one of them")]
    NotEntitledToReview {
        /// Who tried.
        by: PrincipalId,
        /// The scope.
        scope: ScopeId,
    },
}
