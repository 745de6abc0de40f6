//! Which gRPC code each refusal has: one table, no wildcard, so that a new refusal does not build
//! until it has one.
//!
//! * `InvalidArgument`: the act itself can never be right. * `PermissionDenied`: right, but not from
//!   this person or key. * `NotFound`: about something that is not there. * `AlreadyExists`: done
//!   before. * `FailedPrecondition`: not as things stand. * `ResourceExhausted`: a limit that passes.
//!   * `Unimplemented`: not in this version. * `Unavailable`: the broker cannot do it now.

use breakglass_rules::{
    AskRefusal, DelegationRefusal, LockRefusal, OutageRefusal, Refusal, ReportRefusal,
    RestraintRefusal, ReviewRefusal, StatementRefusal,
};
use tonic::Code;

/// The code of `refusal`.
#[expect(clippy::too_many_lines, reason = "one table without a wildcard; its rows are its length")]
pub(super) const fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Statement(StatementRefusal::OtherLog { .. })
        | Refusal::Statement(StatementRefusal::Expired { .. })
        | Refusal::Statement(StatementRefusal::ExpiresTooFar { .. })
        | Refusal::Ask(AskRefusal::TtlTooLong { .. })
        | Refusal::Ask(AskRefusal::IncidentMissing { .. })
        | Refusal::Ask(AskRefusal::IncidentMismatch { .. })
        | Refusal::Ask(AskRefusal::ReasonMissing { .. })
        | Refusal::Ask(AskRefusal::SubjectKeyMissing)
        | Refusal::Ask(AskRefusal::SubjectKeyEnrolled { .. })
        | Refusal::Ask(AskRefusal::LaneNotOffered { .. })
        | Refusal::Ask(AskRefusal::CredentialKindNotOffered { .. })
        | Refusal::RequestMismatch { .. }
        | Refusal::TtlMaxBelow { .. }
        | Refusal::Outage(OutageRefusal::DeclarationTooLong { .. })
        | Refusal::KindNotAsked { .. }
        | Refusal::PickupMismatch { .. }
        | Refusal::Ask(AskRefusal::SubjectKeyType { .. })
        | Refusal::Lock(LockRefusal::LockEnd { .. })
        | Refusal::Report(ReportRefusal::UseAhead { .. })
        | Refusal::Delegation(DelegationRefusal::Missing { .. }) => Code::InvalidArgument,
        Refusal::Statement(StatementRefusal::KeyUnknown { .. })
        | Refusal::Statement(StatementRefusal::KeyNotTheirs { .. })
        | Refusal::NotHuman { .. }
        | Refusal::Ask(AskRefusal::RequesterNotEntitled { .. })
        | Refusal::Ask(AskRefusal::IdentityKindNotAllowed { .. })
        | Refusal::ApproverNotEntitled { .. }
        | Refusal::ApproverJoinedLater { .. }
        | Refusal::SelfApproval { .. }
        | Refusal::SelfApprovalByKey { .. }
        | Refusal::NotYours { .. }
        | Refusal::NotEntitledToEnd { .. }
        | Refusal::Outage(OutageRefusal::NotEntitledToDeclare { .. })
        | Refusal::Ask(AskRefusal::RulesForbid { .. })
        | Refusal::NotEntitledToEscalate { .. }
        | Refusal::Review(ReviewRefusal::NotEntitledToReview { .. })
        | Refusal::Review(ReviewRefusal::ReviewerTookPart { .. })
        | Refusal::NotTheSubjectKey { .. }
        | Refusal::Lock(LockRefusal::Locked { .. })
        | Refusal::Lock(LockRefusal::NotEntitledToLock { .. })
        | Refusal::Lock(LockRefusal::UnlockOwn { .. })
        | Refusal::Delegation(DelegationRefusal::Widens { .. })
        | Refusal::Delegation(DelegationRefusal::NotSponsored { .. })
        | Refusal::Delegation(DelegationRefusal::NotHuman { .. })
        | Refusal::Report(ReportRefusal::NotAHost { .. })
        | Refusal::Report(ReportRefusal::TargetNotTheirs { .. }) => Code::PermissionDenied,
        Refusal::ScopeUnknown { .. }
        | Refusal::RequestUnknown { .. }
        | Refusal::StageUnknown { .. }
        | Refusal::Outage(OutageRefusal::DependencyUnknown { .. })
        | Refusal::Lock(LockRefusal::LockUnknown { .. })
        | Refusal::Report(ReportRefusal::ListUnknown { .. })
        | Refusal::Delegation(DelegationRefusal::Unknown { .. }) => Code::NotFound,
        Refusal::Statement(StatementRefusal::Repeated { .. })
        | Refusal::Ask(AskRefusal::Duplicate { .. })
        | Refusal::Ask(AskRefusal::IdTaken { .. })
        | Refusal::Ask(AskRefusal::SubjectKeyUsed { .. })
        | Refusal::Outage(OutageRefusal::AlreadyDeclared { .. })
        | Refusal::Review(ReviewRefusal::AlreadyReviewed { .. })
        | Refusal::AlreadyApproved { .. } => Code::AlreadyExists,
        Refusal::Statement(StatementRefusal::SeenMismatch)
        | Refusal::Statement(StatementRefusal::SeenFuture)
        | Refusal::WrongState { .. }
        | Refusal::Late { .. }
        | Refusal::PolicyNotInForce { .. }
        | Refusal::PolicyUnreadable { .. }
        | Refusal::Ask(AskRefusal::RulesUnreadable { .. })
        | Refusal::ChainUnsound { .. }
        | Refusal::ScopeChanged { .. }
        | Refusal::StageUnsatisfiable { .. }
        | Refusal::NotApprovedYet { .. }
        | Refusal::NotDue { .. }
        | Refusal::Outage(OutageRefusal::OutageLaneClosed { .. })
        | Refusal::Outage(OutageRefusal::NothingToResolve { .. })
        | Refusal::NothingToEscalate { .. }
        | Refusal::Restraint(RestraintRefusal::EmergencyNotOpen { .. })
        | Refusal::Restraint(RestraintRefusal::DelayNotOver { .. })
        | Refusal::Restraint(RestraintRefusal::ReviewMissing { .. })
        | Refusal::Report(ReportRefusal::ListNotPublished { .. })
        | Refusal::Report(ReportRefusal::ListOlder { .. })
        | Refusal::Report(ReportRefusal::ListMismatch { .. })
        | Refusal::Ask(AskRefusal::KindNotMinted { .. })
        | Refusal::StillAllowed => Code::FailedPrecondition,
        Refusal::Ask(AskRefusal::LiveMax { .. })
        | Refusal::Lock(LockRefusal::LocksMax { .. })
        | Refusal::Restraint(RestraintRefusal::Cooldown { .. })
        | Refusal::TokensSpent { .. }
        | Refusal::Report(ReportRefusal::TargetsMany { .. })
        | Refusal::Restraint(RestraintRefusal::BudgetSpent { .. }) => Code::ResourceExhausted,
        Refusal::Ask(AskRefusal::NotSupportedYet { .. }) => Code::Unimplemented,
        Refusal::Statement(StatementRefusal::ClockBehind { .. }) | Refusal::CannotRevoke => {
            Code::Unavailable
        }
    }
}
