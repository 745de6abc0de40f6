//! Lists of revoked certificates as TLS servers read them: one for each authority, none run out.

use std::path::Path;
use std::process::{Command, Stdio};

use breakglass_ledger::time::Timestamp;
use x509_parser::pem::Pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::Finding;
use crate::clock;
use crate::pem;

/// An authority that a server takes certificates of.
pub(super) struct Authority {
    /// Its subject's DER.
    subject: Vec<u8>,
    /// Its subject for people.
    name: String,
    /// The certificate as one PEM block.
    pem: String,
}

/// A list that a server goes by.
pub(super) struct List {
    issuer: Vec<u8>,
    next_update: Option<Timestamp>,
}

/// The authorities in the PEM text at `path`.
pub(super) fn authorities(path: &Path) -> Result<Vec<Authority>, String> {
    let blocks = blocks(path, CERTIFICATE)?;
    let read = |block: &Vec<u8>| {
        let (_, certificate) = X509Certificate::from_der(block).ok()?;
        let subject = certificate.subject();
        Some(Authority {
            subject: subject.as_raw().to_vec(),
            name: subject.to_string(),
            pem: pem::encode(CERTIFICATE, block, pem::COLUMNS).to_string(),
        })
    };
    let all: Option<Vec<_>> = blocks.iter().map(read).collect();
    all.filter(|all| !all.is_empty()).ok_or_else(|| "holds no readable certificate".to_owned())
}

/// The lists in the PEM text at `path`.
pub(super) fn lists(path: &Path) -> Result<Vec<List>, String> {
    let blocks = blocks(path, CRL)?;
    let read = |block: &Vec<u8>| {
        let (_, list) = CertificateRevocationList::from_der(block).ok()?;
        let next = list.next_update().and_then(|next| u64::try_from(next.timestamp()).ok());
        Some(List {
            issuer: list.issuer().as_raw().to_vec(),
            next_update: next.map(Timestamp::from_unix_seconds),
        })
    };
    let all: Option<Vec<_>> = blocks.iter().map(read).collect();
    all.filter(|all| !all.is_empty()).ok_or_else(|| "holds no readable list".to_owned())
}

/// What `lists` are worth to a server that takes certificates of `authorities`: OpenSSL refuses
/// everybody of an authority whose list is missing or has run out (RFC 5280, 6.3; `X509_V_ERR_*` 3 and 12).
pub(super) fn covered(about: &str, authorities: &[Authority], lists: &[List]) -> Vec<Finding> {
    let now = clock::now();
    let covered = |authority: &Authority| {
        let mut of_it = lists.iter().filter(|list| list.issuer == authority.subject);
        let name = &authority.name;
        let Some(newest) = of_it.by_ref().max_by_key(|list| list.next_update) else {
            return Finding::fault(
                about,
                format!("no list of `{name}`: every certificate of that authority is refused"),
                "have each authority in the bundle publish a list, or take it out of the bundle",
            );
        };
        match newest.next_update {
            Some(end) if end <= now => Finding::fault(
                about,
                format!("the list of `{name}` ran out at {end}: everybody is refused"),
                "look why it is not fetched any more: `breakglass host run`, the broker's /healthz",
            ),
            Some(end) if end <= now.plus(SOON_SECONDS) => Finding::warning(
                about,
                format!("the list of `{name}` runs out at {end}; then everybody is refused"),
                "look why it is not fetched any more: `breakglass host run`, the broker's /healthz",
            ),
            Some(end) => Finding::good(about, format!("the list of `{name}` counts until {end}")),
            None => Finding::good(about, format!("the list of `{name}` has no end")),
        }
    };
    authorities.iter().map(covered).collect()
}

/// The name under which OpenSSL looks for the list of `authority` in a directory: the hash of its
/// subject, then `.rN` (openssl-rehash(1)). `None` without the program `openssl`.
pub(super) fn hash(authority: &Authority) -> Option<String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-subject_hash"]).stdin(Stdio::piped());
    let mut child = openssl.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    std::io::Write::write_all(&mut stdin, authority.pem.as_bytes()).ok()?;
    drop(stdin);
    let output = child.wait_with_output().ok()?;
    let hash = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| hash.trim().to_owned())
}

/// The DER of every PEM block of `label` in the file.
fn blocks(path: &Path, label: &str) -> Result<Vec<Vec<u8>>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_MAX {
        return Err(format!("has {size} bytes, more than the {FILE_MAX} that are read"));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(&text) {
        let block = block.map_err(|error| error.to_string())?;
        if block.label == label {
            found.push(block.contents);
        }
    }
    Ok(found)
}

/// RFC 7468, sections 5 and 7.
const CERTIFICATE: &str = "CERTIFICATE";
const CRL: &str = "X509 CRL";

/// A list of a million certificates.
const FILE_MAX: u64 = 64 << 20;

/// Two days: a week-end in which nobody looks.
const SOON_SECONDS: u64 = 2 * 86_400;
