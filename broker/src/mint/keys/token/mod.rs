//! A key that stays in a PKCS#11 token: we know its public half, and ask for signatures.
//!
//! The public half is pinned in a file when the key is made or taken over. So the daemon starts, and
//! revokes, while the token is away; and a token with another key is not taken for ours.

mod module;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

/// Where a key is, and what opens it. It does not print: there is a PIN in it.
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
}

/// A token did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs11Error {
    /// The configuration does not say where the key is.
    #[error("the configuration does not say where the key is; add `[keys.{}] pkcs11 = …`", .0.name())]
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
    #[error("{0} {1} keys have its label; it has to be one")]
    Keys(usize, &'static str),
    /// The key there is not one that we use.
    #[error("the key there {0}")]
    Key(&'static str),
}

/// A key in a token.
pub(in crate::mint) struct TokenKey {
    role: Role,
    place: Option<TokenPlace>,
    public: Vec<u8>,
    /// Asking a token that is away takes seconds, in which nothing is revoked: so it is not asked.
    is_away: AtomicBool,
    why: Mutex<String>,
}

impl TokenKey {
    /// The key whose public half is `public`; looked at once, for what it is now.
    pub(super) fn of(role: Role, place: Option<TokenPlace>, public: &[u8]) -> Arc<Self> {
        let (is_away, why) = (AtomicBool::new(false), Mutex::new(String::new()));
        let key = Self { role, place, public: public.to_vec(), is_away, why };
        key.look();
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
        if let Err(error) = &signed {
            self.note(Some(crate::report::chain(error)));
        }
        signed.map_err(|source| MintError::Pkcs11 { role: self.role.name(), source })
    }

    fn try_sign(&self, message: &[u8]) -> Result<[u8; 64], Pkcs11Error> {
        if self.is_away.load(Ordering::SeqCst) {
            let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Err(Pkcs11Error::Away(why));
        }
        let place = self.place()?;
        let (message, curve) = (message.to_vec(), self.role.kind());
        let signature =
            Module::of(&place.module)?.ask(move |worker| worker.sign(&place, curve, &message))?;
        signature.try_into().map_err(|_| Pkcs11Error::Key("signs in another form"))
    }

    /// Looks whether the key is where it should be.
    fn look(&self) {
        let seen = self.place().and_then(|place| {
            let curve = self.role.kind();
            let public =
                Module::of(&place.module)?.ask(move |worker| worker.look(&place, curve))?;
            let is_ours = public == self.public;
            is_ours.then_some(()).ok_or(Pkcs11Error::Key("is another one than ours"))
        });
        self.note(seen.err().map(|error| crate::report::chain(&error)));
    }

    fn place(&self) -> Result<TokenPlace, Pkcs11Error> {
        self.place.clone().ok_or(Pkcs11Error::NotConfigured(self.role))
    }

    /// Remembers why it cannot be used, and says so once.
    fn note(&self, why: Option<String>) {
        let was_away = self.is_away.swap(why.is_some(), Ordering::SeqCst);
        let key = self.role.name();
        match (&why, was_away) {
            (Some(why), false) => {
                tracing::error!(key, why, "the token of a key cannot be used: it signs nothing");
            }
            (None, true) => tracing::info!(key, "the token of a key can be used again"),
            (Some(_), true) | (None, false) => {}
        }
        if let Some(why) = why {
            *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        }
    }
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
        let away = self.0.iter().filter(|key| key.is_away.load(Ordering::SeqCst));
        away.map(|key| (key.role, key.why.lock().unwrap_or_else(PoisonError::into_inner).clone()))
            .collect()
    }

    /// Whether the key of `role` can be used, as far as is known.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        let mut of_role = self.0.iter().filter(|key| key.role == role);
        of_role.all(|key| !key.is_away.load(Ordering::SeqCst))
    }
}
