//! Every way of saying no: one variant, one number, one name, one sentence.

mod ask;
mod delegation;
mod lock;
mod missing;
mod numbers;
mod outage;
mod report;
mod restraint;
mod review;
mod statement;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, ScopeId, StageId};
use breakglass_ledger::time::{Timestamp, Ttl};

pub use ask::AskRefusal;
pub use delegation::DelegationRefusal;
pub use lock::LockRefusal;
pub use missing::Missing;
pub use outage::OutageRefusal;
pub use report::ReportRefusal;
pub use restraint::RestraintRefusal;
pub use review::ReviewRefusal;
pub use statement::StatementRefusal;

/// Why a command did not go through. An ordinary outcome: recorded, numbered, told in full.
///
/// `Display` says what happened, what it means and what to do, in that order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Why a statement did not count, whoever signed it and whatever it says.
    #[error(transparent)]
    Statement(#[from] StatementRefusal),
    /// Why a request could not be made.
    #[error(transparent)]
    Ask(#[from] AskRefusal),
    /// Why a declaration of an outage, or what rests on one, did not go through.
    #[error(transparent)]
    Outage(#[from] OutageRefusal),
    /// What keeps emergency access from becoming permanent: gates, delays, cooldowns, budgets.
    #[error(transparent)]
    Restraint(#[from] RestraintRefusal),
    /// Why a review did not count.
    #[error(transparent)]
    Review(#[from] ReviewRefusal),
    /// What a lock stops, and why one could not be set or lifted.
    #[error(transparent)]
    Lock(#[from] LockRefusal),
    /// Why the chain of those on whose behalf it is asked does not hold.
    #[error(transparent)]
    Delegation(#[from] DelegationRefusal),
    /// Why a host's report was not recorded.
    #[error(transparent)]
    Report(#[from] ReportRefusal),
    /// Only people may do this.
    #[error("{by} is of kind {kind}; only people decide over requests: ask a person")]
    NotHuman {
        /// Who tried.
        by: PrincipalId,
        /// What they are.
        kind: PrincipalKind,
    },
    /// The policy in force has no such scope.
    #[error(
        "the policy in force has no scope {scope}; it cannot be asked for or held: \
         check the name in scopes.toml, or ask its owners"
    )]
    ScopeUnknown {
        /// The scope named.
        scope: ScopeId,
    },
    /// No request has this digest.
    #[error(
        "this log has no request with digest {digest}; nothing was decided: \
         check that the request was made here"
    )]
    RequestUnknown {
        /// What the statement is about.
        digest: Digest,
    },
    /// The statement is about another request than the one looked up.
    #[error(
        "the statement is about request {signed}, not {found}; it does not carry over: \
         sign for the request that is meant"
    )]
    RequestMismatch {
        /// The digest that was signed.
        signed: Digest,
        /// The digest of the request it was presented for.
        found: Digest,
    },
    /// The request is past, or not yet at, the point where this makes sense.
    #[error("the request is {state}; this needs it to be {needs}: look at `breakglass status`")]
    WrongState {
        /// What the request is: `pending`, `live`, `denied`, `withdrawn`, `lapsed`, `revoked`, …
        state: &'static str,
        /// What it would have to be.
        needs: &'static str,
    },
    /// The request's time ran out.
    #[error(
        "the request lapsed at {lapsed_at} and it is {now}; nothing revives it: \
         make a new request"
    )]
    Late {
        /// First second at which it no longer waited.
        lapsed_at: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The approver was shown another policy than the one in force.
    #[error(
        "the approval was given under policy {shown}, in force is {in_force}; what was shown may \
         no longer hold: look again and approve again"
    )]
    PolicyNotInForce {
        /// The digest in the approval.
        shown: Digest,
        /// The digest of the policy in force.
        in_force: Digest,
    },
    /// A policy that the decision needs cannot be read.
    #[error(
        "policy {digest}, under which the request was made, cannot be read; what cannot be judged \
         is not granted: have the operator restore it, or make a new request"
    )]
    PolicyUnreadable {
        /// The policy that is missing.
        digest: Digest,
    },
    /// The scope's chain of approval can never be satisfied honestly.
    #[error(
        "the approval chain of {scope} has no stage, or one that nobody needs to approve; that is \
         never \"no approval needed\": have the policy corrected"
    )]
    ChainUnsound {
        /// The scope.
        scope: ScopeId,
    },
    /// The scope, as approvers were shown it, has changed.
    #[error(
        "what {scope} opens has changed since the request; approvals cover only what was shown: \
         make a new request"
    )]
    ScopeChanged {
        /// The scope.
        scope: ScopeId,
    },
    /// The scope has no such stage.
    #[error(
        "{scope} has no stage {stage}, at the request and now; an approval counts only for a \
         stage of this scope: check the stage and sign again"
    )]
    StageUnknown {
        /// The scope.
        scope: ScopeId,
        /// The stage named.
        stage: StageId,
    },
    /// Not among the stage's approvers.
    #[error(
        "{by} is not among the approvers of stage {stage} of {scope}; the approval does not \
         count: ask somebody who is"
    )]
    ApproverNotEntitled {
        /// Who tried.
        by: PrincipalId,
        /// The scope.
        scope: ScopeId,
        /// The stage.
        stage: StageId,
    },
    /// Became an approver after the request was made.
    #[error(
        "{by} became an approver of stage {stage} of {scope} after the request was made; who \
         joins later does not decide over what was already open: ask an approver of that time"
    )]
    ApproverJoinedLater {
        /// Who tried.
        by: PrincipalId,
        /// The scope.
        scope: ScopeId,
        /// The stage.
        stage: StageId,
    },
    /// The requester approves.
    #[error(
        "{by} made this request, or it was made on their behalf; nobody approves their own: \
         ask somebody else"
    )]
    SelfApproval {
        /// The requester, or one of those on whose behalf they ask.
        by: PrincipalId,
    },
    /// A key of the requester approves, under whatever name.
    #[error(
        "key {key} is a key of the requester; nobody approves their own request under another \
         name: let somebody else approve, with their own key"
    )]
    SelfApprovalByKey {
        /// The key that signed.
        key: Fingerprint,
    },
    /// The same person approved before.
    #[error(
        "{by} already approved in stage {stage} (entry {seq}); a person counts once, in one \
         stage: ask somebody else"
    )]
    AlreadyApproved {
        /// Who tried.
        by: PrincipalId,
        /// The stage of the first approval.
        stage: StageId,
        /// The entry of the first approval.
        seq: u64,
    },
    /// The approval covers less than was asked for.
    #[error(
        "the approval covers {ttl_max} s, {ttl} s were asked for; approvers accept or refuse and \
         never change: approve {ttl} s or deny"
    )]
    TtlMaxBelow {
        /// What the approval covers.
        ttl_max: Ttl,
        /// What was asked for.
        ttl: Ttl,
    },
    /// Only the requester may do this.
    #[error("the request is not {by}'s; only who made it may withdraw it or give it back")]
    NotYours {
        /// Who tried.
        by: PrincipalId,
    },
    /// Neither approver nor owner.
    #[error(
        "{by} may not end requests or grants of {scope}; only its approvers and, for cancel, its \
         owners may: ask one of them"
    )]
    NotEntitledToEnd {
        /// Who tried.
        by: PrincipalId,
        /// The scope.
        scope: ScopeId,
    },
    /// Signed by another key than the one the request named.
    #[error(
        "key {key} is not the request's subject key; a credential goes only to the key it was \
         approved for: collect from the machine that made the request"
    )]
    NotTheSubjectKey {
        /// The key that signed.
        key: Fingerprint,
    },
    /// The request did not ask for this kind of credential.
    #[error("the request did not ask for a credential of kind {kind}: collect what was asked for")]
    KindNotAsked {
        /// The kind of credential.
        kind: &'static str,
    },
    /// Approvals are missing.
    #[error("not approved yet, {missing}; nothing was issued: wait, or tell the approvers")]
    NotApprovedYet {
        /// What is missing, per stage.
        missing: Missing,
    },
    /// The broker cannot end grants at the moment, so it makes none.
    #[error(
        "the broker cannot sign this now, or could not revoke it (its sweep fails, or a key is in a \
         token that does not answer); nothing is issued until that works: tell the operator, then \
         collect again"
    )]
    CannotRevoke,
    /// The pickup names another credential.
    #[error(
        "entry {named} is not the issue of this request, {issued} is; nothing was recorded: \
         sign for the credential that was received"
    )]
    PickupMismatch {
        /// The digest in the statement.
        named: Digest,
        /// The digest of the request's `issued` entry.
        issued: Digest,
    },
    /// The clock came too early.
    #[error("this is due at {due} and it is {now}; nothing ends before its time")]
    NotDue {
        /// First second at which it is due.
        due: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The policy in force still allows this.
    #[error("the policy in force still allows this; nothing was ended")]
    StillAllowed,
    /// No stage waits that could be passed on.
    #[error(
        "no stage of {scope} waits that could be passed on to others; all of them are complete, \
         escalated already, or name nobody to escalate to: tell the approvers, or the owners"
    )]
    NothingToEscalate {
        /// The scope.
        scope: ScopeId,
    },
    /// Neither requester, approver nor owner.
    #[error(
        "{by} may not escalate requests for {scope}; only the requester, its approvers and its \
         owners may: ask one of them"
    )]
    NotEntitledToEscalate {
        /// Who tried.
        by: PrincipalId,
        /// The scope.
        scope: ScopeId,
    },
    /// The grant gave as many tokens as one may.
    #[error(
        "this grant gave {max} tokens, which is the most; each stays in the ledger for ever: keep \
         a token until it is over, or ask for another grant"
    )]
    TokensSpent {
        /// Most tokens of one grant.
        max: usize,
    },
    /// Too few people are left who may approve the request.
    #[error(
        "under the policy in force too few people are left who may approve this request for \
         {scope}; it can never be issued: ask again, or tell the scope's owners"
    )]
    StageUnsatisfiable {
        /// The scope.
        scope: ScopeId,
    },
}
