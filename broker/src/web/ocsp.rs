//! OCSP over HTTP (RFC 6960, appendix A; RFC 5019): the one question that may be posted. It changes
//! nothing either.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Timestamp;
use data_encoding::BASE64;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::page::say;
use super::responder::{Reply, Responder};
use crate::ocsp::REQUEST_MAX_BYTES;

/// Where questions are posted; those that are fetched follow in base64 after one more slash.
const PATH: &str = "/v1/x509/ocsp";

/// From the end of the headers to that of the question, which fits the same packet.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers made at once. A key in a token takes its time, and who decides needs it as well.
const AT_ONCE: usize = 2;

/// The responder's door.
pub(super) struct Counter {
    responder: Arc<Responder>,
    at_once: Semaphore,
}

impl Counter {
    pub(super) fn of(responder: Responder) -> Self {
        Self { responder: Arc::new(responder), at_once: Semaphore::new(AT_ONCE) }
    }

    /// Whether the last answer could not be signed.
    pub(super) fn fails(&self) -> bool {
        self.responder.fails()
    }

    /// The answer to `request`, which is for [`is_ours`].
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let is_posted = request.method() == Method::POST;
        let question = if is_posted { posted(request).await } else { fetched(&request) };
        let question = match question {
            Ok(question) => question,
            Err((status, text)) => return say(status, text),
        };
        let Ok(place) = self.at_once.acquire().await else {
            return say(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping\n");
        };
        let responder = Arc::clone(&self.responder);
        let reply = tokio::task::spawn_blocking(move || responder.reply(&question)).await;
        drop(place);
        match reply {
            Ok(reply) => shown(reply, !is_posted),
            Err(_) => say(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping\n"),
        }
    }
}

/// Whether `path` is a question's.
pub(super) fn is_ours(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

type No = (StatusCode, &'static str);

async fn posted(request: Request<Body>) -> Result<Vec<u8>, No> {
    if request.uri().path().trim_end_matches('/') != PATH || request.uri().query().is_some() {
        return Err((StatusCode::NOT_FOUND, "questions are posted to /v1/x509/ocsp\n"));
    }
    if !is_question(request.headers()) {
        let text = "only application/ocsp-request is taken here\n";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "a question has at most 4096 bytes\n");
    let too_slow = (StatusCode::REQUEST_TIMEOUT, "the question did not come in time\n");
    let body = to_bytes(request.into_body(), REQUEST_MAX_BYTES);
    let body = timeout(BODY_TIMEOUT, body).await.map_err(|_| too_slow)?;
    Ok(body.map_err(|_| too_large)?.to_vec())
}

fn is_question(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/ocsp-request"))
}

/// RFC 6960, A.1: base64 of the question, then percent-encoded, after the path and a slash.
fn fetched(request: &Request<Body>) -> Result<Vec<u8>, No> {
    let not_one = (StatusCode::BAD_REQUEST, "what follows the path is no question in base64\n");
    let rest = request.uri().path().strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/'));
    let rest = rest.filter(|rest| !rest.is_empty() && request.uri().query().is_none());
    let encoded = unescaped(rest.ok_or(not_one)?.as_bytes()).ok_or(not_one)?;
    BASE64.decode(&encoded).map_err(|_| not_one)
}

/// RFC 3986, 2.1.
fn unescaped(path: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = path.iter();
    let mut out = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if *byte == b'%' {
            let pair = [*bytes.next()?, *bytes.next()?];
            out.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(&pair).ok()?);
        } else {
            out.push(*byte);
        }
    }
    Some(out)
}

/// RFC 5019, 6.2: what was fetched may be kept by whoever is in between as long as it counts; what was
/// posted, or is nobody else's, by nobody.
fn shown(reply: Reply, was_fetched: bool) -> Response<Body> {
    let tag = format!("\"{}\"", Digest::of(&reply.der));
    let mut answer = Response::new(Body::from(reply.der));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/ocsp-response"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    match reply.kept.filter(|_| was_fetched) {
        None => put(header::CACHE_CONTROL, "no-store".to_owned()),
        Some((since, until)) => {
            let life = until.since(since);
            put(
                header::CACHE_CONTROL,
                format!("max-age={life}, public, no-transform, must-revalidate"),
            );
            put(header::ETAG, tag);
            put(header::LAST_MODIFIED, http_date(since));
            put(header::EXPIRES, http_date(until));
        }
    }
    answer
}

/// RFC 9110, 5.6.7; empty for what no calendar has.
fn http_date(at: Timestamp) -> String {
    let seconds = i64::try_from(at.unix_seconds()).unwrap_or(i64::MAX);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return String::new() };
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (day, year, (hour, minute, second)) = (at.day(), at.year(), at.to_hms());
    format!("{weekday:.3}, {day:02} {month:.3} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests;
