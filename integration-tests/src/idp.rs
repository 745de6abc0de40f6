//! A fake identity provider: a real HTTP server on loopback that can be made to fail in many ways.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::net::TcpSocket;

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Up,
    /// Answers 503 to everything.
    Unavailable,
    /// Accepts, and never answers.
    Hang,
    /// Names another issuer.
    WrongIssuer,
    /// Offers no keys.
    NoKeys,
    /// Answers as it should every other time.
    Flapping,
    /// Redirects to itself for ever.
    Redirects,
    /// Begins an answer of ten gigabytes.
    Huge,
    /// 429 to everything.
    Busy,
}

/// The server; it ends when dropped.
pub struct Idp {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its issuer, as its discovery document names it.
    pub issuer: String,
    manner: Arc<Mutex<Manner>>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
}

impl Idp {
    /// One without TLS.
    #[must_use]
    pub fn plain() -> Self {
        Self::start("http", None)
    }

    /// One whose certificate, made in `dir` as `idp.pem`, is over or not.
    ///
    /// # Panics
    ///
    /// Panics if the certificate cannot be made.
    #[must_use]
    pub fn with_tls(dir: &Path, expired: bool) -> Self {
        let pair = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(if expired { 2021 } else { 2100 }, 1, 1);
        let certificate = params.self_signed(&pair).expect("a certificate");
        std::fs::write(dir.join("idp.pem"), certificate.pem()).expect("written");
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(pair.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a configuration");
        Self::start("https", Some(Arc::new(config)))
    }

    fn start(scheme: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let issuer = format!("{scheme}://{address}");
        let manner = Arc::new(Mutex::new(Manner::Up));
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU64::new(0));
        let (now, stopped, name) = (Arc::clone(&manner), Arc::clone(&stop), issuer.clone());
        let turns = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let turn = turns.fetch_add(1, Ordering::SeqCst).saturating_add(1);
                let manner = *now.lock().unwrap_or_else(PoisonError::into_inner);
                let (name, tls) = (name.clone(), tls.clone());
                std::thread::spawn(move || serve(stream, tls, manner, turn, &name));
            }
        });
        Self { address, issuer, manner, stop, asked }
    }

    /// From now on it behaves like this.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// How often it was asked so far.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// Something that is always there: it takes every connection and hangs up.
pub struct Control {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    taking: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens on loopback.
    ///
    /// # Panics
    ///
    /// Panics if there is no port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let taking = std::thread::spawn(move || {
            // One that only listens is full after some hundred connections that nobody takes.
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) || stream.is_err() {
                    return;
                }
            }
        });
        Self { address, stop, taking: Some(taking) }
    }

    /// Ends it: from now on connections to its address are refused, until the answer is dropped.
    ///
    /// # Panics
    ///
    /// Panics if its port cannot be kept.
    #[must_use]
    pub fn end(self) -> TcpSocket {
        let address = self.address;
        drop(self);
        keep_port(address)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.taking.take().map(JoinHandle::join));
    }
}

/// Keeps an address from being given to anybody: connections to it are refused, and only who asks
/// for it by number can listen there.
///
/// # Panics
///
/// Panics if somebody listens there.
#[must_use]
pub fn keep_port(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("an address of our own");
    socket
}

/// A client that hung up is no fault of ours.
fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    manner: Manner,
    turn: u64,
    issuer: &str,
) {
    drop(stream.set_read_timeout(Some(Duration::from_secs(30))));
    match tls {
        None => drop(answer(stream, manner, turn, issuer)),
        Some(config) => {
            let Ok(connection) = ServerConnection::new(config) else { return };
            drop(answer(StreamOwned::new(connection, stream), manner, turn, issuer));
        }
    }
}

fn answer(
    mut stream: impl Read + Write,
    manner: Manner,
    turn: u64,
    issuer: &str,
) -> std::io::Result<()> {
    let mut head = [0; 4096];
    let size = stream.read(&mut head)?;
    let head = String::from_utf8_lossy(head.get(..size).unwrap_or_default()).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    if manner == Manner::Hang {
        // Until the other side gives up.
        while stream.read(&mut [0; 64])? > 0 {}
        return Ok(());
    }
    if manner == Manner::Huge {
        stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 10000000000\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 65_536])?;
        }
    }
    let (status, body) = match manner {
        Manner::Unavailable => (503, String::new()),
        Manner::Flapping if turn.is_multiple_of(2) => (503, String::new()),
        Manner::Redirects => (302, String::new()),
        Manner::Busy => (429, String::new()),
        Manner::Up
        | Manner::Flapping
        | Manner::WrongIssuer
        | Manner::NoKeys
        | Manner::Hang
        | Manner::Huge => said(path, manner, issuer),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nlocation: {path}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )?;
    stream.flush()
}

fn said(path: &str, manner: Manner, issuer: &str) -> (u16, String) {
    match path {
        "/keys" if manner == Manner::NoKeys => (200, r#"{"keys":[]}"#.to_owned()),
        "/keys" => (200, r#"{"keys":[{"kty":"EC","kid":"1","use":"sig"}]}"#.to_owned()),
        "/token" => (401, r#"{"error":"invalid_client"}"#.to_owned()),
        _ => {
            let name = if manner == Manner::WrongIssuer { "https://evil.example" } else { issuer };
            let keys = format!("{issuer}/keys");
            let token = format!("{issuer}/token");
            let text =
                format!(r#"{{"issuer":"{name}","jwks_uri":"{keys}","token_endpoint":"{token}"}}"#);
            (200, text)
        }
    }
}
