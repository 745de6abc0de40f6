//! The key that signs tokens, and nothing else.

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::jwt::JwtKey;
use crate::mint::MintError;
use crate::mint::keys::P256Key;

/// The private key with its name. Shows itself to nobody.
pub(in crate::mint) struct SigningKey {
    key: P256Key,
    public: JwtKey,
}

impl SigningKey {
    /// `key`, for tokens.
    pub(in crate::mint) fn of(key: P256Key) -> Result<Self, MintError> {
        let public = JwtKey::of_point(key.public()).ok_or(MintError::WeakKey)?;
        Ok(Self { key, public })
    }

    /// The key itself.
    pub(in crate::mint) const fn key(&self) -> &P256Key {
        &self.key
    }

    /// Its public half.
    pub(in crate::mint) const fn public(&self) -> &JwtKey {
        &self.public
    }

    /// The token with these claims (RFC 7515, section 7.1).
    pub(super) fn sign(&self, claims: &str) -> Result<Zeroizing<String>, MintError> {
        let header =
            format!(r#"{{"alg":"ES256","kid":"{}","typ":"JWT"}}"#, self.public.thumbprint());
        let mut token = BASE64URL_NOPAD.encode(header.as_bytes());
        token.push('.');
        BASE64URL_NOPAD.encode_append(claims.as_bytes(), &mut token);
        let signature = self.key.sign(token.as_bytes())?;
        // Until here it is public; with its signature it lets people in.
        let room = token.len().saturating_add(SIGNATURE_CHARS);
        let mut whole = Zeroizing::new(String::with_capacity(room));
        whole.push_str(&token);
        whole.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut whole);
        Ok(whole)
    }
}

/// A dot, and 64 bytes in base64url: room from the start, because growing would leave copies behind.
const SIGNATURE_CHARS: usize = 87;
