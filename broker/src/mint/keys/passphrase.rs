//! The passphrase under which keys are encrypted at rest.

use zeroize::Zeroizing;

use crate::mint::MintError;

/// A passphrase. It neither prints nor compares; its memory is wiped.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The one line in `text`, with or without its end.
    ///
    /// # Errors
    ///
    /// [`MintError::PassphraseForm`] if it is empty, longer than a kilobyte, or more than one line.
    pub fn of(text: &[u8]) -> Result<Self, MintError> {
        let wrong = |rule| Err(MintError::PassphraseForm { rule });
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return wrong("is empty");
        }
        if line.len() > LENGTH_MAX {
            return wrong("is longer than 1024 bytes");
        }
        // Other tools would end it there, and read another one.
        if line.iter().any(u8::is_ascii_control) {
            return wrong("is more than one line, or has a control character in it");
        }
        Ok(Self(Zeroizing::new(line.to_vec())))
    }

    /// The same, for keys that are encrypted with it now.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of), and if it has fewer than 12 bytes: whoever holds a copy of the files can try
    /// for as long as they like.
    pub fn new(text: &[u8]) -> Result<Self, MintError> {
        let passphrase = Self::of(text)?;
        if passphrase.0.len() < LENGTH_MIN {
            let rule = "has fewer than 12 characters, and whoever holds a copy of the files can try \
                        for as long as they like";
            return Err(MintError::PassphraseForm { rule });
        }
        Ok(passphrase)
    }

    /// The passphrase itself, for the one call that needs it.
    pub(super) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

/// Longest passphrase, in bytes: as OpenSSL's tools read them.
pub const LENGTH_MAX: usize = 1024;
/// Shortest passphrase of new keys, in bytes.
const LENGTH_MIN: usize = 12;
