//! Names: of principals, groups, scopes, stages, targets and dependencies, and the origin of a
//! ledger.

use std::fmt;
use std::str::FromStr;

use crate::bytes::{Digest, text_serde};

/// Longest name: fits a log line and an X.509 common name together with a request id.
pub const NAME_MAX: usize = 64;

/// The text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name (1 to 64 of a-z 0-9 . _ -, the first a letter or digit)")]
pub struct ParseNameError;

/// Whether `text` is 1 to [`NAME_MAX`] of `a-z 0-9 . _ -`, the first a letter or digit.
///
/// So that no name is `-` (which means "none" in statements), an option on a command line, or `..`.
fn is_name(text: &str) -> bool {
    let plain = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9');
    let allowed = |b: u8| plain(&b) || matches!(b, b'.' | b'_' | b'-');
    text.as_bytes().first().is_some_and(plain)
        && text.len() <= NAME_MAX
        && text.bytes().all(allowed)
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// 1 to 64 of `a-z 0-9 . _ -`, the first a letter or digit; equal only if the same bytes.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_name(text) { Ok(Self(text.into())) } else { Err(ParseNameError) }
            }
        }

        text_serde!($name);
    )+};
}

names! {
    /// One person, service, workload or agent, for ever: a name is never given to another.
    PrincipalId;
    /// A group of principals, by its unique id.
    GroupId;
    /// What can be asked for.
    ScopeId;
    /// One link of an approver chain, named within its scope.
    StageId;
    /// One host or service that accepts credentials.
    TargetId;
    /// One watched dependency, an identity provider for instance.
    DependencyId;
    /// One way of asking a watched dependency whether it is up.
    ProbeId;
    /// What a probe saw, in a word.
    FindingId;
    /// One way by which people are told.
    ChannelId;
    /// One service that may ask about tokens, and take them back.
    CallerId;
}

/// Whether a principal is a person or something a person answers for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A person. Only people approve.
    Human,
    /// A long-running program.
    Service,
    /// A job.
    Workload,
    /// An AI agent.
    Agent,
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Service => "service",
            Self::Workload => "workload",
            Self::Agent => "agent",
        })
    }
}

/// Which ledger: `<deployment name>/<first 16 hex digits of SHA-256 of its log public key>`.
///
/// A re-created database has another key, so it can never continue under an old origin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Box<str>);

impl Origin {
    /// The origin of the deployment `name` whose log key is `public_key` (32 raw bytes, Ed25519).
    ///
    /// # Errors
    ///
    /// [`ParseNameError`] if `name` is not a name.
    pub fn new(name: &str, public_key: &[u8; 32]) -> Result<Self, ParseNameError> {
        if !is_name(name) {
            return Err(ParseNameError);
        }
        let digest = Digest::of(public_key).to_string();
        let short = digest.get(..16).unwrap_or_default();
        Ok(Self(format!("{name}/{short}").into()))
    }

    /// The whole origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The deployment's name, before the slash.
    #[must_use]
    pub fn deployment(&self) -> &str {
        self.0.split_once('/').map_or("", |(name, _)| name)
    }

    /// Whether this origin was made from `public_key`.
    #[must_use]
    pub fn matches(&self, public_key: &[u8; 32]) -> bool {
        Self::new(self.deployment(), public_key).as_ref() == Ok(self)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, short) = text.split_once('/').ok_or(ParseOriginError)?;
        let is_hex = short.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_name(name) || short.len() != 16 || !is_hex {
            return Err(ParseOriginError);
        }
        Ok(Self(text.into()))
    }
}

/// The text is not a ledger's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log origin (deployment name, slash, 16 lower-case hex digits)")]
pub struct ParseOriginError;

text_serde!(Origin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_dash_an_option_or_a_folder() {
        for bad in ["", "-", "--force", ".", "..", "_x", "Sam", "sa m", "sam/x", "é"] {
            assert_eq!(bad.parse::<PrincipalId>(), Err(ParseNameError), "{bad}");
        }
        for good in ["sam", "0", "sam.rivera", "a-b_c.d", &"x".repeat(NAME_MAX)] {
            assert_eq!(good.parse::<PrincipalId>().map(|name| name.to_string()), Ok(good.into()));
        }
        assert!("x".repeat(NAME_MAX + 1).parse::<PrincipalId>().is_err());
    }
}
