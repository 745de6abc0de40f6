//! A key that stays in a PKCS#11 token: we know its public half, and ask for signatures.
//!
//! The public half is pinned in a file when the key is made or taken over. So the daemon starts, and
//! revokes, while the token is away; and a token with another key is not taken for ours.

mod module;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use breakglass_ledger::entry::KeyRole;
use cryptoki::types::AuthPin;

use self::module::Module;
use crate::mint::{MintError, Passphrase};

/// The keys that may be in a token, each with a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Signs SSH certificates. Ed25519.
    SshCa,
    /// Signs X.509 certificates, their list, and answers about them. P-256.
    X509Ca,
    /// Signs tokens. P-256.
    JwtKey,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SshCa, Self::X509Ca, Self::JwtKey];

    /// What may be in a token of the keys that can be replaced.
    pub(in crate::mint) const fn of(role: KeyRole) -> Option<Self> {
        match role {
            KeyRole::SshCa => Some(Self::SshCa),
            KeyRole::X509Ca => Some(Self::X509Ca),
            KeyRole::JwtKey => Some(Self::JwtKey),
            // What signs the lists for hosts, and the daemon's TLS, must not go away with a token:
            // revoking would end with it.
            KeyRole::Lists | KeyRole::TlsCa => None,
        }
    }

    /// As the configuration says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SshCa => "ssh-ca",
            Self::X509Ca => "x509-ca",
            Self::JwtKey => "jwt-key",
        }
    }

    const fn kind(self) -> Curve {
        match self {
            Self::SshCa => Curve::Ed25519,
            Self::X509Ca | Self::JwtKey => Curve::P256,
        }
    }
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    Ed25519,
    P256,
}

/// Where a key is or will be, and what opens it. It does not print: there is a PIN in it.
#[derive(Clone)]
pub struct TokenPlace {
    module: PathBuf,
    token: String,
    key: String,
    pin: AuthPin,
}

impl TokenPlace {
    /// The key labelled `key` in the token labelled `token`, through the library `module`.
    ///
    /// # Errors
    ///
    /// [`MintError::PassphraseForm`] if the PIN is not text.
    pub fn new(
        module: PathBuf,
        token: String,
        key: String,
        pin: &Passphrase,
    ) -> Result<Self, MintError> {
        let wrong = |_| MintError::PassphraseForm { rule: "is not UTF-8, as a PIN has to be" };
        let pin = std::str::from_utf8(pin.reveal()).map_err(wrong)?;
        Ok(Self { module, token, key, pin: AuthPin::from(pin.to_owned()) })
    }

    /// Whether both name the same key.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let name = |of: &Self| (of.module.clone(), of.token.clone(), of.key.clone());
        name(self) == name(other)
    }

    /// The key's label.
    pub(super) fn label(&self) -> &str {
        &self.key
    }
}

/// A token did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs11Error {
    /// The configuration does not say where the key is.
    #[error(
        "the configuration does not say where the key is: `[keys.{}] pkcs11 = …`, in the file given \
         with --config", .0.name()
    )]
    NotConfigured(Role),
    /// It could not be used when it was last looked at; it is looked at every few seconds.
    #[error("it cannot be used: {0}")]
    Away(String),
    /// It does not answer.
    #[error("it does not answer")]
    Silent,
    /// The library, or the token behind it, failed.
    #[error("cannot {doing}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// What the library said.
        source: cryptoki::error::Error,
    },
    /// The PIN was not taken. It is not tried again before the next start: a few tries lock a token.
    #[error(
        "its PIN was refused, and is not tried again, because a few tries lock a token; correct it \
         and start the daemon again"
    )]
    Pin,
    /// No token, or more than one, has the label.
    #[error("{0} tokens have its label; it has to be one")]
    Tokens(usize),
    /// No key, or more than one, has the label.
    #[error(
        "{0} {1} keys have its label; it has to be one (what was left half made is removed with the \
         token's own tool)"
    )]
    Keys(usize, &'static str),
    /// The key there is not one that we use.
    #[error("the key there {0}")]
    Key(&'static str),
}

/// A key in a token.
pub(in crate::mint) struct TokenKey {
    role: Role,
    /// Where keys of this role may be; its public half says which of them it is.
    places: Vec<TokenPlace>,
    public: Vec<u8>,
    /// Whether it signs, or will; one that does not is never looked for.
    signs: bool,
    standing: Mutex<Standing>,
}

/// What is known of a key. Asking a token that is away takes seconds, in which nothing is revoked: so it
/// is not asked.
#[derive(Default)]
struct Standing {
    /// Which of the places it was found at last.
    at: usize,
    /// Why it cannot be used.
    away: Option<String>,
}

/// Where a key in a token was found, or why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There.
    At {
        /// Label of the token.
        token: String,
        /// Label of the key.
        key: String,
    },
    /// Nowhere, and why.
    Away(String),
    /// It was not looked for: it signs nothing any more.
    Unasked,
}

impl TokenKey {
    /// The key whose public half is `public`, at one of `places`. One that signs is looked at once, for
    /// what it is now.
    pub(super) fn of(role: Role, places: &[TokenPlace], public: &[u8], signs: bool) -> Arc<Self> {
        let (public, places) = (public.to_vec(), places.to_vec());
        let standing = Mutex::new(Standing::default());
        let key = Self { role, places, public, signs, standing };
        if signs {
            key.look();
        }
        Arc::new(key)
    }

    /// Makes the key in its token, or takes over the one that is there: its public half.
    pub(super) fn found(role: Role, place: &TokenPlace) -> Result<Vec<u8>, MintError> {
        let (asked, curve) = (place.clone(), role.kind());
        let public = Module::of(&place.module)
            .and_then(|module| module.ask(move |worker| worker.find_or_make(&asked, curve)));
        public.map_err(|source| MintError::Pkcs11 { role: role.name(), source })
    }

    /// The 64 bytes over `message`, which is hashed already where the curve wants it.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], MintError> {
        let signed = self.try_sign(message);
        match &signed {
            // It was not asked: nothing is learnt, and the reason would grow by itself.
            Ok(_) | Err(Pkcs11Error::Away(_)) => {}
            Err(error) => self.note(Err(crate::report::chain(error))),
        }
        signed.map_err(|source| MintError::Pkcs11 { role: self.role.name(), source })
    }

    fn try_sign(&self, message: &[u8]) -> Result<[u8; 64], Pkcs11Error> {
        let place = {
            let standing = self.standing();
            if let Some(why) = &standing.away {
                return Err(Pkcs11Error::Away(why.clone()));
            }
            self.places.get(standing.at).filter(|_| self.signs).cloned()
        };
        let place = place.ok_or(Pkcs11Error::NotConfigured(self.role))?;
        let (message, curve) = (message.to_vec(), self.role.kind());
        let signature =
            Module::of(&place.module)?.ask(move |worker| worker.sign(&place, curve, &message))?;
        signature.try_into().map_err(|_| Pkcs11Error::Key("signs in another form"))
    }

    /// Looks whether the key is where it should be.
    fn look(&self) {
        self.note(self.find().map_err(|error| crate::report::chain(&error)));
    }

    /// Which of its places it is at: where it was last, or else any other.
    fn find(&self) -> Result<usize, Pkcs11Error> {
        let last = self.standing().at;
        let others = (0..self.places.len()).filter(|at| *at != last);
        let mut why = None;
        for at in std::iter::once(last).chain(others) {
            let Some(place) = self.places.get(at) else { continue };
            match look_at(place, self.role.kind()) {
                Ok(public) if public == self.public => return Ok(at),
                Ok(_) => {}
                // That there is another key elsewhere says less than that a place cannot be looked at.
                Err(error) => why = why.or(Some(error)),
            }
        }
        Err(why.unwrap_or(if self.places.is_empty() {
            Pkcs11Error::NotConfigured(self.role)
        } else {
            Pkcs11Error::Key("is another one than ours")
        }))
    }

    /// Remembers where it is, or why it cannot be used, and says so once.
    fn note(&self, found: Result<usize, String>) {
        let mut standing = self.standing();
        let was_away = standing.away.is_some();
        let key = self.role.name();
        match found {
            Ok(at) => *standing = Standing { at, away: None },
            Err(why) => standing.away = Some(why),
        }
        match (&standing.away, was_away) {
            (Some(why), false) => {
                tracing::error!(key, why, "the token of a key cannot be used: it signs nothing");
            }
            (None, true) => tracing::info!(key, "the token of a key can be used again"),
            (Some(_), true) | (None, false) => {}
        }
    }

    /// Where it is, as far as is known.
    pub(in crate::mint) fn whereabouts(&self) -> Found {
        let standing = self.standing();
        if let Some(why) = &standing.away {
            return Found::Away(why.clone());
        }
        match self.places.get(standing.at).filter(|_| self.signs) {
            Some(place) => Found::At { token: place.token.clone(), key: place.key.clone() },
            None => Found::Unasked,
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The public half of the key at `place`.
fn look_at(place: &TokenPlace, curve: Curve) -> Result<Vec<u8>, Pkcs11Error> {
    let asked = place.clone();
    Module::of(&place.module)?.ask(move |worker| worker.look(&asked, curve))
}

/// The keys in tokens, to be looked at every few seconds. Cheap to clone.
#[derive(Clone, Default)]
pub struct KeyTokens(Vec<Arc<TokenKey>>);

impl KeyTokens {
    pub(in crate::mint) const fn of(keys: Vec<Arc<TokenKey>>) -> Self {
        Self(keys)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks at each, which may take some seconds.
    pub fn look(&self) {
        self.0.iter().for_each(|key| key.look());
    }

    /// Those that cannot be used, each with why, for whoever has to look after it.
    #[must_use]
    pub fn away(&self) -> Vec<(Role, String)> {
        let away = |key: &Arc<TokenKey>| Some((key.role, key.standing().away.clone()?));
        self.0.iter().filter_map(away).collect()
    }

    /// Whether every key of `role` can be used, as far as is known: what an older one signed cannot be
    /// taken back without it.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        let mut of_role = self.0.iter().filter(|key| key.role == role);
        of_role.all(|key| key.standing().away.is_none())
    }
}
