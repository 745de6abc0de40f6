//! A token (RFC 7519). Whether its signature is good is for those who take it; here it is compared with
//! the entry, which has its digest, and with what was asked.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Issued;
use breakglass_ledger::statement::{Ask, Kind};
use breakglass_ledger::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::{Credential, CredentialError, differs};
use crate::state::SubjectKey;

pub(super) fn read(text: &str) -> Result<Credential, CredentialError> {
    let text = text.trim().to_owned();
    let parts: Vec<&str> = text.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return Err(CredentialError::Form) };
    let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes());
    let [Ok(header), Ok(blob), Ok(signature)] =
        [header, claims, signature].map(|part| decode(part))
    else {
        return Err(CredentialError::Form);
    };
    let header = object(&header)?;
    let is = |key: &str, value: &str| header.get(key).and_then(Value::as_str) == Some(value);
    if !is("alg", "ES256") || !is("typ", "JWT") || signature.len() != SIGNATURE_BYTES {
        return Err(CredentialError::Form);
    }
    let claims = object(&blob)?;
    let word = |key: &str| claims.get(key).and_then(Value::as_str).ok_or(CredentialError::Form);
    let (_, seq) = word("jti")?.split_once('.').ok_or(CredentialError::Form)?;
    let serial = seq.parse().map_err(|_| CredentialError::Form)?;
    let end = claims.get("exp").and_then(Value::as_u64).ok_or(CredentialError::Form)?;
    let expires_at = Timestamp::from_unix_seconds(end);
    let name = word("sub")?.to_owned();
    let (principals, ends) = (vec![name.clone()], expires_at);
    Ok(Credential { kind: Kind::Jwt, text, blob, serial, expires_at, ends, principals, name })
}

pub(super) fn check(
    credential: &Credential,
    ask: &Ask,
    key: &SubjectKey,
    issued: &Issued,
) -> Result<(), CredentialError> {
    let digest = Digest::of(credential.text.as_bytes());
    differs(issued.token == Some(digest), "its digest, from the entry")?;
    let recorded = issued.claims.as_deref().map(str::as_bytes);
    differs(recorded == Some(&credential.blob), "its claims, from the entry")?;
    let claims = object(&credential.blob)?;
    let behind = ask.on_behalf_of.first().unwrap_or(&ask.by);
    differs(credential.name == format!("breakglass:{}:{behind}", ask.id), "its subject")?;
    let id = format!("{}.{}", ask.id, credential.serial);
    differs(claims.get("jti").and_then(Value::as_str) == Some(&id), "its id")?;
    // A list would let it into more than one place.
    differs(claims.get("aud").is_some_and(Value::is_string), "its audience")?;
    let bound_to = claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
    differs(bound_to.is_some() && bound_to == thumbprint(key).as_deref(), "its key")
}

fn object(text: &[u8]) -> Result<Value, CredentialError> {
    let value: Value = serde_json::from_slice(text).map_err(|_| CredentialError::Form)?;
    if value.is_object() { Ok(value) } else { Err(CredentialError::Form) }
}

/// RFC 7638 over the key as a JWK.
fn thumbprint(key: &SubjectKey) -> Option<String> {
    let (x, y) = key.point()?.get(1..)?.split_at_checked(COORDINATE_BYTES)?;
    let [x, y] = [x, y].map(|half| BASE64URL_NOPAD.encode(half));
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Some(BASE64URL_NOPAD.encode(Digest::of(jwk.as_bytes()).as_bytes()))
}

/// RFC 7518, section 3.4.
const SIGNATURE_BYTES: usize = 64;
const COORDINATE_BYTES: usize = 32;
