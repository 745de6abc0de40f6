//! Why something was not signed.

use std::io;
use std::path::PathBuf;

use breakglass_ledger::note::NoteError;
use breakglass_ledger::principal::ParseNameError;
use breakglass_ledger::sshsig::SshSigError;

use super::keys::Pkcs11Error;
use crate::crl::CrlError;
use crate::deny::DenyError;
use crate::entropy::EntropyError;
use crate::jwt::TokenError;
use crate::krl::KrlError;
use crate::ocsp::OcspError;

/// A key that cannot be used, or something that was not signed. Nothing was handed out.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// There are keys already; they are never overwritten.
    #[error("{} exists already; keys are never overwritten", path.display())]
    Exists {
        /// The directory of keys.
        path: PathBuf,
    },
    /// Others than the owner may read or replace a key.
    #[error(
        "{} has mode {mode:04o}, so others than its owner can reach a private key; \
         run `chmod {remedy:o} {}`, and replace the keys if somebody may have read them",
        path.display(), path.display()
    )]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits now.
        mode: u32,
        /// What they should be.
        remedy: u32,
    },
    /// The file system failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried: `read`, `create`, …
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file in the directory of keys is not what it should be.
    #[error("{} {rule}; restore it from your backup", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// A key is encrypted, and there is no passphrase.
    #[error(
        "{} is encrypted and there is no passphrase; give it as the systemd credential \
         `breakglass-keys`, or with `--passphrase-fd N`", path.display()
    )]
    Encrypted {
        /// Which file.
        path: PathBuf,
    },
    /// A key is not encrypted, and there is a passphrase.
    #[error(
        "{} is not encrypted, though there is a passphrase; run `breakglassd keys encrypt` to have all \
         keys encrypted, or start without the passphrase", path.display()
    )]
    NotEncrypted {
        /// Which file.
        path: PathBuf,
    },
    /// The passphrase does not open a key, or the file is damaged: the two look the same.
    #[error(
        "the passphrase does not open {}; give the one it was encrypted with, or if that is right, \
         restore the file from your backup", path.display()
    )]
    Passphrase {
        /// Which file.
        path: PathBuf,
    },
    /// The passphrase cannot be one.
    #[error("the passphrase {rule}")]
    PassphraseForm {
        /// What is wrong with it.
        rule: &'static str,
    },
    /// There is a key in a file, and beside it the public half of one in a token.
    #[error(
        "{} is there, and {} says that this key is in a token; take one of the two away",
        path.display(), pin.display()
    )]
    TwoKeys {
        /// The key.
        path: PathBuf,
        /// The public half.
        pin: PathBuf,
    },
    /// The configuration names a token for a key that is in a file.
    #[error(
        "{} is there, and the configuration says that this key is in a token; \
         `breakglassd rotate prepare {role} --config FILE` makes the next one there; until then take \
         [keys.{role}] out of the configuration", path.display()
    )]
    NotInToken {
        /// The file.
        path: PathBuf,
        /// Which key.
        role: &'static str,
    },
    /// A key is in a token, and nobody said where the next one should be.
    #[error(
        "the key {role} is in a PKCS#11 token, and nothing says where the next one is to be; nothing was \
         made. Add its place behind that of now in [keys.{role}] of the configuration and give that with \
         --config; or, if it is to be a file, say --file"
    )]
    InToken {
        /// Which key.
        role: &'static str,
    },
    /// The key that lies where the next one should be made is or was one of ours.
    #[error(
        "the last place in [keys.{role}] of the configuration has the key {label:?}, which is or was a key \
         of this broker; add a place with another label behind it: the next key is made there, or taken \
         over if it is there already. Nothing was made"
    )]
    Spent {
        /// Which key.
        role: &'static str,
        /// Its label in the token.
        label: String,
    },
    /// One key serves two purposes.
    #[error(
        "{} and {} are the same key, and each may serve one purpose only; give one of them another", .0, .1
    )]
    Shared(&'static str, &'static str),
    /// A key is in a token, and that did not sign.
    #[error("the token of the key {role} did not do it")]
    Pkcs11 {
        /// Which key.
        role: &'static str,
        /// Why.
        source: Pkcs11Error,
    },
    /// A key could not be encrypted, or did not read back.
    #[error("a key could not be encrypted so that it reads back; nothing was replaced")]
    Seal,
    /// The deployment's name is not a name.
    #[error("the deployment's name cannot be part of a log origin")]
    Deployment(#[from] ParseNameError),
    /// One of the broker's public keys is not one that anybody would accept.
    #[error("a key of our own is weak; restore it from your backup")]
    WeakKey,
    /// The log key does not fit its origin.
    #[error("the log key does not fit its origin")]
    LogKey(#[from] NoteError),
    /// No randomness.
    #[error("no randomness to sign with")]
    Entropy(#[from] EntropyError),
    /// The clearance is for a kind of credential that is not made here.
    #[error("only SSH certificates can be minted")]
    Kind,
    /// Serial 0, which could never be revoked.
    #[error("serial 0 cannot be revoked, so it is not signed")]
    SerialZero,
    /// The cleared life is empty or over the hard cap.
    #[error("the cleared life is empty or longer than any grant may be")]
    Lifetime,
    /// The key to certify is one of the broker's own.
    #[error("the subject key is one of the broker's own keys")]
    OwnKey,
    /// A value that could mean more than one thing inside a certificate.
    #[error("{field} {rule}")]
    Value {
        /// Which part of the certificate.
        field: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The certificate could not be put together.
    #[error("the certificate could not be built")]
    Build(#[from] ssh_key::Error),
    /// An answer about a certificate could not be written.
    #[error("the answer about a certificate could not be written")]
    Ocsp(#[from] OcspError),
    /// An answer about a certificate does not say what it should; it was thrown away.
    #[error("the answer about a certificate does not say what it should")]
    OcspMismatch,
    /// What was signed is not what was cleared; it was thrown away.
    #[error("the signed certificate does not match the clearance in its {field}; thrown away")]
    Mismatch {
        /// The first part that differs.
        field: &'static str,
    },
    /// This broker's keys were made before it could sign X.509.
    #[error(
        "this broker has no X.509 authority, because its keys were made by an older version; \
         a new deployment has one"
    )]
    NoX509,
    /// This broker's keys were made before it could sign tokens.
    #[error(
        "this broker has no key for tokens, because its keys were made by an older version; \
         `breakglassd rotate` makes the first"
    )]
    NoJwt,
    /// Nobody said whom tokens should name as their issuer.
    #[error("no issuer is configured, so nobody could verify a token")]
    NoIssuer,
    /// The token that was made is none of ours when it is read again; it was thrown away.
    #[error("the signed token does not read back; thrown away")]
    Token(#[from] TokenError),
    /// Key and certificate of the X.509 authority do not belong together.
    #[error(
        "the X.509 authority's key and certificate do not belong together; restore both from your backup"
    )]
    Authority,
    /// A key of a type that TLS servers do not take.
    #[error(
        "the subject key is not a P-256 key (ecdsa-sha2-nistp256), the one type every TLS server takes"
    )]
    SubjectType,
    /// An X.509 certificate could not be put together.
    #[error("the certificate could not be encoded")]
    Encode(#[from] der::Error),
    /// The list of revoked X.509 certificates could not be made.
    #[error("the list of revoked certificates could not be made")]
    Crl(#[from] CrlError),
    /// A checkpoint of another ledger.
    #[error("the checkpoint belongs to another log")]
    ForeignCheckpoint,
    /// The revocation list could not be made.
    #[error("the revocation list could not be made")]
    List(#[from] KrlError),
    /// The list of denied tokens could not be made.
    #[error("the list of denied tokens could not be made")]
    Deny(#[from] DenyError),
    /// The list that was made does not say what it should; it was thrown away.
    #[error("the revocation list does not read back as what it should say; thrown away")]
    ListMismatch,
    /// A signature that was made does not verify.
    #[error("a signature of our own does not verify")]
    Signature(#[from] SshSigError),
    /// A name or address that cannot stand in a server certificate.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// As configured.
        name: String,
    },
    /// A TLS certificate could not be made.
    #[error("the TLS certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// A TLS certificate that was made is not accepted by a TLS client.
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
    /// A date that does not fit a certificate.
    #[error("the time does not fit a certificate")]
    Date(#[from] time::error::ComponentRange),
}

impl MintError {
    /// Whether it is the token of a key that failed, and not we.
    #[must_use]
    pub const fn is_of_a_token(&self) -> bool {
        matches!(self, Self::Pkcs11 { .. })
    }
}
