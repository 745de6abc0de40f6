//! The four allowed types of keys, and the refusal of every other.

use std::fmt;

use super::KeyError;

/// Longest type name quoted back in an error, in bytes: longer than any that OpenSSH has.
const TYPE_NAME_MAX: usize = 64;

/// The allowed types of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// `ssh-ed25519`
    Ed25519,
    /// `ecdsa-sha2-nistp256`
    EcdsaP256,
    /// `sk-ssh-ed25519@openssh.com`: Ed25519 in a FIDO security key.
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`: P-256 in a FIDO security key.
    SkEcdsaP256,
}

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ed25519, Self::EcdsaP256, Self::SkEd25519, Self::SkEcdsaP256];

    /// OpenSSH's name, of the key and of its signatures alike.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The type of this name, or which kind of wrong it is.
    pub(super) fn named(name: &[u8]) -> Result<Self, KeyError> {
        if let Some(known) = Self::ALL.into_iter().find(|known| known.name().as_bytes() == name) {
            return Ok(known);
        }
        // What is not even a name (RFC 4251, 6) is not quoted back.
        let is_name = !name.is_empty()
            && name.len() <= TYPE_NAME_MAX
            && name.iter().all(u8::is_ascii_graphic);
        match str::from_utf8(name) {
            Ok(name) if is_name => Err(KeyError::Type(name.to_owned())),
            Ok(_) | Err(_) => Err(KeyError::Malformed),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
