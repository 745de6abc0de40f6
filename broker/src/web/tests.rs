use std::sync::Mutex;

use super::*;
use crate::crl::{Number, SignedCrl};
use crate::deny::SignedDeny;

/// A side whose newest list can be replaced.
struct Side {
    shown: Arc<Shown>,
    list: Arc<Mutex<Arc<SignedList>>>,
}

impl Side {
    fn minting(minting: bool) -> Self {
        let list = Arc::new(Mutex::new(numbered(1)));
        let newest = Arc::clone(&list);
        let newest = move || Newest {
            list: Arc::clone(&newest.lock().expect("lock")),
            checkpoint: "origin\n7\nroot\n".into(),
            minting,
            is_key_away: false,
            now: NOW,
        };
        let shown = Shown::new("ssh-ed25519 AAAA", "PEM\n".into(), Box::new(newest));
        let shown = Arc::new(Shown { x509_ca: Some("X509\n".into()), ..shown });
        Self { shown, list }
    }

    fn publish(&self, version: u64) {
        *self.list.lock().expect("lock") = numbered(version);
    }

    async fn ask(&self, request: axum::http::request::Builder) -> Response<Body> {
        answer(State(Arc::clone(&self.shown)), request.body(Body::empty()).expect("request")).await
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.ask(Request::get(path)).await;
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }
}

/// What a side shows in the tests of the door.
pub(in crate::web) fn sample() -> Shown {
    let newest = || Newest {
        list: numbered(1),
        checkpoint: "".into(),
        minting: true,
        is_key_away: false,
        now: NOW,
    };
    Shown::new("ssh-ed25519 AAAA", "PEM\n".into(), Box::new(newest))
}

pub(in crate::web) fn numbered(version: u64) -> Arc<SignedList> {
    let (krl, signature) = (format!("krl {version}").into(), format!("signature {version}"));
    let deny = SignedDeny { json: format!("deny {version}"), signature: format!("sig {version}") };
    Arc::new(SignedList { version, krl, signature, crl: Some(crl(version, NOW)), deny: Some(deny) })
}

fn crl(version: u64, signed_at: Timestamp) -> SignedCrl {
    let number = Number::new(version, signed_at);
    let der = format!("der {version}").into();
    SignedCrl::new(number, signed_at, der, Vec::new()).found(format!("pem {version}"))
}

/// 2026-11-22, about noon.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

#[tokio::test]
async fn every_path_shows_its_page() {
    let side = Side::minting(true);
    for (path, begins) in [
        ("/v1/ssh/ca.pub", "ssh-ed25519 AAAA\n"),
        ("/v1/tls/ca.pem", "PEM\n"),
        ("/v1/checkpoint", "origin\n7\n"),
        ("/v1/ssh/krl", "krl 1"),
        ("/v1/ssh/krl.sig", "signature 1"),
        ("/v1/x509/ca.pem", "X509\n"),
        ("/v1/x509/crl.pem", "pem 1"),
        ("/v1/x509/crl.der", "der 1"),
        ("/healthz", "serving"),
    ] {
        let (status, body) = side.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(body.starts_with(begins), "{path}: {body}");
    }
    assert_eq!(side.get("/v1/keys").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_and_its_signature_stay_together_while_the_next_comes_out() {
    let side = Side::minting(true);
    let list = side.ask(Request::get("/v1/ssh/krl")).await;
    let version = list.headers()["breakglass-list-version"].to_str().expect("text").to_owned();
    side.publish(2);
    let (status, signature) = side.get(&format!("/v1/ssh/krl.sig?version={version}")).await;
    assert_eq!((status, signature.as_str()), (StatusCode::OK, "signature 1"));
    assert_eq!(side.get("/v1/ssh/krl.sig").await.1, "signature 2");
    assert_eq!(side.get("/v1/ssh/krl?version=3").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_brings_its_signature_along() {
    let side = Side::minting(true);
    for (version, signature) in [(1, "c2lnbmF0dXJlIDE="), (2, "c2lnbmF0dXJlIDI=")] {
        side.publish(version);
        let list = side.ask(Request::get("/v1/ssh/krl")).await;
        assert_eq!(list.headers()["breakglass-list-signature"], signature);
        assert_eq!(list.headers()["breakglass-list-version"], version.to_string().as_str());
    }
    side.publish(3);
    let older = side.ask(Request::get("/v1/ssh/krl?version=2")).await;
    assert_eq!(older.headers()["breakglass-list-signature"], "c2lnbmF0dXJlIDI=");
}

#[tokio::test]
async fn an_old_list_is_never_shown_as_the_newest() {
    let side = Side::minting(true);
    for version in 1..40 {
        side.publish(version);
        assert_eq!(side.get("/v1/ssh/krl").await.1, format!("krl {version}"));
    }
    assert_eq!(side.get("/v1/ssh/krl?version=1").await.0, StatusCode::NOT_FOUND);
    assert_eq!(side.get("/v1/ssh/krl?version=39").await.0, StatusCode::OK);
}

#[tokio::test]
async fn who_has_the_page_is_told_that_it_is_unchanged() {
    let side = Side::minting(true);
    let tag = side.ask(Request::get("/v1/ssh/krl")).await.headers()["etag"].clone();
    let asked = |tag: &str| Request::get("/v1/ssh/krl").header("if-none-match", tag);
    let tag = tag.to_str().expect("text");
    for tags in [tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
        assert_eq!(side.ask(asked(tags)).await.status(), StatusCode::NOT_MODIFIED, "{tags}");
    }
    side.publish(2);
    assert_eq!(side.ask(asked(tag)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn nothing_that_could_change_something_is_taken() {
    let side = Side::minting(true);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREAK"] {
        let answer = side.ask(Request::builder().method(method).uri("/v1/ssh/krl")).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
    }
    let with_body = Request::get("/v1/ssh/krl").header("content-length", "1");
    assert_eq!(side.ask(with_body).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let chunked = Request::get("/v1/ssh/krl").header("transfer-encoding", "chunked");
    assert_eq!(side.ask(chunked).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_query_is_a_version_of_a_list_or_refused() {
    let side = Side::minting(true);
    for query in [
        "/v1/ssh/krl?version=",
        "/v1/ssh/krl?version=+1",
        "/v1/ssh/krl?version=1&version=2",
        "/v1/ssh/krl?version=99999999999999999999999",
        "/v1/ssh/krl?x=1",
        "/v1/checkpoint?version=1",
        "/healthz?version=1",
    ] {
        assert_eq!(side.get(query).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn health_fails_while_nothing_can_be_minted_and_the_lists_are_still_served() {
    let side = Side::minting(false);
    assert_eq!(side.get("/healthz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(side.get("/v1/ssh/krl").await.0, StatusCode::OK);
}

/// When the list runs out, servers refuse everybody: that is told days before.
#[tokio::test]
async fn health_fails_long_before_a_list_that_is_not_signed_any_more_runs_out() {
    let side = Side::minting(true);
    let old = SignedList { crl: Some(crl(1, NOW.minus(3601))), ..(*numbered(1)).clone() };
    *side.list.lock().expect("lock") = Arc::new(old);
    let (status, text) = side.get("/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("not being signed"), "{text}");
    side.publish(1);
    assert_eq!(side.get("/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_broker_without_x509_has_no_pages_of_it() {
    let side = Side::minting(true);
    let shown = Shown::new(
        "ssh-ed25519 AAAA",
        "PEM\n".into(),
        Box::new(|| Newest {
            list: Arc::new(SignedList { crl: None, ..(*numbered(1)).clone() }),
            checkpoint: "".into(),
            minting: true,
            is_key_away: false,
            now: NOW,
        }),
    );
    let side = Side { shown: Arc::new(shown), ..side };
    for path in ["/v1/x509/ca.pem", "/v1/x509/crl.pem", "/v1/x509/crl.der"] {
        assert_eq!(side.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(side.get("/healthz").await.0, StatusCode::OK);
}

/// What a verifier of tokens needs is public, and may be kept for a while; nothing secret is beside it.
#[tokio::test]
async fn who_verifies_tokens_finds_issuer_and_keys() {
    let dir = tempfile::tempdir().expect("a directory");
    let entropy = crate::entropy::SeededEntropy::new(1);
    crate::mint::Mint::create(dir.path(), "payments", &entropy, NOW).expect("keys");
    let mut mint = crate::mint::Mint::open(dir.path(), "payments").expect("keys");
    assert_eq!(mint.public().documents(), None, "nobody said who issues");
    mint.issue_as(crate::jwt::Issuer::new("https://bg.example.com").ok());
    let mut side = Side::minting(true);
    let paths = ["/.well-known/openid-configuration", "/.well-known/jwks.json"];
    for path in paths {
        assert_eq!(side.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let shown = Shown::new("ssh-ed25519 AAAA", "PEM\n".into(), sample().newest);
    side.shown = Arc::new(Shown { documents: mint.public().documents(), ..shown });
    for path in paths {
        let (status, body) = side.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let document: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert!(!body.contains("\"d\"") && document.is_object(), "{body}");
        let answer = side.ask(Request::get(path)).await;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header(header::CACHE_CONTROL), Some("public, max-age=300"));
        let tag = header(header::ETAG).expect("a tag").to_owned();
        let again = side.ask(Request::get(path).header(header::IF_NONE_MATCH, tag)).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let post = side.ask(Request::post(path)).await;
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
