//! Why something is not accepted as a public key.

use super::KEY_LINE_MAX;

/// Why something is not accepted as a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key at all, or not in its one canonical form.
    #[error("not a public key in OpenSSH form (type, blank, base64, on one line)")]
    Malformed,
    /// A type that is not allowed: RSA, DSA, another curve, a certificate. `E_KEY_TYPE`.
    #[error(
        "key type {0} is not allowed; use ssh-ed25519, ecdsa-sha2-nistp256 or their sk- variants, \
         and no certificates"
    )]
    Type(String),
    /// An Ed25519 point of small order, for which one signature fits many messages. `E_KEY_WEAK`.
    #[error(
        "the key is weak (a point of small order); nobody made it by accident, refuse its owner"
    )]
    Weak,
    /// Over [`KEY_LINE_MAX`] bytes.
    #[error("longer than {KEY_LINE_MAX} bytes, so not an allowed public key")]
    TooLong,
}
