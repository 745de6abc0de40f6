//! The public side: read-only HTTP for hosts that fetch lists and keys.
//!
//! What is served is public and signed, so there is no TLS, no cookie and no log-in here; nothing a
//! caller sends changes anything. It is answered from snapshots in memory, never from the database.

mod page;
mod routes;
mod shelf;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::crowd::{FORGET_EVERY, Rate, Seats, Source, Throttle};
use crate::desk::Desk;

/// Connections at once. A fetch takes milliseconds; a fleet that polls every minute needs a few.
const CONNECTIONS: usize = 512;

/// Connections at once from one address: a fleet behind one gateway.
const CONNECTIONS_PER_ADDRESS: usize = 64;

/// New connections of one address: a fleet of a few thousand hosts behind one gateway, each
/// fetching two files a minute.
const CONNECTS: Rate = Rate::new(100, 400);

/// From connecting to the end of the request's headers: they fit one packet.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(5);

/// Most request headers; a browser behind two proxies sends thirty.
const HEADERS_MAX: usize = 64;

/// Bytes of request line and headers; hyper takes no less than 8 KiB.
const HEAD_MAX_BYTES: usize = 16 << 10;

/// A whole connection, one request and its answer: a list of a megabyte over a poor line.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Rest after a failed accept: the usual cause is too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers at `listener` until `stop` turns true, or whoever could turn it is gone. Answers on
/// their way are finished as long as the runtime lives.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    let door = Door {
        router: routes::router(routes::Shown::of(desk)),
        seats: Seats::new(CONNECTIONS, CONNECTIONS_PER_ADDRESS),
        connects: Throttle::new(CONNECTS),
    };
    tokio::select! {
        never = door.admit(&listener) => match never {},
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

struct Door {
    router: Router,
    seats: Arc<Seats<Source>>,
    connects: Throttle<Source>,
}

impl Door {
    async fn admit(&self, listener: &TcpListener) -> Infallible {
        let mut forget = tokio::time::interval(FORGET_EVERY);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, from)) => self.greet(socket, from.ip().into()),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                _ = forget.tick() => self.connects.forget_quiet(),
            }
        }
    }

    /// Serves `socket`, or drops it if its address has too much already.
    fn greet(&self, socket: TcpStream, source: Source) {
        if self.connects.count(source).is_err() {
            return;
        }
        let Ok(seat) = self.seats.take(source) else { return };
        let router = self.router.clone();
        tokio::spawn(async move {
            let _ = timeout(CONNECTION_TIMEOUT, one_request(socket, router)).await;
            drop(seat);
        });
    }
}

/// Reads one request and answers it. One to a connection: whoever waits in between holds no seat.
async fn one_request(socket: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP request was not served");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What comes back for these bytes, until the connection is closed.
    async fn exchange(request: &[u8]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let door = Door {
            router: routes::router(routes::sample()),
            seats: Seats::new(1, 1),
            connects: Throttle::new(CONNECTS),
        };
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
