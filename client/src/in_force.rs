//! The policy in force, as a broker shows it and as far as this machine can check it.
//!
//! The digest is recomputed from the bytes, every file and every signature is checked, and a
//! machine that has seen a policy accepts no older one and no second one of the same number. What
//! an approver is shown is read from this and from nothing else; the digest goes into the approval,
//! so a broker that showed a false policy is caught by the ledger.

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
    let Act::Policy(listed) = manifest.act() else {
        return Err(PolicyDoubt::Form("it is no policy manifest".to_owned()));
    };
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

/// Compares `policy` with the newest one this machine has seen, and keeps it if newer.
///
/// # Errors
///
/// [`Failure`] with [`Exit::Tampered`] if it is older, or another one of the same number.
pub fn remember(state: &State, policy: &Policy) -> Result<(), Failure> {
    compare(state, policy)?;
    let kept = format!("{} {}\n", policy.version, policy.digest);
    Ok(write_private(&kept_at(state), kept.as_bytes())?)
}

/// Compares `policy` with the newest one this machine has seen, and remembers nothing: a file that
/// somebody carried must not be able to make this machine refuse the next true policy.
///
/// # Errors
///
/// As for [`remember`].
pub fn compare(state: &State, policy: &Policy) -> Result<(), Failure> {
    let path = kept_at(state);
    let kept = read_bounded(&path, KEPT_MAX)?.and_then(|bytes| String::from_utf8(bytes).ok());
    let kept = kept.as_deref().and_then(|text| text.trim().split_once(' '));
    let kept = kept.and_then(|(v, d)| Some((v.parse::<u64>().ok()?, d.parse::<Digest>().ok()?)));
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

fn kept_at(state: &State) -> PathBuf {
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
