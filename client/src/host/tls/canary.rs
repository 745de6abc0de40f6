//! Whether a server refuses what its list names, tried at the server itself.
//!
//! The certificate that is shown has a revoked serial and the authority's name, and is signed by
//! nobody. OpenSSL looks at the list before it looks at the signature (`verify_chain` in
//! `crypto/x509/x509_vfy.c`: `check_revocation` stands before `internal_verify`), so a server whose
//! list names the serial answers with the alert `certificate_revoked` (44, RFC 8446, 6.2), and one
//! whose list does not answers with that for a bad signature. It lets nobody in either way, so it
//! needs no key that anybody would have to guard.
//!
//! nginx cannot be tried so: it lets the handshake go on whatever is wrong and answers by the fault
//! that OpenSSL met last (`ngx_ssl_verify_callback`, `SSL_get_verify_result`), which is the bad
//! signature, on its list or not. Only a certificate that the authority signed would tell, and nobody
//! but its holder has the key of one. So what is known of nginx is that the workers of before the reload
//! are gone, and that it has let nobody in whom the list names ([`witness`](super::witness)).

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::statement::Canary;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, Stream,
};

use super::authority::Authority;

/// For each step: the server is on this host or next to it.
const WITHIN: Duration = Duration::from_secs(3);

/// PostgreSQL's `SSLRequest`: its length, and a version that no protocol has.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Shows PostgreSQL at `address` a certificate under `serial`, which the list in place names.
pub(super) fn attempt(address: &str, authority: &Authority, serial: u128) -> Canary {
    match alert(address, authority, serial) {
        Some(AlertDescription::CertificateRevoked) => Canary::Refused,
        // It went on to the signature: its list does not name the serial.
        Some(AlertDescription::DecryptError | AlertDescription::BadCertificate) => Canary::Accepted,
        // Another fault came first, or nobody answered: that says nothing about the list.
        _ => Canary::Untried,
    }
}

fn alert(address: &str, authority: &Authority, serial: u128) -> Option<AlertDescription> {
    let to = address.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&to, WITHIN).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    stream.set_write_timeout(Some(WITHIN)).ok()?;
    stream.write_all(&SSL_REQUEST).ok()?;
    let mut answer = [0];
    stream.read_exact(&mut answer).ok()?;
    if answer != *b"S" {
        return None;
    }
    let name = ServerName::try_from("localhost").ok()?;
    let mut connection = ClientConnection::new(Arc::new(config(authority, serial)?), name).ok()?;
    let mut stream = Stream::new(&mut connection, &mut stream);
    // In TLS 1.3 a client is done before the server has looked at its certificate.
    let failed = stream.read(&mut [0]).err()?;
    let failed = failed.get_ref()?.downcast_ref::<Error>()?;
    if let Error::AlertReceived(alert) = failed { Some(*alert) } else { None }
}

fn config(authority: &Authority, serial: u128) -> Option<ClientConfig> {
    let (certificate, key) = forged(authority, serial)?;
    let provider = Arc::new(ring::default_provider());
    let anybody = Arc::new(Anybody(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(anybody);
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    builder.with_client_auth_cert(vec![certificate], key.into()).ok()
}

/// A certificate that says of itself that it is the authority's, and is not.
fn forged(authority: &Authority, serial: u128) -> Option<(CertificateDer<'static>, KeyPair)> {
    let key = KeyPair::generate().ok()?;
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = DistinguishedName::new();
    for (oid, text) in &authority.parts {
        issuer.distinguished_name.push(DnType::from_oid(oid), text.as_str());
    }
    issuer.key_usages = Vec::new();
    issuer.key_identifier_method = KeyIdMethod::PreSpecified(authority.key_id.clone());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "breakglass canary");
    params.serial_number = Some(SerialNumber::from_slice(&minimal(serial)));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.custom_extensions = Vec::<CustomExtension>::new();
    let issuer = Issuer::from_params(&issuer, KeyPair::generate().ok()?);
    Some((params.signed_by(&key, &issuer).ok()?.der().clone(), key))
}

/// Big-endian without leading zeros, a zero before a byte that would make it negative (X.690, 8.3).
fn minimal(serial: u128) -> Vec<u8> {
    let bytes = serial.to_be_bytes();
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let is_negative = digits.first().is_none_or(|first| *first >= 0x80);
    if is_negative { [vec![0], digits].concat() } else { digits }
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
