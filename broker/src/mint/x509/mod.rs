//! X.509 client certificates (RFC 5280), and the list of those that are revoked.
//!
//! Nothing but the key comes from the client, and that was proven by the signature on the `collect`:
//! there is no CSR. What stands in a certificate comes from the policy; the final bytes are judged.

mod build;
mod ca;
mod examine;
mod list;
mod name;
mod ocsp;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::{KeyType, PublicKey};
use breakglass_ledger::policy::X509Profile;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::{BACKDATE_SECONDS, Clearance, Profile};
use der::asn1::Ia5String;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
};

use self::build::Draft;
use self::name::Names;
use super::error::MintError;
use super::{Mint, pem};
use crate::crl::SerialNumber;
use crate::entropy::Entropy;
use crate::sshwire::Reader;

pub(super) use self::ca::{Authority, ssh_form};
pub use self::ocsp::OcspSigner;

/// A certificate that may be handed out, and what it says. Public, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Credential {
    /// PEM: one block, lines of 64, final LF.
    pub certificate: String,
    /// `bg-<request id>-<holder>`, at most 64 characters: what targets write into their logs.
    pub common_name: String,
    /// The first 8 bytes of `serial_number`. Never 0.
    pub serial: u64,
    /// The serial number in the certificate.
    pub serial_number: SerialNumber,
    /// SHA-256 of the subject key's SSH wire form.
    pub subject: Digest,
    /// First second at which it is valid.
    pub valid_after: Timestamp,
    /// First second at which it is no longer valid.
    pub valid_before: Timestamp,
}

impl Mint {
    /// Signs the client certificate that `clearance` allows, under a serial number that begins with
    /// `serial`, which is never given again.
    ///
    /// The signed bytes are read again by another library and compared with the clearance in every
    /// field before they are given out.
    ///
    /// # Errors
    ///
    /// [`MintError`] if the clearance is not for an X.509 certificate, this broker has no X.509
    /// authority, a value could mean more than one thing, the key is not P-256, or the bytes do not match
    /// the clearance. The clearance is used up; nothing was handed out.
    pub fn sign_x509(
        &self,
        clearance: Clearance,
        serial: u64,
        entropy: &dyn Entropy,
    ) -> Result<X509Credential, MintError> {
        let terms = Terms::of(&clearance).ok_or(MintError::Kind)?;
        self.certify_x509(&terms, serial, entropy)
    }

    fn certify_x509(
        &self,
        terms: &Terms<'_>,
        serial: u64,
        entropy: &dyn Entropy,
    ) -> Result<X509Credential, MintError> {
        let authority = self.x509.as_ref().ok_or(MintError::NoX509)?;
        if serial == 0 {
            return Err(MintError::SerialZero);
        }
        if self.own.contains(terms.subject) {
            return Err(MintError::OwnKey);
        }
        terms.check_life()?;
        let names = Names::of(terms)?;
        let point = point(terms.subject)?;
        let serial_number = draw(serial, entropy)?;
        let der = build(terms, &names, &point, serial_number, authority)?;
        examine::examine(&der, terms, &names, &point, serial_number, authority)?;
        let pem = pem::encode("CERTIFICATE", &der);
        Ok(X509Credential {
            certificate: String::from_utf8_lossy(&pem).into_owned(),
            common_name: names.common_name,
            serial,
            serial_number,
            subject: terms.subject.digest(),
            valid_after: terms.valid_after,
            valid_before: terms.valid_before,
        })
    }
}

/// What was cleared, as a certificate says it.
struct Terms<'a> {
    request: RequestId,
    holder: &'a PrincipalId,
    lane: Lane,
    subject: &'a PublicKey,
    valid_after: Timestamp,
    valid_before: Timestamp,
    profile: &'a X509Profile,
}

impl<'a> Terms<'a> {
    /// `None` if it is not for an X.509 certificate over a key.
    fn of(clearance: &'a Clearance) -> Option<Self> {
        let (Profile::X509(profile), Some(subject)) = (clearance.profile(), clearance.subject())
        else {
            return None;
        };
        Some(Self {
            request: clearance.request(),
            holder: clearance.holder(),
            lane: clearance.lane(),
            subject,
            valid_after: clearance.not_before(),
            valid_before: clearance.expires_at(),
            profile,
        })
    }

    fn check_life(&self) -> Result<(), MintError> {
        let most = u64::from(Ttl::MAX.seconds()).saturating_add(BACKDATE_SECONDS);
        let life = self.valid_before.since(self.valid_after);
        if life == 0 || life > most { Err(MintError::Lifetime) } else { Ok(()) }
    }
}

/// The point of a P-256 key, uncompressed.
fn point(subject: &PublicKey) -> Result<Vec<u8>, MintError> {
    let wrong = || MintError::SubjectType;
    if subject.key_type() != KeyType::EcdsaP256 {
        return Err(wrong());
    }
    let mut wire = Reader::new(subject.wire());
    wire.string().map_err(|_| wrong())?;
    wire.string().map_err(|_| wrong())?;
    let point = wire.string().map_err(|_| wrong())?;
    // SEC 1, 2.3.3: 4, then two coordinates of 32 bytes.
    let is_whole = point.len() == 65 && point.first() == Some(&4);
    if is_whole { Ok(point.to_vec()) } else { Err(wrong()) }
}

/// Draws the random half of a serial number.
fn draw(serial: u64, entropy: &dyn Entropy) -> Result<SerialNumber, MintError> {
    let mut random = [0; 8];
    entropy.fill(&mut random)?;
    // Eight zeros come up once in 2^64 draws, or where the dice are broken.
    SerialNumber::new(serial, random).ok_or(MintError::SerialZero)
}

fn build(
    terms: &Terms<'_>,
    names: &Names,
    point: &[u8],
    serial: SerialNumber,
    authority: &Authority,
) -> Result<Vec<u8>, MintError> {
    let organizations = names.organizations.iter().map(|name| (build::ORGANIZATION, &**name));
    let units = names.organizational_units.iter().map(|name| (build::ORGANIZATIONAL_UNIT, &**name));
    let common_name = std::iter::once((build::COMMON_NAME, &*names.common_name));
    let subject: Vec<_> = organizations.chain(units).chain(common_name).collect();
    let usage = KeyUsage(KeyUsages::DigitalSignature.into());
    let constraints = BasicConstraints { ca: false, path_len_constraint: None };
    let mut purposes = vec![build::CLIENT_AUTH];
    if terms.profile.svid {
        purposes.push(build::SERVER_AUTH);
    }
    let mut extensions = vec![
        build::extension(build::BASIC_CONSTRAINTS, true, &constraints)?,
        build::extension(build::KEY_USAGE, true, &usage)?,
        build::extension(build::EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(purposes))?,
        build::key_id_of_subject(&ca::key_identifier(point))?,
        build::key_id_of_issuer(authority.key_id())?,
    ];
    if let Some(uri) = &names.uri {
        let uri = GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?);
        extensions.push(build::extension(
            build::ALTERNATIVE_NAME,
            false,
            &SubjectAltName(vec![uri]),
        )?);
    }
    let draft = Draft {
        serial: serial.as_bytes(),
        issuer: authority.subject(),
        not_before: terms.valid_after,
        not_after: terms.valid_before,
        subject: &build::name(&subject)?,
        public_key: point,
        extensions,
    };
    let tbs = draft.to_be_signed()?;
    build::assemble(&tbs, &authority.sign(&tbs)?)
}

#[cfg(test)]
mod tests;
