//! The paths, and what each shows.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use breakglass_ledger::time::Timestamp;
use tokio::sync::watch;

use super::held::{FOLLOWED, Held, PREFERENCE_APPLIED};
use super::ocsp::{self, Counter};
use super::page::{Keep, Page, say};
use super::ready::Ready;
use super::responder::Responder;
use super::shelf::Shelf;
use crate::desk::{Desk, STALE_SECONDS};
use crate::jwt::Documents;
use crate::krl::SignedList;

/// Media type of everything that a person could read.
const TEXT: &str = "text/plain; charset=utf-8";

/// Media type of what programs read (RFC 8259).
const JSON: &str = "application/json";

/// Pages that go together two by two, so that the older of a pair may be asked for.
const PAIRS: [&str; 4] =
    ["/v1/ssh/krl", "/v1/ssh/krl.sig", "/v1/jwt/denied.json", "/v1/jwt/denied.json.sig"];

/// What all paths draw from.
pub(super) struct Shown {
    ssh_ca: String,
    tls_ca: String,
    x509_ca: Option<String>,
    documents: Option<Documents>,
    shelf: Shelf,
    ready: Ready,
    ocsp: Option<Counter>,
    held: Option<Held>,
    newest: Box<dyn Fn() -> Newest + Send + Sync>,
}

/// What changes while we serve.
pub(super) struct Newest {
    /// The newest signed revocation list.
    list: Arc<SignedList>,
    /// The newest durable checkpoint.
    checkpoint: Arc<str>,
    /// Whether credentials are being minted.
    minting: bool,
    /// Whether a key is in a token that cannot be used.
    is_key_away: bool,
    /// Now.
    now: Timestamp,
}

impl Shown {
    /// What `desk` shows to everybody; nobody is kept waiting once `stop` is true.
    pub(super) fn of(desk: Arc<Desk>, stop: watch::Receiver<bool>) -> Self {
        let public = desk.public();
        let (ssh_ca, tls_ca) = (public.ssh_ca_lines(""), public.tls_cas_pem());
        let (x509_ca, documents) = (public.x509_cas_pem(), public.documents());
        let ocsp = Responder::of(Box::new(Arc::clone(&desk))).map(Counter::of);
        let held = Some(Held::of(&desk, stop));
        let newest = move || Newest {
            list: desk.lists(),
            checkpoint: desk.checkpoint(),
            minting: desk.minting(),
            is_key_away: !desk.key_tokens().away().is_empty(),
            now: desk.now(),
        };
        let shown = Self::new(ssh_ca.trim_end(), tls_ca, Box::new(newest));
        Self { x509_ca, documents, ocsp, held, ..shown }
    }

    fn new(ssh_ca: &str, tls_ca: String, newest: Box<dyn Fn() -> Newest + Send + Sync>) -> Self {
        let ssh_ca = format!("{ssh_ca}\n");
        let (x509_ca, documents, ocsp, held) = (None, None, None, None);
        let (shelf, ready) = (Shelf::default(), Ready::default());
        Self { ssh_ca, tls_ca, x509_ca, documents, shelf, ready, ocsp, held, newest }
    }

    fn page(&self, path: &str, version: Option<u64>) -> Option<Page> {
        let newest = (self.newest)();
        match FOLLOWED.iter().find(|one| **one == path && version.is_none()) {
            Some(followed) => {
                let lists = Arc::clone(&newest.list);
                self.ready.page(followed, lists, || self.made(path, version, newest))
            }
            None => self.made(path, version, newest),
        }
    }

    fn made(&self, path: &str, version: Option<u64>, newest: Newest) -> Option<Page> {
        match path {
            "/v1/ssh/ca.pub" => Some(Page::new(self.ssh_ca.as_str(), TEXT, Keep::Minutes)),
            "/v1/tls/ca.pem" => {
                Some(Page::new(self.tls_ca.as_str(), "application/x-pem-file", Keep::Minutes))
            }
            "/v1/checkpoint" => Some(Page::new(newest.checkpoint.as_bytes(), TEXT, Keep::Ask)),
            "/v1/ssh/krl" => self.shelf.take(newest.list, version).map(|list| {
                Page::new(list.krl.as_slice(), "application/octet-stream", Keep::Ask)
                    .of_list(list.version)
                    .signed(&list.signature)
            }),
            "/v1/ssh/krl.sig" => self.shelf.take(newest.list, version).map(|list| {
                Page::new(list.signature.as_str(), TEXT, Keep::Ask).of_list(list.version)
            }),
            "/v1/jwt/denied.json" => {
                let list = self.shelf.take(newest.list, version)?;
                let page = Page::new(list.deny.as_ref()?.json.as_str(), JSON, Keep::Ask);
                Some(page.of_list(list.version))
            }
            "/v1/jwt/denied.json.sig" => {
                let list = self.shelf.take(newest.list, version)?;
                let page = Page::new(list.deny.as_ref()?.signature.as_str(), TEXT, Keep::Ask);
                Some(page.of_list(list.version))
            }
            "/v1/x509/ca.pem" => {
                let ca = self.x509_ca.as_deref()?;
                Some(Page::new(ca, "application/x-pem-file", Keep::Minutes))
            }
            "/v1/x509/crl.pem" => {
                let crl = newest.list.crl.as_ref()?;
                let page = Page::new(crl.pem(), "application/x-pem-file", Keep::Ask);
                Some(page.of_list(newest.list.version))
            }
            "/v1/x509/crl.der" => {
                let crl = newest.list.crl.as_ref()?;
                let page = Page::new(crl.der.as_slice(), "application/pkix-crl", Keep::Ask);
                Some(page.of_list(newest.list.version))
            }
            _ => self.document(path),
        }
    }

    /// What verifiers of tokens fetch (RFC 8615: below `/.well-known/`).
    fn document(&self, path: &str) -> Option<Page> {
        let documents = self.documents.as_ref()?;
        let (text, kind) = match path {
            "/.well-known/openid-configuration" => (&documents.configuration, "application/json"),
            // RFC 7517, section 8.5.2.
            "/.well-known/jwks.json" => (&documents.jwks, "application/jwk-set+json"),
            _ => return None,
        };
        Some(Page::new(text.as_str(), kind, Keep::Minutes))
    }

    /// 503 while nothing can be minted: somebody has to look, though reading still works.
    fn health(&self) -> Response<Body> {
        let newest = (self.newest)();
        if newest.is_key_away {
            return say(
                StatusCode::SERVICE_UNAVAILABLE,
                "a key is in a token that cannot be used, and nothing is minted with it; revoking goes on \
                 as far as other keys sign it; the log says which and why
",
            );
        }
        let late = newest
            .list
            .crl
            .as_ref()
            .is_some_and(|crl| newest.now.since(crl.signed_at) > STALE_SECONDS);
        if late {
            return say(
                StatusCode::SERVICE_UNAVAILABLE,
                "the list of revoked certificates is not being signed; when it runs out, servers \
                 refuse everybody, and those that ask (OCSP) do so now; the log says why\n",
            );
        }
        if self.ocsp.as_ref().is_some_and(Counter::fails) {
            return say(
                StatusCode::SERVICE_UNAVAILABLE,
                "answers about certificates (OCSP) cannot be signed, and servers that ask for them \
                 refuse everybody; the log says why\n",
            );
        }
        if newest.minting {
            say(StatusCode::OK, "serving\n")
        } else {
            say(
                StatusCode::SERVICE_UNAVAILABLE,
                "minting is stopped because revoking fails; the log says why\n",
            )
        }
    }
}

/// All paths: GET and HEAD only, no body, no query but the `version` of a list. Only questions about
/// single certificates may also be posted.
pub(super) fn router(shown: Shown) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(shown))
}

async fn answer(State(shown): State<Arc<Shown>>, request: Request<Body>) -> Response<Body> {
    let is_asked = [Method::GET, Method::POST].contains(request.method());
    if let Some(counter) = &shown.ocsp
        && is_asked
        && ocsp::is_ours(request.uri().path())
    {
        return counter.answer(request).await;
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let text = "only GET and HEAD: nothing can be changed here\n";
        let mut refused = say(StatusCode::METHOD_NOT_ALLOWED, text);
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    if has_body(request.headers()) {
        return say(StatusCode::PAYLOAD_TOO_LARGE, "no request body is taken\n");
    }
    let Some(version) = list_version(request.uri()) else {
        let text = "no query is taken, but ?version=N with a list and its signature\n";
        return say(StatusCode::BAD_REQUEST, text);
    };
    if request.uri().path() == "/healthz" {
        return shown.health();
    }
    let (path, asked) = (request.uri().path(), request.headers());
    let page = || shown.page(path, version);
    let (page, waited) = match &shown.held {
        Some(held) if version.is_none() => held.page(path, asked, page).await,
        Some(_) | None => (page(), None),
    };
    match page {
        Some(page) => {
            let mut answer = page.answer(asked);
            let applied = waited.and_then(|wait| format!("wait={wait}").parse().ok());
            if let Some(applied) = applied {
                answer.headers_mut().insert(PREFERENCE_APPLIED, applied);
            }
            answer
        }
        None => say(StatusCode::NOT_FOUND, "no such page, or no longer this version of a list\n"),
    }
}

/// The version that is asked for, if any; `None` if the query is anything else.
fn list_version(uri: &Uri) -> Option<Option<u64>> {
    let Some(query) = uri.query() else { return Some(None) };
    let is_list = PAIRS.contains(&uri.path());
    let number = query.strip_prefix("version=").filter(|_| is_list)?;
    // `parse` would also take a sign.
    let is_digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_digits).map(Some)
}

/// Whether the request announces a body (RFC 9112, 6.3).
fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "tests_held.rs"]
mod tests_held;

#[cfg(test)]
pub(super) use tests::{numbered, sample};
