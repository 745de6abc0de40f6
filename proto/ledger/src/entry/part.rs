//! What bodies are made of: the link into a grant's chain, signed statements, decisions, causes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Digest;
use crate::entry::EntryError;
use crate::entry::fields::{Part, Read, Written};
use crate::entry::outside::{Notified, Overdue, Watched};
use crate::id::RequestId;
use crate::principal::{PrincipalId, PrincipalKind, StageId};
use crate::statement::Lane;
use crate::time::Timestamp;

/// Where an entry stands in its grant's own chain: the keys `grant`, `gseq`, `gprev`.
///
/// With it one grant's evidence is complete on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The grant, by its request's id.
    pub grant: RequestId,
    /// 0 for the request, then one more for each entry of the grant.
    pub gseq: u64,
    /// SHA-256 of the grant's entry before; [`Digest::ZERO`] for the first.
    pub gprev: Digest,
}

impl Part for Link {
    fn write(&self, _: &'static str, out: &mut Written) -> Result<(), EntryError> {
        out.put("grant", &self.grant)?;
        out.put("gseq", &self.gseq)?;
        out.put("gprev", &self.gprev)
    }

    fn read(_: &'static str, from: &mut Read<'_>) -> Result<Self, EntryError> {
        Ok(Self {
            grant: from.take("grant")?,
            gseq: from.take("gseq")?,
            gprev: from.take("gprev")?,
        })
    }
}

/// What somebody said and signed: the keys `statement` and `signature`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The statement's exact text.
    pub statement: String,
    /// Armored SSHSIG over it, in the namespace of its act.
    pub signature: String,
}

impl Signed {
    /// SHA-256 of the statement's bytes: its name everywhere.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.statement.as_bytes())
    }
}

impl Part for Signed {
    fn write(&self, _: &'static str, out: &mut Written) -> Result<(), EntryError> {
        out.put("statement", &self.statement)?;
        out.put("signature", &self.signature)
    }

    fn read(_: &'static str, from: &mut Read<'_>) -> Result<Self, EntryError> {
        Ok(Self { statement: from.take("statement")?, signature: from.take("signature")? })
    }
}

/// Acts of the broker's clock have no statement: then neither key is there.
impl Part for Option<Signed> {
    fn write(&self, key: &'static str, out: &mut Written) -> Result<(), EntryError> {
        self.as_ref().map_or(Ok(()), |signed| signed.write(key, out))
    }

    fn read(key: &'static str, from: &mut Read<'_>) -> Result<Self, EntryError> {
        let present = from.has("statement") || from.has("signature");
        present.then(|| Signed::read(key, from)).transpose()
    }
}

/// What a stranger needs to reach the same decision.
// Fields of everything serialised here are declared in the order of their keys: the order written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What the decision saw.
    pub context: Context,
    /// What was decided, in a word: `granted`, `refused`, ….
    pub outcome: String,
    /// Digest of the policy in force.
    pub policy: Digest,
    /// Ids of the rules that determined it.
    pub rules: Vec<String>,
}

impl Decision {
    /// Of a `lapsed` entry that a new policy brought before its time: what that forbids, the name of a
    /// refusal, with the ids of the policy's own rules behind it. `None` of any other.
    #[must_use]
    pub fn after_policy(&self) -> Option<&[String]> {
        let (first, rest) = self.rules.split_first()?;
        (first == "policy-changed").then_some(rest)
    }
}

/// What a decision saw besides the statement and the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Seconds granted to the requester in the scope's budget window before this act; absent where
    /// nothing judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// Who stands behind an agent, outermost first; empty for everyone else.
    pub delegation: Vec<PrincipalId>,
    /// Seconds since the scope's last passed drill; absent where nothing judged it, or if there was
    /// none.
    #[serde(default, rename = "drill-age", skip_serializing_if = "Option::is_none")]
    pub drill_age: Option<u64>,
    /// Kind of identity that acted; absent when no principal did (the clock, a stranger).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PrincipalKind>,
    /// Lane of the request; absent when the act is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// Grants of the scope alive before this act; absent where nothing judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<u64>,
    /// State of the dependency that the scope's outage lane watches.
    pub outage: OutageState,
    /// Since when that dependency is down; absent if it is not.
    #[serde(default, rename = "outage-since", skip_serializing_if = "Option::is_none")]
    pub outage_since: Option<Timestamp>,
    /// The stage that an approval is for; absent for every other act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// The second the decision was made at.
    pub time: Timestamp,
}

/// State of a watched dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutageState {
    /// No outage, or none watched.
    None,
    /// Measured or declared down.
    Active,
}

/// Why a credential was taken back. Numbers are written out and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its time was over.
    Expired,
    /// The holder gave it back.
    Dropped,
    /// An approver or owner ended it.
    Cancelled,
    /// The policy no longer allows it.
    PolicyChanged,
    /// A lock covers it.
    Locked,
    /// The outage that opened its lane ended.
    OutageEnded,
    /// A service that was shown its token had it taken back (RFC 7009).
    TokenRevoked,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::Expired,
        Self::Dropped,
        Self::Cancelled,
        Self::PolicyChanged,
        Self::Locked,
        Self::OutageEnded,
        Self::TokenRevoked,
    ];

    /// Its number in the record.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Expired => 1,
            Self::Dropped => 2,
            Self::Cancelled => 3,
            Self::PolicyChanged => 4,
            Self::Locked => 5,
            Self::OutageEnded => 6,
            Self::TokenRevoked => 7,
        }
    }

    /// Its name in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::Cancelled => "cancelled",
            Self::PolicyChanged => "policy-changed",
            Self::Locked => "locked",
            Self::OutageEnded => "outage-ended",
            Self::TokenRevoked => "token-revoked",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Numbered { name: self.name().to_owned(), number: self.number() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Numbered { name, number } = Numbered::deserialize(deserializer)?;
        let cause = Self::ALL.into_iter().find(|c| c.number() == number && c.name() == name);
        cause.ok_or_else(|| serde::de::Error::custom("not a cause"))
    }
}

/// A number that is never reused, with the name it goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbered {
    /// Kebab-case name.
    pub name: String,
    /// The number.
    pub number: u32,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// An approver or owner said no before a credential was issued.
    Denied,
    /// The requester took it back before a credential was issued.
    Withdrawn,
    /// It was not approved and collected in time.
    Lapsed,
    /// Its credential was issued, and taken back or expired.
    Revoked,
}

impl Outcome {
    /// Its name in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Revoked => "revoked",
        }
    }
}

/// What changed outside of any request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConfigChange {
    /// A free text was erased; its commitment stays where it was signed.
    Erased {
        /// The commitment: what `reason` or `comment` of a statement says.
        text: Digest,
    },
    /// What became of a notice.
    Notified(Notified),
    /// A target has not put a revocation into force in time.
    Overdue(Overdue),
    /// Another version of the broker took over.
    Software {
        /// Name and version.
        version: String,
    },
    /// A watched dependency is watched otherwise than before.
    Watched(Watched),
}

/// Which of the broker's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// Signs SSH certificates.
    SshCa,
    /// Signs revocation lists.
    Lists,
    /// Signs the daemon's TLS certificates.
    TlsCa,
    /// Signs X.509 certificates and the lists of those that were taken back.
    X509Ca,
    /// Signs tokens.
    JwtKey,
}

impl KeyRole {
    /// Every one that can be replaced.
    pub const ALL: [Self; 5] = [Self::SshCa, Self::Lists, Self::TlsCa, Self::X509Ca, Self::JwtKey];

    /// As it stands in entries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SshCa => "ssh-ca",
            Self::Lists => "lists",
            Self::TlsCa => "tls-ca",
            Self::X509Ca => "x509-ca",
            Self::JwtKey => "jwt-key",
        }
    }
}
