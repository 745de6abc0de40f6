use std::sync::atomic::Ordering;

use super::*;
use crate::ocsp::testing::Question;
use crate::ocsp::{self, Standing};
use crate::web::responder::Known;

struct Side {
    known: Arc<Known>,
    counter: Counter,
}

impl Side {
    fn new() -> Self {
        let known = Known::new();
        let responder = Responder::of(Box::new(Arc::clone(&known))).unwrap();
        Self { known, counter: Counter::of(responder) }
    }

    async fn post(&self, body: Vec<u8>, kind: &str) -> Response<Body> {
        let request = Request::post(PATH).header("content-type", kind);
        self.counter.answer(request.body(Body::from(body)).unwrap()).await
    }

    async fn get(&self, rest: &str) -> Response<Body> {
        let request = Request::get(format!("{PATH}/{rest}"));
        self.counter.answer(request.body(Body::empty()).unwrap()).await
    }
}

async fn body(answer: Response<Body>) -> Vec<u8> {
    to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()
}

async fn is_good(answer: Response<Body>) -> bool {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/ocsp-response");
    let said = ocsp::open(&body(answer).await);
    said.is_ok_and(|said| said.answers.iter().all(|one| one.standing == Standing::Good))
}

const QUESTION: &str = "application/ocsp-request";

#[tokio::test]
async fn a_question_is_posted_or_fetched() {
    let side = Side::new();
    let question = Question::plain().der();
    assert!(is_good(side.post(question.clone(), QUESTION).await).await);
    let text = BASE64.encode(&question);
    assert!(is_good(side.get(&text).await).await);
    let escaped = text.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
    assert!(is_good(side.get(&escaped).await).await);
}

/// RFC 5019, 6.2; and what was made for one asker is for nobody else.
#[tokio::test]
async fn only_what_was_fetched_without_a_nonce_may_be_kept() {
    let side = Side::new();
    let answer = side.get(&BASE64.encode(&Question::plain().der())).await;
    let headers = answer.headers();
    assert_eq!(headers["cache-control"], "max-age=60, public, no-transform, must-revalidate");
    assert_eq!(headers["last-modified"], "Sun, 22 Nov 2026 12:00:00 GMT");
    assert_eq!(headers["expires"], "Sun, 22 Nov 2026 12:01:00 GMT");
    assert!(headers.contains_key("etag"));
    let answers = [
        side.get(&BASE64.encode(&Question::with_nonce(16).der())).await,
        side.post(Question::plain().der(), QUESTION).await,
        side.get("AAAA").await,
    ];
    for answer in answers {
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(!answer.headers().contains_key("expires"));
    }
}

#[tokio::test]
async fn what_is_no_question_is_refused_before_anybody_looks_into_it() {
    let side = Side::new();
    let question = Question::plain().der();
    for kind in ["text/plain", "application/ocsp-response", ""] {
        let answer = side.post(question.clone(), kind).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let large = side.post(vec![0; REQUEST_MAX_BYTES + 1], QUESTION).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let text = BASE64.encode(&question);
    let with_query = format!("{text}?x=1");
    for rest in ["", "%", "%2", "%zz", "A", "====", "AAAA%00", with_query.as_str()] {
        assert_eq!(side.get(rest).await.status(), StatusCode::BAD_REQUEST, "{rest}");
    }
    // In base64 anything may be said: that it is no question is told as OCSP tells it.
    assert_eq!(body(side.get("AAAA").await).await, ocsp::refusal(ocsp::Refused::Malformed));
    let elsewhere = Request::post(format!("{PATH}/x")).header("content-type", QUESTION);
    let answer = side.counter.answer(elsewhere.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn that_there_is_no_answer_now_is_said_in_the_protocols_own_words() {
    let side = Side::new();
    side.known.vouches.store(false, Ordering::SeqCst);
    let answer = side.post(Question::plain().der(), QUESTION).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(body(answer).await, ocsp::refusal(ocsp::Refused::Later));
    side.known.vouches.store(true, Ordering::SeqCst);
    side.known.signs.store(false, Ordering::SeqCst);
    let answer = side.post(Question::plain().der(), QUESTION).await;
    assert_eq!(body(answer).await, ocsp::refusal(ocsp::Refused::Internal));
    assert!(side.counter.fails());
}

#[test]
fn only_this_path_is_a_questions() {
    for path in ["/v1/x509/ocsp", "/v1/x509/ocsp/", "/v1/x509/ocsp/MDM//A="] {
        assert!(is_ours(path), "{path}");
    }
    for path in ["/v1/x509/ocspx", "/v1/x509/crl.pem", "/v1/x509", "/ocsp"] {
        assert!(!is_ours(path), "{path}");
    }
}
