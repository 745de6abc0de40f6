//! What was cleared → the text of the claims (`FORMAT.md`, 9). Decides nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Terms;
use crate::mint::MintError;

/// The claims, keys sorted, without blanks.
pub(super) fn claims(
    terms: &Terms<'_>,
    serial: u64,
    thumbprint: Option<&str>,
) -> Result<String, MintError> {
    let mut claims: BTreeMap<&str, Value> = BTreeMap::from([
        ("aud", json!(terms.profile.audience)),
        ("exp", json!(terms.valid_before.unix_seconds())),
        ("groups", json!(terms.profile.groups)),
        ("iat", json!(terms.issued_at().unix_seconds())),
        ("iss", json!(terms.issuer.as_str())),
        ("jti", json!(format!("{}.{serial}", terms.request))),
        ("nbf", json!(terms.valid_after.unix_seconds())),
        ("sub", json!(terms.subject_name())),
    ]);
    if let Some(act) = actors(terms) {
        claims.insert("act", act);
    }
    if let Some(thumbprint) = thumbprint {
        claims.insert("cnf", json!({ "jkt": thumbprint }));
    }
    serde_json::to_string(&claims).map_err(|_| MintError::Mismatch { field: "claims" })
}

/// RFC 8693, section 4.1: who acts now outside, those before inside. The outermost of the chain is the
/// subject, and does not act.
fn actors(terms: &Terms<'_>) -> Option<Value> {
    let (_, before) = terms.on_behalf_of.split_first()?;
    before.iter().chain([terms.holder]).fold(None, |inner, who| {
        Some(match inner {
            Some(inner) => json!({ "act": inner, "sub": who.as_str() }),
            None => json!({ "sub": who.as_str() }),
        })
    })
}
