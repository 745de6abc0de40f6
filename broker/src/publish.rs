//! Revocation lists as files for `sshd`: replaced as a whole, never backwards, never half.
//!
//! ```text
//! lists/
//! ├── current -> 17        replaced by rename: `RevokedKeys …/lists/current/krl`
//! ├── 16/                  the lists before, for readers that are at them, and for people
//! └── 17/
//!     ├── krl              for sshd, mode 0644
//!     ├── krl.sig          SSHSIG over krl, namespace krl.v1@breakglass
//!     ├── crl.pem          for PostgreSQL, nginx, HAProxy, Envoy
//!     ├── crl.der          the same list, for whoever takes DER
//!     ├── openid-configuration   who issues tokens, where there are any
//!     └── jwks.json        by which keys
//! ```
//!
//! While nothing changes, the list for TLS servers is signed anew every few minutes: then it lies in
//! `17-1795348800/`, named by its second as well.
//!
//! List and signature change in the same instant, because one link leads to both. Whoever reads
//! both follows the link once and opens the two files in the directory it led to; whoever opens
//! `current/krl` and then `current/krl.sig` may meet two different lists and must read again.
//!
//! A crash at any moment leaves `current` as it was or as it should be: the new directory is complete
//! and durable, and was read back, before the link is replaced. A list that is missing, cut off or
//! malformed makes sshd refuse everybody, and one of zero bytes makes it refuse nobody, so none of
//! these is ever in place, not for a moment. Holds no key.

mod error;
mod kept;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::SshSig;

use crate::crl::{self, Issuer, SignedCrl};
use crate::deny::{self, SignedDeny};
use crate::jwt::Documents;
use crate::krl::{self, Krl, LIST_MAX, NAMESPACE, SignedList};

pub use error::PublishError;

/// The directory of lists of one authority. One publisher writes to it.
#[derive(Clone, Debug)]
pub struct Publisher {
    dir: PathBuf,
    authority: PublicKey,
    signer: PublicKey,
    x509: Option<Issuer>,
    documents: Option<Documents>,
    older: Vec<PublicKey>,
    older_x509: Vec<Issuer>,
}

/// What publishing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The list is in place now.
    Now,
    /// It was in place already.
    Before,
}

impl Publisher {
    /// Publishes in `dir`, which is made if it is missing, lists about certificates of `authority`,
    /// signed by `signer`, and about those of the X.509 authority with the certificate `x509` (PEM).
    ///
    /// # Errors
    ///
    /// [`PublishError::Io`] if the directory cannot be made, [`PublishError::X509`] if `x509` is not
    /// an authority's certificate.
    pub fn open(
        dir: &Path,
        authority: PublicKey,
        signer: PublicKey,
        x509: Option<&str>,
    ) -> Result<Self, PublishError> {
        let issuer = |pem| Issuer::from_pem(pem).ok_or(PublishError::X509);
        let x509 = x509.map(issuer).transpose()?;
        if !dir.try_exists().map_err(failed("look at", dir))? {
            create_dir(dir)?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync(parent)?;
            }
        }
        let (documents, older, older_x509) = (None, Vec::new(), Vec::new());
        Ok(Self { dir: dir.to_owned(), authority, signer, x509, documents, older, older_x509 })
    }

    /// The same, with the documents of who issues tokens beside each list.
    #[must_use]
    pub fn with(self, documents: Option<Documents>) -> Self {
        Self { documents, ..self }
    }

    /// The same, for lists that may also be about certificates of authorities before these: SSH keys
    /// `older`, and X.509 certificates `older_x509` (PEM).
    ///
    /// # Errors
    ///
    /// [`PublishError::X509`] if one of the latter is not an authority's certificate.
    pub fn with_older(
        self,
        older: Vec<PublicKey>,
        older_x509: &[String],
    ) -> Result<Self, PublishError> {
        let issuers = older_x509.iter().map(|pem| Issuer::from_pem(pem).ok_or(PublishError::X509));
        Ok(Self { older, older_x509: issuers.collect::<Result<_, _>>()?, ..self })
    }

    /// Puts `list` in place. When this returns, the next login is judged by it, whatever crashes.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; what was in place before still is, except that after a failing write of
    /// the directory itself (`Io` on it) either list may be, each of them whole.
    pub fn publish(&self, list: &SignedList) -> Result<Published, PublishError> {
        let offered = self.read(list)?;
        let there = self.place()?;
        let list = &self.with_older_crl(list, there.as_ref());
        let anew = there.as_ref().is_some_and(|(published, _)| *published == list.version);
        if let Some((published, name)) = there {
            if published > list.version {
                return Err(PublishError::Lower { published, offered: list.version });
            }
            if published == list.version
                && let Ok(there) = self.load(published, &name)
                && let Ok(same) = self.read(&there)
            {
                if same.runs() != offered.runs() {
                    return Err(PublishError::Conflict { version: list.version });
                }
                let has_all = there.deny.is_some() || list.deny.is_none();
                let has_all = has_all && self.has_documents(&name);
                if has_all && there.place() >= list.place() {
                    return Ok(Published::Before);
                }
            }
        }
        let name = self.write(list, anew)?;
        self.point_at(&name)?;
        self.prune(&name);
        Ok(Published::Now)
    }

    /// A list that comes without one for TLS servers gets the one published before: servers that find
    /// none refuse everybody, or nobody.
    fn with_older_crl(&self, list: &SignedList, there: Option<&(u64, String)>) -> SignedList {
        let mut list = list.clone();
        if let (None, Some((version, name)), true) = (&list.crl, there, self.x509.is_some()) {
            let older = self.load(*version, name).ok().filter(|older| self.read_crl(older).is_ok());
            list.crl = older.and_then(|older| older.crl);
        }
        list
    }

    /// The list in place, checked; `None` before the first.
    ///
    /// A reader that was overtaken by so many lists that its own is gone reads the newest.
    ///
    /// # Errors
    ///
    /// [`PublishError`] if it cannot be read, or is not a whole list with its signature.
    pub fn current(&self) -> Result<Option<SignedList>, PublishError> {
        loop {
            let Some((version, name)) = self.place()? else { return Ok(None) };
            let list = self.load(version, &name).and_then(|list| self.read(&list).map(|_| list));
            if list.is_ok() || self.place()? == Some((version, name)) {
                return list.map(Some);
            }
        }
    }

    /// Reads a list as a host would, and checks who signed it.
    fn read(&self, list: &SignedList) -> Result<Krl, PublishError> {
        let authorities: Vec<&[u8]> =
            std::iter::once(&self.authority).chain(&self.older).map(PublicKey::wire).collect();
        let read = krl::read_of(&list.krl, &authorities)?;
        if read.version != list.version {
            return Err(PublishError::Version { inside: read.version, offered: list.version });
        }
        let signature = SshSig::parse(&list.signature)?;
        signature.verify(NAMESPACE, &list.krl)?;
        if *signature.public_key() != self.signer {
            return Err(PublishError::Signer);
        }
        self.read_crl(list)?;
        self.read_deny(list)?;
        Ok(read)
    }

    /// Reads the list of denied tokens, and checks whose it is.
    fn read_deny(&self, list: &SignedList) -> Result<(), PublishError> {
        let Some(deny) = &list.deny else { return Ok(()) };
        let inside = deny::read(&deny.json)?.version;
        if inside != list.version {
            return Err(PublishError::Version { inside, offered: list.version });
        }
        let signature = SshSig::parse(&deny.signature)?;
        signature.verify(deny::NAMESPACE, deny.json.as_bytes())?;
        if *signature.public_key() == self.signer { Ok(()) } else { Err(PublishError::Signer) }
    }

    /// Reads the list for TLS servers as they would, and checks whose it is.
    fn read_crl(&self, list: &SignedList) -> Result<(), PublishError> {
        let (issuer, crl) = match (&self.x509, &list.crl) {
            // Its key is in a token that is away: what was published stays.
            (None | Some(_), None) => return Ok(()),
            (Some(issuer), Some(crl)) => (issuer, crl),
            (None, Some(_)) => return Err(PublishError::Incomplete),
        };
        let read = crl::read(&crl.der)?;
        if read.number != crl.number || read.number.version() > list.version {
            let inside = read.number.version();
            return Err(PublishError::Version { inside, offered: list.version });
        }
        let mut lists = vec![(issuer, read)];
        for (issuer, der) in self.older_x509.iter().zip(&crl.older) {
            lists.push((issuer, crl::read(der)?));
        }
        let all = crl::all_from_pem(crl.pem()).unwrap_or_default();
        let is_same = all.iter().eq(std::iter::once(&crl.der).chain(&crl.older))
            && crl.older.len() == self.older_x509.len();
        let are_theirs =
            lists.iter().all(|(issuer, read)| issuer.made(read) && read.number == crl.number);
        if is_same && are_theirs { Ok(()) } else { Err(PublishError::Signer) }
    }

    /// The version and the directory that `current` leads to.
    fn place(&self) -> Result<Option<(u64, String)>, PublishError> {
        let link = self.dir.join(CURRENT);
        match fs::read_link(&link) {
            Ok(target) => {
                let name = target.to_string_lossy().into_owned();
                let version = version_of(&name).ok_or(PublishError::Foreign { path: link })?;
                Ok(Some((version, name)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Not a link at all: somebody put something else there.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(PublishError::Foreign { path: link })
            }
            Err(error) => Err(failed("look at", &link)(error)),
        }
    }

    fn load(&self, version: u64, name: &str) -> Result<SignedList, PublishError> {
        let dir = self.dir.join(name);
        let krl = read_file(&dir.join(KRL))?;
        let signature = read_file(&dir.join(SIGNATURE))?;
        let signature = String::from_utf8_lossy(&signature).into_owned();
        let has_crl = self.x509.is_some() && dir.join(CRL_DER).exists();
        let crl = if has_crl { Some(self.load_crl(&dir)?) } else { None };
        let deny = load_deny(&dir)?;
        Ok(SignedList { version, krl, signature, crl, deny })
    }

    fn load_crl(&self, dir: &Path) -> Result<SignedCrl, PublishError> {
        let der = read_file(&dir.join(CRL_DER))?;
        let pem = String::from_utf8_lossy(&read_file(&dir.join(CRL_PEM))?).into_owned();
        let read = crl::read(&der)?;
        let (number, signed_at) = (read.number, read.this_update.plus(crl::BACKDATE_SECONDS));
        let older = crl::all_from_pem(&pem).unwrap_or_default().into_iter().skip(1).collect();
        Ok(SignedCrl::new(number, signed_at, der, older).found(pem))
    }

    /// Makes the list durable in a directory of its own, reads it back, and returns its name.
    fn write(&self, list: &SignedList, anew: bool) -> Result<String, PublishError> {
        let unfinished = self.dir.join(UNFINISHED);
        remove(&unfinished)?;
        create_dir(&unfinished)?;
        let mut files = vec![(KRL, list.krl.as_slice()), (SIGNATURE, list.signature.as_bytes())];
        if let Some(crl) = &list.crl {
            files.extend([(CRL_DER, crl.der.as_slice()), (CRL_PEM, crl.pem().as_bytes())]);
        }
        if let Some(deny) = &list.deny {
            let parts = [(DENY, deny.json.as_bytes()), (DENY_SIGNATURE, deny.signature.as_bytes())];
            files.extend(parts);
        }
        for (name, content) in files.into_iter().chain(self.documents()) {
            let path = unfinished.join(name);
            write_file(&path, content)?;
            if read_file(&path)? != content {
                return Err(PublishError::ReadBack { path });
            }
        }
        sync(&unfinished)?;
        let name = self.unused_name(list, anew)?;
        let path = self.dir.join(&name);
        fs::rename(&unfinished, &path).map_err(failed("put in place", &path))?;
        sync(&self.dir)?;
        Ok(name)
    }

    /// The documents about tokens, by the names of their files.
    fn documents(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.documents.iter().flat_map(|documents| {
            let Documents { configuration, jwks } = documents;
            [(CONFIGURATION, configuration.as_bytes()), (JWKS, jwks.as_bytes())]
        })
    }

    /// Whether those in the directory `name` say what they should, and are absent where there are none.
    fn has_documents(&self, name: &str) -> bool {
        let there = |file| read_file(&self.dir.join(name).join(file)).ok();
        let ours: Vec<_> = self.documents().collect();
        [CONFIGURATION, JWKS].into_iter().all(|file| {
            let wanted = ours.iter().find(|(name, _)| *name == file).map(|(_, content)| *content);
            there(file).as_deref() == wanted
        })
    }

    /// The version; with the second of its signing if it was signed `anew`, or if that name is taken by
    /// a list that is damaged or was never published.
    fn unused_name(&self, list: &SignedList, anew: bool) -> Result<String, PublishError> {
        let version = list.version;
        let plain = (!anew).then(|| version.to_string()).into_iter();
        let second = list.crl.as_ref().map_or(0, |crl| crl.signed_at.unix_seconds());
        let repairs = (second..).take(REPAIRS_MAX).skip_while(|n| *n == 0);
        for name in plain.chain(repairs.map(|n| format!("{version}-{n}"))) {
            let path = self.dir.join(&name);
            if !path.try_exists().map_err(failed("look at", &path))? {
                return Ok(name);
            }
        }
        Err(PublishError::Foreign { path: self.dir.clone() })
    }

    fn point_at(&self, name: &str) -> Result<(), PublishError> {
        let (link, fresh) = (self.dir.join(CURRENT), self.dir.join(FRESH_LINK));
        remove(&fresh)?;
        symlink(name, &fresh).map_err(failed("create", &fresh))?;
        fs::rename(&fresh, &link).map_err(failed("replace", &link))?;
        sync(&self.dir)
    }

    /// Removes all but the newest lists. The list is in place by now, so trouble is only told.
    fn prune(&self, current: &str) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut old: Vec<(u64, u64, String)> = names
            .filter(|name| name != current)
            .filter_map(|name| numbers_of(&name).map(|(version, second)| (version, second, name)))
            .collect();
        old.sort_unstable_by(|one, other| other.cmp(one));
        for (_, _, name) in old.iter().skip(KEPT) {
            if let Err(error) = remove(&self.dir.join(name)) {
                tracing::warn!(%error, "an old revocation list was not removed");
            }
        }
    }
}

/// The list of denied tokens in `dir`; lists of older versions of this program had none.
fn load_deny(dir: &Path) -> Result<Option<SignedDeny>, PublishError> {
    let path = dir.join(DENY);
    if !path.try_exists().map_err(failed("look at", &path))? {
        return Ok(None);
    }
    let text =
        |path: &Path| read_file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (json, signature) = (text(&path)?, text(&dir.join(DENY_SIGNATURE))?);
    Ok(Some(SignedDeny { json, signature }))
}

/// The version in a directory's name; `None` if it is not one of ours.
fn version_of(name: &str) -> Option<u64> {
    numbers_of(name).map(|(version, _)| version)
}

/// The version and what follows it in a directory's name; `None` if it is not one of ours.
fn numbers_of(name: &str) -> Option<(u64, u64)> {
    let (version, suffix) = name.split_once('-').unwrap_or((name, "0"));
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    Some((number(version)?, number(suffix)?))
}

fn create_dir(path: &Path) -> Result<(), PublishError> {
    DirBuilder::new().mode(DIR_MODE).create(path).map_err(failed("create", path))?;
    // The umask may have taken bits away.
    let permissions = fs::Permissions::from_mode(DIR_MODE);
    fs::set_permissions(path, permissions).map_err(failed("create", path))
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), PublishError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(failed("create", path))?;
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE)).map_err(failed("create", path))?;
    file.write_all(content).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("write", path))
}

/// Reads a file of at most [`FILE_MAX`] bytes; a longer one comes cut, and is then no list.
fn read_file(path: &Path) -> Result<Vec<u8>, PublishError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let most = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content).map_err(failed("read", path))?;
    Ok(content)
}

/// Removes a directory with what is in it, or a file, or nothing.
fn remove(path: &Path) -> Result<(), PublishError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(failed("remove", path))
}

fn sync(dir: &Path) -> Result<(), PublishError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Io { doing, path, source }
}

/// Names in the directory.
const CURRENT: &str = "current";
const FRESH_LINK: &str = "current.new";
const UNFINISHED: &str = "unfinished";
const KRL: &str = "krl";
const SIGNATURE: &str = "krl.sig";
const CRL_DER: &str = "crl.der";
const CRL_PEM: &str = "crl.pem";
const DENY: &str = "denied.json";
const DENY_SIGNATURE: &str = "denied.json.sig";
const CONFIGURATION: &str = "openid-configuration";
const JWKS: &str = "jwks.json";
/// Longest file that is read: PEM takes four bytes for three, and a line feed for 64.
const FILE_MAX: usize = if LIST_MAX > crl::DER_MAX { LIST_MAX } else { crl::DER_MAX } / 2 * 3;
/// Everybody may read: sshd does before it knows who comes.
const FILE_MODE: u32 = 0o644;
const DIR_MODE: u32 = 0o755;
/// Lists kept besides the one in place, so that a reader who has just followed the link finds them.
const KEPT: usize = 8;
/// Most names tried for one version; each was taken by a list that was found damaged.
const REPAIRS_MAX: usize = 100;

#[cfg(test)]
mod tests;
