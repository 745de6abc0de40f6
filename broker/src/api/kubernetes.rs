//! The TokenReview webhook of Kubernetes, `authentication.k8s.io/v1` and `v1beta1`: the reply is of the
//! request's version.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, invalid, json};
use super::config::Caller;
use super::tokens::Tokens;
use crate::desk::Vouched;

/// Most audiences that a server names: it has one or two.
const AUDIENCES_MAX: usize = 64;

/// What the server may do with "later": an error is not kept, a "no" is for two minutes.
const UNSURE: &str = "the broker cannot vouch for tokens now";

/// What a server sends. Unknown fields are refused; `metadata` and `status` come along, and say nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Review {
    api_version: Version,
    kind: Kind,
    spec: Spec,
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
    #[serde(default, rename = "status")]
    _status: IgnoredAny,
}

#[derive(Deserialize, Serialize)]
enum Version {
    #[serde(rename = "authentication.k8s.io/v1")]
    V1,
    #[serde(rename = "authentication.k8s.io/v1beta1")]
    V1Beta1,
}

#[derive(Deserialize, Serialize)]
enum Kind {
    TokenReview,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    token: String,
    #[serde(default)]
    audiences: Option<Vec<String>>,
}

/// Whom the token in `body` stands for. It has to be for an audience of the caller's, and for one that
/// the server names, if it names any.
pub(super) fn review(tokens: &dyn Tokens, caller: &Caller, body: &[u8]) -> Result<Answer, Answer> {
    let review: Review = serde_json::from_slice(body).map_err(|error| {
        invalid(&format!("this is no TokenReview of version v1 or v1beta1: {error}"))
    })?;
    let named = review.spec.audiences.unwrap_or_default();
    if named.len() > AUDIENCES_MAX {
        return Err(invalid("spec.audiences is too long"));
    }
    let is_meant = |aud: &String| caller.serves(aud) && (named.is_empty() || named.contains(aud));
    let is_sure = tokens.sure();
    let vouched = if is_sure { tokens.look(&review.spec.token) } else { None };
    let vouched = vouched.filter(|token| is_meant(&token.claims.aud));
    let status = Status {
        authenticated: vouched.is_some(),
        error: (!is_sure).then_some(UNSURE),
        audiences: vouched.as_ref().map(|token| [token.claims.aud.as_str()]),
        user: vouched.as_ref().map(User::of),
    };
    let (api_version, kind) = (review.api_version, review.kind);
    Ok(json(StatusCode::OK, &Reviewed { api_version, kind, status }))
}

/// What the server is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reviewed<'a> {
    api_version: Version,
    kind: Kind,
    status: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audiences: Option<[&'a str; 1]>,
}

/// The name is new with every request, so that a role bound to it opens nothing afterwards; so is `uid`.
#[derive(Serialize)]
struct User<'a> {
    username: &'a str,
    uid: String,
    groups: &'a [String],
    extra: BTreeMap<&'static str, [String; 1]>,
}

impl<'a> User<'a> {
    fn of(token: &'a Vouched) -> Self {
        let claims = &token.claims;
        let uid = token.grant.to_string();
        let mut extra = BTreeMap::from([
            ("breakglass/jti", [claims.jti.clone()]),
            ("breakglass/request", [uid.clone()]),
            ("breakglass/scope", [token.scope.to_string()]),
        ]);
        // Who acts, where `sub` names on whose behalf (RFC 8693, section 4.1).
        extra.extend(claims.act.iter().map(|actor| ("breakglass/actor", [actor.sub.clone()])));
        Self { username: &claims.sub, uid, groups: &claims.groups, extra }
    }
}
