//! Tokens: are their claims the ones decided on, and nothing more?
//!
//! The token itself is nowhere kept, so its signature is for those who hold it; the text of its claims
//! is derived again from request, scope and entry, but for the issuer's address.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::Case;
use super::grant::Grant;
use crate::audit::{Code, Findings};
use crate::bytes::Digest;
use crate::entry::Issued;
use crate::key::PublicKey;
use crate::policy::JwtProfile;
use crate::principal::PrincipalId;
use crate::statement::Lane;

/// Seconds between `nbf` and `iat`: the clocks of targets differ.
pub(super) const TOKEN_BACKDATE_SECONDS: u64 = 5;

/// Claims by name, sorted: the order of their text.
type Claims = BTreeMap<&'static str, Value>;

/// Checks the claims of an `issued` entry against entry, request and policy.
pub(super) fn check(
    case: &Case<'_>,
    grant: &Grant,
    body: &Issued,
    has_key: bool,
    out: &mut Findings,
) {
    let mut wrong = |detail: &str| case.find(out, Code::CredMismatch, detail);
    if !has_key {
        return wrong("the ledger names no key for tokens");
    }
    if body.token.is_none() {
        wrong("it does not name its token");
    }
    let found = body.claims.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let (Some(text), Some(Value::Object(found))) = (&body.claims, found) else {
        return wrong("its claims are not an object");
    };
    let Some(profile) = grant.scope(case.policy).and_then(|scope| scope.jwt.as_ref()) else {
        return wrong("its scope has no tokens");
    };
    let issuer = found.get("iss").and_then(Value::as_str).unwrap_or_default();
    if !is_issuer(issuer) {
        wrong("its issuer is not an https address");
    }
    let expected = claims(case, grant, body, profile, issuer);
    if body.principals != [subject(grant)] {
        wrong("its subject is not the entry's");
    }
    if exceeds(&found, &expected) {
        case.find(out, Code::ScopeExceeded, "it claims more than the scope gives");
    } else if serde_json::to_string(&expected).ok().as_ref() != Some(text) {
        case.find(out, Code::CredMismatch, "its claims are not those of request and entry");
    }
}

/// The claims that request, scope and entry give.
fn claims(
    case: &Case<'_>,
    grant: &Grant,
    body: &Issued,
    profile: &JwtProfile,
    issuer: &str,
) -> Claims {
    let ask = &grant.ask;
    let mark = if ask.lane == Lane::Drill { "drill-" } else { "" };
    let groups: Vec<String> = profile.groups.iter().map(|one| format!("{mark}{one}")).collect();
    let issued = case.at().unix_seconds();
    let mut claims = Claims::new();
    let mut put = |name: &'static str, value: Value| drop(claims.insert(name, value));
    put("iss", json!(issuer));
    put("sub", json!(subject(grant)));
    put("aud", json!(profile.audience));
    put("iat", json!(issued));
    put("nbf", json!(issued.saturating_sub(TOKEN_BACKDATE_SECONDS)));
    put("exp", json!(body.valid_before.unix_seconds()));
    put("jti", json!(format!("{}.{}", ask.id, case.entry.seq)));
    put("groups", json!(groups));
    // RFC 8693, 4.1: who acts now outside, those before inside; whose authority it is, is `sub`.
    if let Some((_, prior)) = ask.on_behalf_of.split_first() {
        let nest = |inner: Option<Value>, who: &PrincipalId| {
            Some(match inner {
                Some(inner) => json!({ "act": inner, "sub": who }),
                None => json!({ "sub": who }),
            })
        };
        let chain = prior.iter().chain(std::iter::once(&ask.by));
        put("act", chain.fold(None, nest).unwrap_or_default());
    }
    if let Some(thumbprint) = ask.key.as_ref().and_then(thumbprint) {
        put("cnf", json!({ "jkt": thumbprint }));
    }
    claims
}

/// Whose authority it is: the requester, or the person behind them.
fn subject(grant: &Grant) -> String {
    let ask = &grant.ask;
    format!("breakglass:{}:{}", ask.id, ask.on_behalf_of.first().unwrap_or(&ask.by))
}

/// Whether a target would let it do more: other audience, groups or claims, or bound to no key.
fn exceeds(found: &Map<String, Value>, expected: &Claims) -> bool {
    let groups = |of: Option<&Value>| of.and_then(Value::as_array).cloned().unwrap_or_default();
    let ours = groups(expected.get("groups"));
    found.keys().any(|name| !expected.contains_key(name.as_str()))
        || found.get("aud") != expected.get("aud")
        || expected.contains_key("cnf") && !found.contains_key("cnf")
        || !groups(found.get("groups")).iter().all(|one| ours.contains(one))
}

/// RFC 7638 over the key as a JWK.
fn thumbprint(key: &PublicKey) -> Option<String> {
    let (_, coordinates) = key.wire().split_last_chunk::<64>()?;
    let (x, y) = coordinates.split_at_checked(32)?;
    let [x, y] = [x, y].map(|half| BASE64URL_NOPAD.encode(half));
    let jwk = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
    Some(BASE64URL_NOPAD.encode(Digest::of(jwk.as_bytes()).as_bytes()))
}

/// An https address without user, query or fragment.
fn is_issuer(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let is_allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~' | b':' | b'/');
    !rest.is_empty() && !rest.starts_with('/') && text.len() <= 255 && rest.bytes().all(is_allowed)
}
