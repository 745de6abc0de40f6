//! One HTTP/1 request to a connection, plain or over TLS: counted, limited, and none waits for another.
//!
//! What is asked and answered is the business of the room that brings the routes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::crowd::{FORGET_EVERY, Rate, Seats, Source, Throttle};

/// How many may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections at once from one address.
    pub(crate) connections_per_address: usize,
    /// New connections of one address.
    pub(crate) connects: Rate,
}

/// From connecting to the end of the request's headers: they fit one packet.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(5);

/// A handshake takes one round trip; who needs longer than this holds a seat for nothing.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Most request headers; a browser behind two proxies sends thirty.
pub(crate) const HEADERS_MAX: usize = 64;

/// Bytes of request line and headers; hyper takes no less than 8 KiB.
pub(crate) const HEAD_MAX_BYTES: usize = 16 << 10;

/// A whole connection, one request and its answer: a list of a megabyte over a poor line.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Rest after a failed accept: the usual cause is too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What HTTP/1 is called in a handshake (RFC 7301).
const HTTP_1: &[u8] = b"http/1.1";

/// Answers at `listener` by `router` until `stop` turns true, or whoever could turn it is gone; over
/// TLS if `tls` is given. Answers on their way are finished as long as the runtime lives.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<&ServerConfig>,
    router: Router,
    crowd: Crowd,
    mut stop: watch::Receiver<bool>,
) {
    let door = Door::new(tls, router, crowd);
    tokio::select! {
        never = door.admit(&listener) => match never {},
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// The door itself, and who is in.
pub(crate) struct Door {
    router: Router,
    tls: Option<TlsAcceptor>,
    seats: Arc<Seats<Source>>,
    connects: Throttle<Source>,
}

impl Door {
    /// A door to `router`, over TLS if `tls` is given.
    pub(crate) fn new(tls: Option<&ServerConfig>, router: Router, crowd: Crowd) -> Self {
        let speaking = |tls: &ServerConfig| {
            let mut tls = tls.clone();
            tls.alpn_protocols = vec![HTTP_1.to_vec()];
            TlsAcceptor::from(Arc::new(tls))
        };
        Self {
            router,
            tls: tls.map(speaking),
            seats: Seats::new(crowd.connections, crowd.connections_per_address),
            connects: Throttle::new(crowd.connects),
        }
    }

    /// Lets in whoever comes, for as long as it is polled.
    pub(crate) async fn admit(&self, listener: &TcpListener) -> Infallible {
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
        let (router, tls) = (self.router.clone(), self.tls.clone());
        tokio::spawn(async move {
            let _ = timeout(CONNECTION_TIMEOUT, converse(socket, tls, router)).await;
            drop(seat);
        });
    }
}

async fn converse(socket: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let Some(tls) = tls else { return one_request(socket, router).await };
    match timeout(HANDSHAKE_TIMEOUT, tls.accept(socket)).await {
        Ok(Ok(stream)) => one_request(stream, router).await,
        Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
        Err(_) => tracing::debug!("handshake took too long"),
    }
}

/// Reads one request and answers it. One to a connection: whoever waits in between holds no seat.
async fn one_request(stream: impl AsyncRead + AsyncWrite + Unpin + Send, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP request was not served");
    }
}
