//! Permission as a value: what was approved, to be signed once.

use breakglass_ledger::entry::Decision;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::{Kind, Lane};
use breakglass_ledger::time::Timestamp;

use crate::profile::Profile;

/// Proof that the approval chain was satisfied, and the terms of the one credential it is good for.
///
/// Only [`decide`](crate::decide) makes one and signing consumes it, so the compiler refuses a
/// signature without approval:
///
/// ```compile_fail,E0451
/// # use breakglass_rules::Clearance;
/// # fn forge(by: &Clearance) -> Clearance {
/// Clearance {
///     request: by.request(),
///     holder: by.holder().clone(),
///     lane: by.lane(),
///     on_behalf_of: by.on_behalf_of().to_vec(),
///     scope: by.scope().clone(),
///     kind: by.kind(),
///     subject: by.subject().cloned(),
///     profile: by.profile().clone(),
///     not_before: by.not_before(),
///     expires_at: by.expires_at(),
///     ends: by.expires_at(),
///     replaces: by.replaces(),
///     approvals: by.approvals().to_vec(),
///     decision: by.decision().clone(),
/// }
/// # }
/// ```
///
/// and a second signature under the same clearance:
///
/// ```compile_fail,E0382
/// # use breakglass_rules::Clearance;
/// # fn sign(clearance: Clearance) {}
/// # fn twice(clearance: Clearance) {
/// sign(clearance);
/// sign(clearance);
/// # }
/// ```
///
/// Nor can it be copied first:
///
/// ```compile_fail,E0599
/// # use breakglass_rules::Clearance;
/// # fn copy(clearance: Clearance) -> (Clearance, Clearance) {
/// (clearance.clone(), clearance)
/// # }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Clearance {
    pub(crate) request: RequestId,
    pub(crate) holder: PrincipalId,
    pub(crate) lane: Lane,
    pub(crate) on_behalf_of: Vec<PrincipalId>,
    pub(crate) scope: ScopeId,
    pub(crate) kind: Kind,
    pub(crate) subject: Option<PublicKey>,
    pub(crate) profile: Profile,
    pub(crate) not_before: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) replaces: Option<u64>,
    pub(crate) approvals: Vec<u64>,
    pub(crate) decision: Decision,
}

impl Clearance {
    /// The request that was approved.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// Who will hold the credential: the requester.
    #[must_use]
    pub const fn holder(&self) -> &PrincipalId {
        &self.holder
    }

    /// Which way the request took; a drill's credential says that it is one.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// On whose behalf the holder asked, outermost first; empty for whoever asked for themselves.
    #[must_use]
    pub fn on_behalf_of(&self) -> &[PrincipalId] {
        &self.on_behalf_of
    }

    /// What it opens.
    #[must_use]
    pub const fn scope(&self) -> &ScopeId {
        &self.scope
    }

    /// Which kind of credential.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The key it is bound to: the one in the request, which also signed the collect. `None` only
    /// for a token that the scope lets be bound to none.
    #[must_use]
    pub const fn subject(&self) -> Option<&PublicKey> {
        self.subject.as_ref()
    }

    /// What it must carry, no more and no less; of the same kind as [`Clearance::kind`]. In a drill
    /// its names are those of drills already.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// First second at which it is valid: [`BACKDATE_SECONDS`](crate::BACKDATE_SECONDS) ago.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// First second at which it is no longer valid: with its grant, or before it if it is a token.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// First second at which the grant is over, if that is later than the credential's own end: what
    /// the `issued` entry says under `ends`.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        (self.ends != self.expires_at).then_some(self.ends)
    }

    /// The serial of the grant's token before, which this one takes back.
    #[must_use]
    pub const fn replaces(&self) -> Option<u64> {
        self.replaces
    }

    /// The `approved` entries that counted, ascending by their `seq`.
    #[must_use]
    pub fn approvals(&self) -> &[u64] {
        &self.approvals
    }

    /// What a stranger needs to reach the same decision; goes into the `issued` entry.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }
}
