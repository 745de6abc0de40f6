//! The public half of the key that signs tokens.

use std::fmt;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::key::{KeyType, PublicKey};
use data_encoding::BASE64URL_NOPAD;

use crate::sshwire::Reader;

/// A P-256 public key as tokens name it.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtKey {
    /// SEC 1, 2.3.3: 4, then two coordinates of 32 bytes.
    point: [u8; 65],
    x: String,
    y: String,
    kid: String,
}

impl JwtKey {
    /// `key` as a key of tokens; `None` if it is not P-256.
    #[must_use]
    pub fn of(key: &PublicKey) -> Option<Self> {
        if key.key_type() != KeyType::EcdsaP256 {
            return None;
        }
        let mut wire = Reader::new(key.wire());
        wire.string().ok()?;
        wire.string().ok()?;
        Self::of_point(wire.string().ok()?)
    }

    /// The key with this uncompressed point; `None` if it is not of that form. Whether it lies on the
    /// curve shows when a signature is verified.
    #[must_use]
    pub fn of_point(point: &[u8]) -> Option<Self> {
        let point: [u8; 65] = point.try_into().ok()?;
        let (first, coordinates) = point.split_first()?;
        if *first != 4 {
            return None;
        }
        let (x, y) = coordinates.split_at_checked(32)?;
        let [x, y] = [x, y].map(|half| BASE64URL_NOPAD.encode(half));
        // RFC 7638, section 3: the required members alone, sorted, without blanks.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = BASE64URL_NOPAD.encode(Digest::of(members.as_bytes()).as_bytes());
        Some(Self { point, x, y, kid })
    }

    /// RFC 7638 thumbprint, SHA-256: what `kid` and `cnf.jkt` say.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.kid
    }

    /// The uncompressed point.
    #[must_use]
    pub const fn point(&self) -> &[u8; 65] {
        &self.point
    }

    /// As a JSON Web Key for verifying (RFC 7517, section 4), keys sorted, no blanks.
    pub(super) fn to_jwk(&self) -> String {
        let Self { x, y, kid, point: _ } = self;
        format!(
            r#"{{"alg":"ES256","crv":"P-256","kid":"{kid}","kty":"EC","use":"sig","x":"{x}","y":"{y}"}}"#
        )
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JwtKey").field(&self.kid).finish()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    /// RFC 7517, appendix A.1, first key; its thumbprint by twenty lines of Python.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let mut point = vec![4];
        for half in [
            "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        ] {
            point.extend(BASE64URL_NOPAD.decode(half.as_bytes()).unwrap());
        }
        let key = JwtKey::of_point(&point).unwrap();
        assert_eq!(key.thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
        assert_eq!(JwtKey::of_point(&point[1..]), None);
        point[0] = 2;
        assert_eq!(JwtKey::of_point(&point), None);
    }
}
