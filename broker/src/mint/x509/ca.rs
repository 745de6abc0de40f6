//! The authority over client certificates: one key, one certificate of its own, signed by itself.
//!
//! A single tier: a server that checks every link would need an unexpired list of each authority
//! above as well.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::key::{KeyType, PublicKey};
use breakglass_ledger::time::Timestamp;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::build::{self, Draft};
use crate::entropy::Entropy;
use crate::mint::keys::P256Key;
use crate::mint::{MintError, pem};
use crate::sshwire::put_string;

/// The authority's key with its certificate. Shows itself to nobody.
pub(in crate::mint) struct Authority {
    key: P256Key,
    certificate: Vec<u8>,
    /// Its subject as it stands in its certificate: what we put as issuer, byte for byte.
    subject: Vec<u8>,
    key_id: [u8; 20],
}

impl Authority {
    /// Makes the certificate of `key`: ten years, from an hour before `now`. DER.
    pub(in crate::mint) fn certify(
        key: &P256Key,
        deployment: &str,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Vec<u8>, MintError> {
        let key_id = key_identifier(key.public());
        let digest = data_encoding::HEXLOWER.encode(key_id.get(..4).unwrap_or_default());
        // What is around it takes 29 of the 64 characters of a common name.
        let deployment: String = deployment.chars().take(DEPLOYMENT_MAX).collect();
        let name = format!("breakglass {deployment} X.509 CA {digest}");
        let subject = build::name(&[(build::COMMON_NAME, &name)])?;
        let mut serial = [0; 16];
        entropy.fill(&mut serial)?;
        // Positive, always as long, and higher than any serial of a ledger's entry.
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x3f) | 0x40;
        }
        let constraints = BasicConstraints { ca: true, path_len_constraint: Some(0) };
        let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
        let draft = Draft {
            serial: &serial,
            issuer: &subject,
            not_before: now.minus(BACKDATE_SECONDS),
            not_after: now.plus(VALID_SECONDS),
            subject: &subject,
            public_key: key.public(),
            extensions: vec![
                build::extension(build::BASIC_CONSTRAINTS, true, &constraints)?,
                build::extension(build::KEY_USAGE, true, &usage)?,
                build::key_id_of_subject(&key_id)?,
            ],
        };
        let tbs = draft.to_be_signed()?;
        build::assemble(&tbs, &key.sign_der(&tbs)?)
    }

    /// The authority with this key and this certificate of its own, if the two belong together.
    pub(in crate::mint) fn open(key: P256Key, certificate: Vec<u8>) -> Result<Self, MintError> {
        let (subject, key_id) = read(&certificate, key.public())?;
        Ok(Self { key, certificate, subject, key_id })
    }

    /// Its key.
    pub(in crate::mint) const fn key(&self) -> &P256Key {
        &self.key
    }

    /// Its certificate, PEM.
    pub(in crate::mint) fn to_pem(&self) -> String {
        String::from_utf8_lossy(&pem::encode("CERTIFICATE", &self.certificate)).into_owned()
    }

    /// Its name, DER.
    pub(super) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Its subject key identifier.
    pub(super) const fn key_id(&self) -> &[u8; 20] {
        &self.key_id
    }

    /// Its public key: a point, uncompressed.
    pub(super) fn point(&self) -> &[u8] {
        self.key.public()
    }

    /// The signature over `message`: ECDSA with SHA-256, DER.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        self.key.sign_der(message)
    }

    /// Whether `signature` is its signature over `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.key.public());
        key.verify(message, signature).is_ok()
    }

    /// Whether `signature` is its signature over what has this SHA-256 digest.
    pub(super) fn has_signed_digest(&self, digest: &Digest, signature: &[u8]) -> bool {
        let key = VerifyingKey::from_sec1_bytes(self.key.public());
        let signature = Signature::from_der(signature);
        let (Ok(key), Ok(signature)) = (key, signature) else { return false };
        key.verify_prehash(digest.as_bytes(), &signature).is_ok()
    }

    /// Its public key in SSH's form: never the subject of a certificate.
    pub(in crate::mint) fn ssh_form(&self) -> Result<PublicKey, MintError> {
        ssh_form(self.key.public())
    }
}

/// A P-256 point as an SSH public key (RFC 5656, 3.1).
pub(in crate::mint) fn ssh_form(point: &[u8]) -> Result<PublicKey, MintError> {
    let mut wire = Vec::new();
    put_string(&mut wire, KeyType::EcdsaP256.name().as_bytes());
    put_string(&mut wire, b"nistp256");
    put_string(&mut wire, point);
    PublicKey::from_wire(&wire).map_err(|_| MintError::WeakKey)
}

/// RFC 7093, section 2, method 1: the leftmost 160 bits of SHA-256 over the public key.
pub(super) fn key_identifier(point: &[u8]) -> [u8; 20] {
    let mut id = [0; 20];
    id.iter_mut().zip(Digest::of(point).as_bytes()).for_each(|(to, from)| *to = *from);
    id
}

/// Name and key identifier out of a certificate that an authority has signed for itself.
fn read(der: &[u8], public_key: &[u8]) -> Result<(Vec<u8>, [u8; 20]), MintError> {
    let wrong = || MintError::Authority;
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| wrong())?;
    let tbs = &certificate.tbs_certificate;
    let constraints = tbs.basic_constraints().ok().flatten();
    let is_authority = constraints.is_some_and(|found| found.critical && found.value.ca);
    let usage = tbs.key_usage().ok().flatten();
    let may_sign = usage.is_some_and(|usage| usage.value.key_cert_sign() && usage.value.crl_sign());
    let is_its_own = tbs.issuer.as_raw() == tbs.subject.as_raw();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key);
    let is_signed = key.verify(tbs.as_ref(), &certificate.signature_value.data).is_ok();
    let is_key = tbs.subject_pki.subject_public_key.data.as_ref() == public_key;
    let key_id = key_identifier(public_key);
    let is_named = tbs.extensions().iter().any(|extension| {
        let of_subject = x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(
            x509_parser::extensions::KeyIdentifier(&key_id),
        );
        *extension.parsed_extension() == of_subject
    });
    let holds = [is_authority, may_sign, is_its_own, is_signed, is_key, is_named, rest.is_empty()];
    if holds.contains(&false) {
        return Err(wrong());
    }
    Ok((tbs.subject.as_raw().to_vec(), key_id))
}

/// The name of the broker's log as far as it may stand in a common name.
const DEPLOYMENT_MAX: usize = 35;
/// Valid this long before it is made, for servers whose clocks are behind.
const BACKDATE_SECONDS: u64 = 60 * 60;
/// Ten years: more than any deployment keeps its keys.
const VALID_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;
