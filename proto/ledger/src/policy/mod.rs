//! Policy: who may break the glass, who says yes, and for how long.
//!
//! Four files ([`Files`]) are read and [`check`]ed as a whole; [`activate`] makes the [`Policy`] in
//! force of them, if the authority of the policy before has signed their manifest. `FORMAT.md`
//! describes the files. Nothing here decides about a request, and nothing is accepted that nobody
//! acts on: fields of work to come are refused by name. Rules in Cedar are kept as text.

use std::fmt;
use std::str::FromStr;

use crate::bytes::Digest;
use crate::key::{Fingerprint, PublicKey};
use crate::principal::{GroupId, PrincipalId, ScopeId};

mod activate;
mod authority;
mod check;
mod claims;
mod enrol;
mod fault;
mod files;
mod groups;
mod incident;
mod jwt;
mod lanes;
mod later;
mod limits;
mod lookalike;
mod people;
mod read;
mod register;
mod sample;
mod satisfy;
mod scopes;
mod ssh;
mod values;
mod x509;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use activate::{PolicyError, SIGNATURES_MAX, activate, reopen};
pub use authority::{Authority, SIGNERS_MAX, Signer};
pub use check::{Checked, check};
pub use claims::{DRILL_MARK, NAME_MAX_BYTES};
pub use fault::{FAULTS_MAX, Fault, FaultKind};
pub use files::{File, Files};
pub use groups::{LINKS_MAX, NESTING_MAX};
pub use incident::{IncidentPattern, ParsePatternError};
pub use jwt::{AUDIENCE_MAX_BYTES, JwtProfile, TOKEN_GROUPS_MAX, TOKEN_TTL_SECONDS};
pub use lanes::{Emergency, GRACE_MAX_SECONDS};
pub use later::MINTED;
pub use limits::{BUDGET_WINDOW_MAX_SECONDS, Budget, COOLDOWN_MAX_SECONDS, REVIEW_MAX_SECONDS};
pub use people::{GROUPS_MAX, KEYS_MAX, MEMBERSHIPS_MAX, PRINCIPALS_MAX, People, Principal};
pub use sample::sample;
pub use scopes::{
    Approval, LIVE_MAX, Owners, PENDING_MAX_SECONDS, SCOPES_MAX, STAGE_QUORUM_MAX, STAGES_MAX,
    Scope, Scopes, Sensitivity, Stage,
};
pub use ssh::{
    FORCE_COMMAND_MAX_BYTES, HOSTS_MAX, SOURCE_ADDRESSES_MAX, SSH_EXTENSIONS, SSH_PRINCIPALS_MAX,
    SshProfile,
};
pub use values::{REFERENCES_MAX, TEXT_MAX_BYTES};
pub use x509::{ORGANIZATIONAL_UNITS_MAX, ORGANIZATIONS_MAX, URI_MAX_BYTES, X509Profile};

/// A policy in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// 1, 2, 3, … without gaps.
    pub version: u64,
    /// SHA-256 of the manifest's bytes: what decisions name it by.
    pub digest: Digest,
    /// Who signs the next version.
    pub authority: Authority,
    /// Who is who.
    pub people: People,
    /// What can be asked for.
    pub scopes: Scopes,
    /// The text of `rules.cedar`, exact.
    pub rules: String,
}

impl Policy {
    /// The principal of this id.
    #[must_use]
    pub fn principal(&self, id: &PrincipalId) -> Option<&Principal> {
        self.people.principal(id)
    }

    /// The one principal who holds this key.
    #[must_use]
    pub fn owner_of(&self, key: &PublicKey) -> Option<&Principal> {
        self.people.owner_of(key)
    }

    /// The scope of this id.
    #[must_use]
    pub fn scope(&self, id: &ScopeId) -> Option<&Scope> {
        self.scopes.get(id)
    }

    /// Whether `who` is that principal, or in that group. Whoever is not listed is nowhere.
    #[must_use]
    pub fn is_member(&self, who: &PrincipalId, of: &Members) -> bool {
        self.people.is_member(who, of)
    }

    /// Whether `who` is a member of any of `of`. Nobody is a member of nothing (R24).
    #[must_use]
    pub fn is_any(&self, who: &PrincipalId, of: &[Members]) -> bool {
        self.people.is_any(who, of)
    }

    /// The fingerprints of the authority's keys, ascending: what a reviewer pins.
    #[must_use]
    pub fn fingerprints_of_authority(&self) -> Vec<Fingerprint> {
        self.authority.fingerprints()
    }
}

/// A reference to one principal or to all of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Members {
    /// `group:<id>`: everybody in it, nesting resolved.
    Group(GroupId),
    /// `principal:<id>`.
    Principal(PrincipalId),
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => write!(f, "group:{id}"),
            Self::Principal(id) => write!(f, "principal:{id}"),
        }
    }
}

impl FromStr for Members {
    type Err = ParseMembersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (sort, id) = text.split_once(':').ok_or(ParseMembersError)?;
        match sort {
            "group" => id.parse().map(Self::Group).map_err(|_| ParseMembersError),
            "principal" => id.parse().map(Self::Principal).map_err(|_| ParseMembersError),
            _ => Err(ParseMembersError),
        }
    }
}

/// The text is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reference (group:<id> or principal:<id>)")]
pub struct ParseMembersError;

#[cfg(test)]
mod tests;
