use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};

use super::routes::{BODY_MAX_BYTES, Room, answer};
use super::testing::{AGENTS, Desk, TOKEN, listed, secret_of};

const INTROSPECT: &str = "/v1/oauth/introspect";
const REVOKE: &str = "/v1/oauth/revoke";
const REVIEW: &str = "/v1/kubernetes/tokenreview";
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

struct Door {
    desk: Desk,
    room: Arc<Room>,
}

impl Door {
    fn new() -> Self {
        let desk = Desk::default();
        Self { room: Room::new(Box::new(desk.clone()), listed()), desk }
    }

    async fn send(&self, request: Request<Body>) -> Told {
        let answer = answer(State(Arc::clone(&self.room)), request).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        Told { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn ask(&self, who: &str, path: &str, kind: &str, body: &str) -> Told {
        let bearer = format!("Bearer {}", secret_of(who));
        let request = Request::post(path).header(header::AUTHORIZATION, bearer);
        self.send(request.header(header::CONTENT_TYPE, kind).body(body.to_owned().into()).unwrap())
            .await
    }

    async fn review(&self, body: &str) -> String {
        let told = self.ask("cluster", REVIEW, JSON, body).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        told.body
    }
}

fn tokenreview(version: &str, token: &str, more: &str) -> String {
    format!(
        "{{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/{version}\",\
         \"metadata\":{{\"creationTimestamp\":null}},\"spec\":{{\"token\":\"{token}\"{more}}},\
         \"status\":{{\"user\":{{}}}}}}"
    )
}

#[tokio::test]
async fn a_token_that_counts_says_all_that_it_claims() {
    let door = Door::new();
    let told = door.ask("gateway", INTROSPECT, FORM, &format!("token={TOKEN}")).await;
    assert_eq!(told.status, StatusCode::OK);
    assert_eq!(told.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(
        told.body,
        "{\"active\":true,\"scope\":\"payments\",\"aud\":\"payments-api\",\"exp\":1795342200,\
         \"groups\":[\"dba\"],\"iat\":1795341600,\"iss\":\"https://bg.example.com\",\
         \"jti\":\"req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d.41\",\"nbf\":1795341595,\
         \"sub\":\"breakglass:req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d:sam\"}"
    );
    let told = door.ask("gateway", INTROSPECT, FORM, &format!("token={AGENTS}")).await;
    let key = "k".repeat(43);
    assert!(told.body.contains(",\"act\":{\"sub\":\"bot\"},"), "{}", told.body);
    assert!(told.body.contains(&format!("\"cnf\":{{\"jkt\":\"{key}\"}}")), "{}", told.body);
}

/// RFC 7662, section 2.2: and nothing else; whoever may not know is told the same (R13).
#[tokio::test]
async fn every_other_token_is_inactive_and_nothing_is_said_of_why() {
    let door = Door::new();
    for (who, token) in [("gateway", "x.y.z"), ("gateway", "%20"), ("narrow", TOKEN)] {
        let told = door.ask(who, INTROSPECT, FORM, &format!("token={token}")).await;
        assert_eq!((told.status, told.body.as_str()), (StatusCode::OK, "{\"active\":false}"));
    }
}

#[tokio::test]
async fn what_is_revoked_is_inactive_with_the_answer() {
    let door = Door::new();
    let body = format!("token={TOKEN}&token_type_hint=refresh_token");
    let told = door.ask("gateway", REVOKE, FORM, &body).await;
    assert_eq!((told.status, told.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(*door.desk.ended.lock().unwrap(), [(41, "gateway".parse().unwrap())]);
    let told = door.ask("gateway", INTROSPECT, FORM, &format!("token={TOKEN}")).await;
    assert_eq!(told.body, "{\"active\":false}");
    // RFC 7009, section 2.2: an invalid token is no fault, and there is nothing to end a second time.
    let told = door.ask("gateway", REVOKE, FORM, &body).await;
    assert_eq!((told.status, told.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(door.desk.ended.lock().unwrap().len(), 1);
}

/// R10, R32: a caller ends what it may ask about, and is not told that it ended what it did not.
#[tokio::test]
async fn a_caller_does_not_revoke_for_others_and_is_told_so() {
    let door = Door::new();
    let told = door.ask("narrow", REVOKE, FORM, &format!("token={TOKEN}")).await;
    assert_eq!(told.status, StatusCode::BAD_REQUEST);
    assert!(told.body.starts_with("{\"error\":\"unauthorized_client\","), "{}", told.body);
    assert!(door.desk.ended.lock().unwrap().is_empty());
}

#[tokio::test]
async fn while_nothing_can_be_vouched_for_nothing_is_and_everybody_may_ask_again() {
    let door = Door::new();
    door.desk.is_unsure.store(true, Ordering::SeqCst);
    for path in [INTROSPECT, REVOKE] {
        let told = door.ask("gateway", path, FORM, &format!("token={TOKEN}")).await;
        assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(told.headers[header::RETRY_AFTER], "1");
        assert!(!told.body.contains("active"), "{}", told.body);
    }
    assert_eq!(
        door.review(&tokenreview("v1", TOKEN, "")).await,
        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"status\":\
         {\"authenticated\":false,\"error\":\"the broker cannot vouch for tokens now\"}}"
    );
}

#[tokio::test]
async fn a_cluster_is_told_whom_a_token_stands_for_in_its_own_version() {
    let door = Door::new();
    for version in ["v1", "v1beta1"] {
        assert_eq!(
            door.review(&tokenreview(version, AGENTS, ",\"audiences\":[\"x\",\"payments-api\"]"))
                .await,
            format!(
                "{{\"apiVersion\":\"authentication.k8s.io/{version}\",\"kind\":\"TokenReview\",\
                 \"status\":{{\"authenticated\":true,\"user\":{{\
                 \"username\":\"breakglass:req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d:sam\",\
                 \"uid\":\"req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d\",\"groups\":[\"dba\"],\
                 \"extra\":{{\"breakglass/actor\":[\"bot\"],\
                 \"breakglass/jti\":[\"req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d.42\"],\
                 \"breakglass/request\":[\"req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d\"],\
                 \"breakglass/scope\":[\"payments\"]}}}},\"audiences\":[\"payments-api\"]}}}}"
            )
        );
    }
}

#[tokio::test]
async fn a_cluster_that_is_not_meant_authenticates_nobody() {
    let door = Door::new();
    let no = "{\"apiVersion\":\"authentication.k8s.io/v1beta1\",\"kind\":\"TokenReview\",\
              \"status\":{\"authenticated\":false}}";
    for (token, more) in [("x.y.z", ""), (TOKEN, ",\"audiences\":[\"x\"]"), ("", "")] {
        assert_eq!(door.review(&tokenreview("v1beta1", token, more)).await, no, "{token} {more}");
    }
    assert!(door.review(&tokenreview("v1", TOKEN, ",\"audiences\":[]")).await.contains("true"));
    assert!(door.review(&tokenreview("v1", TOKEN, ",\"audiences\":null")).await.contains("true"));
}

/// R29, R38: what is not understood is refused, and not read as something else.
#[tokio::test]
async fn a_review_in_any_other_form_is_refused() {
    let door = Door::new();
    let good = tokenreview("v1", TOKEN, "");
    for bad in [
        good.replace("authentication.k8s.io/v1", "authentication.k8s.io/v2"),
        good.replace("authentication.k8s.io/v1", "authorization.k8s.io/v1"),
        good.replace("\"TokenReview\"", "\"SubjectAccessReview\""),
        good.replace("\"spec\"", "\"spec\":{\"token\":\"x\"},\"spec\""),
        good.replace("{\"token\"", "{\"tokens\":1,\"token\""),
        good.replace("{\"token\":\"a.b.c\"}", "{\"token\":[\"a.b.c\"]}"),
        good.replace("{\"token\":\"a.b.c\"}", "{}"),
        tokenreview("v1", TOKEN, ",\"audiences\":\"payments-api\""),
        good.replace("{\"kind\"", "{\"more\":1,\"kind\""),
        format!("{good}{good}"),
        good[1..].to_owned(),
        String::new(),
    ] {
        assert_ne!(bad, good);
        let told = door.ask("cluster", REVIEW, JSON, &bad).await;
        assert_eq!(told.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(told.body.starts_with("{\"error\":\"invalid_request\","), "{}", told.body);
    }
}

#[tokio::test]
async fn who_is_not_known_gets_no_further_and_is_told_how_to_be() {
    let door = Door::new();
    let told = door.ask("nobody", INTROSPECT, FORM, &format!("token={TOKEN}")).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    let asked: Vec<_> = told.headers.get_all(header::WWW_AUTHENTICATE).iter().collect();
    assert_eq!(
        asked,
        [
            "Bearer realm=\"breakglass\", error=\"invalid_token\"",
            "Basic realm=\"breakglass\", charset=\"UTF-8\""
        ]
    );
    assert!(told.body.starts_with("{\"error\":\"invalid_client\","), "{}", told.body);
    let nameless = Request::post(REVIEW).body(Body::from("x".repeat(BODY_MAX_BYTES + 1))).unwrap();
    let told = door.send(nameless).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED, "before the body is looked at");
    assert_eq!(told.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"breakglass\"");
    let told = door.ask("gateway", REVIEW, JSON, "{}").await;
    assert_eq!(told.status, StatusCode::FORBIDDEN);
    assert_eq!(
        told.headers[header::WWW_AUTHENTICATE],
        "Bearer realm=\"breakglass\", error=\"insufficient_scope\""
    );
}

#[tokio::test]
async fn what_has_another_form_is_refused_by_name() {
    let door = Door::new();
    let long = format!("token={}", "a".repeat(BODY_MAX_BYTES));
    let refused = [
        (INTROSPECT, JSON, "token=a.b.c", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (INTROSPECT, "text/plain", "token=a.b.c", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            REVOKE,
            "application/x-www-form-urlencoded; charset=latin1",
            "token=a",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (INTROSPECT, FORM, long.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
        (INTROSPECT, FORM, "", StatusCode::BAD_REQUEST),
        (REVOKE, FORM, "tokens=a.b.c", StatusCode::BAD_REQUEST),
        (REVOKE, FORM, "token=a.b.c&token=a.b.c", StatusCode::BAD_REQUEST),
        ("/v1/oauth/introspect?token=a.b.c", FORM, "token=a.b.c", StatusCode::BAD_REQUEST),
        ("/v1/oauth/token", FORM, "token=a.b.c", StatusCode::NOT_FOUND),
    ];
    for (path, kind, body, status) in refused {
        let told = door.ask("gateway", path, kind, body).await;
        assert_eq!(told.status, status, "{path} {kind}");
        assert!(told.body.starts_with("{\"error\":\"invalid_request\","), "{}", told.body);
    }
    assert!(door.desk.ended.lock().unwrap().is_empty());
    let kind = "application/x-www-form-urlencoded;charset=UTF-8";
    assert_eq!(door.ask("gateway", INTROSPECT, kind, "token=x").await.status, StatusCode::OK);
    let asked = format!("{REVIEW}?timeout=30s");
    let told = door.ask("cluster", &asked, JSON, &tokenreview("v1", TOKEN, "")).await;
    assert_eq!(told.status, StatusCode::OK, "a cluster says how long it waits");
}

#[tokio::test]
async fn only_post_is_taken() {
    let door = Door::new();
    for path in [INTROSPECT, REVOKE, REVIEW] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let bearer = format!("Bearer {}", secret_of("gateway"));
            let request = Request::builder().method(method).uri(path);
            let request = request.header(header::AUTHORIZATION, bearer);
            let told = door.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(told.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(told.headers[header::ALLOW], "POST");
        }
    }
}
