//! What statements say: one plain struct per act, its lines in their order.

use std::fmt;
use std::str::FromStr;

use super::error::StatementError;
use super::field::Field;
use super::lines::Lines;
use super::words::{ActKind, Canary, Kind, Lane, List, ReviewVerdict};
use crate::bytes::Digest;
use crate::id::RequestId;
use crate::key::{Fingerprint, PublicKey};
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
            fn take(lines: &mut Lines<'_>) -> Result<Self, StatementError> {
                Ok(Self { $($field: Field::take(lines, $key)?,)+ })
            }

            fn put(&self, out: &mut String) {
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

/// A credential's number as seen by a host: the whole serial of an SSH certificate, the first 8
/// bytes of an X.509 serial, the number in a JWT's `jti`. Not limited to what we issue, so that a
/// stranger's can be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(pub u64);

/// What a lock stops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// `principal:` and a name: everything they hold and ask for.
    Principal(PrincipalId),
    /// `key:` and a fingerprint: one key of somebody.
    Key(Fingerprint),
    /// `scope:` and a name: everything granted by it.
    Scope(ScopeId),
    /// `host:` and a name.
    Host(TargetId),
    /// `grant:` and a request id.
    Grant(RequestId),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(id) => write!(f, "principal:{id}"),
            Self::Key(fingerprint) => write!(f, "key:{fingerprint}"),
            Self::Scope(id) => write!(f, "scope:{id}"),
            Self::Host(id) => write!(f, "host:{id}"),
            Self::Grant(id) => write!(f, "grant:{id}"),
        }
    }
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, name) = text.split_once(':').ok_or(ParseTargetError)?;
        match what {
            "principal" => name.parse().map(Self::Principal).map_err(|_| ParseTargetError),
            "key" => name.parse().map(Self::Key).map_err(|_| ParseTargetError),
            "scope" => name.parse().map(Self::Scope).map_err(|_| ParseTargetError),
            "host" => name.parse().map(Self::Host).map_err(|_| ParseTargetError),
            "grant" => name.parse().map(Self::Grant).map_err(|_| ParseTargetError),
            _ => Err(ParseTargetError),
        }
    }
}

/// The text does not name what a lock can stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a lock's target (principal:, key:, scope:, host: or grant: and what it names)")]
pub struct ParseTargetError;

crate::bytes::text_serde!(Target);

/// Declares [`Act`]: each act with what it says.
macro_rules! act {
    ($($kind:ident($body:ident),)+) => {
        /// One act with everything it says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is described at its ActKind")]
        pub enum Act {
            $($kind($body),)+
        }

        impl Act {
            /// Which act.
            #[must_use]
            pub const fn kind(&self) -> ActKind {
                match self {
                    $(Self::$kind(_) => ActKind::$kind,)+
                }
            }

            pub(super) fn take(kind: ActKind, lines: &mut Lines<'_>) -> Result<Self, StatementError> {
                match kind {
                    $(ActKind::$kind => $body::take(lines).map(Self::$kind),)+
                }
            }

            pub(super) fn put(&self, out: &mut String) {
                match self {
                    $(Self::$kind(body) => body.put(out),)+
                }
            }
        }
    };
}

act! {
    Request(Ask),
    Approve(Approve),
    Deny(About),
    Withdraw(About),
    Drop(About),
    Cancel(About),
    Escalate(About),
    Collect(Collect),
    Pickup(Pickup),
    Lock(Lock),
    Unlock(Unlock),
    Declare(Declare),
    Resolve(Resolve),
    Review(Review),
    Applied(Applied),
    Use(Use),
    Session(Session),
    Policy(Manifest),
}

impl Act {
    /// The principal who speaks; `None` where a subject key or the policy's authority does.
    #[must_use]
    pub const fn by(&self) -> Option<&PrincipalId> {
        match self {
            Self::Request(Ask { by, .. })
            | Self::Approve(Approve { by, .. })
            | Self::Deny(About { by, .. })
            | Self::Withdraw(About { by, .. })
            | Self::Drop(About { by, .. })
            | Self::Cancel(About { by, .. })
            | Self::Escalate(About { by, .. })
            | Self::Lock(Lock { by, .. })
            | Self::Unlock(Unlock { by, .. })
            | Self::Declare(Declare { by, .. })
            | Self::Resolve(Resolve { by, .. })
            | Self::Review(Review { by, .. })
            | Self::Applied(Applied { by, .. })
            | Self::Use(Use { by, .. })
            | Self::Session(Session { by }) => Some(by),
            Self::Collect(_) | Self::Pickup(_) | Self::Policy(_) => None,
        }
    }

    /// SHA-256 of the request statement that the act is about, if it is about one.
    #[must_use]
    pub const fn about(&self) -> Option<Digest> {
        match self {
            Self::Approve(Approve { request, .. })
            | Self::Deny(About { request, .. })
            | Self::Withdraw(About { request, .. })
            | Self::Drop(About { request, .. })
            | Self::Cancel(About { request, .. })
            | Self::Escalate(About { request, .. })
            | Self::Collect(Collect { request, .. })
            | Self::Pickup(Pickup { request, .. })
            | Self::Review(Review { request, .. }) => Some(*request),
            Self::Request(_)
            | Self::Lock(_)
            | Self::Unlock(_)
            | Self::Declare(_)
            | Self::Resolve(_)
            | Self::Applied(_)
            | Self::Use(_)
            | Self::Session(_)
            | Self::Policy(_) => None,
        }
    }

    /// The salted commitment to free text that the act carries, if any.
    #[must_use]
    pub const fn text(&self) -> Option<Digest> {
        match self {
            Self::Request(Ask { reason: text, .. })
            | Self::Approve(Approve { comment: text, .. })
            | Self::Deny(About { comment: text, .. })
            | Self::Withdraw(About { comment: text, .. })
            | Self::Drop(About { comment: text, .. })
            | Self::Cancel(About { comment: text, .. })
            | Self::Escalate(About { comment: text, .. })
            | Self::Lock(Lock { comment: text, .. })
            | Self::Unlock(Unlock { comment: text, .. })
            | Self::Declare(Declare { comment: text, .. })
            | Self::Resolve(Resolve { comment: text, .. })
            | Self::Review(Review { comment: text, .. }) => *text,
            Self::Collect(_)
            | Self::Pickup(_)
            | Self::Applied(_)
            | Self::Use(_)
            | Self::Session(_)
            | Self::Policy(_) => None,
        }
    }
}
