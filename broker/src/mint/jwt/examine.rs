//! Reads a signed token again, by the reader that every token which comes back goes through, and compares
//! it with what was cleared: every claim is one that somebody agreed to, or the token is thrown away.

use breakglass_ledger::principal::PrincipalId;

use super::Terms;
use crate::jwt::{Actor, Claims, JwtKey, TokenId};
use crate::mint::MintError;

/// Checks that `token` is one by `key` that says exactly what was cleared, in the words of `text`.
///
/// # Errors
///
/// [`MintError::Token`] if it is no token of ours; [`MintError::Mismatch`] naming the first part that
/// differs.
pub(super) fn examine(
    token: &str,
    text: &str,
    terms: &Terms<'_>,
    serial: u64,
    key: &JwtKey,
) -> Result<(), MintError> {
    let claims = crate::jwt::read(token, std::slice::from_ref(key))?;
    let Claims { act, aud, cnf, exp, groups, iat, iss, jti: _, nbf, sub } = &claims;
    let id = TokenId { request: terms.request, seq: serial };
    let bound_to = terms.thumbprint()?;
    let checks = [
        ("issuer", iss == terms.issuer.as_str()),
        ("subject", *sub == terms.subject_name()),
        ("audience", *aud == terms.profile.audience),
        ("groups", *groups == terms.profile.groups),
        ("start", *nbf == terms.valid_after.unix_seconds()),
        ("time", *iat == terms.issued_at().unix_seconds()),
        ("end", *exp == terms.valid_before.unix_seconds()),
        ("identifier", claims.id() == Some(id)),
        ("key", cnf.as_ref().map(|cnf| &cnf.jkt) == bound_to.as_ref()),
        ("actors", is_chain(act.as_ref(), terms)),
        ("claims", claims.to_text()? == text),
    ];
    match checks.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(MintError::Mismatch { field }),
        None => Ok(()),
    }
}

/// Whether the actors are the holder, and inside, back to the second, those before.
fn is_chain(act: Option<&Actor>, terms: &Terms<'_>) -> bool {
    let found = std::iter::successors(act, |actor| actor.act.as_deref());
    let before = terms.on_behalf_of.iter().skip(1).rev();
    let has_actors = !terms.on_behalf_of.is_empty();
    let wanted = std::iter::once(terms.holder).filter(|_| has_actors).chain(before);
    found.map(|actor| actor.sub.as_str()).eq(wanted.map(PrincipalId::as_str))
}
