//! Whose list it is: what a reader needs of the authority's certificate.

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;

use super::Crl;

/// An authority, as the readers of its lists know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    subject: Vec<u8>,
    key_id: Vec<u8>,
    public_key: Vec<u8>,
}

impl Issuer {
    /// The authority with this certificate (PEM); `None` if it is not one with a key identifier.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let (_, block) = parse_x509_pem(pem.as_bytes()).ok()?;
        let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
        let tbs = &certificate.tbs_certificate;
        let key_id = tbs.extensions().iter().find_map(|extension| {
            if let ParsedExtension::SubjectKeyIdentifier(id) = extension.parsed_extension() {
                Some(id.0.to_vec())
            } else {
                None
            }
        });
        Some(Self {
            subject: tbs.subject.as_raw().to_vec(),
            key_id: key_id?,
            public_key: tbs.subject_pki.subject_public_key.data.to_vec(),
        })
    }

    /// Its subject, DER.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Its public key: the content of the BIT STRING.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether `list` is this authority's, by name, key identifier and signature.
    #[must_use]
    pub fn made(&self, list: &Crl<'_>) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.public_key);
        list.issuer == self.subject
            && list.key_id == self.key_id
            && key.verify(list.signed, list.signature).is_ok()
    }
}

/// The serial number of a certificate of ours (PEM); `None` if it is none.
#[must_use]
pub fn serial_of(pem: &str) -> Option<super::SerialNumber> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
    super::SerialNumber::from_number(&certificate.tbs_certificate.serial.to_bytes_be())
}
