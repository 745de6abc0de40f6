//! From listening socket to TLS connections: counted, limited, and none of them waits for another.
//!
//! TLS is ended here and not by tonic, whose configuration can neither reload a certificate nor
//! bound a handshake.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::limits::{HANDSHAKE_TIMEOUT, HANDSHAKES_AT_ONCE, Limits};
use crate::crowd::{FORGET_EVERY, Seat, Seats, Source, Throttle};

/// Finished connections that wait for tonic to take them: it does so at once.
const BACKLOG: usize = 16;

/// Rest after a failed accept: the usual cause is too many open files, which does not go away by
/// trying harder.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One TLS connection, and the seat it holds.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _seat: Seat<Source>,
}

/// The other end of a connection; every call on it carries this among its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The connections that come in at `listener` until `stop` turns true, each past its handshake.
pub(super) fn connections(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, incoming) = mpsc::channel(BACKLOG);
    let door = Door::new(tls, limits, ready);
    tokio::spawn(async move {
        tokio::select! {
            () = door.admit(&listener) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    });
    ReceiverStream::new(incoming)
}

struct Door {
    tls: TlsAcceptor,
    seats: Arc<Seats<Source>>,
    connects: Throttle<Source>,
    handshakes: Arc<Semaphore>,
    ready: mpsc::Sender<io::Result<Connection>>,
}

impl Door {
    fn new(
        tls: Arc<ServerConfig>,
        limits: Limits,
        ready: mpsc::Sender<io::Result<Connection>>,
    ) -> Self {
        Self {
            tls: TlsAcceptor::from(tls),
            seats: Seats::new(limits.connections, limits.connections_per_address),
            connects: Throttle::new(limits.connects),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE)),
            ready,
        }
    }

    /// Accepts until nobody takes the connections any more.
    async fn admit(&self, listener: &TcpListener) {
        let mut forget = tokio::time::interval(FORGET_EVERY);
        while !self.ready.is_closed() {
            // Waiting here leaves newcomers in the kernel's queue, which is bounded too.
            let Ok(slot) = Arc::clone(&self.handshakes).acquire_owned().await else { return };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, from)) => self.greet(socket, from, slot),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                _ = forget.tick() => self.connects.forget_quiet(),
            }
        }
    }

    /// Starts the handshake of `socket`, or drops it if its address has too much already.
    ///
    /// Whoever is dropped here learns nothing but a closed connection: there is no channel yet on
    /// which to say more.
    fn greet(&self, socket: TcpStream, from: SocketAddr, slot: OwnedSemaphorePermit) {
        let source = Source::from(from.ip());
        if self.connects.count(source).is_err() {
            tracing::debug!(peer = %from.ip(), "connection dropped: too many new ones");
            return;
        }
        let seat = match self.seats.take(source) {
            Ok(seat) => seat,
            Err(full) => {
                tracing::warn!(peer = %from.ip(), ?full, "connection dropped: no seat");
                return;
            }
        };
        let (tls, ready) = (self.tls.clone(), self.ready.clone());
        tokio::spawn(async move {
            let peer = Peer(from.ip().to_canonical());
            match timeout(HANDSHAKE_TIMEOUT, shake_hands(&tls, socket)).await {
                Ok(Ok(stream)) => {
                    drop(slot);
                    // An error means that we are stopping.
                    let _ = ready.send(Ok(Connection { stream, peer, _seat: seat })).await;
                }
                Ok(Err(error)) => tracing::debug!(peer = %peer.0, %error, "handshake failed"),
                Err(_) => tracing::debug!(peer = %peer.0, "handshake took too long"),
            }
        });
    }
}

async fn shake_hands(tls: &TlsAcceptor, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    // Answers are single small writes: Nagle's algorithm would hold them back for a round trip.
    socket.set_nodelay(true)?;
    tls.accept(socket).await
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use breakglass_ledger::time::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_stream::StreamExt;

    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::mint::Mint;

    /// A door at its own port, and what comes in.
    struct Opened {
        address: SocketAddr,
        incoming: ReceiverStream<io::Result<Connection>>,
        /// Were it gone, the door would close.
        _stop: watch::Sender<bool>,
    }

    async fn door(limits: Limits) -> Opened {
        let directory = tempfile::tempdir().expect("a directory");
        let now = Timestamp::from_unix_seconds(1_795_341_600);
        Mint::create(directory.path(), "test", &SeededEntropy::new(1), now).expect("keys");
        let mint = Mint::open(directory.path(), "payments").expect("a mint");
        let tls = mint.tls(&[], &[], move || now).expect("tls");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopping) = watch::channel(false);
        Opened { address, incoming: connections(listener, tls, limits, stopping), _stop: stop }
    }

    /// Reads until the other side hangs up.
    async fn hung_up(socket: &mut TcpStream) {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    }

    /// Time is paused, so it goes on by itself as soon as everybody waits.
    #[tokio::test(start_paused = true)]
    async fn a_newcomer_who_says_nothing_is_hung_up_on() {
        let started = Instant::now();
        let mut door = door(Limits::default()).await;
        let mut silent = TcpStream::connect(door.address).await.expect("a connection");
        tokio::select! {
            _ = door.incoming.next() => panic!("no handshake, no connection"),
            () = hung_up(&mut silent) => {}
        }
        assert!(started.elapsed() < HANDSHAKE_TIMEOUT, "paused time, not real time, went by");
    }

    #[tokio::test]
    async fn what_is_not_tls_is_hung_up_on() {
        let mut door = door(Limits::default()).await;
        let mut plain = TcpStream::connect(door.address).await.expect("a connection");
        plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("written");
        tokio::select! {
            _ = door.incoming.next() => panic!("no handshake, no connection"),
            () = hung_up(&mut plain) => {}
        }
    }

    #[tokio::test]
    async fn too_many_new_connections_of_one_address_are_dropped() {
        let connects = crate::crowd::Rate::new(1, 2);
        let door = door(Limits { connects, ..Limits::roomy() }).await;
        let _first = TcpStream::connect(door.address).await.expect("a connection");
        let _second = TcpStream::connect(door.address).await.expect("a connection");
        let mut third = TcpStream::connect(door.address).await.expect("a connection");
        // Dropped at once: nobody waits for its handshake.
        timeout(HANDSHAKE_TIMEOUT, hung_up(&mut third)).await.expect("dropped");
    }
}
