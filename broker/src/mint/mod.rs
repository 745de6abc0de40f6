//! The only holder of private keys: certificates, revocation lists, checkpoints, the daemon's TLS.
//!
//! A credential is signed only against a [`Clearance`](breakglass_rules::Clearance), which is used
//! up by it, and is read again by a second hand (`examine`) before it is given out. There is no
//! general "sign these bytes". It knows no store and no clock; what time it is comes with each call.

mod error;
mod examine;
mod generations;
mod jwt;
mod keys;
mod lists;
mod pem;
mod sample;
mod ssh;
mod tls;
mod x509;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::key::{KeyType, PublicKey};
use breakglass_ledger::note::{Checkpoint, SignedCheckpoint, VerifierKey};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;

use crate::crl::Entries;
use crate::deny::SignedDeny;
use crate::entropy::Entropy;
use crate::jwt::{Documents, Issuer, JwtKey};
use crate::sshwire::put_string;

pub use crate::crl::SignedCrl;
pub use crate::krl::SignedList;
pub use error::MintError;
pub use generations::{Held, OtherKey, RoleKey, Stage, key_named};
pub use jwt::JwtCredential;
pub use keys::{
    Custody, Found, KeyTokens, NextKey, PASSPHRASE_MAX, Passphrase, Pkcs11Error, Role, TokenPlace,
};
pub use sample::SamplePerson;
pub use ssh::SshCredential;
pub use tls::SERVER_NAME;
pub use x509::{OcspSigner, X509Credential};

use keys::generations::Private;
use keys::{Ed25519Key, Keys};

/// The broker's private keys, and what they may be used for.
///
/// It shows itself to nobody, neither by `Debug` nor by `Display`:
///
/// ```compile_fail,E0277
/// fn show(mint: &breakglass_broker::mint::Mint) -> String {
///     format!("{mint:?}")
/// }
/// ```
pub struct Mint {
    log: Ed25519Key,
    ssh_ca: Ed25519Key,
    lists: Ed25519Key,
    tls: Arc<tls::Authority>,
    x509: Option<Arc<x509::Authority>>,
    jwt: Option<jwt::SigningKey>,
    /// Authorities before `x509`, oldest first, each with the entry before which all it signed is.
    older_x509: Vec<(u64, Arc<x509::Authority>)>,
    /// Our keys in SSH's form: never the subject of a certificate.
    own: Vec<PublicKey>,
    public: PublicParts,
    tokens: KeyTokens,
    held: Vec<(KeyRole, Option<Stage>, Held)>,
}

/// What everybody may know about the broker's keys.
#[derive(Clone, Debug)]
pub struct PublicParts {
    /// Which ledger this broker writes.
    pub origin: Origin,
    /// Verifies its checkpoints.
    pub log: VerifierKey,
    /// Signs SSH user certificates: what hosts put into `TrustedUserCAKeys`.
    pub ssh_ca: PublicKey,
    /// Signs revocation lists.
    pub lists: PublicKey,
    /// The authority over the daemon's TLS certificates, DER: what clients pin.
    pub tls_ca_der: Vec<u8>,
    /// The authority over X.509 client certificates, PEM: what TLS servers trust. `None` where the
    /// keys are older than it.
    pub x509_ca: Option<String>,
    /// Signs tokens: what stands in the key set. `None` where the keys are older than it.
    pub jwt_key: Option<JwtKey>,
    /// Whom tokens name as their issuer. `None` until the configuration names one.
    pub issuer: Option<Issuer>,
    /// Keys besides the current ones: old ones from the oldest on, then those that come next.
    pub others: Vec<OtherKey>,
}

impl PublicParts {
    /// [`tls_ca_der`](Self::tls_ca_der) as PEM text.
    #[must_use]
    pub fn tls_ca_pem(&self) -> String {
        String::from_utf8_lossy(&pem::encode("CERTIFICATE", &self.tls_ca_der)).into_owned()
    }

    /// The kinds of credentials that can be minted with these keys, for this issuer.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let x509 = self.x509_ca.is_some().then_some(Kind::X509);
        let jwt = self.documents().map(|_| Kind::Jwt);
        [Some(Kind::Ssh), x509, jwt].into_iter().flatten().collect()
    }

    /// What verifiers of tokens fetch; `None` where no tokens are signed.
    #[must_use]
    pub fn documents(&self) -> Option<Documents> {
        let (issuer, _) = (self.issuer.as_ref()?, self.jwt_key.as_ref()?);
        Some(Documents::of(issuer, &self.jwt_keys()))
    }

    /// [`jwt_key`](Self::jwt_key) as an SSH public key: as the ledger names it.
    ///
    /// # Errors
    ///
    /// [`MintError::WeakKey`] if it is not a point of its curve.
    pub fn jwt_ssh_key(&self) -> Result<Option<PublicKey>, MintError> {
        self.jwt_key.as_ref().map(|key| x509::ssh_form(key.point())).transpose()
    }
}

impl Mint {
    /// Makes fresh keys in the directory `keys` inside `dir`, which exists: all of them or none.
    ///
    /// Files have mode 0600 and the directory 0700. The certificates of the authorities over TLS and
    /// X.509 begin an hour before `now`, the second names `deployment`. Their keys, and that of tokens,
    /// are always drawn from the system; the others from `entropy`.
    ///
    /// # Errors
    ///
    /// [`MintError::Exists`] if there are keys already, which stay as they are; any other if the
    /// keys could not be made durable.
    pub fn create(
        dir: &Path,
        deployment: &str,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(), MintError> {
        Self::create_in(dir, deployment, &Custody::default(), entropy, now)
    }

    /// As [`create`](Self::create), kept as `custody` says.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_in(
        dir: &Path,
        deployment: &str,
        custody: &Custody,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(), MintError> {
        keys::create(dir, deployment, custody, entropy, now)
    }

    /// Encrypts the private keys in the directory `keys` inside `dir` under `to` (without it they are not
    /// encrypted any more) and answers how many there are. Those that are encrypted open under `from` or
    /// `to`. All change in one step; the older files are wiped. Nobody else may be at it.
    ///
    /// # Errors
    ///
    /// [`MintError`]: what is in `keys` is then still what it was, or already what it should be.
    pub fn rewrap(
        dir: &Path,
        from: Option<&Passphrase>,
        to: Option<&Passphrase>,
        entropy: &dyn Entropy,
    ) -> Result<usize, MintError> {
        keys::rewrap(dir, from, to, entropy)
    }

    /// Wipes what an interrupted [`rewrap`](Self::rewrap) left beside the keys in `dir`.
    ///
    /// # Errors
    ///
    /// [`MintError::Io`] if it cannot be removed.
    pub fn clear_interrupted(dir: &Path) -> Result<(), MintError> {
        keys::clear(dir)
    }

    /// Opens the keys in the directory `keys` inside `dir`.
    ///
    /// # Errors
    ///
    /// [`MintError::Permissions`] if anybody but the owner may reach one, [`MintError::Deployment`]
    /// if `deployment` is not a name; any other if a file is missing or not what it should be.
    pub fn open(dir: &Path, deployment: &str) -> Result<Self, MintError> {
        Self::open_in(dir, deployment, &Custody::default())
    }

    /// As [`open`](Self::open), of keys that are kept as `custody` says.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); and if a key is not encrypted though there is a passphrase, or the other
    /// way round.
    pub fn open_in(dir: &Path, deployment: &str, custody: &Custody) -> Result<Self, MintError> {
        let Keys { log, ssh_ca, lists, tls_ca, tls_ca_der, x509, jwt, others } =
            keys::open(dir, custody)?;
        let origin = Origin::new(deployment, log.public())?;
        let verifier = VerifierKey::of_log(&origin, log.public())?;
        let mut held = generations::held_now(&ssh_ca, x509.as_ref(), jwt.as_ref());
        let jwt = jwt.map(jwt::SigningKey::of).transpose()?;
        let mut public = PublicParts {
            origin,
            log: verifier,
            ssh_ca: ssh_key_of(ssh_ca.public())?,
            lists: ssh_key_of(lists.public())?,
            tls_ca_der,
            x509_ca: x509.as_ref().map(x509::Authority::to_pem),
            jwt_key: jwt.as_ref().map(|key| key.public().clone()),
            issuer: None,
            others: Vec::new(),
        };
        let mut own = vec![
            ("ssh-ca", public.ssh_ca.clone()),
            ("lists", public.lists.clone()),
            ("log", ssh_key_of(log.public())?),
            ("tls-ca", x509::ssh_form(tls_ca.point())?),
        ];
        let x509_form = x509.as_ref().map(x509::Authority::ssh_form).transpose()?;
        own.extend(x509_form.map(|key| ("x509-ca", key)));
        own.extend(public.jwt_ssh_key()?.map(|key| ("jwt-key", key)));
        let mut in_tokens = vec![
            ssh_ca.token().cloned(),
            x509.as_ref().and_then(|authority| authority.key().token().cloned()),
            jwt.as_ref().and_then(|jwt| jwt.key().token().cloned()),
        ];
        let mut older_x509 = Vec::new();
        for kept in others {
            let (other, key) = generations::public_of(&kept)?;
            own.push((other.key.role().name(), key));
            public.others.push(other);
            let (role, token) = (kept.private.role(), kept.private.token().cloned());
            held.push((role, Some(kept.stage), Held::of(token.as_ref())));
            if let (Private::X509Ca(authority), Stage::Old { until }) = (kept.private, kept.stage) {
                // It goes on signing its list: while its token is away, that one cannot be made.
                in_tokens.push(token);
                older_x509.push((until, Arc::new(authority)));
            }
        }
        let own = distinct(own)?;
        let tls = Arc::new(tls::Authority::open(tls_ca, &public.tls_ca_der)?);
        let tokens = KeyTokens::of(in_tokens.into_iter().flatten().collect());
        let x509 = x509.map(Arc::new);
        Ok(Self { log, ssh_ca, lists, tls, x509, jwt, older_x509, own, public, tokens, held })
    }

    /// Tokens name `issuer` from now on; without one none is signed.
    pub fn issue_as(&mut self, issuer: Option<Issuer>) {
        self.public.issuer = issuer;
    }

    /// What everybody may know.
    #[must_use]
    pub const fn public(&self) -> &PublicParts {
        &self.public
    }

    /// The keys that are in tokens: what is to be looked at while the broker runs.
    #[must_use]
    pub fn tokens(&self) -> KeyTokens {
        self.tokens.clone()
    }

    /// Whether a credential of this kind can be signed, and taken back, as far as is known.
    #[must_use]
    pub fn can_sign(&self, kind: Kind) -> bool {
        self.tokens.has(match kind {
            Kind::Ssh => Role::SshCa,
            Kind::X509 => Role::X509Ca,
            Kind::Jwt => Role::JwtKey,
        })
    }

    /// Signs a checkpoint of this broker's own log: the note's text.
    ///
    /// # Errors
    ///
    /// [`MintError::ForeignCheckpoint`] if it is of another log.
    pub fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<String, MintError> {
        if checkpoint.origin != self.public.origin {
            return Err(MintError::ForeignCheckpoint);
        }
        let signature = self.log.sign(checkpoint.body().as_bytes())?;
        Ok(SignedCheckpoint::assemble(checkpoint, &self.public.log, &signature))
    }

    /// Makes and signs the list that revokes exactly the serials `revoked` (ascending).
    ///
    /// It is read back before it is signed.
    ///
    /// # Errors
    ///
    /// [`MintError::List`] if the serials do not ascend or include 0, [`MintError::ListMismatch`]
    /// if what was written does not say what it should. Nothing was signed.
    pub fn krl(
        &self,
        revoked: &[u64],
        version: u64,
        generated: Timestamp,
    ) -> Result<SignedList, MintError> {
        lists::make(&self.public, &self.lists, revoked, version, generated)
    }

    /// Makes and signs the lists that go together: SSH serials `revoked` (ascending) and the X.509
    /// certificates of `entries`, the second dated `signed_at`.
    ///
    /// # Errors
    ///
    /// As [`krl`](Self::krl) and [`crl_of`](Self::crl_of). Nothing was handed out. If the second is not
    /// signed because its key is in a token that is away, the first comes alone.
    pub fn lists(
        &self,
        revoked: &[u64],
        entries: &Entries,
        version: u64,
        generated: Timestamp,
        signed_at: Timestamp,
    ) -> Result<SignedList, MintError> {
        let crl = match self.crl_of(entries, version, signed_at) {
            // What hosts read must not wait for a token that only TLS servers need.
            Err(MintError::Pkcs11 { .. }) => None,
            crl => crl?,
        };
        Ok(SignedList { crl, ..self.krl(revoked, version, generated)? })
    }

    /// Who answers for single X.509 certificates, beside and not behind whoever decides: the authority of
    /// now, then those of before that are still held, from the oldest on; none if this broker has no X.509
    /// authority.
    #[must_use]
    pub fn ocsp(&self) -> Vec<OcspSigner> {
        let mut from = 0;
        let mut older = Vec::new();
        for (until, authority) in &self.older_x509 {
            older.push(OcspSigner::of(Arc::clone(authority), from..*until));
            from = *until;
        }
        let current = self.x509.clone().map(|authority| OcspSigner::of(authority, from..u64::MAX));
        current.into_iter().chain(older).collect()
    }

    /// Makes and signs the list of tokens that are `denied`, each by its `jti`.
    ///
    /// # Errors
    ///
    /// [`MintError::Deny`] if there are too many. Nothing was signed.
    pub fn deny(
        &self,
        denied: Vec<String>,
        version: u64,
        generated: Timestamp,
    ) -> Result<SignedDeny, MintError> {
        lists::deny(&self.public, &self.lists, denied, version, generated)
    }

    /// The daemon's TLS: 1.3 only, HTTP/2 only, no session resumption.
    ///
    /// The server certificate names [`SERVER_NAME`], `names` and `addresses`, is valid for seven
    /// days, and is replaced by itself at a handshake after half of them. `now` is asked at every
    /// handshake.
    ///
    /// # Errors
    ///
    /// [`MintError::ServerName`] if a name cannot stand in a certificate; any other if none could be
    /// made.
    pub fn tls(
        &self,
        names: &[String],
        addresses: &[IpAddr],
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Arc<rustls::ServerConfig>, MintError> {
        tls::server_config(Arc::clone(&self.tls), names, addresses, now)
    }
}

/// The keys by themselves, if none serves two purposes: a signature of one kind must never be taken for
/// another.
fn distinct(keys: Vec<(&'static str, PublicKey)>) -> Result<Vec<PublicKey>, MintError> {
    let mut own: Vec<PublicKey> = Vec::new();
    for (name, key) in &keys {
        let mut before = keys.iter().take(own.len());
        if let Some((other, _)) = before.find(|(of, other)| of != name && other == key) {
            return Err(MintError::Shared(other, name));
        }
        own.push(key.clone());
    }
    Ok(own)
}

/// An Ed25519 public key in SSH's form (RFC 8709, section 4).
fn ssh_key_of(raw: &[u8; 32]) -> Result<PublicKey, MintError> {
    let mut wire = Vec::new();
    put_string(&mut wire, KeyType::Ed25519.name().as_bytes());
    put_string(&mut wire, raw);
    PublicKey::from_wire(&wire).map_err(|_| MintError::WeakKey)
}

#[cfg(test)]
mod tests;
