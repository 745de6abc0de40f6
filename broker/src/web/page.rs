//! One answer: bytes, their type, and how long they may be kept.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use breakglass_ledger::bytes::Digest;
use data_encoding::BASE64;

/// Bytes to show. Their digest is their entity tag, so that who has them need not fetch them again.
/// Clones share the bytes.
#[derive(Clone)]
pub(super) struct Page {
    body: Bytes,
    kind: &'static str,
    keep: Keep,
    list_version: Option<u64>,
    signature: Option<HeaderValue>,
    tag: Arc<str>,
}

/// How long a cache may use a page without asking.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    /// Never: ask every time; most times the answer is "unchanged".
    Ask,
    /// Five minutes: a key that is replaced once in years, after it was announced.
    Minutes,
}

/// Which revocation list an answer belongs to.
const LIST_VERSION: HeaderName = HeaderName::from_static("breakglass-list-version");

/// The signature file of the list in the same answer, base64, so that nobody need ask twice.
const LIST_SIGNATURE: HeaderName = HeaderName::from_static("breakglass-list-signature");

impl Page {
    /// `body`, of media type `kind`.
    pub(super) fn new(body: impl Into<Vec<u8>>, kind: &'static str, keep: Keep) -> Self {
        let body = Bytes::from(body.into());
        let tag = format!("\"{}\"", Digest::of(&body)).into();
        Self { body, kind, keep, list_version: None, signature: None, tag }
    }

    /// The same, as part of revocation list number `version`.
    pub(super) fn of_list(self, version: u64) -> Self {
        Self { list_version: Some(version), ..self }
    }

    /// The same, vouched for by the armored `signature`.
    pub(super) fn signed(self, signature: &str) -> Self {
        Self { signature: BASE64.encode(signature.as_bytes()).parse().ok(), ..self }
    }

    /// Whether `asked` names it in `If-None-Match` (RFC 9110, 13.1.2).
    pub(super) fn is_known(&self, asked: &HeaderMap) -> bool {
        asked.get_all(header::IF_NONE_MATCH).iter().any(|value| {
            value.to_str().is_ok_and(|tags| tags.split(',').any(|one| names(one.trim(), &self.tag)))
        })
    }

    /// What it shows.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The whole page, or 304 without body to whoever has it.
    pub(super) fn answer(self, asked: &HeaderMap) -> Response<Body> {
        let (status, body) = if self.is_known(asked) {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(self.body))
        };
        let mut answer = plain(status, body);
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.keep.directive()));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(version) = self.list_version {
            headers.insert(LIST_VERSION, HeaderValue::from(version));
        }
        if let Some(signature) = self.signature.filter(|_| status == StatusCode::OK) {
            headers.insert(LIST_SIGNATURE, signature);
        }
        answer
    }
}

impl Keep {
    const fn directive(self) -> &'static str {
        match self {
            Self::Ask => "no-cache",
            Self::Minutes => "public, max-age=300",
        }
    }
}

/// A short answer in words, which nobody keeps.
pub(super) fn say(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = plain(status, Body::from(text));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn plain(status: StatusCode, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Weak comparison, as `If-None-Match` wants it.
fn names(candidate: &str, tag: &str) -> bool {
    candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
}
