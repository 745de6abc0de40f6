//! How the private keys are kept, as the operator says.

use std::collections::BTreeMap;

use super::{Passphrase, Role, TokenPlace};

/// How the private keys are kept. The default: files that are not encrypted.
#[derive(Default)]
pub struct Custody {
    passphrase: Option<Passphrase>,
    tokens: BTreeMap<Role, TokenPlace>,
}

impl Custody {
    /// Files that are encrypted under `passphrase`, or not at all without one.
    #[must_use]
    pub const fn of(passphrase: Option<Passphrase>) -> Self {
        Self { passphrase, tokens: BTreeMap::new() }
    }

    /// The key of `role` is in a token.
    #[must_use]
    pub fn with_token(mut self, role: Role, place: TokenPlace) -> Self {
        self.tokens.insert(role, place);
        self
    }

    pub(super) fn token(&self, role: Role) -> Option<&TokenPlace> {
        self.tokens.get(&role)
    }

    pub(super) const fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }
}
