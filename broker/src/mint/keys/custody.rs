//! How the private keys are kept, as the operator says.

use std::collections::BTreeMap;

use super::{Passphrase, Role, TokenPlace};

/// How the private keys are kept. The default: files that are not encrypted.
#[derive(Default)]
pub struct Custody {
    passphrase: Option<Passphrase>,
    tokens: BTreeMap<Role, Vec<TokenPlace>>,
    is_moving: bool,
}

impl Custody {
    /// Files that are encrypted under `passphrase`, or not at all without one.
    #[must_use]
    pub const fn of(passphrase: Option<Passphrase>) -> Self {
        Self { passphrase, tokens: BTreeMap::new(), is_moving: false }
    }

    /// A key of `role` is at `place`, or will be. What is said last is where the newest one is: a key
    /// that is made is made there. Which key is at which place, their public halves say.
    #[must_use]
    pub fn with_token(mut self, role: Role, place: TokenPlace) -> Self {
        self.tokens.entry(role).or_default().push(place);
        self
    }

    /// For whoever replaces keys: a place that nothing is at yet is no fault.
    #[must_use]
    pub fn while_rotating(self) -> Self {
        Self { is_moving: true, ..self }
    }

    /// Where keys of `role` may be, the newest last.
    pub(super) fn places(&self, role: Role) -> &[TokenPlace] {
        self.tokens.get(&role).map_or(&[], Vec::as_slice)
    }

    /// Where a key of `role` is made; `None` if in a file.
    pub(super) fn newest(&self, role: Role) -> Option<&TokenPlace> {
        self.places(role).last()
    }

    pub(super) const fn is_moving(&self) -> bool {
        self.is_moving
    }

    pub(super) const fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }
}
