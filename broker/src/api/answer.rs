//! Answers: JSON that nobody keeps.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::callers::Stopped;

/// An answer, or why there is none; both go to the caller.
pub(super) type Answer = Response<Body>;

/// The realm that a caller is asked to name itself for.
const BASIC: &str = "Basic realm=\"breakglass\", charset=\"UTF-8\"";
const BEARER: &str = "Bearer realm=\"breakglass\"";
const BEARER_UNKNOWN: &str = "Bearer realm=\"breakglass\", error=\"invalid_token\"";
const BEARER_MAY_NOT: &str = "Bearer realm=\"breakglass\", error=\"insufficient_scope\"";

/// Advice on when to ask again, in seconds: a commit takes milliseconds, a full disk minutes.
const RETRY_SECONDS: u64 = 1;

/// `status` with `body` as JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => plain(status, Body::from(bytes)),
        Err(error) => {
            crate::report::fault("writing an answer", &error);
            plain(StatusCode::INTERNAL_SERVER_ERROR, Body::empty())
        }
    }
}

/// Nothing to say but that it went well (RFC 7009, section 2.2).
pub(super) fn done() -> Answer {
    let mut answer = plain(StatusCode::OK, Body::empty());
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer
}

/// A fault of the caller's, in the words of RFC 6749, section 5.2.
pub(super) fn fault(status: StatusCode, error: &str, description: &str) -> Answer {
    let body: Value = json!({ "error": error, "error_description": description });
    json(status, &body)
}

/// A request that is not understood.
pub(super) fn invalid(description: &str) -> Answer {
    fault(StatusCode::BAD_REQUEST, "invalid_request", description)
}

/// It is not known, or not durable yet (RFC 7009, section 2.2.1).
pub(super) fn later() -> Answer {
    let description = "the broker cannot vouch for tokens or write down their end now; ask again";
    let answer = fault(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description);
    with(answer, header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))
}

/// Too often, by one caller.
pub(super) fn too_often() -> Answer {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let answer = fault(status, "temporarily_unavailable", "you call too often");
    with(answer, header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))
}

/// Nobody comes in like this (RFC 6750, section 3; RFC 6749, section 5.2).
pub(super) fn stopped(why: Stopped) -> Answer {
    let unknown = |description| fault(StatusCode::UNAUTHORIZED, "invalid_client", description);
    match why {
        Stopped::Twice => invalid("there are several Authorization headers"),
        Stopped::Nameless => asks(unknown("show your secret as Bearer or Basic"), BEARER),
        Stopped::Unknown => asks(unknown("this is the secret of no caller"), BEARER_UNKNOWN),
        Stopped::MayNot => {
            let description =
                "this caller's `may` in the broker's configuration does not name this";
            let answer = fault(StatusCode::FORBIDDEN, "insufficient_scope", description);
            with(answer, header::WWW_AUTHENTICATE, HeaderValue::from_static(BEARER_MAY_NOT))
        }
    }
}

fn asks(answer: Answer, bearer: &'static str) -> Answer {
    let answer = with(answer, header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
    with(answer, header::WWW_AUTHENTICATE, HeaderValue::from_static(BASIC))
}

/// `answer` with one more header.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().append(name, value);
    answer
}

fn plain(status: StatusCode, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
