//! Which gRPC code each refusal has: one table, no wildcard, so that a new refusal does not build
//! until it has one.
//!
//! * `InvalidArgument`: the act itself can never be right. * `PermissionDenied`: right, but not from
//!   this person or key. * `NotFound`: about something that is not there. * `AlreadyExists`: done
//!   before. * `FailedPrecondition`: not as things stand. * `ResourceExhausted`: a limit that passes.
//!   * `Unimplemented`: not in this version. * `Unavailable`: the broker cannot do it now.

use breakglass_rules::Refusal;
use tonic::Code;

/// The code of `refusal`.
#[expect(clippy::too_many_lines, reason = "one table without a wildcard; its rows are its length")]
pub(super) const fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::OtherLog { .. }
        | Refusal::Expired { .. }
        | Refusal::ExpiresTooFar { .. }
        | Refusal::TtlTooLong { .. }
        | Refusal::IncidentMissing { .. }
        | Refusal::IncidentMismatch { .. }
        | Refusal::ReasonMissing { .. }
        | Refusal::SubjectKeyMissing
        | Refusal::SubjectKeyEnrolled { .. }
        | Refusal::LaneNotOffered { .. }
        | Refusal::CredentialKindNotOffered { .. }
        | Refusal::RequestMismatch { .. }
        | Refusal::TtlMaxBelow { .. }
        | Refusal::DeclarationTooLong { .. }
        | Refusal::KindNotAsked { .. }
        | Refusal::PickupMismatch { .. }
        | Refusal::SubjectKeyType { .. }
        | Refusal::LockEnd { .. }
        | Refusal::UseAhead { .. }
        | Refusal::DelegationMissing { .. } => Code::InvalidArgument,
        Refusal::KeyUnknown { .. }
        | Refusal::KeyNotTheirs { .. }
        | Refusal::NotHuman { .. }
        | Refusal::RequesterNotEntitled { .. }
        | Refusal::IdentityKindNotAllowed { .. }
        | Refusal::ApproverNotEntitled { .. }
        | Refusal::ApproverJoinedLater { .. }
        | Refusal::SelfApproval { .. }
        | Refusal::SelfApprovalByKey { .. }
        | Refusal::NotYours { .. }
        | Refusal::NotEntitledToEnd { .. }
        | Refusal::NotEntitledToDeclare { .. }
        | Refusal::RulesForbid { .. }
        | Refusal::NotEntitledToEscalate { .. }
        | Refusal::NotEntitledToReview { .. }
        | Refusal::ReviewerTookPart { .. }
        | Refusal::NotTheSubjectKey { .. }
        | Refusal::Locked { .. }
        | Refusal::NotEntitledToLock { .. }
        | Refusal::UnlockOwn { .. }
        | Refusal::DelegationWidens { .. }
        | Refusal::DelegationNotSponsored { .. }
        | Refusal::DelegationNotHuman { .. }
        | Refusal::NotAHost { .. }
        | Refusal::TargetNotTheirs { .. } => Code::PermissionDenied,
        Refusal::ScopeUnknown { .. }
        | Refusal::RequestUnknown { .. }
        | Refusal::StageUnknown { .. }
        | Refusal::DependencyUnknown { .. }
        | Refusal::LockUnknown { .. }
        | Refusal::ListUnknown { .. }
        | Refusal::DelegationUnknown { .. } => Code::NotFound,
        Refusal::Repeated { .. }
        | Refusal::Duplicate { .. }
        | Refusal::IdTaken { .. }
        | Refusal::SubjectKeyUsed { .. }
        | Refusal::AlreadyDeclared { .. }
        | Refusal::AlreadyReviewed { .. }
        | Refusal::AlreadyApproved { .. } => Code::AlreadyExists,
        Refusal::SeenMismatch
        | Refusal::SeenFuture
        | Refusal::WrongState { .. }
        | Refusal::Late { .. }
        | Refusal::PolicyNotInForce { .. }
        | Refusal::PolicyUnreadable { .. }
        | Refusal::RulesUnreadable { .. }
        | Refusal::ChainUnsound { .. }
        | Refusal::ScopeChanged { .. }
        | Refusal::StageUnsatisfiable { .. }
        | Refusal::NotApprovedYet { .. }
        | Refusal::NotDue { .. }
        | Refusal::OutageLaneClosed { .. }
        | Refusal::NothingToResolve { .. }
        | Refusal::NothingToEscalate { .. }
        | Refusal::EmergencyNotOpen { .. }
        | Refusal::DelayNotOver { .. }
        | Refusal::ReviewMissing { .. }
        | Refusal::ListNotPublished { .. }
        | Refusal::ListOlder { .. }
        | Refusal::ListMismatch { .. }
        | Refusal::StillAllowed => Code::FailedPrecondition,
        Refusal::LiveMax { .. }
        | Refusal::LocksMax { .. }
        | Refusal::Cooldown { .. }
        | Refusal::TokensSpent { .. }
        | Refusal::TargetsMany { .. }
        | Refusal::BudgetSpent { .. } => Code::ResourceExhausted,
        Refusal::NotSupportedYet { .. } => Code::Unimplemented,
        Refusal::ClockBehind { .. } | Refusal::CannotRevoke => Code::Unavailable,
    }
}
