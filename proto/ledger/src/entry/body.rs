//! The bodies of all entry types. No secret ever enters one: these plain structs are all there is.

use crate::bytes::Digest;
use crate::entry::EntryError;
use crate::entry::fields::{Part, Read, Written, bodies};
use crate::entry::outside::Evidence;
use crate::entry::part::{Cause, ConfigChange, Decision, KeyRole, Link, Numbered, Outcome, Signed};
use crate::id::RequestId;
use crate::principal::{DependencyId, PrincipalId, ScopeId, StageId, TargetId};
use crate::statement::{ActKind, Kind};
use crate::time::Timestamp;

bodies! {
    /// The first entry: who this ledger is and which keys its broker holds.
    Genesis = "genesis" {
        /// Name of the deployment, the first half of the origin.
        deployment: String = "deployment",
        /// The log's key as a signed-note verifier key.
        log_key: String = "log-key",
        /// The SSH CA's public key as an OpenSSH line.
        ssh_ca: String = "ssh-ca",
        /// The key that signs revocation lists, as an OpenSSH line.
        lists_key: String = "lists-key",
        /// SHA-256 of the DER of the daemon's own TLS CA.
        tls_ca: Digest = "tls-ca",
        /// The X.509 CA's certificate, PEM; absent where none was made.
        x509_ca: Option<String> = "x509-ca",
        /// The key that signs tokens, as an OpenSSH line; absent where none was made.
        jwt_key: Option<String> = "jwt-key",
        /// Name and version of the program that wrote it.
        software: String = "software",
    }

    /// A policy came into force.
    Policy = "policy" {
        /// Its number: 1, then one more each time.
        version: u64 = "version",
        /// SHA-256 of the manifest.
        digest: Digest = "digest",
        /// The manifest's exact text.
        statement: String = "statement",
        /// Armored SSHSIGs of the authority over it.
        signatures: Vec<String> = "signatures",
    }

    /// Somebody asked for access.
    Requested = "requested" {
        /// First of its grant.
        link: Link = "grant",
        /// The request.
        signed: Signed = "statement",
        /// Why it was accepted.
        decision: Decision = "decision",
        /// First second at which it can no longer be approved or collected.
        lapses: Timestamp = "lapses",
    }

    /// An approver said yes.
    Approved = "approved" {
        /// Of this grant.
        link: Link = "grant",
        /// The approval.
        signed: Signed = "statement",
        /// Why it counts.
        decision: Decision = "decision",
        /// The stage it counts for.
        stage: StageId = "stage",
        /// Approvals still missing over all stages.
        missing: u64 = "missing",
    }

    /// An approver or owner said no to a pending request.
    Denied = "denied" {
        /// Of this grant.
        link: Link = "grant",
        /// The denial or cancellation.
        signed: Signed = "statement",
        /// Why it counts.
        decision: Decision = "decision",
    }

    /// The requester took a pending request back.
    Withdrawn = "withdrawn" {
        /// Of this grant.
        link: Link = "grant",
        /// The withdrawal.
        signed: Signed = "statement",
        /// Why it counts.
        decision: Decision = "decision",
    }

    /// An unanswered stage was passed on to others.
    Escalated = "escalated" {
        /// Of this grant.
        link: Link = "grant",
        /// The escalation, absent when the clock did it.
        signed: Option<Signed> = "statement",
        /// Why it was due.
        decision: Decision = "decision",
        /// The stage passed on.
        stage: StageId = "stage",
    }

    /// A request was not approved and collected in time.
    Lapsed = "lapsed" {
        /// Of this grant.
        link: Link = "grant",
        /// Why it was due.
        decision: Decision = "decision",
    }

    /// A credential was made.
    Issued = "issued" {
        /// Of this grant.
        link: Link = "grant",
        /// The collecting, signed by the subject key.
        signed: Signed = "statement",
        /// Why it was allowed.
        decision: Decision = "decision",
        /// What it is.
        kind: Kind = "kind",
        /// The full public certificate: an OpenSSH line, or PEM. Absent for a token.
        certificate: Option<String> = "certificate",
        /// The exact text of a token's claims; absent for a certificate.
        claims: Option<String> = "claims",
        /// SHA-256 of a token in its compact form; absent for a certificate.
        token: Option<Digest> = "token",
        /// Serial of the grant's token before, which this one takes back; absent for its first.
        replaces: Option<u64> = "replaces",
        /// First second at which the grant is over; absent if that is when the credential is.
        ends: Option<Timestamp> = "ends",
        /// Its serial: the `seq` of this entry.
        serial: u64 = "serial",
        /// SHA-256 of the subject key's wire form; [`Digest::ZERO`] for a token bound to no key.
        subject: Digest = "subject",
        /// First second at which it is valid.
        valid_after: Timestamp = "valid-after",
        /// First second at which it is no longer valid.
        valid_before: Timestamp = "valid-before",
        /// Names on the target that it opens.
        principals: Vec<String> = "principals",
        /// `seq` of every `approved` entry that was counted, ascending.
        approvals: Vec<u64> = "approvals",
    }

    /// The holder confirmed to have the credential.
    PickedUp = "picked-up" {
        /// Of this grant.
        link: Link = "grant",
        /// The confirmation, signed by the subject key.
        signed: Signed = "statement",
    }

    /// A host reports that a credential was used.
    Used = "used" {
        /// Of this grant.
        link: Link = "grant",
        /// The host's report.
        signed: Signed = "statement",
    }

    /// A grant was ended, or was over, and all its credentials with it.
    Revoked = "revoked" {
        /// Of this grant.
        link: Link = "grant",
        /// The act that ended it, absent when the clock or a policy did.
        signed: Option<Signed> = "statement",
        /// Why it counts.
        decision: Decision = "decision",
        /// Why it ended.
        cause: Cause = "cause",
        /// Serial of the grant's first credential.
        serial: u64 = "serial",
        /// Serials of all its others, ascending; absent if there are none.
        also: Option<Vec<u64>> = "also",
        /// First second at which the grant would have been over by itself.
        valid_before: Timestamp = "valid-before",
    }

    /// A host reports which revocation list it enforces.
    Applied = "applied" {
        /// The host's report.
        signed: Signed = "statement",
    }

    /// A grant is over; its last entry.
    Closed = "closed" {
        /// Of this grant.
        link: Link = "grant",
        /// How it ended.
        outcome: Outcome = "outcome",
    }

    /// An act was refused. Not part of any grant's chain: a stranger cannot grow one.
    Refused = "refused" {
        /// What was said.
        signed: Signed = "statement",
        /// Why it was refused.
        decision: Decision = "decision",
        /// Who said it, if the key belongs to somebody.
        by: Option<PrincipalId> = "by",
        /// What was tried.
        act: ActKind = "act",
        /// Number and name of the refusal.
        refusal: Numbered = "refusal",
        /// Digest of the request it was about.
        request: Option<Digest> = "request",
    }

    /// Something was locked.
    Locked = "locked" {
        /// The lock.
        signed: Signed = "statement",
        /// Why it counts.
        decision: Decision = "decision",
    }

    /// A lock was lifted.
    Unlocked = "unlocked" {
        /// The unlocking, absent when the lock ran out.
        signed: Option<Signed> = "statement",
        /// Why it counts.
        decision: Decision = "decision",
        /// Digest of the lock's statement.
        lock: Digest = "lock",
    }

    /// A watched dependency is down.
    OutageBegan = "outage-began" {
        /// The declaration, absent when it was measured.
        signed: Option<Signed> = "statement",
        /// Why it counts.
        decision: Decision = "decision",
        /// Which dependency.
        dependency: DependencyId = "dependency",
        /// What the probes saw, if it was measured.
        evidence: Option<Vec<Evidence>> = "evidence",
    }

    /// A watched dependency is up again.
    OutageEnded = "outage-ended" {
        /// The resolution, absent when it was measured or ran out.
        signed: Option<Signed> = "statement",
        /// Why it counts.
        decision: Decision = "decision",
        /// Which dependency.
        dependency: DependencyId = "dependency",
        /// What the probes saw, if it was measured.
        evidence: Option<Vec<Evidence>> = "evidence",
    }

    /// A grant was reviewed afterwards. Not part of its chain, which ended with `closed`.
    Reviewed = "reviewed" {
        /// The review.
        signed: Signed = "statement",
        /// Why it counts.
        decision: Decision = "decision",
        /// The grant reviewed.
        request: RequestId = "request",
    }

    /// A drill of a scope was completed.
    Drill = "drill" {
        /// The request made in the drill lane.
        request: RequestId = "request",
        /// The scope that was practised.
        scope: ScopeId = "scope",
        /// Whether the credential worked and its end took effect.
        passed: bool = "passed",
    }

    /// The newest checkpoint before this entry, so that silence is provable.
    Anchor = "anchor" {
        /// The checkpoint's signed text: three lines.
        checkpoint: String = "checkpoint",
        /// Signature lines of the note without the dash: `name base64`, the log's own among them.
        cosignatures: Vec<String> = "cosignatures",
    }

    /// One of the broker's keys other than the log's was replaced.
    Keys = "keys" {
        /// Which.
        role: KeyRole = "role",
        /// The key from now on, in the form `genesis` has for it.
        key: String = "key",
    }

    /// What a target reports was compared with the ledger.
    Reconciled = "reconciled" {
        /// The host's report of a use that no open grant takes, if it is about that one use.
        signed: Option<Signed> = "statement",
        /// The target.
        target: TargetId = "target",
        /// Credentials the target saw and the ledger knows.
        matched: u64 = "matched",
        /// Serials the target saw and the ledger does not know.
        unlogged: Vec<u64> = "unlogged",
    }

    /// The operator changed something outside of any request.
    Config = "config" {
        /// What.
        what: ConfigChange = "what",
    }
}

impl Issued {
    /// First second at which the grant is over, all its credentials with it.
    #[must_use]
    pub fn grant_ends(&self) -> Timestamp {
        self.ends.unwrap_or(self.valid_before)
    }
}

impl Body {
    /// Appends the body's canonical object to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), EntryError> {
        self.fields()?.into_object(out);
        Ok(())
    }

    /// The body of an entry of type `tag` from its object.
    pub(super) fn read(tag: &str, object: &str) -> Result<Self, EntryError> {
        let mut from = Read::object(object)?;
        let body = Self::from_fields(tag, &mut from)?;
        from.end()?;
        Ok(body)
    }
}
