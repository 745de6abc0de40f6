//! Questions of every kind, as an asker would write them.

use der::Encode;
use der::asn1::{AnyRef, IntRef, OctetStringRef};
use der::oid::ObjectIdentifier;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256 as DIGEST_256, digest};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::read::{Extension, OcspRequest, SingleRequest, TbsRequest, WireCertId};
pub(crate) use super::read::{NONCE, SHA1, SHA256};
use super::*;

/// What an asker may vary.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) version: Option<u8>,
    pub(crate) digest: ObjectIdentifier,
    pub(crate) parameters: Option<AnyRef<'static>>,
    /// Subject and key of whose certificates they are.
    pub(crate) issuer: [&'static [u8]; 2],
    pub(crate) serials: Vec<Vec<u8>>,
    /// OID, criticality, value.
    pub(crate) extensions: Vec<(ObjectIdentifier, bool, Vec<u8>)>,
    pub(crate) of_one: Option<bool>,
}

impl Question {
    pub(crate) fn plain() -> Self {
        Self {
            version: None,
            digest: SHA1,
            parameters: Some(AnyRef::NULL),
            issuer: [b"name", b"key"],
            serials: vec![serial()],
            extensions: vec![],
            of_one: None,
        }
    }

    pub(crate) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut question = Self::plain();
        change(&mut question);
        question
    }

    pub(crate) fn with_nonce(bytes: usize) -> Self {
        let nonce = OctetStringRef::new(&[7; 300][..bytes]).unwrap().to_der().unwrap();
        Self::with(|question| question.extensions = vec![(NONCE, false, nonce)])
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let [name, key] = self.issuer.map(|bytes| self.shortened(bytes));
        let octets = |bytes| OctetStringRef::new(bytes).unwrap();
        let extension = |(id, critical, value)| Extension { id, critical, value };
        let one = |serial| SingleRequest {
            cert_id: WireCertId {
                algorithm: AlgorithmIdentifierRef { oid: self.digest, parameters: self.parameters },
                issuer_name: octets(&name),
                issuer_key: octets(&key),
                serial: IntRef::new(serial).unwrap(),
            },
            extensions: self
                .of_one
                .map(|critical| vec![extension((SOMETHING, critical, octets(&[5, 0])))]),
        };
        let all = self
            .extensions
            .iter()
            .map(|(id, critical, value)| extension((*id, *critical, octets(value))));
        let all: Vec<_> = all.collect();
        let tbs = TbsRequest {
            version: self.version,
            requestor: None,
            requests: self.serials.iter().map(|serial| one(serial)).collect(),
            extensions: (!all.is_empty()).then_some(all),
        };
        OcspRequest { tbs, signature: None }.to_der().unwrap()
    }

    fn shortened(&self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = if self.digest == SHA1 { &SHA1_FOR_LEGACY_USE_ONLY } else { &DIGEST_256 };
        digest(algorithm, bytes).as_ref().to_vec()
    }

    pub(crate) fn read(&self) -> Result<Request, OcspError> {
        read(&self.der())
    }
}

/// The serial number 42 with nines, as an INTEGER has it.
pub(crate) fn serial() -> Vec<u8> {
    SerialNumber::new(42, [9; 8]).unwrap().as_bytes()[7..].to_vec()
}

/// Some extension that nobody here knows.
pub(crate) const SOMETHING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.8");
