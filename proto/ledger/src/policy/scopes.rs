//! `scopes.toml`: what can be asked for, how many say yes, for how long.

use std::collections::{BTreeMap, BTreeSet};

use super::incident::IncidentPattern;
use super::jwt::JwtProfile;
use super::lanes::Emergency;
use super::limits::Budget;
use super::ssh::SshProfile;
use super::x509::X509Profile;
use crate::policy::Members;
use crate::principal::{DependencyId, PrincipalKind, ScopeId, StageId};
use crate::statement::{Kind, Lane};
use crate::time::Ttl;

/// Most scopes: what one deployment can look after and drill.
pub const SCOPES_MAX: usize = 1_000;

/// Most stages of one scope: more links than this are not brought together in an emergency, and
/// whether they can be satisfied is judged over all their combinations.
pub const STAGES_MAX: usize = 8;

/// Largest quorum of one stage; the reason is that of [`STAGES_MAX`].
pub const STAGE_QUORUM_MAX: u32 = 16;

/// Longest wait for approvals and collecting, in seconds: a day, the longest life of a statement.
pub const PENDING_MAX_SECONDS: u32 = 86_400;

/// Most grants of one scope alive at once.
pub const LIVE_MAX: u32 = 1_000;

/// One thing that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The id.
    pub id: ScopeId,
    /// What approvers read: what this opens.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it.
    pub owners: Owners,
    /// The third party that operates it, if one does.
    pub partner: Option<String>,
    /// How much harm it can do.
    pub sensitivity: Sensitivity,
    /// Where its runbook is.
    pub runbook: Option<String>,
    /// Longest grant, counted from issuing.
    pub ttl_max: Ttl,
    /// Seconds from the request until it lapses, collecting included: 1 to
    /// [`PENDING_MAX_SECONDS`].
    pub pending_max: u32,
    /// Most grants alive at once, 1 to [`LIVE_MAX`].
    pub live_max: u32,
    /// Seconds from the end of a principal's last grant until they may have the next, up to
    /// [`COOLDOWN_MAX_SECONDS`](super::COOLDOWN_MAX_SECONDS).
    pub cooldown: Option<u32>,
    /// Most granted time per principal in a window.
    pub budget: Option<Budget>,
    /// Which watched dependency opens the outage lane: there exactly if `lanes` lists that lane.
    pub outage: Option<DependencyId>,
    /// Whether the end of the outage ends the grants of its lane.
    pub ends_with_outage: bool,
    /// Seconds between the end of the outage and that of the grants, up to
    /// [`GRACE_MAX_SECONDS`](super::GRACE_MAX_SECONDS).
    pub grace: u32,
    /// Seconds after its end within which a grant is to be reviewed.
    pub review_within: Option<u32>,
    /// Whether the next use waits for the review of the last.
    pub review_gate: bool,
    /// The emergency lane: there exactly if `lanes` lists that lane.
    pub emergency: Option<Emergency>,
    /// Who may ask.
    pub requesters: Vec<Members>,
    /// Which kinds of identity may ask.
    pub kinds: BTreeSet<PrincipalKind>,
    /// In which lanes.
    pub lanes: BTreeSet<Lane>,
    /// What the incident number has to look like; `None` if none is needed.
    pub require_incident: Option<IncidentPattern>,
    /// Whether a request has to give a reason. True unless the file says otherwise.
    pub require_reason: bool,
    /// Who has to agree.
    pub approval: Approval,
    /// The SSH certificate it mints, if it mints one.
    pub ssh: Option<SshProfile>,
    /// The X.509 certificate it mints, if it mints one.
    pub x509: Option<X509Profile>,
    /// The token it mints, if it mints one.
    pub jwt: Option<JwtProfile>,
    /// Seconds between drills that the owners promise themselves. Kept for reports; nothing is
    /// granted, refused or ended by it.
    pub drill_every: Option<u32>,
    /// Who is told of warnings.
    pub on_warning: Vec<Members>,
}

impl Scope {
    /// Whether credentials of this kind are minted.
    #[must_use]
    pub const fn offers(&self, kind: Kind) -> bool {
        match kind {
            Kind::Ssh => self.ssh.is_some(),
            Kind::X509 => self.x509.is_some(),
            Kind::Jwt => self.jwt.is_some(),
        }
    }

    /// The stages in order; none if nobody has to agree.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        match &self.approval {
            Approval::None => &[],
            Approval::Stages(stages) => stages,
        }
    }

    /// The stage of this name.
    #[must_use]
    pub fn stage(&self, name: &StageId) -> Option<&Stage> {
        self.stages().iter().find(|stage| stage.name == *name)
    }

    /// Everybody who owns this scope in one way or another.
    pub fn owned_by(&self) -> impl Iterator<Item = &Members> {
        let Owners { business, technical, identity } = &self.owners;
        business.iter().chain(technical).chain(identity)
    }
}

/// Who answers for a scope; each names at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Accountable; accepts the residual risk.
    pub business: Vec<Members>,
    /// Operates it.
    pub technical: Vec<Members>,
    /// Owns the credential and its revocation.
    pub identity: Vec<Members>,
}

/// How much harm a scope can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// `low`.
    Low,
    /// `high`.
    High,
    /// `critical`.
    Critical,
}

/// Who has to agree before a credential is minted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Nobody: the file says `approval = "none"` in so many words (R02).
    None,
    /// Every stage, 1 to [`STAGES_MAX`]; one person counts once, in one stage.
    Stages(Vec<Stage>),
}

/// One link of the approver chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The name, unique in its scope.
    pub name: StageId,
    /// Who may agree; never empty (R24).
    pub approvers: Vec<Members>,
    /// How many different people have to, 1 to [`STAGE_QUORUM_MAX`].
    pub quorum: u32,
    /// Seconds from the request until `escalate` may agree as well; less than `pending_max`.
    pub within: Option<u32>,
    /// Who may agree as well from then on; there exactly if `within` is.
    pub escalate: Vec<Members>,
}

/// All scopes by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(pub(super) BTreeMap<ScopeId, Scope>);

impl Scopes {
    /// The scope of this id.
    #[must_use]
    pub fn get(&self, id: &ScopeId) -> Option<&Scope> {
        self.0.get(id)
    }

    /// All scopes by id.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.values()
    }
}
