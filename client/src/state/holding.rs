//! What is kept of one request made on this machine: the statement as signed, the subject key, and
//! the credentials once there are some, one of each kind that was asked for.
//!
//! ```text
//! statement  id  key.pem                 the request; its key for OpenSSH, and if P-256 for others
//! id-cert.pub  certificate.pem  token    credentials: SSH, X.509, JWT
//! issued[-x509|-jwt]  place[-x509|-jwt]  digest of the `issued` entry; where copies were written
//! ca.pem                                 the authority over the X.509 certificate
//! ends                                   the grant's last second and one, since 1970
//! ```
//!
//! The subject key is made here, for this request only. It never leaves but into the user's own
//! ssh-agent.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;
use zeroize::Zeroizing;

use super::files::{StateError, at, private_dir, read_bounded, write_private};
use super::subject_key::SubjectKey;

/// The directory of one request.
#[derive(Clone, Debug)]
pub struct Holding {
    dir: PathBuf,
}

impl Holding {
    pub(super) const fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Begins to keep a request: its statement and its fresh subject key.
    ///
    /// # Errors
    ///
    /// [`StateError`]; then the request must not be sent, its credential could not be used.
    pub fn begin(&self, statement: &str, key: &SubjectKey) -> Result<(), StateError> {
        private_dir(&self.dir)?;
        write_private(&self.key_path(), key.to_openssh()?.as_bytes())?;
        if let Some(pem) = key.to_pkcs8_pem() {
            write_private(&self.key_pem_path(), pem.as_bytes())?;
        }
        write_private(&self.dir.join(STATEMENT), statement.as_bytes())
    }

    /// The request statement that was signed here.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be read.
    pub fn statement(&self) -> Result<Option<Vec<u8>>, StateError> {
        read_bounded(&self.dir.join(STATEMENT), FILE_MAX)
    }

    /// The subject key, if it was made here and not dropped.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it is there and cannot be read.
    pub fn key(&self) -> Result<Option<SubjectKey>, StateError> {
        let path = self.key_path();
        let Some(text) = read_bounded(&path, FILE_MAX)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        SubjectKey::parse(&text).map(Some).map_err(|_| StateError::Damaged(path))
    }

    /// Keeps the credential of `kind`, as text, and the digest of its `issued` entry.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep(&self, kind: Kind, credential: &str, issued: Digest) -> Result<(), StateError> {
        let line = format!("{}\n", credential.trim());
        write_private(&self.credential_path(kind), line.as_bytes())?;
        write_private(&self.of_kind(ISSUED, kind), issued.to_string().as_bytes())
    }

    /// The credential of `kind`, as text, if it was collected here.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it is there and cannot be read.
    pub fn credential(&self, kind: Kind) -> Result<Option<String>, StateError> {
        let bytes = read_bounded(&self.credential_path(kind), FILE_MAX)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|s| s.trim().to_owned()))
    }

    /// Keeps the first second at which the grant is over, which may be later than its token's end.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep_end(&self, end: Timestamp) -> Result<(), StateError> {
        write_private(&self.dir.join(ENDS), end.unix_seconds().to_string().as_bytes())
    }

    /// The first second at which the grant is over, as the last collect told.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it is there and cannot be read.
    pub fn end(&self) -> Result<Option<Timestamp>, StateError> {
        let path = self.dir.join(ENDS);
        let Some(bytes) = read_bounded(&path, FILE_MAX)? else { return Ok(None) };
        let seconds = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
        let seconds = seconds.ok_or(StateError::Damaged(path))?;
        Ok(Some(Timestamp::from_unix_seconds(seconds)))
    }

    /// Remembers that what belongs to `kind` was also written into `dir`, so that giving the
    /// credential back deletes it there too. Answers the whole path.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep_place(&self, kind: Kind, dir: &Path) -> Result<PathBuf, StateError> {
        let dir = dir.canonicalize().map_err(|error| at(dir, error))?;
        write_private(&self.of_kind(PLACE, kind), dir.as_os_str().as_bytes())?;
        Ok(dir)
    }

    /// Deletes everything kept of the request, here and where it was written to.
    ///
    /// # Errors
    ///
    /// [`StateError`] if something is left.
    pub fn forget(&self) -> Result<(), StateError> {
        for kind in KINDS {
            self.clear_place(kind)?;
        }
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(&self.dir, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Deletes the copies elsewhere, unless another credential has taken their place since.
    fn clear_place(&self, kind: Kind) -> Result<(), StateError> {
        let place = read_bounded(&self.of_kind(PLACE, kind), FILE_MAX)?;
        let Some(place) = place else { return Ok(()) };
        let place = Path::new(OsStr::from_bytes(&place));
        let there = read_bounded(&place.join(credential_name(kind)), FILE_MAX)?;
        if there.is_none() || there != read_bounded(&self.credential_path(kind), FILE_MAX)? {
            return Ok(());
        }
        for name in names(kind) {
            match fs::remove_file(place.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(at(place, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Where the private key is, in OpenSSH's format.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.dir.join("id")
    }

    /// Where the private key is as PKCS#8, if it is of a type that others read.
    #[must_use]
    pub fn key_pem_path(&self) -> PathBuf {
        self.dir.join(KEY_PEM)
    }

    /// Where the credential of `kind` is; an SSH one under the name at which `ssh -i …/id` finds it.
    #[must_use]
    pub fn credential_path(&self, kind: Kind) -> PathBuf {
        self.dir.join(credential_name(kind))
    }

    /// Where the authority over the X.509 certificate is, if this machine knows it.
    #[must_use]
    pub fn ca_path(&self) -> PathBuf {
        self.dir.join(CA_PEM)
    }

    /// Keeps the authority over the X.509 certificate, PEM.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep_ca(&self, pem: &str) -> Result<(), StateError> {
        write_private(&self.ca_path(), pem.as_bytes())
    }

    fn of_kind(&self, name: &str, kind: Kind) -> PathBuf {
        match kind {
            Kind::Ssh => self.dir.join(name),
            Kind::X509 | Kind::Jwt => self.dir.join(format!("{name}-{kind}")),
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The file of a credential of `kind`.
#[must_use]
pub const fn credential_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Ssh => "id-cert.pub",
        Kind::X509 => "certificate.pem",
        Kind::Jwt => "token",
    }
}

/// Everything that is written for `kind` elsewhere.
const fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Ssh => &["id", "id-cert.pub"],
        Kind::X509 => &[KEY_PEM, "certificate.pem", CA_PEM],
        Kind::Jwt => &["token"],
    }
}

/// Every kind of credential.
pub const KINDS: [Kind; 3] = [Kind::Ssh, Kind::X509, Kind::Jwt];

/// The name of a P-256 key, and [`CA_PEM`] that of the X.509 authority, wherever they are written.
pub const KEY_PEM: &str = "key.pem";
/// See [`KEY_PEM`].
pub const CA_PEM: &str = "ca.pem";

const STATEMENT: &str = "statement";
const ISSUED: &str = "issued";
const PLACE: &str = "place";
const ENDS: &str = "ends";

/// Keys, certificates and statements are all below 8 KiB.
const FILE_MAX: u64 = 16_384;
