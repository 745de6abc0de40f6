use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::held::{HELD_MAX, WAIT_MAX};
use super::tests::{numbered, sample};
use super::*;
use crate::crowd::Rate;
use crate::http::{Crowd, Door};

/// A side whose next list can be published, and which can be stopped.
struct Side {
    shown: Arc<Shown>,
    bell: Arc<watch::Sender<Arc<SignedList>>>,
    stop: watch::Sender<bool>,
}

impl Side {
    fn new() -> Self {
        let (bell, newest) = watch::channel(numbered(1));
        let (stop, stopping) = watch::channel(false);
        let bell = Arc::new(bell);
        let shown = Arc::clone(&bell);
        let newest_of = move || Newest {
            list: Arc::clone(&shown.borrow()),
            checkpoint: "".into(),
            minting: true,
            is_key_away: false,
            now: Timestamp::from_unix_seconds(1_795_348_800),
        };
        let held = Some(Held::new(newest, stopping));
        let shown = Arc::new(Shown { held, newest: Box::new(newest_of), ..sample() });
        Self { shown, bell, stop }
    }

    /// Asks for a newer one than that in place, which may be held for `wait`.
    async fn ask(&self, wait: &str) -> JoinHandle<Response<Body>> {
        let known = Request::get("/v1/ssh/krl").body(Body::empty()).expect("a request");
        let tag = answer(State(Arc::clone(&self.shown)), known).await.headers()["etag"].clone();
        let mut asked = Request::get("/v1/ssh/krl").header("if-none-match", tag);
        if !wait.is_empty() {
            asked = asked.header("prefer", wait);
        }
        let asked = asked.body(Body::empty()).expect("a request");
        tokio::spawn(answer(State(Arc::clone(&self.shown)), asked))
    }

    async fn holds(&self, number: usize) {
        while self.shown.held.as_ref().map(Held::free) != Some(HELD_MAX.saturating_sub(number)) {
            tokio::task::yield_now().await;
        }
    }
}

fn applied(answer: &Response<Body>) -> Option<&str> {
    answer.headers().get("preference-applied").and_then(|value| value.to_str().ok())
}

#[tokio::test(start_paused = true)]
async fn a_held_question_is_answered_by_the_next_list_at_once() {
    let side = Side::new();
    let asked = side.ask("wait=20").await;
    side.holds(1).await;
    let begun = tokio::time::Instant::now();
    side.bell.send_replace(numbered(2));
    let answer = asked.await.expect("an answer");
    assert_eq!((answer.status(), applied(&answer)), (StatusCode::OK, Some("wait=20")));
    assert_eq!(answer.headers()["breakglass-list-version"], "2");
    assert!(begun.elapsed().is_zero(), "not a moment later");
    side.holds(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_held_question_is_told_that_there_is_nothing_new_when_its_time_is_over() {
    let side = Side::new();
    for (wait, seconds) in [("wait=7", 7), ("wait=9999", WAIT_MAX.as_secs())] {
        let begun = tokio::time::Instant::now();
        let answer = side.ask(wait).await.await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(applied(&answer), Some(&*format!("wait={seconds}")));
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn who_prefers_nothing_or_has_nothing_is_answered_at_once() {
    let (side, begun) = (Side::new(), tokio::time::Instant::now());
    let answer = side.ask("").await.await.expect("an answer");
    assert_eq!((answer.status(), applied(&answer)), (StatusCode::NOT_MODIFIED, None));
    let first = Request::get("/v1/ssh/krl").header("prefer", "wait=9").body(Body::empty());
    let answer = super::answer(State(Arc::clone(&side.shown)), first.expect("a request")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(begun.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_a_question_is_answered_at_once() {
    let side = Side::new();
    let mut held = Vec::new();
    for _ in 0..HELD_MAX {
        held.push(side.ask("wait=20").await);
    }
    side.holds(HELD_MAX).await;
    let begun = tokio::time::Instant::now();
    let answer = side.ask("wait=20").await.await.expect("an answer");
    assert_eq!((answer.status(), applied(&answer)), (StatusCode::NOT_MODIFIED, None));
    assert!(begun.elapsed().is_zero());
    side.bell.send_replace(numbered(2));
    for asked in held {
        assert_eq!(asked.await.expect("an answer").status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_held_while_the_daemon_stops() {
    let side = Side::new();
    let asked = side.ask("wait=20").await;
    side.holds(1).await;
    let begun = tokio::time::Instant::now();
    side.stop.send_replace(true);
    assert_eq!(asked.await.expect("an answer").status(), StatusCode::NOT_MODIFIED);
    let answer = side.ask("wait=20").await.await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    assert!(begun.elapsed().is_zero());
}

/// Over the wire; who hung up is not held any longer.
#[tokio::test]
async fn a_held_connection_gets_the_next_list_and_a_lost_one_frees_its_place() {
    let side = Side::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let crowd = Crowd { connections: 4, connections_per_address: 4, connects: Rate::new(100, 100) };
    let door =
        Door::new(None, Router::new().fallback(answer).with_state(Arc::clone(&side.shown)), crowd);
    let asking = async {
        let tag = side.ask("").await.await.expect("an answer").headers()["etag"].clone();
        let tag = tag.to_str().expect("text").to_owned();
        let question =
            format!("GET /v1/ssh/krl HTTP/1.0\r\nIf-None-Match: {tag}\r\nPrefer: wait=20\r\n\r\n");
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        socket.write_all(question.as_bytes()).await.expect("asked");
        let mut lost = TcpStream::connect(address).await.expect("a connection");
        lost.write_all(question.as_bytes()).await.expect("asked");
        side.holds(2).await;
        drop(lost);
        side.holds(1).await;
        side.bell.send_replace(numbered(2));
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    let answer = tokio::select! {
        answer = asking => answer,
        never = door.admit(&listener) => match never {},
    };
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nkrl 2"), "{answer}");
}
