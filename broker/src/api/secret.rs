//! A caller's secret: 256 random bits in a form that scanners of leaked secrets can find.

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};

/// What every secret begins with.
const MARK: &str = "bgcaller_";

/// Random bytes in one.
const BYTES: usize = 32;

/// A new secret.
///
/// # Errors
///
/// [`EntropyError`] if there is no randomness.
pub(super) fn fresh(entropy: &dyn Entropy) -> Result<Zeroizing<String>, EntropyError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    entropy.fill(bytes.as_mut_slice())?;
    let text = Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()));
    Ok(Zeroizing::new(format!("{MARK}{}", text.as_str())))
}

/// Whether `text` has the form of one. What a person could have thought of has not, so that the digest
/// of a password in the configuration lets nobody in.
pub(super) fn is_one(text: &str) -> bool {
    let random = text.strip_prefix(MARK).map(|rest| BASE64URL_NOPAD.decode(rest.as_bytes()));
    matches!(random, Some(Ok(bytes)) if bytes.len() == BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn a_fresh_one_is_one_and_a_password_is_none() {
        let secret = fresh(&SeededEntropy::new(1)).unwrap();
        assert_eq!(secret.len(), MARK.len() + 43);
        assert!(is_one(&secret));
        assert_ne!(*secret, *fresh(&SeededEntropy::new(2)).unwrap());
        for other in ["", "hunter2", "bgcaller_", "bgcaller_aaaa", &secret[1..], &secret[9..]] {
            assert!(!is_one(other), "{other}");
        }
        assert!(!is_one(&format!("{}=", *secret)));
    }
}
