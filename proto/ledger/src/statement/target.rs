//! What locks stop, and the numbers of credentials seen at hosts.

use std::fmt;
use std::str::FromStr;

use crate::bytes::text_serde;
use crate::id::RequestId;
use crate::key::Fingerprint;
use crate::principal::{PrincipalId, ScopeId, TargetId};

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

text_serde!(Target);
