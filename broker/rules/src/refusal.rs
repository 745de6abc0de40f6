//! Every way of saying no: one variant, one number, one name, one sentence.
//!
//! Longer than our files should be, because the list is only useful whole.

mod missing;
mod numbers;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::{Fingerprint, KeyType};
use breakglass_ledger::principal::{
    DependencyId, Origin, PrincipalId, PrincipalKind, ScopeId, StageId, TargetId,
};
use breakglass_ledger::statement::{List, ReviewVerdict, Target};
use breakglass_ledger::time::{Timestamp, Ttl};

pub use missing::Missing;

/// Why a command did not go through. An ordinary outcome: recorded, numbered, told in full.
///
/// `Display` says what happened, what it means and what to do, in that order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The statement was signed for another ledger.
    #[error(
        "the statement is for log {found}, this is {expected}; it is worthless here: \
         check which broker the client talks to and sign again"
    )]
    OtherLog {
        /// The origin of this ledger.
        expected: Origin,
        /// The origin in the statement.
        found: Origin,
    },
    /// The statement's `expires` is over.
    #[error("the statement expired at {at} and it is {now}; it was not acted on: sign it again")]
    Expired {
        /// Last second at which it counted.
        at: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The statement's `expires` is more than a day ahead.
    #[error(
        "the statement expires at {at}, later than {latest}; so long a promise is not taken: \
         check the clock of the machine that signed and sign again"
    )]
    ExpiresTooFar {
        /// The statement's `expires`.
        at: Timestamp,
        /// The last `expires` accepted now.
        latest: Timestamp,
    },
    /// This very statement has been recorded before.
    #[error(
        "this statement was already recorded as entry {seq}; a statement counts once: \
         look at that entry, and sign a new statement if more is meant"
    )]
    Repeated {
        /// The entry that carries it.
        seq: u64,
    },
    /// The head that the signer saw is not in this ledger.
    #[error(
        "the checkpoint in the statement's seen line is not part of this log; one of the two \
         histories is false: stop, keep the client's state and run `breakglass audit verify`"
    )]
    SeenMismatch,
    /// The head that the signer saw is beyond this ledger's.
    #[error(
        "the checkpoint in the statement's seen line is newer than this log; the broker may have \
         been rolled back: stop, keep the client's state and tell the operator"
    )]
    SeenFuture,
    /// The clock stands before the newest entry.
    #[error(
        "the broker's clock says {now}, its newest entry is of {head}; nothing is granted on a \
         clock that went back: have the operator set the clock, then try again"
    )]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// The time of the newest entry.
        head: Timestamp,
    },
    /// Nobody in the policy in force holds the key that signed.
    #[error(
        "key {key} belongs to nobody in the policy in force; its statements do not count: \
         sign with an enrolled key, or have this one enrolled"
    )]
    KeyUnknown {
        /// The key that signed.
        key: Fingerprint,
    },
    /// The key that signed is not one of the named principal's keys.
    #[error(
        "key {key} is not a key of {by} in the policy in force; nobody speaks for another: \
         sign with a key of {by}, or name the key's owner"
    )]
    KeyNotTheirs {
        /// The key that signed.
        key: Fingerprint,
        /// Who the statement says is speaking.
        by: PrincipalId,
    },
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
        "the broker's sweep is failing, so it could not revoke what it issues; nothing is issued \
         until it recovers: tell the operator, then collect again"
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
    /// No stage waits that could be passed on.
    #[error(
        "no stage of {scope} waits that could be passed on to others; all of them are complete, \
         escalated already, or name nobody to escalate to: tell the approvers, or the owners"
    )]
    NothingToEscalate {
        /// The scope.
        scope: ScopeId,
    },
    /// The emergency lane opens only beside an ordinary request that nobody answers.
    #[error(
        "the emergency lane of {scope} opens once a request of yours in an ordinary lane waited \
         {after} s and a stage of it has no approval at all: ask in an ordinary lane first"
    )]
    EmergencyNotOpen {
        /// The scope.
        scope: ScopeId,
        /// How long the ordinary request must have waited, in seconds.
        after: u32,
    },
    /// Those who were passed over still have time to cancel.
    #[error(
        "an emergency is not issued before {until} and it is {now}; until then its approvers and \
         owners may cancel it: collect again then"
    )]
    DelayNotOver {
        /// First second at which it may be issued.
        until: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The requester's last grant of the scope ended a moment ago.
    #[error(
        "the last grant of {scope} to {by} has just ended; the next is given from {until} on, it \
         is {now}: wait, or have somebody else ask"
    )]
    Cooldown {
        /// The scope.
        scope: ScopeId,
        /// The requester.
        by: PrincipalId,
        /// First second at which the next may be given.
        until: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The requester had the scope for as long as its budget allows.
    #[error(
        "{by} used {used} s of the {budget} s that {scope} allows in {window} s, and asks for \
         {ttl}; break-glass must not become permanent: ask for less, or have somebody else ask"
    )]
    BudgetSpent {
        /// The scope.
        scope: ScopeId,
        /// The requester.
        by: PrincipalId,
        /// Seconds used in the window.
        used: u64,
        /// What is asked for.
        ttl: Ttl,
        /// Seconds that the scope allows.
        budget: u32,
        /// The length of the window, in seconds.
        window: u32,
    },
    /// An earlier grant of the scope has not been reviewed.
    #[error(
        "{request}, a grant of {scope}, has ended and nobody reviewed it; the next use waits for \
         that: have an owner run `breakglass review {request}`"
    )]
    ReviewMissing {
        /// The scope.
        scope: ScopeId,
        /// The grant that waits for its review.
        request: RequestId,
    },
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
    /// A lock stops it.
    #[error(
        "{target} is locked (entry {seq}, {}); nothing it covers is asked, approved or issued \
         meanwhile: talk to whoever locked it, who alone knows why",
        how_long(*until)
    )]
    Locked {
        /// The `locked` entry.
        seq: u64,
        /// What is locked.
        target: Target,
        /// First second at which it no longer is; `None` until it is lifted.
        until: Option<Timestamp>,
        /// Commitment to the message for whoever is stopped.
        message: Option<Digest>,
    },
    /// Not an owner of what is to be locked.
    #[error(
        "{by} may not lock {target} or lift its lock; owners of a scope may, for a scope or grant \
         its own: ask one of them"
    )]
    NotEntitledToLock {
        /// Who tried.
        by: PrincipalId,
        /// What was to be locked.
        target: Target,
    },
    /// No lock stands under this digest.
    #[error("no lock {lock} stands; it was lifted, is over, or never was: see `breakglass locks`")]
    LockUnknown {
        /// Digest of the lock's statement, as named.
        lock: Digest,
    },
    /// The lock would end too late, or has.
    #[error(
        "a lock until {until} was asked for at {now}; its end must be ahead and not beyond \
         {latest}: name an end in between, or none"
    )]
    LockEnd {
        /// The end named.
        until: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
        /// The last end accepted now.
        latest: Timestamp,
    },
    /// Nobody lifts a lock that is on themselves.
    #[error("the lock of entry {seq} is on {by}; nobody lifts their own: ask another owner")]
    UnlockOwn {
        /// Who tried.
        by: PrincipalId,
        /// The `locked` entry.
        seq: u64,
    },
    /// An agent names nobody on whose behalf it asks.
    #[error(
        "{by} is an agent and names nobody on whose behalf it asks; an agent does nothing of its \
         own accord: ask again with --on-behalf-of and the person behind it"
    )]
    DelegationMissing {
        /// The agent.
        by: PrincipalId,
    },
    /// Somebody on whose behalf it is asked does not exist.
    #[error(
        "{hop}, on whose behalf this is asked, is not in the policy in force; a chain counts only \
         if every hop is known: check the name in people.toml"
    )]
    DelegationUnknown {
        /// The hop.
        hop: PrincipalId,
    },
    /// Somebody on whose behalf it is asked may not ask themselves.
    #[error(
        "{hop}, on whose behalf this is asked, is not among the requesters of {scope}; nobody \
         passes on what they may not hold: have somebody ask who may"
    )]
    DelegationWidens {
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
    DelegationNotSponsored {
        /// The hop.
        hop: PrincipalId,
        /// The next one: the hop inside it, or the requester.
        next: PrincipalId,
    },
    /// Only services report.
    #[error(
        "{by} is not a service of the policy in force; only enrolled services report for hosts: \
         enrol the host's key in people.toml with kind = \"service\""
    )]
    NotAHost {
        /// Who tried.
        by: PrincipalId,
    },
    /// The target is another's.
    #[error(
        "{by} may not report of {target}; a service reports of the target with its own name and of \
         {by}.… below it: name the target so, or enrol a service of that name"
    )]
    TargetNotTheirs {
        /// Who tried.
        by: PrincipalId,
        /// What of.
        target: TargetId,
    },
    /// No such list is published here.
    #[error(
        "this broker publishes no list {list}; nothing was recorded: report the lists it serves"
    )]
    ListUnknown {
        /// Which.
        list: List,
    },
    /// The list does not exist yet.
    #[error(
        "the {list} {version} was never published, the newest is {newest}; whatever that host \
         enforces is not ours: look at where it fetches its lists"
    )]
    ListNotPublished {
        /// Which.
        list: List,
        /// The version reported.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The target enforced a newer one before.
    #[error(
        "{target} reported the {list} {reported} before and now reports {version}; lists never go \
         back: look at what was restored on that host"
    )]
    ListOlder {
        /// Where.
        target: TargetId,
        /// Which.
        list: List,
        /// The version reported now.
        version: u64,
        /// The version reported before.
        reported: u64,
    },
    /// The list is not the one that was published under its number.
    #[error(
        "the {list} {version} reported is not the one published since this broker started; fetch \
         the newest, {newest}, and report that; if it stays so, the host is shown other lists"
    )]
    ListMismatch {
        /// Which.
        list: List,
        /// The version reported.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The service has enough targets.
    #[error(
        "{by} reports of {most} targets already; more are another host's: enrol another service"
    )]
    TargetsMany {
        /// Who.
        by: PrincipalId,
        /// How many it may have.
        most: u32,
    },
    /// A use that is still to come.
    #[error("a use at {at} was reported at {now}; it is ahead of us: set the host's clock")]
    UseAhead {
        /// The time reported.
        at: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The chain does not begin with a person.
    #[error(
        "the chain begins with {hop} of kind {kind}; a person must stand behind every request: \
         name the person first"
    )]
    DelegationNotHuman {
        /// The outermost hop.
        hop: PrincipalId,
        /// What it is.
        kind: PrincipalKind,
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
    /// The grant gave as many tokens as one may.
    #[error(
        "this grant gave {max} tokens, which is the most; each stays in the ledger for ever: keep \
         a token until it is over, or ask for another grant"
    )]
    TokensSpent {
        /// Most tokens of one grant.
        max: usize,
    },
    /// As many locks stand as may.
    #[error(
        "{max} locks {} stand, which is the most; each is in force until it is lifted or over: see \
         `breakglass locks`, have some lifted, or cancel the grant itself",
        whose(by.as_ref())
    )]
    LocksMax {
        /// Whose they are; `None` if those of everybody.
        by: Option<PrincipalId>,
        /// Most of them.
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

fn whose(by: Option<&PrincipalId>) -> String {
    by.map_or_else(|| "of everybody".to_owned(), |by| format!("of {by}"))
}

fn how_long(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "until it is lifted".to_owned(), |until| format!("until {until}"))
}

/// Which rules forbid it, or that none permits it.
fn determining(rules: &[String]) -> String {
    if rules.is_empty() {
        return "no rule permits it".to_owned();
    }
    format!("forbidden by {}", rules.join(", "))
}
