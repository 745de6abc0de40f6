//! Whether a server refuses what its list names, tried at the server itself.
//!
//! The certificate that is shown has a revoked serial and the authority's name, and is signed by
//! nobody. OpenSSL looks at the list before it looks at the signature (`verify_chain` in
//! `crypto/x509/x509_vfy.c`: `check_revocation` stands before `internal_verify`), so a server whose
//! list names the serial answers with the alert `certificate_revoked` (44, RFC 8446, 6.2), and one
//! whose list does not answers with that for a bad signature. It lets nobody in either way, so it
//! needs no key that anybody would have to guard.
//!
//! nginx cannot be tried so: it lets the handshake go on whatever is wrong and goes by the fault that
//! OpenSSL met last (`ngx_ssl_verify_callback`, `SSL_get_verify_result`), which is the bad signature, on its
//! list or not. So it is shown a chain whose signatures are good and whose top is an authority that was
//! made up for this: with the real one's name and key identifier, and under the revoked serial. OpenSSL
//! asks for each certificate whether the list is signed (never by this authority) and then whether it names
//! that serial, the top last. The fault met last is then `certificate revoked` if the list in force names
//! the serial, and `CRL signature failure` if it does not; a server that has no list at all stops at the
//! authority that nobody trusts. It answers all three with status 400, and its access log says which.
//!
//! Anybody can show it such a chain, to have it vouch for a list that it does not have. So the certificate
//! at the bottom has a number that was drawn for this one attempt and that nobody else knows, and only
//! what the log says under that number counts ([`witness`](super::witness)). Whoever answers need not prove
//! who they are, so only addresses of this host are tried: nobody on the network learns the number in time.

mod forged;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, Stream,
};

use self::forged::Shown;
use super::authority::Authority;
use crate::host::address::here;
use crate::host::canary::Tried;

/// For each step: the server is on this host.
const WITHIN: Duration = Duration::from_secs(3);

/// PostgreSQL's `SSLRequest`: its length, and a version that no protocol has.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What nginx is asked for: nothing that is there, and no body.
const REQUEST: &[u8] = b"HEAD /.breakglass-canary HTTP/1.0\r\nUser-Agent: breakglass-host\r\n\r\n";

/// Most bytes of its answer: a head.
const ANSWER_MAX: usize = 16 * 1024;

/// Shows PostgreSQL at `address` a certificate under `serial`, which the list in place names.
pub(super) fn postgresql(address: &str, authority: &Authority, serial: u128) -> Tried {
    match alert(address, authority, serial) {
        Some(AlertDescription::CertificateRevoked) => Tried::Refused,
        // It went on to the signature: its list does not name the serial.
        Some(AlertDescription::DecryptError | AlertDescription::BadCertificate) => Tried::Accepted,
        // Another fault came first, or nobody answered: that says nothing about the list.
        _ => Tried::Not("the server at `address` did not say what it thinks of it"),
    }
}

fn alert(address: &str, authority: &Authority, serial: u128) -> Option<AlertDescription> {
    let mut stream = connect(address)?;
    stream.write_all(&SSL_REQUEST).ok()?;
    let mut answer = [0];
    stream.read_exact(&mut answer).ok()?;
    if answer != *b"S" {
        return None;
    }
    let name = ServerName::try_from("localhost").ok()?;
    let config = config(forged::alone(authority, serial)?)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut stream = Stream::new(&mut connection, &mut stream);
    // In TLS 1.3 a client is done before the server has looked at its certificate.
    let failed = stream.read(&mut [0]).err()?;
    let failed = failed.get_ref()?.downcast_ref::<Error>()?;
    if let Error::AlertReceived(alert) = failed { Some(*alert) } else { None }
}

/// Shows nginx at `address` a chain whose top is under `serial`, which the list in place names. Answers the
/// number under which its log says what it made of that, once it has answered.
pub(super) fn nginx(address: &str, authority: &Authority, serial: u128) -> Option<u128> {
    let mut number = [0; 16];
    SystemRandom::new().fill(&mut number).ok()?;
    let number = u128::from_be_bytes(number);
    let config = config(forged::below(authority, serial, number)?)?;
    let host = address.rsplit_once(':')?.0.trim_matches(['[', ']']);
    // A name is sent along, by which a server of several is found (RFC 6066, 3); an address is not.
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let mut stream = connect(address)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut stream = Stream::new(&mut connection, &mut stream);
    stream.write_all(REQUEST).ok()?;
    // It writes its log before it closes.
    let (mut read, begun, mut part) = (0_usize, Instant::now(), [0; 1024]);
    while read < ANSWER_MAX && begun.elapsed() < WITHIN {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(length) => read = read.saturating_add(length),
        }
    }
    (read > 0).then_some(number)
}

fn connect(address: &str) -> Option<TcpStream> {
    let stream = here(address).find_map(|to| TcpStream::connect_timeout(&to, WITHIN).ok())?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    stream.set_write_timeout(Some(WITHIN)).ok()?;
    Some(stream)
}

fn config((certificates, key): Shown) -> Option<ClientConfig> {
    let provider = Arc::new(provider::default_provider());
    let anybody = Arc::new(Anybody(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(anybody);
    builder.with_client_auth_cert(certificates, key).ok()
}

/// Whoever answers is told nothing but a forgery, so it may be anybody.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
