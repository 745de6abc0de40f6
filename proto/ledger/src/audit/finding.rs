//! What a verifier can find, each under a code that never changes its meaning.

use std::fmt;

/// Most findings kept of one code. The first ones name the fault; the rest repeat it.
pub const FINDINGS_PER_CODE_MAX: usize = 16;

/// The result in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Everything holds.
    Verified,
    /// Verified, with findings a reviewer should look at.
    Suspect,
    /// Nothing wrong found, but evidence that should be there is not.
    Unproven,
    /// Not in the format.
    Malformed,
    /// In the format, and contradicting itself, the signatures, or what the reviewer knows.
    Tampered,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Suspect => "suspect",
            Self::Unproven => "unproven",
            Self::Malformed => "malformed",
            Self::Tampered => "tampered",
        })
    }
}

/// The order of the checks, so that the first finding is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// There is something to verify.
    Bundle,
    /// It is what the trust file speaks of.
    Trust,
    /// The checkpoint is signed, new enough, and not behind what was seen before.
    Checkpoint,
    /// Every entry is in form and of a known type.
    Form,
    /// Entries follow one another.
    Chain,
    /// There are as many as the checkpoint says.
    Size,
    /// Their root is the checkpoint's, and agrees with what was seen before.
    Root,
    /// Every policy was signed by the authority before it.
    Policy,
    /// Every statement was signed, in time, by whom it names.
    Statements,
    /// Every credential was asked for, approved and made as the policy demands.
    Decisions,
    /// Every grant took the steps a grant takes, and ended.
    Grants,
    /// Every text opens its commitment.
    Openings,
    /// A case, which is a part of a ledger, holds what its verdict needs.
    Case,
}

macro_rules! codes {
    ($( $name:ident = $code:literal, $check:ident, $class:ident, $text:literal; )+) => {
        /// What was found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $( #[doc = $text] $name, )+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$( Self::$name, )+];

            /// The stable code.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $code, )+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Self::$name => $text, )+ }
            }

            /// Which check finds it.
            #[must_use]
            pub const fn check(self) -> Check {
                match self { $( Self::$name => Check::$check, )+ }
            }

            /// The verdict it leads to, if nothing before it leads to another.
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $( Self::$name => Verdict::$class, )+ }
            }
        }
    };
}

codes! {
    BundleEmpty = "E_BUNDLE_EMPTY", Bundle, Malformed, "The bundle holds no entries.";
    OriginUntrusted = "E_ORIGIN_UNTRUSTED", Trust, Unproven, "The bundle is of another ledger than the trust file.";
    CheckpointMalformed = "E_CHECKPOINT_MALFORMED", Checkpoint, Malformed, "The checkpoint is not a signed note in form.";
    CheckpointSig = "E_CHECKPOINT_SIG", Checkpoint, Tampered, "The checkpoint is not signed by the log's key.";
    Rollback = "E_ROLLBACK", Checkpoint, Tampered, "The checkpoint is behind one that was seen before.";
    Quorum = "E_QUORUM", Checkpoint, Unproven, "Fewer witnesses than demanded cosigned the checkpoint.";
    Stale = "E_STALE", Checkpoint, Unproven, "The newest entry is older than the trust file allows.";
    EntryNotCanonical = "E_ENTRY_NOT_CANONICAL", Form, Malformed, "An entry is not in canonical form.";
    EntryTooLarge = "E_ENTRY_TOO_LARGE", Form, Malformed, "An entry is above 65,535 bytes.";
    Schema = "E_SCHEMA", Form, Malformed, "An entry or statement is not of a known type and shape.";
    SeqGap = "E_SEQ_GAP", Chain, Tampered, "An entry's number is not the next one.";
    ChainBroken = "E_CHAIN_BROKEN", Chain, Tampered, "An entry does not name the entry before it.";
    TimeRegression = "E_TIME_REGRESSION", Chain, Tampered, "An entry is older than the one before it.";
    LogIdMismatch = "E_LOG_ID_MISMATCH", Chain, Tampered, "An entry or statement is of another ledger.";
    SizeMismatch = "E_SIZE_MISMATCH", Size, Tampered, "There are fewer entries than the checkpoint says.";
    UncommittedTail = "E_UNCOMMITTED_TAIL", Size, Tampered, "There are entries that the checkpoint does not cover.";
    RootMismatch = "E_ROOT_MISMATCH", Root, Tampered, "The entries' root is not the checkpoint's.";
    Fork = "E_FORK", Root, Tampered, "The ledger does not extend a checkpoint that was seen before.";
    Inclusion = "E_INCLUSION", Root, Tampered, "An inclusion proof does not verify.";
    PolicyUnauthorized = "E_POLICY_UNAUTHORIZED", Policy, Tampered, "A policy is not signed by the authority's quorum.";
    PolicyMismatch = "E_POLICY_MISMATCH", Policy, Tampered, "A policy, its files or a decision's policy are not the ones named.";
    BlobMissing = "E_BLOB_MISSING", Policy, Unproven, "A policy file is not in the bundle, so nothing after it can be judged.";
    SshsigMalformed = "E_SSHSIG_MALFORMED", Statements, Malformed, "A signature is not an SSHSIG in form.";
    SshsigBad = "E_SSHSIG_BAD", Statements, Tampered, "A signature does not fit its statement.";
    Namespace = "E_NAMESPACE", Statements, Tampered, "A signature was made for another act.";
    KeyType = "E_KEY_TYPE", Statements, Tampered, "A signature is by a key of a type that is not allowed.";
    KeyWeak = "E_KEY_WEAK", Statements, Tampered, "A signature is by a key that signs anything.";
    KeyUnknown = "E_KEY_UNKNOWN", Statements, Tampered, "A signature is by a key that is not the named author's.";
    SkFlags = "E_SK_FLAGS", Statements, Tampered, "A security key signed without being touched.";
    SeenMismatch = "E_SEEN_MISMATCH", Statements, Tampered, "A signer saw another history than this.";
    SeenFuture = "E_SEEN_FUTURE", Statements, Tampered, "A signer saw entries that were not yet written.";
    ApprovalExpired = "E_APPROVAL_EXPIRED", Statements, Tampered, "A statement was accepted after its time.";
    ApprovalReplay = "E_APPROVAL_REPLAY", Statements, Tampered, "A statement or an approver was counted twice.";
    ApprovalRequestMismatch = "E_APPROVAL_REQUEST_MISMATCH", Decisions, Tampered, "A statement is about another request than its grant's.";
    SelfApproval = "E_SELF_APPROVAL", Decisions, Tampered, "A requester approved their own request.";
    Threshold = "E_THRESHOLD", Decisions, Tampered, "Approvals of entitled people were too few.";
    TtlExceeded = "E_TTL_EXCEEDED", Decisions, Tampered, "A grant is longer than allowed.";
    ScopeExceeded = "E_SCOPE_EXCEEDED", Decisions, Tampered, "More was done or granted than the scope allows this person.";
    CredMismatch = "E_CRED_MISMATCH", Decisions, Tampered, "A credential is not the one that was decided on.";
    LaneClosed = "E_LANE_CLOSED", Decisions, Tampered, "A lane was used that was not open.";
    LimitExceeded = "E_LIMIT_EXCEEDED", Decisions, Tampered, "A cooldown was not over, or a budget spent.";
    ReviewMissing = "E_REVIEW_MISSING", Decisions, Tampered, "A grant was given while a review of its scope was missing.";
    ReviewInvalid = "E_REVIEW_INVALID", Decisions, Tampered, "A review is by somebody who took part, of nothing, or one too many.";
    EscalationInvalid = "E_ESCALATION_INVALID", Decisions, Tampered, "A stage was passed on that was not to be.";
    Delegation = "E_DELEGATION", Decisions, Tampered, "The chain behind a request is missing, broken or widens.";
    OutageInvalid = "E_OUTAGE_INVALID", Decisions, Tampered, "An outage began, ended or ended a grant without ground.";
    Locked = "E_LOCKED", Decisions, Tampered, "An act was accepted that a lock covers.";
    LockInvalid = "E_LOCK_INVALID", Decisions, Tampered, "A lock was set, lifted or carried out as it may not be.";
    DrillMismatch = "E_DRILL_MISMATCH", Decisions, Tampered, "The result of a drill is missing, or is not what happened.";
    ContextMismatch = "E_CONTEXT_MISMATCH", Decisions, Tampered, "A decision says to have seen what the ledger does not show.";
    ReportInvalid = "E_REPORT_INVALID", Decisions, Tampered, "A host's report was accepted that cannot be true or is not the host's to make.";
    RulesForbid = "E_RULES_FORBID", Decisions, Tampered, "The policy's rules do not permit what was done.";
    RulesMismatch = "E_RULES_MISMATCH", Decisions, Tampered, "A decision names other rules than those that determined it.";
    RulesUnjudged = "E_RULES_UNJUDGED", Decisions, Unproven, "The policy has rules, and nobody here could judge by them.";
    GrantOrphan = "E_GRANT_ORPHAN", Grants, Tampered, "An entry belongs to a grant that was never requested.";
    GrantChain = "E_GRANT_CHAIN", Grants, Tampered, "An entry does not continue its grant's chain.";
    GrantOrder = "E_GRANT_ORDER", Grants, Tampered, "A grant took a step that cannot follow the one before.";
    GrantNotClosed = "E_GRANT_NOT_CLOSED", Grants, Tampered, "A grant should have ended and did not.";
    UnloggedCredential = "F_UNLOGGED_CREDENTIAL", Grants, Suspect, "A target saw a credential that the ledger does not know.";
    UseAfterRevoke = "F_USE_AFTER_REVOKE", Grants, Suspect, "A credential was used after it was taken back.";
    KeySuspect = "W_KEY_SUSPECT", Grants, Suspect, "A key that signed is reported as suspect.";
    OpeningMismatch = "E_OPENING_MISMATCH", Openings, Tampered, "A text does not open a commitment of this ledger.";
    OpeningMissing = "E_OPENING_MISSING", Openings, Unproven, "A text is missing and no entry says that it was erased.";
    CaseIncomplete = "E_CASE_INCOMPLETE", Case, Unproven, "A case does not hold all that would prove it.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// At which entry, by `seq`; `None` if it is about the whole.
    pub entry: Option<u64>,
    /// The particulars, for people.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(seq) => write!(f, "{} entry {seq}: {}", self.code, self.detail),
            None => write!(f, "{}: {}", self.code, self.detail),
        }
    }
}

/// Findings as they come in.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one; beyond [`FINDINGS_PER_CODE_MAX`] of its code it is dropped.
    pub fn add(&mut self, code: Code, entry: Option<u64>, detail: impl Into<String>) {
        if self.0.iter().filter(|found| found.code == code).count() < FINDINGS_PER_CODE_MAX {
            self.0.push(Finding { code, entry, detail: detail.into() });
        }
    }

    /// All of them in the fixed order: by check, then by entry.
    #[must_use]
    pub fn into_ordered(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|found| (found.code.check(), found.entry));
        self.0
    }
}

/// The verdict over findings in order: that of the first that shows a fault; without one, missing
/// evidence before mere suspicion.
#[must_use]
pub fn verdict_of(findings: &[Finding]) -> Verdict {
    let all = || findings.iter().map(|found| found.code.verdict());
    let fault = all().find(|verdict| matches!(verdict, Verdict::Tampered | Verdict::Malformed));
    fault.or_else(|| all().max()).unwrap_or(Verdict::Verified)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of the published format, in its order.
    #[test]
    fn every_published_code_exists() {
        let published = "E_CHAIN_BROKEN E_ROOT_MISMATCH E_SIZE_MISMATCH E_SEQ_GAP E_BUNDLE_EMPTY E_STALE \
            E_ROLLBACK E_FORK E_CHECKPOINT_SIG E_CHECKPOINT_MALFORMED E_ORIGIN_UNTRUSTED \
            E_ENTRY_NOT_CANONICAL E_SCHEMA E_ENTRY_TOO_LARGE E_LOG_ID_MISMATCH E_TIME_REGRESSION \
            E_POLICY_UNAUTHORIZED E_POLICY_MISMATCH E_SSHSIG_BAD E_SSHSIG_MALFORMED E_NAMESPACE \
            E_KEY_WEAK E_KEY_TYPE E_KEY_UNKNOWN E_SK_FLAGS E_SEEN_MISMATCH E_SEEN_FUTURE \
            E_APPROVAL_REQUEST_MISMATCH E_APPROVAL_REPLAY E_APPROVAL_EXPIRED E_SELF_APPROVAL \
            E_THRESHOLD E_GRANT_CHAIN E_GRANT_ORDER E_GRANT_ORPHAN E_GRANT_NOT_CLOSED \
            E_TTL_EXCEEDED E_SCOPE_EXCEEDED E_CRED_MISMATCH E_OPENING_MISMATCH E_INCLUSION \
            E_QUORUM E_UNCOMMITTED_TAIL W_KEY_SUSPECT F_USE_AFTER_REVOKE F_UNLOGGED_CREDENTIAL \
            E_BLOB_MISSING E_OPENING_MISSING E_CASE_INCOMPLETE E_LANE_CLOSED E_LIMIT_EXCEEDED \
            E_REVIEW_MISSING E_REVIEW_INVALID E_ESCALATION_INVALID E_DELEGATION E_OUTAGE_INVALID \
            E_LOCKED E_LOCK_INVALID E_DRILL_MISMATCH E_CONTEXT_MISMATCH E_RULES_FORBID \
            E_RULES_MISMATCH E_RULES_UNJUDGED E_REPORT_INVALID";
        let mut published: Vec<_> = published.split_whitespace().collect();
        let mut ours: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        published.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, published);
    }

    #[test]
    fn the_first_fault_decides_and_missing_evidence_is_never_fine() {
        let of = |codes: &[Code]| {
            let mut findings = Findings::default();
            codes.iter().for_each(|code| findings.add(*code, None, ""));
            verdict_of(&findings.into_ordered())
        };
        assert_eq!(of(&[]), Verdict::Verified);
        assert_eq!(of(&[Code::UseAfterRevoke]), Verdict::Suspect);
        assert_eq!(of(&[Code::UseAfterRevoke, Code::OpeningMissing]), Verdict::Unproven);
        assert_eq!(of(&[Code::Stale, Code::Threshold]), Verdict::Tampered);
        assert_eq!(of(&[Code::RootMismatch, Code::Schema]), Verdict::Malformed);
        assert_eq!(of(&[Code::SshsigMalformed, Code::RootMismatch]), Verdict::Tampered);
    }

    #[test]
    fn a_million_findings_are_not_kept() {
        let mut findings = Findings::default();
        (0..1000).for_each(|seq| findings.add(Code::SshsigBad, Some(seq), ""));
        findings.add(Code::RootMismatch, None, "");
        let findings = findings.into_ordered();
        assert_eq!(findings.len(), FINDINGS_PER_CODE_MAX.saturating_add(1));
        assert_eq!(findings[0].code, Code::RootMismatch);
    }
}
