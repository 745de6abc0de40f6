//! How the private keys are kept, as the operator says.

use super::Passphrase;

/// How the private keys are kept. The default: files that are not encrypted.
#[derive(Default)]
pub struct Custody {
    passphrase: Option<Passphrase>,
}

impl Custody {
    /// Files that are encrypted under `passphrase`, or not at all without one.
    #[must_use]
    pub const fn of(passphrase: Option<Passphrase>) -> Self {
        Self { passphrase }
    }

    pub(super) const fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }
}
