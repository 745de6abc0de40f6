//! Token introspection (RFC 7662) and token revocation (RFC 7009).

use axum::http::StatusCode;
use serde::Serialize;

use super::answer::{Answer, done, fault, invalid, json, later};
use super::config::Caller;
use super::form::parameter;
use super::tokens::Tokens;
use crate::desk::Vouched;
use crate::jwt::Claims;

/// Whether the token in `body` counts now, and what it says. What does not count, is for somebody else,
/// or was never a token is all the same: `{"active":false}` and not a word more (section 2.2).
pub(super) fn introspect(
    tokens: &dyn Tokens,
    caller: &Caller,
    body: &[u8],
) -> Result<Answer, Answer> {
    let token = shown(body)?;
    if !tokens.sure() {
        return Err(later());
    }
    let vouched = tokens.look(&token).filter(|token| caller.serves(&token.claims.aud));
    Ok(match &vouched {
        Some(Vouched { scope, claims, .. }) => {
            json(StatusCode::OK, &Active { active: true, scope: scope.as_str(), claims })
        }
        None => json(StatusCode::OK, &Inactive { active: false }),
    })
}

/// Takes the token in `body` back, and says so only once that is durable. What is no token that counts
/// needs no revoking: that is no fault of the caller's (section 2.2).
pub(super) async fn revoke(
    tokens: &dyn Tokens,
    caller: &Caller,
    body: &[u8],
) -> Result<Answer, Answer> {
    let token = shown(body)?;
    let Some(vouched) = tokens.look(&token) else { return Ok(done()) };
    if !caller.serves(&vouched.claims.aud) {
        // Told, unlike when asking: "revoked" would be a lie (section 2.1).
        let description = "the token is for none of this caller's audiences and was not revoked";
        return Err(fault(StatusCode::BAD_REQUEST, "unauthorized_client", description));
    }
    tokens.take_back(&vouched, &caller.id).await.map_err(|_| later())?;
    Ok(done())
}

/// The parameter `token`. Its hint is passed over: there is one kind of token here.
fn shown(body: &[u8]) -> Result<String, Answer> {
    let token = parameter(body, "token").map_err(invalid)?;
    token.ok_or_else(|| invalid("the parameter token is missing"))
}

/// What is said of a token that counts: all that it claims (section 2.2).
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    /// The broker's: what the grant was asked for.
    scope: &'a str,
    #[serde(flatten)]
    claims: &'a Claims,
}

/// What is said of everything else.
#[derive(Serialize)]
struct Inactive {
    active: bool,
}
