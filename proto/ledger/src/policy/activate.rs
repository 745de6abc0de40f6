//! From signed files to a policy in force: nobody widens what they hold (R05).

use std::collections::BTreeSet;

use super::check::check;
use super::fault::Fault;
use crate::bytes::Digest;
use crate::policy::{Authority, File, Files, Policy};
use crate::principal::{Origin, PrincipalId};
use crate::sshsig::{SshSig, SshSigError};
use crate::statement::{Act, ActKind, Manifest, Statement};

/// Most signatures under one manifest: every signer once.
pub const SIGNATURES_MAX: usize = super::authority::SIGNERS_MAX;

/// Checks a signed manifest and its files, and makes the policy of them.
///
/// Counts different signers of the authority of the `previous` policy, however many keys they sign
/// with; the first policy (`previous` is `None`) is signed by its own authority, which the
/// reviewer pins.
///
/// # Errors
///
/// [`PolicyError`]; nothing is in force then that was not before.
pub fn activate(
    manifest: &Statement,
    signatures: &[SshSig],
    files: &Files,
    log: &Origin,
    previous: Option<&Policy>,
) -> Result<Policy, PolicyError> {
    let Act::Policy(listed) = manifest.act() else { return Err(PolicyError::NotAPolicy) };
    if manifest.log() != log {
        let (expected, found) = (log.clone(), manifest.log().clone());
        return Err(PolicyError::OtherLog { expected, found });
    }
    check_place(listed, previous)?;
    check_files(listed, files)?;
    let checked = match previous {
        Some(previous) => {
            // Signatures first: nobody but the authority makes us read large files.
            check_quorum(&previous.authority, manifest, signatures)?;
            check(files).map_err(PolicyError::Faults)?
        }
        None => {
            let checked = check(files).map_err(PolicyError::Faults)?;
            check_quorum(&checked.authority, manifest, signatures)?;
            checked
        }
    };
    Ok(checked.into_policy(listed.version, manifest.digest()))
}

/// Reads again a policy that has been in force, from the manifest and files that a ledger keeps.
///
/// Checks what can be checked without the policy before it: log, file set, digests, and the files
/// themselves. Its signatures were judged by [`activate`] when it came into force, and are judged
/// again by every verifier.
///
/// # Errors
///
/// [`PolicyError`] except for places in the sequence and signatures.
pub fn reopen(manifest: &Statement, files: &Files, log: &Origin) -> Result<Policy, PolicyError> {
    let Act::Policy(listed) = manifest.act() else { return Err(PolicyError::NotAPolicy) };
    if manifest.log() != log {
        let (expected, found) = (log.clone(), manifest.log().clone());
        return Err(PolicyError::OtherLog { expected, found });
    }
    check_files(listed, files)?;
    let checked = check(files).map_err(PolicyError::Faults)?;
    Ok(checked.into_policy(listed.version, manifest.digest()))
}

/// The manifest is the one after `previous`.
fn check_place(listed: &Manifest, previous: Option<&Policy>) -> Result<(), PolicyError> {
    let (before, digest) = previous.map_or((0, Digest::ZERO), |one| (one.version, one.digest));
    let (expected, found) = (before.saturating_add(1), listed.version);
    if found != expected {
        return Err(PolicyError::Version { expected, found });
    }
    let (expected, found) = (digest, listed.previous);
    if found != expected {
        return Err(PolicyError::Previous { expected, found });
    }
    Ok(())
}

/// The manifest lists exactly the four files, with the digests of these contents.
fn check_files(listed: &Manifest, files: &Files) -> Result<(), PolicyError> {
    if !listed.files.iter().map(|(name, _)| name.as_str()).eq(Files::NAMES) {
        return Err(PolicyError::FileSet);
    }
    for (file, (_, expected)) in File::ALL.into_iter().zip(&listed.files) {
        let found = Digest::of(files.content(file));
        if found != *expected {
            return Err(PolicyError::FileDigest { file, expected: *expected, found });
        }
    }
    Ok(())
}

/// Every signature is good and a signer's, and enough different signers made them.
fn check_quorum(
    authority: &Authority,
    manifest: &Statement,
    signatures: &[SshSig],
) -> Result<(), PolicyError> {
    if signatures.len() > SIGNATURES_MAX {
        return Err(PolicyError::TooManySignatures { count: signatures.len() });
    }
    let mut signers: BTreeSet<&PrincipalId> = BTreeSet::new();
    for signature in signatures {
        let key = signature.public_key();
        let signer = authority
            .holder_of(key)
            .ok_or_else(|| PolicyError::NotASigner { key: key.fingerprint().to_string() })?;
        signature
            .verify(&ActKind::Policy.namespace(), manifest.text().as_bytes())
            .map_err(|source| PolicyError::Signature { signer: signer.clone(), source })?;
        signers.insert(signer);
    }
    let counted = u32::try_from(signers.len()).unwrap_or(u32::MAX);
    let needed = authority.quorum();
    if counted < needed {
        return Err(PolicyError::Quorum { needed, counted });
    }
    Ok(())
}

/// Why a signed policy did not come into force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The statement is of another act.
    #[error("the statement is not a policy manifest; sign one with `breakglass policy sign`")]
    NotAPolicy,
    /// It was made for another deployment.
    #[error("the manifest is for log {found}, this is {expected}; sign it for this log")]
    OtherLog {
        /// This log.
        expected: Origin,
        /// The manifest's.
        found: Origin,
    },
    /// It is not the next version.
    #[error("the manifest has version {found}, the next one is {expected}; sign it anew")]
    Version {
        /// One more than the version in force.
        expected: u64,
        /// The manifest's.
        found: u64,
    },
    /// It was made after another policy than the one in force.
    #[error(
        "the manifest follows {found}, in force is {expected}; look at the difference and sign it anew"
    )]
    Previous {
        /// The digest of the policy in force, zeros if there is none.
        expected: Digest,
        /// The manifest's.
        found: Digest,
    },
    /// It lists other files than the four.
    #[error("the manifest must list exactly authority.toml, people.toml, rules.cedar, scopes.toml")]
    FileSet,
    /// A file is not the one that was signed.
    #[error("{file} has digest {found}, signed was {expected}; send the files that were signed")]
    FileDigest {
        /// Which.
        file: File,
        /// As signed.
        expected: Digest,
        /// As sent.
        found: Digest,
    },
    /// There are more signatures than there can be signers.
    #[error("{count} signatures are more than the 64 signers there can be; send each once")]
    TooManySignatures {
        /// How many.
        count: usize,
    },
    /// A signature is by a key of nobody in the authority.
    #[error("key {key} belongs to no signer of the policy's authority; let a signer sign")]
    NotASigner {
        /// The key's fingerprint.
        key: String,
    },
    /// A signature does not verify.
    #[error("the signature of {signer} is not good; let them sign again")]
    Signature {
        /// Whose key it names.
        signer: PrincipalId,
        /// What is wrong with it.
        #[source]
        source: SshSigError,
    },
    /// Too few different signers.
    #[error("{counted} of the {needed} signers needed have signed; collect the others' signatures")]
    Quorum {
        /// The authority's quorum.
        needed: u32,
        /// Different signers with a good signature.
        counted: u32,
    },
    /// The files are not a policy.
    #[error("the policy has {} faults, the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Faults(Vec<Fault>),
}
