//! The short name of a key that people compare.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64_NOPAD;

use crate::bytes::{Digest, text_serde};

/// SHA-256 of a public key's wire form, shown as OpenSSH does: `SHA256:` and 43 characters of
/// base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// What every fingerprint begins with.
    pub const PREFIX: &'static str = "SHA256:";

    /// The fingerprint of the key whose wire form has this SHA-256.
    #[must_use]
    pub const fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// SHA-256 of the key's wire form.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        f.write_str(&BASE64_NOPAD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(Self::PREFIX).ok_or(ParseFingerprintError)?;
        let bytes = BASE64_NOPAD.decode(rest.as_bytes()).map_err(|_| ParseFingerprintError)?;
        let bytes = bytes.try_into().map_err(|_| ParseFingerprintError)?;
        Ok(Self(Digest::from_bytes(bytes)))
    }
}

/// The text is not a key's fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key fingerprint (SHA256: and 43 characters of base64, as `ssh-keygen -l` prints)")]
pub struct ParseFingerprintError;

text_serde!(Fingerprint);
