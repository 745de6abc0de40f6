//! The numbers and names of refusals, as ledgers and wires carry them.

use crate::refusal::Refusal;

/// Numbers reach the ledger: written out, never reused, never renumbered.
macro_rules! numbered {
    ($($variant:ident = $number:literal, $name:literal;)+) => {
        impl Refusal {
            /// Number and name of every refusal there is.
            pub const ALL: &'static [(u32, &'static str)] = &[$(($number, $name)),+];

            /// The number that the ledger and the wire carry.
            #[must_use]
            pub const fn number(&self) -> u32 {
                match self { $(Self::$variant { .. } => $number),+ }
            }

            /// The name beside the number: kebab-case, as stable as the number.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name),+ }
            }
        }
    };
}

numbered! {
    OtherLog = 1, "other-log";
    Expired = 2, "expired";
    ExpiresTooFar = 3, "expires-too-far";
    Repeated = 4, "repeated";
    SeenMismatch = 5, "seen-mismatch";
    SeenFuture = 6, "seen-future";
    ClockBehind = 7, "clock-behind";
    KeyUnknown = 8, "key-unknown";
    KeyNotTheirs = 9, "key-not-theirs";
    NotHuman = 10, "not-human";
    ScopeUnknown = 11, "scope-unknown";
    RequesterNotEntitled = 12, "requester-not-entitled";
    IdentityKindNotAllowed = 13, "identity-kind-not-allowed";
    LaneNotOffered = 14, "lane-not-offered";
    CredentialKindNotOffered = 15, "credential-kind-not-offered";
    NotSupportedYet = 16, "not-supported-yet";
    TtlTooLong = 17, "ttl-too-long";
    IncidentMissing = 18, "incident-missing";
    IncidentMismatch = 19, "incident-mismatch";
    ReasonMissing = 20, "reason-missing";
    LiveMax = 21, "live-max";
    Duplicate = 22, "duplicate";
    IdTaken = 23, "id-taken";
    SubjectKeyMissing = 24, "subject-key-missing";
    SubjectKeyEnrolled = 25, "subject-key-enrolled";
    RequestUnknown = 26, "request-unknown";
    RequestMismatch = 27, "request-mismatch";
    WrongState = 28, "wrong-state";
    Late = 29, "late";
    PolicyNotInForce = 30, "policy-not-in-force";
    PolicyUnreadable = 31, "policy-unreadable";
    ChainUnsound = 32, "chain-unsound";
    ScopeChanged = 33, "scope-changed";
    StageUnknown = 34, "stage-unknown";
    ApproverNotEntitled = 35, "approver-not-entitled";
    ApproverJoinedLater = 36, "approver-joined-later";
    SelfApproval = 37, "self-approval";
    SelfApprovalByKey = 38, "self-approval-by-key";
    AlreadyApproved = 39, "already-approved";
    TtlMaxBelow = 40, "ttl-max-below";
    NotYours = 41, "not-yours";
    NotEntitledToEnd = 42, "not-entitled-to-end";
    NotTheSubjectKey = 43, "not-the-subject-key";
    KindNotAsked = 44, "kind-not-asked";
    NotApprovedYet = 45, "not-approved-yet";
    CannotRevoke = 46, "cannot-revoke";
    PickupMismatch = 47, "pickup-mismatch";
    NotDue = 48, "not-due";
    StillAllowed = 49, "still-allowed";
    SubjectKeyUsed = 50, "subject-key-used";
    RulesForbid = 51, "rules-forbid";
    RulesUnreadable = 52, "rules-unreadable";
    OutageLaneClosed = 53, "outage-lane-closed";
    DependencyUnknown = 54, "dependency-unknown";
    AlreadyDeclared = 55, "already-declared";
    NothingToResolve = 56, "nothing-to-resolve";
    DeclarationTooLong = 57, "declaration-too-long";
    NotEntitledToDeclare = 58, "not-entitled-to-declare";
    NothingToEscalate = 60, "nothing-to-escalate";
    EmergencyNotOpen = 61, "emergency-not-open";
    DelayNotOver = 62, "delay-not-over";
    Cooldown = 63, "cooldown";
    BudgetSpent = 64, "budget-spent";
    ReviewMissing = 65, "review-missing";
    ReviewerTookPart = 66, "reviewer-took-part";
    AlreadyReviewed = 67, "already-reviewed";
    NotEntitledToReview = 68, "not-entitled-to-review";
    NotEntitledToEscalate = 69, "not-entitled-to-escalate";
    Locked = 70, "locked";
    NotEntitledToLock = 71, "not-entitled-to-lock";
    LockUnknown = 72, "lock-unknown";
    LockEnd = 73, "lock-end";
    UnlockOwn = 74, "unlock-own";
    DelegationMissing = 75, "delegation-missing";
    DelegationUnknown = 76, "delegation-unknown";
    DelegationWidens = 77, "delegation-widens";
    DelegationNotSponsored = 78, "delegation-not-sponsored";
    DelegationNotHuman = 79, "delegation-not-human";
    SubjectKeyType = 80, "subject-key-type";
    TokensSpent = 81, "tokens-spent";
    StageUnsatisfiable = 82, "stage-unsatisfiable";
    LocksMax = 83, "locks-max";
    NotAHost = 90, "not-a-host";
    TargetNotTheirs = 91, "target-not-theirs";
    ListUnknown = 92, "list-unknown";
    ListNotPublished = 93, "list-not-published";
    ListOlder = 94, "list-older";
    ListMismatch = 95, "list-mismatch";
    TargetsMany = 96, "targets-many";
    UseAhead = 97, "use-ahead";
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
