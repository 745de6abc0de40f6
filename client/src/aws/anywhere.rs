//! A session for a certificate: IAM Roles Anywhere, `CreateSession`.
//!
//! The request is signed with the certificate's key as Signature Version 4 signs with a secret, with
//! the differences of the user guide, "The IAM Roles Anywhere authentication signing process".

use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use reqwest::Url;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Arn, Session, http, not_understood, refused};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::pem;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Anywhere<'a> {
    /// Where to ask; by itself the service of the trust anchor's region.
    pub endpoint: Option<&'a str>,
    /// The trust anchor that holds the broker's X.509 authority.
    pub trust_anchor: &'a Arn,
    /// The profile that names the role.
    pub profile: &'a Arn,
    /// The role.
    pub role: &'a Arn,
    /// How long the session lives, in seconds.
    pub seconds: u64,
}

impl Anywhere<'_> {
    /// Gives a signature by the certificate's key for a session.
    ///
    /// # Errors
    ///
    /// [`Failure`]: no such certificate or key, not reached, refused, not understood.
    pub fn session(
        &self,
        certificate: &str,
        key: &str,
        within: Duration,
    ) -> Result<Session, Failure> {
        let (region, domain) = (self.trust_anchor.region(), self.trust_anchor.domain());
        let default = || format!("https://rolesanywhere.{region}.{domain}");
        let base = self.endpoint.map_or_else(default, ToOwned::to_owned);
        let url = format!("{}{PATH}", base.trim_end_matches('/'));
        let body = json!({
            "durationSeconds": self.seconds,
            "profileArn": self.profile.as_str(),
            "roleArn": self.role.as_str(),
            "trustAnchorArn": self.trust_anchor.as_str(),
        });
        let body = body.to_string();
        let host = host(&url).ok_or_else(|| unusable("--endpoint names no host"))?;
        let signed = Signed::of(certificate, key, region, &host, &body, &now())?;
        let answer = http::post(&url, &signed.headers(), Zeroizing::new(body), within)?;
        match answer.status {
            // The guide says 201.
            200 | 201 => read(&answer.body).ok_or_else(|| not_understood(SERVICE)),
            status => Err(refused(SERVICE, status, &complaint(&answer.body))),
        }
    }
}

/// What goes with the body.
struct Signed {
    date: String,
    certificate: String,
    authorization: String,
}

impl Signed {
    fn of(
        certificate: &str,
        key: &str,
        region: &str,
        host: &str,
        body: &str,
        date: &str,
    ) -> Result<Self, Failure> {
        let der = pem::decode("CERTIFICATE", certificate)
            .ok_or_else(|| unusable("the certificate's file is not whole"))?;
        let serial = serial(&der).ok_or_else(|| unusable("the certificate cannot be read"))?;
        let certificate = BASE64.encode(&der);
        let canonical = canonical(host, date, &certificate, body);
        let day = date.get(..8).unwrap_or_default();
        let scope = format!("{day}/{region}/rolesanywhere/aws4_request");
        let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hashed(canonical.as_bytes()));
        let signature = HEXLOWER.encode(&sign(key, to_sign.as_bytes())?);
        let authorization = format!(
            "{ALGORITHM} Credential={serial}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"
        );
        Ok(Self { date: date.to_owned(), certificate, authorization })
    }

    fn headers(&self) -> [(&'static str, String); 4] {
        [
            ("Content-Type", JSON.to_owned()),
            ("X-Amz-Date", self.date.clone()),
            ("X-Amz-X509", self.certificate.clone()),
            ("Authorization", self.authorization.clone()),
        ]
    }
}

/// Task 1: the request in a form that both ends come to.
fn canonical(host: &str, date: &str, certificate: &str, body: &str) -> String {
    let headers =
        format!("content-type:{JSON}\nhost:{host}\nx-amz-date:{date}\nx-amz-x509:{certificate}\n");
    format!("POST\n{PATH}\n\n{headers}\n{SIGNED}\n{}", hashed(body.as_bytes()))
}

fn hashed(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

fn sign(key: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let wrong = || unusable("the key is not the P-256 key that was made for this grant");
    let pkcs8 = Zeroizing::new(pem::decode("PRIVATE KEY", key).ok_or_else(wrong)?);
    let rng = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &rng);
    let signature = pair.map_err(|_| wrong())?.sign(&rng, message).map_err(|_| wrong())?;
    Ok(signature.as_ref().to_vec())
}

/// The serial number in decimal digits, which is the credential's name here.
fn serial(der: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.tbs_certificate.serial.to_string())
}

/// With its port, if that is not the scheme's own: as HTTP sends it.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// `20260102T030405Z`.
fn now() -> String {
    clock::now().to_string().replace(['-', ':'], "")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    credential_set: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

fn read(body: &str) -> Option<Session> {
    let created: Created = serde_json::from_str(body).ok()?;
    let given = created.credential_set.into_iter().next()?.credentials;
    Some(Session {
        access_key_id: given.access_key_id,
        secret_access_key: Zeroizing::new(given.secret_access_key),
        session_token: Zeroizing::new(given.session_token),
        expiration: given.expiration,
    })
}

fn complaint(body: &str) -> String {
    let error: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let message = error.as_ref().and_then(|error| error.get("message")?.as_str());
    message.unwrap_or("nothing that is understood").to_owned()
}

fn unusable(what: &str) -> Failure {
    Failure::new(Exit::Internal, what, "nothing was sent", "collect again")
}

const ALGORITHM: &str = "AWS4-X509-ECDSA-SHA256";
const SIGNED: &str = "content-type;host;x-amz-date;x-amz-x509";
const JSON: &str = "application/json";
const PATH: &str = "/sessions";
const SERVICE: &str = "IAM Roles Anywhere";

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_host_is_signed_as_http_sends_it() {
        assert_eq!(host("https://a.example/sessions").unwrap(), "a.example");
        assert_eq!(host("https://a.example:443/").unwrap(), "a.example");
        assert_eq!(host("http://127.0.0.1:81/").unwrap(), "127.0.0.1:81");
    }

    /// The form of the user guide's example, put together here by hand.
    #[test]
    fn the_signature_is_of_the_documented_string_and_by_the_certificates_key() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.serial_number = Some(vec![1, 0].into());
        let certificate = parameters.self_signed(&key).unwrap();
        let pem = certificate.pem().replace("\r\n", "\n");
        let date = "20260102T030405Z";
        let private = key.serialize_pem().replace("\r\n", "\n");
        let signed = Signed::of(&pem, &private, "eu-west-1", "h:1", "{}", date).unwrap();
        let prefix = "AWS4-X509-ECDSA-SHA256 Credential=256/20260102/eu-west-1/rolesanywhere/\
                      aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-x509, \
                      Signature=";
        let signature = signed.authorization.strip_prefix(prefix).unwrap();
        let signature = HEXLOWER.decode(signature.as_bytes()).unwrap();
        let base64 = BASE64.encode(certificate.der());
        let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let request = format!(
            "POST\n/sessions\n\ncontent-type:application/json\nhost:h:1\n\
             x-amz-date:20260102T030405Z\nx-amz-x509:{base64}\n\n\
             content-type;host;x-amz-date;x-amz-x509\n{empty}"
        );
        let hash = HEXLOWER.encode(digest(&SHA256, request.as_bytes()).as_ref());
        let to_sign = format!(
            "AWS4-X509-ECDSA-SHA256\n20260102T030405Z\n\
             20260102/eu-west-1/rolesanywhere/aws4_request\n{hash}"
        );
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key_raw());
        assert!(public.verify(to_sign.as_bytes(), &signature).is_ok());
        assert!(public.verify(b"something else", &signature).is_err());
    }

    #[test]
    fn the_date_is_in_the_basic_form() {
        let now = now();
        assert_eq!((now.len(), now.find('T'), now.find('Z')), (16, Some(8), Some(15)));
    }

    #[test]
    fn an_answer_without_credentials_is_not_understood() {
        let whole = r#"{"credentialSet":[{"credentials":{"accessKeyId":"A","secretAccessKey":"B",
            "sessionToken":"C","expiration":"2026-01-02T03:04:05Z"},"roleArn":"r"}],"subjectArn":"s"}"#;
        assert_eq!(read(whole).unwrap().to_json()["AccessKeyId"], "A");
        for bad in ["", "{}", r#"{"credentialSet":[]}"#] {
            assert!(read(bad).is_none(), "{bad}");
        }
        assert!(read(&whole.replace("sessionToken", "other")).is_none());
    }
}
