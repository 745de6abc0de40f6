//! The public side: read-only HTTP for hosts that fetch lists and keys.
//!
//! What is served is public and signed, so there is no TLS, no cookie and no log-in here; nothing a
//! caller sends changes anything, not even the one question that may be posted (`ocsp`). It is answered from snapshots in memory, never from the database.

mod held;
mod ocsp;
mod page;
mod ready;
mod responder;
mod routes;
mod shelf;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::crowd::Rate;
use crate::desk::Desk;
use crate::http::{self, Crowd};

/// Each host that follows a list holds one connection for it, and hundreds of hosts may sit behind one
/// gateway. At a revocation they all come at once, for the list, its signature and the next question;
/// what does not fit is dropped and comes again.
const CROWD: Crowd =
    Crowd { connections: 768, connections_per_address: 384, connects: Rate::new(400, 2000) };

/// Answers at `listener` until `stop` turns true, or whoever could turn it is gone. Answers on
/// their way are finished as long as the runtime lives.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>, stop: watch::Receiver<bool>) {
    let router = routes::router(routes::Shown::of(desk, stop.clone()));
    http::serve(listener, None, router, CROWD, stop).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::http::{Door, HEAD_MAX_BYTES, HEADERS_MAX};

    /// What comes back for these bytes, until the connection is closed.
    async fn exchange(request: &[u8]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let crowd = Crowd { connections: 1, connections_per_address: 1, ..CROWD };
        let door = Door::new(None, routes::router(routes::sample()), crowd);
        let asking = async {
            let mut socket = TcpStream::connect(address).await.expect("a connection");
            let mut answer = Vec::new();
            // Who says too much may be hung up on before they have finished, or read the answer.
            let _ = socket.write_all(request).await;
            let _ = socket.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::select! {
            answer = asking => answer,
            never = door.admit(&listener) => match never {},
        }
    }

    #[tokio::test]
    async fn a_fetch_is_answered_and_the_connection_closed() {
        let answer = exchange(b"GET /v1/ssh/krl HTTP/1.1\r\nHost: bg\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("breakglass-list-version: 1\r\n"), "{answer}");
        assert!(answer.contains("content-length: 5\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nkrl 1"), "{answer}");
    }

    #[tokio::test]
    async fn head_has_the_headers_and_no_body() {
        let answer = exchange(b"HEAD /v1/ssh/krl HTTP/1.1\r\nHost: bg\r\n\r\n").await;
        assert!(answer.contains("content-length: 5\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn too_many_headers_are_refused() {
        let mut request = b"GET /v1/ssh/krl HTTP/1.1\r\n".to_vec();
        request.extend(b"a: b\r\n".repeat(HEADERS_MAX + 1));
        request.extend(b"\r\n");
        let answer = exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn a_head_over_the_limit_is_not_answered_as_asked() {
        let mut request = b"GET /v1/ssh/krl HTTP/1.1\r\nx: ".to_vec();
        request.resize(HEAD_MAX_BYTES * 2, b'a');
        request.extend(b"\r\n\r\n");
        let answer = exchange(&request).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Time is paused, so it goes on by itself as soon as everybody waits.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_is_hung_up_on() {
        let answer = exchange(b"GET /v1/ssh/krl HTTP/1.1\r\n").await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
