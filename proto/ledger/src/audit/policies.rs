//! Which policy is in force at each position, and whether its authority said so.

use std::sync::Arc;

use super::finding::Code;
use super::spoken::code_of;
use super::trust::TrustFile;
use crate::bytes::Digest;
use crate::entry;
use crate::policy::{Files, Policy, PolicyError, activate};
use crate::sshsig::SshSig;
use crate::statement::{Act, Statement};

/// Why a policy does not come into force.
pub(super) type Fault = (Code, String);

/// Activates the policy of an entry after `previous`, from the files in `blobs`.
pub(super) fn enact(
    body: &entry::Policy,
    trust: &TrustFile,
    previous: Option<&Policy>,
    blobs: &dyn Fn(Digest) -> Option<Vec<u8>>,
) -> Result<Arc<Policy>, Fault> {
    let manifest = Statement::parse(body.statement.as_bytes())
        .map_err(|error| (Code::Schema, error.to_string()))?;
    let Act::Policy(listed) = manifest.act() else {
        return Err((Code::Schema, "the statement is not a policy manifest".to_owned()));
    };
    if body.digest != manifest.digest() || body.version != listed.version {
        let detail = "the entry's digest or version is not the manifest's";
        return Err((Code::PolicyMismatch, detail.to_owned()));
    }
    let signatures: Vec<SshSig> = body
        .signatures
        .iter()
        .map(|armored| SshSig::parse(armored).map_err(|error| (code_of(&error), error.to_string())))
        .collect::<Result<_, _>>()?;
    let digest_of =
        |name: &str| listed.files.iter().find(|(file, _)| file == name).map(|(_, d)| *d);
    let files = Files::gather(|name| digest_of(name).and_then(blobs))
        .map_err(|name| (Code::BlobMissing, format!("{name} of version {}", body.version)))?;
    let policy = activate(&manifest, &signatures, &files, &trust.log, previous)
        .map_err(|error| (code_of_policy(&error), error.to_string()))?;
    if previous.is_none() {
        let stranger = policy
            .fingerprints_of_authority()
            .into_iter()
            .find(|fingerprint| !trust.authority.contains(fingerprint));
        if let Some(stranger) = stranger {
            let detail = format!("{stranger} is in the first authority, but not in the trust file");
            return Err((Code::PolicyUnauthorized, detail));
        }
    }
    Ok(Arc::new(policy))
}

const fn code_of_policy(error: &PolicyError) -> Code {
    match error {
        PolicyError::OtherLog { .. } => Code::LogIdMismatch,
        PolicyError::NotAPolicy
        | PolicyError::Version { .. }
        | PolicyError::Previous { .. }
        | PolicyError::FileSet
        | PolicyError::FileDigest { .. }
        | PolicyError::Faults(_) => Code::PolicyMismatch,
        PolicyError::TooManySignatures { .. }
        | PolicyError::NotASigner { .. }
        | PolicyError::Quorum { .. } => Code::PolicyUnauthorized,
        PolicyError::Signature { source, .. } => code_of(source),
    }
}
