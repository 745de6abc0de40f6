//! Why a list is not in place.

use std::io;
use std::path::PathBuf;

use breakglass_ledger::sshsig::SshSigError;

use crate::crl::CrlError;
use crate::deny::DenyError;
use crate::krl::KrlError;

/// Why a list was not put in place.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A newer list is in place: this one would un-revoke somebody.
    #[error("list {offered} is older than list {published} in place")]
    Lower {
        /// Version in place.
        published: u64,
        /// Version offered.
        offered: u64,
    },
    /// Another list with the same version is in place.
    #[error("another list with version {version} is in place; give the new one a higher version")]
    Conflict {
        /// Their version.
        version: u64,
    },
    /// The list's number is not the one inside it.
    #[error("list {offered} says inside that it is list {inside}")]
    Version {
        /// Version inside the list.
        inside: u64,
        /// Version it is said to have.
        offered: u64,
    },
    /// Not a whole list about our authority's certificates.
    #[error("this is not a whole revocation list of ours")]
    List(#[from] KrlError),
    /// What was offered or found is no list of denied tokens.
    #[error("not a list of denied tokens of this form")]
    Deny(#[from] DenyError),
    /// Its signature is not one over it.
    #[error("the signature does not belong to the list")]
    Signature(#[from] SshSigError),
    /// Signed by somebody else.
    #[error("the list is signed by another key")]
    Signer,
    /// Not a whole list about our X.509 authority's certificates.
    #[error("this is not a whole list of revoked certificates of ours")]
    Crl(#[from] CrlError),
    /// One of the lists that go together is missing, or one too many is there.
    #[error("the lists for SSH and for TLS servers do not go together")]
    Incomplete,
    /// The X.509 authority's certificate cannot be read.
    #[error("the X.509 authority's certificate is not that of an authority")]
    X509,
    /// The disk gives back something else than what was written.
    #[error("{} does not read back as it was written", path.display())]
    ReadBack {
        /// Which file.
        path: PathBuf,
    },
    /// Something in the directory was put there by somebody else.
    #[error("{} was not made by the broker; move it away", path.display())]
    Foreign {
        /// What.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
