//! The daemon's own TLS: a small authority that clients pin, and short-lived server certificates.
//!
//! Always P-256, which every TLS stack takes. There is no session resumption: a resumed session
//! would outlive whatever ended it.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
    SigningKey,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::error::MintError;

/// The name every server certificate carries, so that a client that pins the authority can ask for
/// it whatever address it dialled.
pub const SERVER_NAME: &str = "breakglassd";

/// The authority over the daemon's server certificates.
pub(super) struct Authority {
    key: AuthorityKey,
    /// Says yes exactly to what a client that pins this authority says yes to.
    client: Arc<WebPkiServerVerifier>,
}

impl Authority {
    /// The authority with this key and this certificate of its own (DER).
    ///
    /// Fails if the two do not belong together: a certificate is made and checked for it.
    pub(super) fn open(key: AuthorityKey, der: &[u8]) -> Result<Self, MintError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(der))?;
        let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), ring_provider());
        let client = builder.build().map_err(|error| rustls::Error::General(error.to_string()))?;
        let authority = Self { key, client };
        let whenever = Timestamp::from_unix_seconds(BACKDATE_SECONDS);
        authority.issue(&Names::of(&[], &[])?, whenever)?;
        Ok(authority)
    }

    /// A fresh key with a certificate for `names`, accepted by a client at `now`.
    fn issue(&self, names: &Names, now: Timestamp) -> Result<Issued, MintError> {
        let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let issuer = Issuer::new(authority_params(&self.key), &self.key);
        let certificate = server_params(names, now)?.signed_by(&key, &issuer)?;
        let der = certificate.der().clone();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now.unix_seconds()));
        for name in &names.expected {
            self.client.verify_server_cert(&der, &[], name, &[], time)?;
        }
        let secret = PrivatePkcs8KeyDer::from(key.serialized_der()).into();
        let signer = provider::sign::any_ecdsa_type(&secret)?;
        Ok(Issued {
            key: Arc::new(CertifiedKey::new(vec![der], signer)),
            made_at: now,
            stale_at: now.plus(VALIDITY_SECONDS / 2),
        })
    }
}

/// TLS 1.3 only, HTTP/2 only, with a server certificate that is replaced when half its life is
/// gone. `now` is read at every handshake.
pub(super) fn server_config(
    authority: Arc<Authority>,
    names: &[String],
    addresses: &[IpAddr],
    now: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<Arc<ServerConfig>, MintError> {
    let names = Names::of(names, addresses)?;
    let issued = Mutex::new(authority.issue(&names, now())?);
    let server = Server { authority, names, now: Box::new(now), issued };
    let mut config = ServerConfig::builder_with_provider(ring_provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(server));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Makes the authority's certificate of its own: ten years, over end entities only. DER.
pub(super) fn certify_authority(key: &AuthorityKey, now: Timestamp) -> Result<Vec<u8>, MintError> {
    let mut params = authority_params(key);
    set_validity(&mut params, now, AUTHORITY_SECONDS)?;
    Ok(params.self_signed(key)?.der().to_vec())
}

/// What every certificate of this authority says of its issuer: derived from the key alone.
///
/// rcgen re-encodes names through a map that keeps one value of each kind; this one has one.
fn authority_params(key: &impl PublicKeyData) -> CertificateParams {
    let digest = Digest::of(key.der_bytes()).to_string();
    let short = digest.get(..16).unwrap_or_default();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("breakglass TLS {short}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(names: &Names, now: Timestamp) -> Result<CertificateParams, MintError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(SERVER_NAME);
    params.subject_alt_names.clone_from(&names.subject);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // No serial is set: rcgen then takes a hash of the public key, and that is new each time.
    set_validity(&mut params, now, VALIDITY_SECONDS)?;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn set_validity(
    params: &mut CertificateParams,
    now: Timestamp,
    seconds: u64,
) -> Result<(), MintError> {
    params.not_before = calendar(now.minus(BACKDATE_SECONDS))?;
    // RFC 5280, 4.1.2.5: notAfter is the last valid second, ours is the first invalid one.
    params.not_after = calendar(now.plus(seconds).minus(1))?;
    Ok(())
}

fn calendar(at: Timestamp) -> Result<OffsetDateTime, MintError> {
    let seconds = i64::try_from(at.unix_seconds()).unwrap_or(i64::MAX);
    Ok(OffsetDateTime::from_unix_timestamp(seconds)?)
}

fn ring_provider() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

/// What a server certificate is for.
struct Names {
    subject: Vec<SanType>,
    expected: Vec<ServerName<'static>>,
}

impl Names {
    /// [`SERVER_NAME`], `names` and `addresses`.
    fn of(names: &[String], addresses: &[IpAddr]) -> Result<Self, MintError> {
        let mut all = Self { subject: Vec::new(), expected: Vec::new() };
        for name in [SERVER_NAME].into_iter().chain(names.iter().map(String::as_str)) {
            let wrong = || MintError::ServerName { name: name.to_owned() };
            let expected = ServerName::try_from(name.to_owned()).map_err(|_| wrong())?;
            let subject = match &expected {
                ServerName::DnsName(_) => SanType::DnsName(name.try_into().map_err(|_| wrong())?),
                ServerName::IpAddress(_) => SanType::IpAddress(name.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            };
            all.subject.push(subject);
            all.expected.push(expected);
        }
        for address in addresses {
            all.subject.push(SanType::IpAddress(*address));
            all.expected.push(ServerName::IpAddress((*address).into()));
        }
        Ok(all)
    }
}

/// A server certificate with its key.
struct Issued {
    key: Arc<CertifiedKey>,
    made_at: Timestamp,
    stale_at: Timestamp,
}

/// Hands out the server certificate, and replaces it in time.
struct Server {
    authority: Arc<Authority>,
    names: Names,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    issued: Mutex<Issued>,
}

impl ResolvesServerCert for Server {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = (self.now)();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes the certificate look like one from the future.
        let from_the_future = now.plus(BACKDATE_SECONDS) < issued.made_at;
        if now >= issued.stale_at || from_the_future {
            match self.authority.issue(&self.names, now) {
                Ok(fresh) => *issued = fresh,
                // The old one is good for half its life yet, so serving goes on.
                Err(error) => tracing::error!(%error, "the TLS certificate was not replaced"),
            }
        }
        Some(Arc::clone(&issued.key))
    }
}

/// rustls asks for `Debug`; there is a key in there, so it shows nothing.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// The authority's key. Shows itself to nobody.
pub(super) struct AuthorityKey(EcdsaKeyPair);

impl AuthorityKey {
    /// PKCS#8 of a new key. Always from the system's own randomness: ring takes no other.
    pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, ring::error::Unspecified> {
        let rng = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The key in `pkcs8`, if it is a P-256 key.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        let rng = SystemRandom::new();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &rng).map(Self)
    }

    /// The public half: a point, uncompressed.
    pub(super) fn point(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| rcgen::Error::RingUnspecified)?.as_ref().to_vec())
    }
}

/// How long a server certificate is valid; a new one is made at half of it.
const VALIDITY_SECONDS: u64 = 7 * 24 * 60 * 60;
/// How long the authority itself is: ten years, more than any deployment keeps its keys.
const AUTHORITY_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;
/// Certificates are valid this long before they are made, for clients whose clocks are behind.
const BACKDATE_SECONDS: u64 = 60 * 60;

#[cfg(test)]
mod tests;
