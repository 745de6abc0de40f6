//! What each act says: one plain struct per act, its lines in their order.

use super::error::StatementError;
use super::field::Field;
use super::lines::Lines;
use super::lists::Maybe;
use super::target::{Serial, Target};
use super::words::{Canary, Kind, Lane, List, ReviewVerdict};
use crate::bytes::Digest;
use crate::id::RequestId;
use crate::key::PublicKey;
use crate::principal::{DependencyId, PrincipalId, ScopeId, StageId, TargetId};
use crate::time::{Timestamp, Ttl};

/// Declares the struct of an act. The order of the fields is the order of the lines.
macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $name {
            pub(super) fn take(lines: &mut Lines<'_>) -> Result<Self, StatementError> {
                Ok(Self { $($field: Field::take(lines, $key)?,)+ })
            }

            pub(super) fn put(&self, out: &mut String) {
                $(self.$field.put($key, out);)+
            }
        }
    )+};
}

acts! {
    /// Asks for a scope. Nothing in it can be changed later; a change is a new request.
    Ask {
        /// Chosen by the client, so that a retried request is recognised.
        id: RequestId = "id",
        /// Who asks.
        by: PrincipalId = "by",
        /// What for.
        scope: ScopeId = "scope",
        /// Which kinds of credential, ascending, each once.
        kinds: Vec<Kind> = "kinds",
        /// Which way the request takes.
        lane: Lane = "lane",
        /// How long the grant shall live, counted from issuing.
        ttl: Ttl = "ttl",
        /// The incident's number, 1 to 64 of `A-Z a-z 0-9 . _ : / # -`; `None` is written `-`.
        incident: Option<String> = "incident",
        /// Commitment to the reason's text; `None` is written `-`.
        reason: Option<Digest> = "reason",
        /// The subject key that the credential is bound to; `None` is written `none`.
        key: Option<PublicKey> = "key",
        /// The principals behind an agent, outermost first; empty for everybody else.
        on_behalf_of: Vec<PrincipalId> = "on-behalf-of",
    }

    /// Says yes to a request, for one stage, as it was shown.
    Approve {
        /// SHA-256 of the request statement.
        request: Digest = "request",
        /// Who approves.
        by: PrincipalId = "by",
        /// The stage it is given for.
        stage: StageId = "stage",
        /// Digest of the policy in force that the approver was shown.
        policy: Digest = "policy",
        /// The longest grant it covers.
        ttl_max: Ttl = "ttl-max",
        /// Commitment to a comment.
        comment: Option<Digest> = "comment",
    }

    /// About a request, with nothing further to say: deny, withdraw, drop, cancel, escalate.
    About {
        /// SHA-256 of the request statement.
        request: Digest = "request",
        /// Who says so.
        by: PrincipalId = "by",
        /// Commitment to a comment.
        comment: Option<Digest> = "comment",
    }

    /// Asks for the credential. Signed by the subject key: proof of possession.
    Collect {
        /// SHA-256 of the request statement.
        request: Digest = "request",
        /// Which of the kinds asked for.
        kind: Kind = "kind",
    }

    /// Confirms that the credential arrived. Signed by the subject key.
    Pickup {
        /// SHA-256 of the request statement.
        request: Digest = "request",
        /// SHA-256 of the `issued` entry.
        issued: Digest = "issued",
    }

    /// Stops a principal, key, scope, host or grant.
    Lock {
        /// Who locks.
        by: PrincipalId = "by",
        /// What is locked.
        target: Target = "target",
        /// First second at which it is no longer locked; `None` until unlocked.
        until: Option<Timestamp> = "until",
        /// Commitment to the message shown to whoever is locked.
        comment: Option<Digest> = "comment",
    }

    /// Lifts a lock.
    Unlock {
        /// Who unlocks.
        by: PrincipalId = "by",
        /// SHA-256 of the lock statement.
        lock: Digest = "lock",
        /// Commitment to a comment.
        comment: Option<Digest> = "comment",
    }

    /// Declares a watched dependency down.
    Declare {
        /// Who declares.
        by: PrincipalId = "by",
        /// What is down.
        dependency: DependencyId = "dependency",
        /// First second at which the declaration no longer holds; `None` until resolved.
        until: Option<Timestamp> = "until",
        /// Commitment to a comment.
        comment: Option<Digest> = "comment",
    }

    /// Declares a watched dependency up again.
    Resolve {
        /// Who declares.
        by: PrincipalId = "by",
        /// What is up again.
        dependency: DependencyId = "dependency",
        /// Commitment to a comment.
        comment: Option<Digest> = "comment",
    }

    /// Judges a closed grant afterwards.
    Review {
        /// SHA-256 of the request statement.
        request: Digest = "request",
        /// Who judges.
        by: PrincipalId = "by",
        /// What was found.
        verdict: ReviewVerdict = "verdict",
        /// Commitment to the findings.
        comment: Option<Digest> = "comment",
    }

    /// A host has put a revocation list into force.
    Applied {
        /// The host's agent.
        by: PrincipalId = "by",
        /// Where the list is in force.
        target: TargetId = "target",
        /// Which list.
        list: List = "list",
        /// The list's version, from 1.
        version: u64 = "version",
        /// SHA-256 of the list's bytes.
        digest: Digest = "digest",
        /// What became of the revoked canary at the target.
        canary: Canary = "canary",
        /// Milliseconds from when the list was made until it was in force, by the host's clock.
        latency: Maybe = "latency",
        /// Sessions of grants that are over which the agent ended since its report before.
        ended: Maybe = "ended",
    }

    /// A host has seen a credential used.
    Use {
        /// The host's agent.
        by: PrincipalId = "by",
        /// Where it was used.
        target: TargetId = "target",
        /// The credential's number.
        serial: Serial = "serial",
        /// When it was used.
        at: Timestamp = "at",
    }

    /// Allows reads until the statement expires.
    Session {
        /// Who reads.
        by: PrincipalId = "by",
    }

    /// Puts a version of the policy into force.
    Manifest {
        /// One more than the version before; the first is 1.
        version: u64 = "version",
        /// SHA-256 of the manifest before; all zeros for the first.
        previous: Digest = "previous",
        /// Name and SHA-256 of each file, names ascending.
        files: Vec<(String, Digest)> = "file",
    }
}
