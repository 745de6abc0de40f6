//! One answer: bytes, their type, and how long they may be kept.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use breakglass_ledger::bytes::Digest;

/// Bytes to show. Their digest is their entity tag, so that who has them need not fetch them again.
pub(super) struct Page {
    body: Vec<u8>,
    kind: &'static str,
    keep: Keep,
    list_version: Option<u64>,
    tag: String,
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

impl Page {
    /// `body`, of media type `kind`.
    pub(super) fn new(body: impl Into<Vec<u8>>, kind: &'static str, keep: Keep) -> Self {
        let body = body.into();
        let tag = format!("\"{}\"", Digest::of(&body));
        Self { body, kind, keep, list_version: None, tag }
    }

    /// The same, as part of revocation list number `version`.
    pub(super) fn of_list(self, version: u64) -> Self {
        Self { list_version: Some(version), ..self }
    }

    /// Whether `asked` names it in `If-None-Match` (RFC 9110, 13.1.2).
    pub(super) fn is_known(&self, asked: &HeaderMap) -> bool {
        asked.get_all(header::IF_NONE_MATCH).iter().any(|value| {
            value.to_str().is_ok_and(|tags| tags.split(',').any(|one| names(one.trim(), &self.tag)))
        })
    }

    /// The whole page, or 304 without body to whoever has it.
    pub(super) fn answer(self, asked: &HeaderMap) -> Response<Body> {
        let mut answer = if self.is_known(asked) {
            plain(StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            plain(StatusCode::OK, Body::from(self.body))
        };
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.keep.directive()));
        if let Ok(tag) = HeaderValue::try_from(self.tag) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(version) = self.list_version {
            headers.insert(LIST_VERSION, HeaderValue::from(version));
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
