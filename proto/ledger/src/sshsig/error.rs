//! Why a signature is not accepted.

use crate::key::KeyError;

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshSigError {
    /// Not a signature, or not in its one canonical form. `E_SSHSIG_MALFORMED`.
    #[error("malformed SSH signature: {rule}; sign again with `ssh-keygen -Y sign` or an agent")]
    Malformed {
        /// What is wrong with it.
        rule: &'static str,
    },
    /// Made by a key of a type that is not allowed, a certificate for instance. `E_KEY_TYPE`.
    #[error(
        "signed by a key of type {0}, which is not allowed; use ssh-ed25519, ecdsa-sha2-nistp256 \
         or their sk- variants"
    )]
    KeyType(String),
    /// Made by a key for which one signature fits many messages. `E_KEY_WEAK`.
    #[error("signed by a weak key (a point of small order), which proves nothing")]
    Weak,
    /// Made for another purpose. `E_NAMESPACE`.
    #[error("signed for {found:?}, but {expected:?} is needed; sign it for what it is")]
    Namespace {
        /// The namespace asked for.
        expected: String,
        /// The namespace in the signature.
        found: String,
    },
    /// The key did not sign these bytes. `E_SSHSIG_BAD`.
    #[error(
        "the signature does not fit: the text was changed after signing, or another key signed"
    )]
    Bad,
    /// A security key signed without anybody touching it. `E_SK_FLAGS`.
    #[error("the security key was not touched; sign again without `no-touch-required`")]
    UserPresence,
}

impl From<KeyError> for SshSigError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Malformed => Self::Malformed { rule: "the public key is malformed" },
            KeyError::TooLong => Self::Malformed { rule: "the public key is too long" },
            KeyError::Type(name) => Self::KeyType(name),
            KeyError::Weak => Self::Weak,
        }
    }
}
