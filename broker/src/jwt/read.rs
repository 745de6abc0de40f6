//! Reads a token, and believes nothing in it before its signature: the algorithm is ours to say, and
//! the key is looked up, never taken from the token.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;

use super::TOKEN_MAX_BYTES;
use super::claims::Claims;
use super::error::TokenError;
use super::key::JwtKey;

/// The protected header (RFC 7515, section 4): these three, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// The claims of `token`, if one of `keys` has signed it and it has exactly the form of ours.
///
/// Whether it is good now, for whom it is meant and whether it was revoked is for the caller to ask.
/// Takes time that depends on the token, which its bearer knows.
///
/// # Errors
///
/// [`TokenError`], which never quotes the token.
pub fn read(token: &str, keys: &[JwtKey]) -> Result<Claims, TokenError> {
    if token.len() > TOKEN_MAX_BYTES {
        return Err(TokenError::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Form)?;
    let (header_text, claims) = (decode(header)?, decode(claims)?);
    let key = key_of(&header_text, keys)?;
    // One spelling of the header too: what says the same in other words was not made here.
    if header_text != header_of(key).as_bytes() {
        return Err(TokenError::Header);
    }
    verify(signed.as_bytes(), &decode(signature)?, key)?;
    Claims::read(&claims)
}

/// The header of every token by `key`: sorted, without blanks.
fn header_of(key: &JwtKey) -> String {
    format!(r#"{{"alg":"ES256","kid":"{}","typ":"JWT"}}"#, key.thumbprint())
}

fn key_of<'a>(header: &[u8], keys: &'a [JwtKey]) -> Result<&'a JwtKey, TokenError> {
    let header: Header = serde_json::from_slice(header).map_err(|_| TokenError::Header)?;
    if header.alg != "ES256" {
        return Err(TokenError::Algorithm);
    }
    if header.typ != "JWT" {
        return Err(TokenError::Type);
    }
    let named = keys.iter().find(|key| key.thumbprint() == header.kid);
    named.ok_or(TokenError::Key)
}

/// RFC 7518, section 3.4: the two numbers of the signature, 32 bytes each.
fn verify(signed: &[u8], signature: &[u8], key: &JwtKey) -> Result<(), TokenError> {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.point());
    key.verify(signed, signature).map_err(|_| TokenError::Signature)
}

/// Strict: no padding, no blanks, no bits left over.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Form)
}
