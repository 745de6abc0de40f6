//! The numbers and names of refusals, as ledgers and wires carry them.

use crate::refusal::{
    AskRefusal, DelegationRefusal, LockRefusal, OutageRefusal, Refusal, ReportRefusal,
    RestraintRefusal, ReviewRefusal, StatementRefusal,
};

/// Numbers reach the ledger: written out, never reused, never renumbered.
macro_rules! numbered {
    ($($variant:pat = $number:literal, $name:literal;)+) => {
        impl Refusal {
            /// Number and name of every refusal there is.
            pub const ALL: &'static [(u32, &'static str)] = &[$(($number, $name)),+];

            /// The number that the ledger and the wire carry.
            #[must_use]
            pub const fn number(&self) -> u32 {
                match self { $($variant => $number),+ }
            }

            /// The name beside the number: kebab-case, as stable as the number.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $($variant => $name),+ }
            }
        }
    };
}

numbered! {
    Refusal::Statement(StatementRefusal::OtherLog { .. }) = 1, "other-log";
    Refusal::Statement(StatementRefusal::Expired { .. }) = 2, "expired";
    Refusal::Statement(StatementRefusal::ExpiresTooFar { .. }) = 3, "expires-too-far";
    Refusal::Statement(StatementRefusal::Repeated { .. }) = 4, "repeated";
    Refusal::Statement(StatementRefusal::SeenMismatch) = 5, "seen-mismatch";
    Refusal::Statement(StatementRefusal::SeenFuture) = 6, "seen-future";
    Refusal::Statement(StatementRefusal::ClockBehind { .. }) = 7, "clock-behind";
    Refusal::Statement(StatementRefusal::KeyUnknown { .. }) = 8, "key-unknown";
    Refusal::Statement(StatementRefusal::KeyNotTheirs { .. }) = 9, "key-not-theirs";
    Refusal::NotHuman { .. } = 10, "not-human";
    Refusal::ScopeUnknown { .. } = 11, "scope-unknown";
    Refusal::Ask(AskRefusal::RequesterNotEntitled { .. }) = 12, "requester-not-entitled";
    Refusal::Ask(AskRefusal::IdentityKindNotAllowed { .. }) = 13, "identity-kind-not-allowed";
    Refusal::Ask(AskRefusal::LaneNotOffered { .. }) = 14, "lane-not-offered";
    Refusal::Ask(AskRefusal::CredentialKindNotOffered { .. }) = 15, "credential-kind-not-offered";
    Refusal::Ask(AskRefusal::NotSupportedYet { .. }) = 16, "not-supported-yet";
    Refusal::Ask(AskRefusal::TtlTooLong { .. }) = 17, "ttl-too-long";
    Refusal::Ask(AskRefusal::IncidentMissing { .. }) = 18, "incident-missing";
    Refusal::Ask(AskRefusal::IncidentMismatch { .. }) = 19, "incident-mismatch";
    Refusal::Ask(AskRefusal::ReasonMissing { .. }) = 20, "reason-missing";
    Refusal::Ask(AskRefusal::LiveMax { .. }) = 21, "live-max";
    Refusal::Ask(AskRefusal::Duplicate { .. }) = 22, "duplicate";
    Refusal::Ask(AskRefusal::IdTaken { .. }) = 23, "id-taken";
    Refusal::Ask(AskRefusal::SubjectKeyMissing) = 24, "subject-key-missing";
    Refusal::Ask(AskRefusal::SubjectKeyEnrolled { .. }) = 25, "subject-key-enrolled";
    Refusal::RequestUnknown { .. } = 26, "request-unknown";
    Refusal::RequestMismatch { .. } = 27, "request-mismatch";
    Refusal::WrongState { .. } = 28, "wrong-state";
    Refusal::Late { .. } = 29, "late";
    Refusal::PolicyNotInForce { .. } = 30, "policy-not-in-force";
    Refusal::PolicyUnreadable { .. } = 31, "policy-unreadable";
    Refusal::ChainUnsound { .. } = 32, "chain-unsound";
    Refusal::ScopeChanged { .. } = 33, "scope-changed";
    Refusal::StageUnknown { .. } = 34, "stage-unknown";
    Refusal::ApproverNotEntitled { .. } = 35, "approver-not-entitled";
    Refusal::ApproverJoinedLater { .. } = 36, "approver-joined-later";
    Refusal::SelfApproval { .. } = 37, "self-approval";
    Refusal::SelfApprovalByKey { .. } = 38, "self-approval-by-key";
    Refusal::AlreadyApproved { .. } = 39, "already-approved";
    Refusal::TtlMaxBelow { .. } = 40, "ttl-max-below";
    Refusal::NotYours { .. } = 41, "not-yours";
    Refusal::NotEntitledToEnd { .. } = 42, "not-entitled-to-end";
    Refusal::NotTheSubjectKey { .. } = 43, "not-the-subject-key";
    Refusal::KindNotAsked { .. } = 44, "kind-not-asked";
    Refusal::NotApprovedYet { .. } = 45, "not-approved-yet";
    Refusal::CannotRevoke = 46, "cannot-revoke";
    Refusal::PickupMismatch { .. } = 47, "pickup-mismatch";
    Refusal::NotDue { .. } = 48, "not-due";
    Refusal::StillAllowed = 49, "still-allowed";
    Refusal::Ask(AskRefusal::SubjectKeyUsed { .. }) = 50, "subject-key-used";
    Refusal::Ask(AskRefusal::RulesForbid { .. }) = 51, "rules-forbid";
    Refusal::Ask(AskRefusal::RulesUnreadable { .. }) = 52, "rules-unreadable";
    Refusal::Outage(OutageRefusal::OutageLaneClosed { .. }) = 53, "outage-lane-closed";
    Refusal::Outage(OutageRefusal::DependencyUnknown { .. }) = 54, "dependency-unknown";
    Refusal::Outage(OutageRefusal::AlreadyDeclared { .. }) = 55, "already-declared";
    Refusal::Outage(OutageRefusal::NothingToResolve { .. }) = 56, "nothing-to-resolve";
    Refusal::Outage(OutageRefusal::DeclarationTooLong { .. }) = 57, "declaration-too-long";
    Refusal::Outage(OutageRefusal::NotEntitledToDeclare { .. }) = 58, "not-entitled-to-declare";
    Refusal::NothingToEscalate { .. } = 60, "nothing-to-escalate";
    Refusal::Restraint(RestraintRefusal::EmergencyNotOpen { .. }) = 61, "emergency-not-open";
    Refusal::Restraint(RestraintRefusal::DelayNotOver { .. }) = 62, "delay-not-over";
    Refusal::Restraint(RestraintRefusal::Cooldown { .. }) = 63, "cooldown";
    Refusal::Restraint(RestraintRefusal::BudgetSpent { .. }) = 64, "budget-spent";
    Refusal::Restraint(RestraintRefusal::ReviewMissing { .. }) = 65, "review-missing";
    Refusal::Review(ReviewRefusal::ReviewerTookPart { .. }) = 66, "reviewer-took-part";
    Refusal::Review(ReviewRefusal::AlreadyReviewed { .. }) = 67, "already-reviewed";
    Refusal::Review(ReviewRefusal::NotEntitledToReview { .. }) = 68, "not-entitled-to-review";
    Refusal::NotEntitledToEscalate { .. } = 69, "not-entitled-to-escalate";
    Refusal::Lock(LockRefusal::Locked { .. }) = 70, "locked";
    Refusal::Lock(LockRefusal::NotEntitledToLock { .. }) = 71, "not-entitled-to-lock";
    Refusal::Lock(LockRefusal::LockUnknown { .. }) = 72, "lock-unknown";
    Refusal::Lock(LockRefusal::LockEnd { .. }) = 73, "lock-end";
    Refusal::Lock(LockRefusal::UnlockOwn { .. }) = 74, "unlock-own";
    Refusal::Delegation(DelegationRefusal::Missing { .. }) = 75, "delegation-missing";
    Refusal::Delegation(DelegationRefusal::Unknown { .. }) = 76, "delegation-unknown";
    Refusal::Delegation(DelegationRefusal::Widens { .. }) = 77, "delegation-widens";
    Refusal::Delegation(DelegationRefusal::NotSponsored { .. }) = 78, "delegation-not-sponsored";
    Refusal::Delegation(DelegationRefusal::NotHuman { .. }) = 79, "delegation-not-human";
    Refusal::Ask(AskRefusal::SubjectKeyType { .. }) = 80, "subject-key-type";
    Refusal::TokensSpent { .. } = 81, "tokens-spent";
    Refusal::StageUnsatisfiable { .. } = 82, "stage-unsatisfiable";
    Refusal::Lock(LockRefusal::LocksMax { .. }) = 83, "locks-max";
    Refusal::Ask(AskRefusal::KindNotMinted { .. }) = 84, "kind-not-minted";
    Refusal::Report(ReportRefusal::NotAHost { .. }) = 90, "not-a-host";
    Refusal::Report(ReportRefusal::TargetNotTheirs { .. }) = 91, "target-not-theirs";
    Refusal::Report(ReportRefusal::ListUnknown { .. }) = 92, "list-unknown";
    Refusal::Report(ReportRefusal::ListNotPublished { .. }) = 93, "list-not-published";
    Refusal::Report(ReportRefusal::ListOlder { .. }) = 94, "list-older";
    Refusal::Report(ReportRefusal::ListMismatch { .. }) = 95, "list-mismatch";
    Refusal::Report(ReportRefusal::TargetsMany { .. }) = 96, "targets-many";
    Refusal::Report(ReportRefusal::UseAhead { .. }) = 97, "use-ahead";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_written_in_order() {
        let numbers: BTreeSet<u32> = Refusal::ALL.iter().map(|(number, _)| *number).collect();
        let names: BTreeSet<&str> = Refusal::ALL.iter().map(|(_, name)| *name).collect();
        assert_eq!(numbers.len(), Refusal::ALL.len());
        assert_eq!(names.len(), Refusal::ALL.len());
        assert!(Refusal::ALL.is_sorted());
    }

    #[test]
    fn names_are_kebab_case() {
        for (_, name) in Refusal::ALL {
            assert!(name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase()), "{name}");
        }
    }

    /// Numbers are in ledgers for ever: this pins the ends and one in the middle.
    #[test]
    fn numbers_that_are_out_there_stay() {
        assert_eq!(Refusal::ALL.first(), Some(&(1, "other-log")));
        assert_eq!(Refusal::ALL.get(36), Some(&(37, "self-approval")));
        assert_eq!(Refusal::StillAllowed.number(), 49);
    }
}
