//! The trust file: what the reviewer knows from elsewhere. It never comes out of a bundle.

use serde::{Deserialize, Serialize};

use crate::bytes::Digest;
use crate::key::Fingerprint;
use crate::note::{SIZE_MAX, VerifierKey};
use crate::principal::Origin;
use crate::statement::Seen;

/// Largest trust file in bytes: a thousand checkpoints seen.
pub const TRUST_MAX: usize = 131_072;

/// What a reviewer trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    /// Which ledger.
    pub log: Origin,
    /// Its key; its name is the origin.
    pub key: VerifierKey,
    /// Fingerprints of the keys that may make up the first policy's authority; never empty.
    pub authority: Vec<Fingerprint>,
    /// Greatest age of the newest entry in seconds; `None` accepts any.
    pub freshness: Option<u64>,
    /// Checkpoints seen before; the ledger must extend each.
    pub seen: Vec<Seen>,
}

/// The file, key by key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    log: Origin,
    key: String,
    authority: Vec<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freshness: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<SeenText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenText {
    size: u64,
    root: String,
}

impl TrustFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`TrustError`], naming what is wrong. A key that is not known is an error: a demand that
    /// this version cannot check must not be passed over.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        if text.len() > TRUST_MAX {
            return Err(TrustError::TooLarge);
        }
        let text: Text = toml::from_str(text).map_err(|error| TrustError::Toml {
            // The message alone: the rendering with the source line spans several lines.
            message: error.message().to_owned(),
        })?;
        let key: VerifierKey = text.key.parse().map_err(|_| TrustError::Key)?;
        if key.name() != text.log.as_str() || !text.log.matches(key.public_key()) {
            return Err(TrustError::Key);
        }
        if text.authority.is_empty() {
            return Err(TrustError::Authority);
        }
        let seen = text.seen.iter().map(SeenText::read).collect::<Result<_, _>>()?;
        Ok(Self { log: text.log, key, authority: text.authority, freshness: text.freshness, seen })
    }

    /// The file's text, which [`TrustFile::parse`] reads as this.
    ///
    /// # Errors
    ///
    /// [`TrustError::Toml`] if a number is beyond what TOML carries (2^63 - 1).
    pub fn to_toml(&self) -> Result<String, TrustError> {
        let seen = |seen: &Seen| Some(SeenText { size: seen.size, root: seen.root?.to_base64() });
        let text = Text {
            log: self.log.clone(),
            key: self.key.to_string(),
            authority: self.authority.clone(),
            freshness: self.freshness,
            seen: self.seen.iter().filter_map(seen).collect(),
        };
        toml::to_string(&text).map_err(|error| TrustError::Toml { message: error.to_string() })
    }
}

impl SeenText {
    fn read(&self) -> Result<Seen, TrustError> {
        let root = Digest::from_base64(&self.root).map_err(|_| TrustError::Seen)?;
        if self.size == 0 || self.size > SIZE_MAX {
            return Err(TrustError::Seen);
        }
        Ok(Seen { size: self.size, root: Some(root) })
    }
}

/// Why a trust file is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Above [`TRUST_MAX`] bytes.
    #[error("the trust file has more than {TRUST_MAX} bytes")]
    TooLarge,
    /// Not TOML with the known keys.
    #[error("the trust file is not in form: {message}")]
    Toml {
        /// What the TOML reader says.
        message: String,
    },
    /// The key is not a verifier key, or not this log's.
    #[error("the trust file's key is not the verifier key of its log")]
    Key,
    /// Nobody is trusted to have signed the first policy.
    #[error("the trust file names no key of the first policy's authority")]
    Authority,
    /// A checkpoint seen before is not a size and a base64 root.
    #[error("the trust file's seen checkpoints are not all a size from 1 and a base64 root")]
    Seen,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Keys;

    fn trust() -> TrustFile {
        let keys = Keys::new();
        TrustFile {
            log: keys.origin(),
            key: keys.log_key(),
            authority: vec![keys.public("pia").fingerprint()],
            freshness: Some(86_400),
            seen: vec![Seen { size: 3, root: Some(Digest::of(b"root")) }],
        }
    }

    #[test]
    fn a_trust_file_is_read_as_it_was_written() {
        let trust = trust();
        assert_eq!(TrustFile::parse(&trust.to_toml().unwrap()), Ok(trust));
    }

    #[test]
    fn a_demand_that_is_not_understood_is_refused() {
        let text = format!("witness-quorum = 2\n{}", trust().to_toml().unwrap());
        assert!(matches!(TrustFile::parse(&text), Err(TrustError::Toml { .. })));
    }

    #[test]
    fn a_key_of_another_log_and_an_empty_authority_are_refused() {
        let good = trust().to_toml().unwrap();
        let other = good.replacen("log = \"", "log = \"x", 1);
        assert_eq!(TrustFile::parse(&other), Err(TrustError::Key));
        let mut nobody = trust();
        nobody.authority.clear();
        assert_eq!(TrustFile::parse(&nobody.to_toml().unwrap()), Err(TrustError::Authority));
    }
}
