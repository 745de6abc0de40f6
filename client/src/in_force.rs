//! The policy in force, as a broker shows it and as far as this machine can check it.
//!
//! The digest is recomputed from the bytes, every file and every signature is checked, and a
//! machine that has seen a policy accepts no older one and no second one of the same number. What
//! an approver is shown is read from this and from nothing else; the digest goes into the approval,
//! so a broker that showed a false policy is caught by the ledger.

mod kept;

use std::path::PathBuf;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::{Files, Policy, activate, check};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, ActKind, Manifest, Statement};
use breakglass_proto::v1;

use crate::failure::{Exit, Failure};
use crate::state::{State, read_bounded, write_private};

/// Checks `answer` and makes the policy of it.
///
/// # Errors
///
/// [`PolicyDoubt`]; nothing of the answer may be shown then.
pub fn read(answer: &v1::GetPolicyAnswer, log: &Origin) -> Result<Policy, PolicyDoubt> {
    let manifest =
        Statement::parse(&answer.manifest).map_err(|error| PolicyDoubt::Form(error.to_string()))?;
    let Act::Policy(listed) = manifest.act() else { return Err(not_a_manifest()) };
    if manifest.log() != log {
        return Err(PolicyDoubt::OtherLog);
    }
    if manifest.digest().as_bytes() != answer.digest.as_slice() || listed.version != answer.version
    {
        return Err(PolicyDoubt::Digest("manifest".to_owned()));
    }
    let signatures = signatures(answer, &manifest)?;
    let files = files(answer, listed)?;
    if listed.version == 1 {
        // The first is signed by its own authority: all of it can be checked here.
        let policy = activate(&manifest, &signatures, &files, log, None);
        return policy.map_err(|error| PolicyDoubt::Form(error.to_string()));
    }
    let checked = check(&files).map_err(|faults| {
        PolicyDoubt::Form(faults.first().map(ToString::to_string).unwrap_or_default())
    })?;
    Ok(checked.into_policy(listed.version, manifest.digest()))
}

/// Checks `answer`, also against what this machine has seen before, and keeps it.
///
/// # Errors
///
/// As for [`examine`].
pub fn accept(
    state: &State,
    log: &Origin,
    answer: &v1::GetPolicyAnswer,
) -> Result<Policy, Failure> {
    let policy = examine(state, log, answer)?;
    let (manifest, files) = parts(answer)?;
    remember(state, &policy)?;
    kept::keep(state, &manifest, &files)?;
    Ok(policy)
}

/// Checks `answer`, also against what this machine has seen before, and remembers nothing.
///
/// The policy before it, if it was kept, says who had to sign this one (R05); a broker that makes
/// up a policy between two that were seen is caught here, and any other by the ledger.
///
/// # Errors
///
/// [`Failure`]; nothing of the answer may be shown then.
pub fn examine(
    state: &State,
    log: &Origin,
    answer: &v1::GetPolicyAnswer,
) -> Result<Policy, Failure> {
    let policy = read(answer, log)?;
    let (manifest, files) = parts(answer)?;
    let Act::Policy(listed) = manifest.act() else { return Err(not_a_manifest().into()) };
    if let Some((version, digest)) = newest(state)?
        && version.checked_add(1) == Some(policy.version)
        && digest != listed.previous
    {
        return Err(PolicyDoubt::NotNext { version: policy.version }.into());
    }
    if let Some(previous) = kept::find(state, log, listed.previous)? {
        let signatures = signatures(answer, &manifest)?;
        let judged = activate(&manifest, &signatures, &files, log, Some(&previous));
        judged.map_err(|error| PolicyDoubt::Unauthorised(error.to_string()))?;
    }
    compare(state, &policy)?;
    Ok(policy)
}

fn parts(answer: &v1::GetPolicyAnswer) -> Result<(Statement, Files), PolicyDoubt> {
    let manifest =
        Statement::parse(&answer.manifest).map_err(|error| PolicyDoubt::Form(error.to_string()))?;
    let Act::Policy(listed) = manifest.act() else { return Err(not_a_manifest()) };
    let files = files(answer, listed)?;
    Ok((manifest, files))
}

fn not_a_manifest() -> PolicyDoubt {
    PolicyDoubt::Form("it is no policy manifest".to_owned())
}

/// The policy of this digest, if this machine has seen it and not forgotten.
///
/// # Errors
///
/// [`Failure`] if what was kept cannot be read.
pub fn kept(state: &State, log: &Origin, digest: Digest) -> Result<Option<Policy>, Failure> {
    kept::find(state, log, digest)
}

/// Compares `policy` with the newest one this machine has seen, and keeps it if newer.
///
/// # Errors
///
/// [`Failure`] with [`Exit::Tampered`] if it is older, or another one of the same number.
pub fn remember(state: &State, policy: &Policy) -> Result<(), Failure> {
    compare(state, policy)?;
    let text = format!("{} {}\n", policy.version, policy.digest);
    Ok(write_private(&newest_path(state), text.as_bytes())?)
}

/// Compares `policy` with the newest one this machine has seen, and remembers nothing: a file that
/// somebody carried must not be able to make this machine refuse the next true policy.
///
/// # Errors
///
/// As for [`remember`].
fn compare(state: &State, policy: &Policy) -> Result<(), Failure> {
    let kept = newest(state)?;
    if let Some((version, digest)) = kept {
        if version > policy.version {
            let (kept, offered) = (version, policy.version);
            return Err(PolicyDoubt::Older { kept, offered }.into());
        }
        if version == policy.version && digest != policy.digest {
            return Err(PolicyDoubt::Forked { version }.into());
        }
    }
    Ok(())
}

/// Number and digest of the newest policy that this machine has seen.
///
/// # Errors
///
/// [`Failure`] if what was kept cannot be read.
pub fn newest(state: &State) -> Result<Option<(u64, Digest)>, Failure> {
    let seen = read_bounded(&newest_path(state), KEPT_MAX)?;
    let seen = seen.and_then(|bytes| String::from_utf8(bytes).ok());
    let seen = seen.as_deref().and_then(|text| text.trim().split_once(' '));
    Ok(seen.and_then(|(version, digest)| Some((version.parse().ok()?, digest.parse().ok()?))))
}

fn newest_path(state: &State) -> PathBuf {
    state.dir().join("policy")
}

fn signatures(
    answer: &v1::GetPolicyAnswer,
    manifest: &Statement,
) -> Result<Vec<SshSig>, PolicyDoubt> {
    let namespace = ActKind::Policy.namespace();
    let read = |armored: &String| {
        let signature = SshSig::parse(armored).map_err(|e| PolicyDoubt::Form(e.to_string()))?;
        signature
            .verify(&namespace, manifest.text().as_bytes())
            .map_err(|e| PolicyDoubt::Form(e.to_string()))?;
        Ok(signature)
    };
    let signatures: Vec<SshSig> =
        answer.signatures.iter().take(SIGNATURES_MAX).map(read).collect::<Result<_, _>>()?;
    if signatures.is_empty() { Err(PolicyDoubt::Unsigned) } else { Ok(signatures) }
}

fn files(answer: &v1::GetPolicyAnswer, listed: &Manifest) -> Result<Files, PolicyDoubt> {
    let content = |name: &str| {
        let blob = answer.files.iter().find(|blob| blob.name == name)?;
        Some(blob.content.clone())
    };
    let files = Files::gather(content).map_err(|name| PolicyDoubt::Missing(name.to_owned()))?;
    // Exactly the four, each with the digest that was signed.
    if files.manifest(listed.version, listed.previous) != *listed {
        return Err(PolicyDoubt::Digest("a file".to_owned()));
    }
    Ok(files)
}

/// Why a policy that a broker shows is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyDoubt {
    /// It cannot be read, or breaks a rule of policies.
    #[error("the policy that the broker shows cannot be read: {0}")]
    Form(String),
    /// It is for another ledger.
    #[error("the policy that the broker shows is for another ledger")]
    OtherLog,
    /// A digest does not fit.
    #[error("the policy that the broker shows is not the one it names: {0} has another digest")]
    Digest(String),
    /// A file is not there.
    #[error("the policy that the broker shows lacks {0}")]
    Missing(String),
    /// Nobody signed it.
    #[error("the policy that the broker shows is not signed")]
    Unsigned,
    /// It does not follow the one that was seen before it.
    #[error("policy version {version} of the broker does not follow the version seen before it")]
    NotNext {
        /// Its number.
        version: u64,
    },
    /// The authority of the policy before it did not sign it.
    #[error("the authority of the policy before did not put this one into force: {0}")]
    Unauthorised(String),
    /// A newer one was seen before.
    #[error("the broker shows policy version {offered}, but version {kept} was seen before")]
    Older {
        /// Seen before.
        kept: u64,
        /// Shown now.
        offered: u64,
    },
    /// Two policies of one number.
    #[error("the broker shows another policy version {version} than it did before")]
    Forked {
        /// Their number.
        version: u64,
    },
}

impl From<PolicyDoubt> for Failure {
    fn from(doubt: PolicyDoubt) -> Self {
        Self::new(
            Exit::Tampered,
            doubt.to_string(),
            "who may ask and who may approve cannot be told; nothing was signed",
            "approve nothing; tell the policy's authority",
        )
    }
}

/// As the wire allows: one and 31 more.
const SIGNATURES_MAX: usize = 32;

/// A number and a digest.
const KEPT_MAX: u64 = 128;

#[cfg(test)]
mod tests;
