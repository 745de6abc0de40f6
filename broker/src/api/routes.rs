//! From a request to its answer: in this order is it refused, so that who is not known learns nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use breakglass_ledger::principal::CallerId;
use tokio::time::timeout;

use super::answer::{Answer, fault, invalid, stopped, too_often, with};
use super::callers::Callers;
use super::config::{Caller, Errand};
use super::tokens::Tokens;
use super::{kubernetes, oauth};
use crate::crowd::{Rate, Throttle};

/// Largest body: a token of 4 KiB in a TokenReview with what surrounds it there.
pub(super) const BODY_MAX_BYTES: usize = 64 << 10;

/// From the headers to the end of the body, which mostly came in the same packet.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls of one caller, so that one does not keep the others out: what two cores can verify.
pub(super) const CALLS: Rate = Rate::new(500, 2000);

/// Everything that is answered from.
pub(super) struct Room {
    tokens: Box<dyn Tokens>,
    callers: Callers,
    /// As many keys as there are callers, so nothing has to be forgotten.
    calls: Throttle<CallerId>,
}

/// All paths, for `callers` who ask about `tokens`.
pub(super) fn router(tokens: Box<dyn Tokens>, callers: Vec<Caller>) -> Router {
    Router::new().fallback(answer).with_state(Room::new(tokens, callers))
}

/// The answer to one request, whatever it is.
pub(super) async fn answer(State(room): State<Arc<Room>>, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    room.answer(&head, body).await.unwrap_or_else(|refused| refused)
}

impl Room {
    /// For `callers` who ask about `tokens`.
    pub(super) fn new(tokens: Box<dyn Tokens>, callers: Vec<Caller>) -> Arc<Self> {
        let (callers, calls) = (Callers::new(callers), Throttle::new(CALLS));
        Arc::new(Self { tokens, callers, calls })
    }

    async fn answer(&self, head: &Parts, body: Body) -> Result<Answer, Answer> {
        let errand = errand(head.uri.path())?;
        if head.method != Method::POST {
            let refused = fault(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "use POST");
            return Err(with(refused, header::ALLOW, HeaderValue::from_static("POST")));
        }
        let caller = self.callers.admit(&head.headers, errand).map_err(stopped)?;
        self.calls.count(caller.id.clone()).map_err(|_| too_often())?;
        is_as_expected(head, errand)?;
        let body = read(body).await?;
        let tokens = self.tokens.as_ref();
        match errand {
            Errand::Introspect => oauth::introspect(tokens, caller, &body),
            Errand::Revoke => oauth::revoke(tokens, caller, &body).await,
            Errand::Review => kubernetes::review(tokens, caller, &body),
        }
    }
}

fn errand(path: &str) -> Result<Errand, Answer> {
    match path {
        "/v1/oauth/introspect" => Ok(Errand::Introspect),
        "/v1/oauth/revoke" => Ok(Errand::Revoke),
        "/v1/kubernetes/tokenreview" => Ok(Errand::Review),
        _ => Err(fault(StatusCode::NOT_FOUND, "invalid_request", "there is nothing here")),
    }
}

/// Refuses what has another form than the errand's, before its body is read.
fn is_as_expected(head: &Parts, errand: Errand) -> Result<(), Answer> {
    let (expected, is_form) = match errand {
        Errand::Introspect | Errand::Revoke => ("application/x-www-form-urlencoded", true),
        Errand::Review => ("application/json", false),
    };
    // A cluster adds how long it will wait; a token in an address would stand in every log on the way.
    if is_form && head.uri.query().is_some() {
        return Err(invalid("parameters belong into the body, not into the address"));
    }
    let mut kinds = head.headers.get_all(header::CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim();
    let is_text = parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8");
    let is_expected = essence.trim().eq_ignore_ascii_case(expected) && is_text;
    if kinds.next().is_some() || !is_expected {
        let description = format!("the body has to be {expected}");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(fault(status, "invalid_request", &description));
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(fault(status, "invalid_request", "no Content-Encoding is read here"));
    }
    Ok(())
}

async fn read(body: Body) -> Result<Vec<u8>, Answer> {
    let too_large = || {
        let description = format!("at most {BODY_MAX_BYTES} bytes are read");
        fault(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", &description)
    };
    match timeout(BODY_TIMEOUT, to_bytes(body, BODY_MAX_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            Err(fault(StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body did not come"))
        }
    }
}
