//! What is kept of one request made on this machine: the statement as signed, the subject key, and
//! the certificate once there is one.
//!
//! The subject key is made here, for this request only. It never leaves but into the user's own
//! ssh-agent.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::key::PublicKey;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::files::{StateError, at, private_dir, read_bounded, write_private};
use crate::entropy;
use crate::failure::{Exit, Failure};

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
        let key = PrivateKey::from_openssh(text.as_slice()).ok();
        let pair = key.as_ref().and_then(|key| key.key_data().ed25519());
        let pair = pair.ok_or_else(|| StateError::Damaged(path.clone()))?;
        let key = SubjectKey::from_seed(Zeroizing::new(pair.private.to_bytes()));
        key.map(Some).map_err(|_| StateError::Damaged(path))
    }

    /// Keeps the certificate, one OpenSSH line, and the digest of its `issued` entry.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep_certificate(&self, certificate: &str, issued: Digest) -> Result<(), StateError> {
        write_private(&self.certificate_path(), format!("{certificate}\n").as_bytes())?;
        write_private(&self.dir.join(ISSUED), issued.to_string().as_bytes())
    }

    /// The certificate, one OpenSSH line, if it was collected here.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it is there and cannot be read.
    pub fn certificate(&self) -> Result<Option<String>, StateError> {
        let bytes = read_bounded(&self.certificate_path(), FILE_MAX)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|s| s.trim().to_owned()))
    }

    /// Remembers that key and certificate were also written into `dir`, so that giving the
    /// credential back deletes them there too. Answers the whole path.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep_place(&self, dir: &Path) -> Result<PathBuf, StateError> {
        let dir = dir.canonicalize().map_err(|error| at(dir, error))?;
        write_private(&self.dir.join(PLACE), dir.as_os_str().as_bytes())?;
        Ok(dir)
    }

    /// Deletes everything kept of the request, here and where it was written to.
    ///
    /// # Errors
    ///
    /// [`StateError`] if something is left.
    pub fn forget(&self) -> Result<(), StateError> {
        self.clear_place()?;
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(&self.dir, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Deletes the copies elsewhere, unless another credential has taken their place since.
    fn clear_place(&self) -> Result<(), StateError> {
        let Some(place) = read_bounded(&self.dir.join(PLACE), FILE_MAX)? else { return Ok(()) };
        let place = Path::new(OsStr::from_bytes(&place));
        let there = read_bounded(&place.join("id-cert.pub"), FILE_MAX)?;
        if there.is_none() || there != read_bounded(&self.certificate_path(), FILE_MAX)? {
            return Ok(());
        }
        for name in ["id", "id-cert.pub"] {
            fs::remove_file(place.join(name)).map_err(|error| at(place, error))?;
        }
        Ok(())
    }

    /// Where the private key is, in OpenSSH's format.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.dir.join("id")
    }

    /// Where the certificate is, under the name at which `ssh -i …/id` finds it.
    #[must_use]
    pub fn certificate_path(&self) -> PathBuf {
        self.dir.join("id-cert.pub")
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The key that a credential is bound to: Ed25519, made for one request.
///
/// Neither shown nor printed: there is no `Debug`.
pub struct SubjectKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SubjectKey {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the system gives no randomness.
    pub fn generate() -> Result<Self, Failure> {
        Self::from_seed(Zeroizing::new(entropy::bytes()?)).map_err(|rule| {
            Failure::new(Exit::Internal, format!("cannot make a key: {rule}"), "", "")
        })
    }

    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|error| error.to_string())?;
        let raw = pair.public_key().as_ref();
        let raw: [u8; 32] = raw.try_into().map_err(|_| "not 32 bytes".to_owned())?;
        let line = ssh_key::PublicKey::from(Ed25519PublicKey(raw)).to_openssh();
        let line = line.map_err(|error| error.to_string())?;
        let public = PublicKey::from_openssh(&line).map_err(|error| error.to_string())?;
        Ok(Self { seed, pair, public })
    }

    /// Its public part.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The 32 bytes that the private key is made from.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().unwrap_or_default()
    }

    /// Signs `message` (RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().unwrap_or([0; 64])
    }

    /// The private key in OpenSSH's format.
    ///
    /// # Errors
    ///
    /// [`StateError::Unencodable`].
    pub fn to_openssh(&self) -> Result<Zeroizing<String>, StateError> {
        let pair = Ed25519Keypair {
            public: Ed25519PublicKey(self.public_bytes()),
            private: Ed25519PrivateKey::from_bytes(&self.seed),
        };
        let key = PrivateKey::new(KeypairData::Ed25519(pair), "breakglass");
        key.and_then(|key| key.to_openssh(LineEnding::LF)).map_err(|_| StateError::Unencodable)
    }
}

const STATEMENT: &str = "statement";
const ISSUED: &str = "issued";
const PLACE: &str = "place";

/// Keys, certificates and statements are all below 8 KiB.
const FILE_MAX: u64 = 16_384;
