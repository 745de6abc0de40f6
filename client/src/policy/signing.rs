//! Signatures over a manifest: one file for each key, collected in any order and over any channel.
//!
//! A signature file says nothing by itself. It is verified when it is taken in, again when it is
//! counted, again by the broker, and again by every verifier of the record.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::policy::{Authority, SIGNATURES_MAX};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::sshsig::{ARMORED_MAX, SshSig};
use breakglass_ledger::statement::{ActKind, Statement};

use super::folder::{SIGNATURES, unreadable};
use crate::failure::{Exit, Failure};
use crate::state::{private_dir, read_bounded, write_private};

/// Every signature in `dir` over `manifest`, each verified, in the order of their names.
///
/// # Errors
///
/// [`Failure`] naming the file that is no good signature over it.
pub fn read(dir: &Path, manifest: &Statement) -> Result<Vec<SshSig>, Failure> {
    let dir = dir.join(SIGNATURES);
    let listed = match fs::read_dir(&dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|error| unreadable(&dir, &error.to_string()))?,
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in listed {
        let path = entry.map_err(|error| unreadable(&dir, &error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "sig") {
            paths.push(path);
        }
    }
    if paths.len() > SIGNATURES_MAX {
        return Err(unreadable(&dir, "there are more signatures than there can be signers"));
    }
    paths.sort();
    paths.iter().map(|path| verified(path, manifest)).collect()
}

/// Takes in the signature at `path`, which came by whatever way.
///
/// # Errors
///
/// [`Failure`] if it is not a good signature over exactly this manifest; nothing is kept then.
pub fn take_in(dir: &Path, manifest: &Statement, path: &Path) -> Result<SshSig, Failure> {
    let signature = verified(path, manifest)?;
    keep(dir, &signature)?;
    Ok(signature)
}

/// Puts `signature` where the others are, and answers where.
///
/// # Errors
///
/// [`Failure`] if it cannot be written.
pub fn keep(dir: &Path, signature: &SshSig) -> Result<PathBuf, Failure> {
    let fingerprint = signature.public_key().fingerprint().to_string();
    let name = fingerprint.replace(Fingerprint::PREFIX, "").replace('/', "_");
    let path = dir.join(SIGNATURES).join(format!("{name}.sig"));
    private_dir(&dir.join(SIGNATURES))?;
    write_private(&path, signature.armored().as_bytes())?;
    Ok(path)
}

fn verified(path: &Path, manifest: &Statement) -> Result<SshSig, Failure> {
    let limit = u64::try_from(ARMORED_MAX).unwrap_or(u64::MAX);
    let Some(text) = read_bounded(path, limit)? else {
        return Err(unreadable(path, "there is no such file"));
    };
    let text = String::from_utf8(text).map_err(|error| unreadable(path, &error.to_string()))?;
    let signature = SshSig::parse(&text).map_err(|error| unreadable(path, &error.to_string()))?;
    let bytes = manifest.text().as_bytes();
    signature.verify(&ActKind::Policy.namespace(), bytes).map_err(|error| {
        Failure::new(
            Exit::Tampered,
            format!("{}: {error}", path.display()),
            "it is no signature over the manifest in this directory: over another version, \
             another file, or by nobody",
            "have its signer sign this manifest",
        )
    })?;
    Ok(signature)
}

/// Who has signed, and what the quorum lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The keys that signed, each with the signer of the authority who holds it.
    pub signed: Vec<(Fingerprint, Option<PrincipalId>)>,
    /// What is known of the authority; `None` where the policy before is not known here.
    pub quorum: Option<Quorum>,
}

/// A quorum, as far as it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// How many different signers are needed.
    pub needed: u32,
    /// How many more are.
    pub lacks: u32,
    /// Who could still sign.
    pub open: Vec<PrincipalId>,
}

impl Tally {
    /// Counts `signatures` for `authority`: that of the policy before.
    #[must_use]
    pub fn of(signatures: &[SshSig], authority: Option<&Authority>) -> Self {
        let holder = |signature: &SshSig| {
            let key = signature.public_key();
            let holder = authority.and_then(|authority| authority.holder_of(key));
            (key.fingerprint(), holder.cloned())
        };
        let signed: Vec<_> = signatures.iter().map(holder).collect();
        let quorum = authority.map(|authority| {
            let people: BTreeSet<_> = signed.iter().filter_map(|(_, who)| who.as_ref()).collect();
            let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
            let all = authority.signers().iter().map(|signer| &signer.id);
            let open = all.filter(|id| !people.contains(id)).cloned().collect();
            let needed = authority.quorum();
            Quorum { needed, lacks: needed.saturating_sub(count), open }
        });
        Self { signed, quorum }
    }

    /// Keys that signed and are no signer's: with one of them the broker refuses the whole.
    #[must_use]
    pub fn strangers(&self) -> Vec<Fingerprint> {
        let unknown = self.signed.iter().filter(|(_, who)| who.is_none());
        if self.quorum.is_none() { Vec::new() } else { unknown.map(|(key, _)| *key).collect() }
    }

    /// Whether it can be put into force, as far as is known here.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        let is_reached = self.quorum.as_ref().is_none_or(|quorum| quorum.lacks == 0);
        is_reached && !self.signed.is_empty() && self.strangers().is_empty()
    }

    /// The tally in a few lines.
    #[must_use]
    pub fn words(&self) -> String {
        let mut lines = Vec::new();
        for (key, who) in &self.signed {
            lines.push(match (who, &self.quorum) {
                (Some(who), _) => format!("signed: {who} ({key})"),
                (None, None) => format!("signed: {key}"),
                (None, Some(_)) => {
                    format!("{key} is no signer of the authority: take its signature away")
                }
            });
        }
        lines.push(match &self.quorum {
            None => "who has to sign is written in the policy before, which this machine has not \
                     seen: `breakglass policy diff in-force DIR` fetches it"
                .to_owned(),
            Some(Quorum { needed, lacks: 0, .. }) => format!("the quorum of {needed} is reached"),
            Some(Quorum { needed, lacks, open }) => {
                let names: Vec<&str> = open.iter().map(PrincipalId::as_str).collect();
                format!("{lacks} of {needed} signers missing: {}", names.join(", "))
            }
        });
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::bytes::{Digest, Salt};
    use breakglass_ledger::policy::{Files, check};
    use breakglass_ledger::statement::Act;
    use breakglass_ledger::testing::House;

    use super::*;
    use crate::policy::cases::tests::files;

    /// A manifest of `version` over the sample, and its signature by `who`.
    fn signed(house: &House, version: u64, who: &str) -> (Statement, SshSig) {
        let act = Act::Policy(files().manifest(version, Digest::ZERO));
        let nonce = Salt::from_bytes([1; 16]);
        let manifest = Statement::compose(&house.keys.origin(), None, act, None, nonce).unwrap();
        let bytes = manifest.text().as_bytes();
        let signature = house.keys.sshsig(who, "policy.v1@breakglass", bytes);
        (manifest, signature)
    }

    #[test]
    fn a_signature_over_another_manifest_is_not_taken_in() {
        let dir = tempfile::tempdir().unwrap();
        let house = House::new();
        let (manifest, good) = signed(&house, 2, "pia");
        let (_, other) = signed(&house, 3, "pia");
        let path = dir.path().join("by-mail.sig");
        fs::write(&path, other.armored()).unwrap();
        assert_eq!(take_in(dir.path(), &manifest, &path).unwrap_err().exit(), Exit::Tampered);
        assert_eq!(read(dir.path(), &manifest).unwrap(), []);
        fs::write(&path, good.armored()).unwrap();
        take_in(dir.path(), &manifest, &path).unwrap();
        // Twice is once: a key has one file.
        take_in(dir.path(), &manifest, &path).unwrap();
        assert_eq!(read(dir.path(), &manifest).unwrap(), [good]);
    }

    #[test]
    fn the_tally_names_who_has_signed_who_could_and_who_never_counts() {
        let house = House::new();
        let (_, by_pia) = signed(&house, 2, "pia");
        let (_, by_sam) = signed(&house, 2, "sam");
        let key = by_pia.public_key().to_openssh();
        let other = by_sam.public_key().to_openssh();
        let authority = |second: &str| {
            let text = format!(
                "quorum = 2\n[[signer]]\nid = \"pia\"\nkeys = [\"{key}\"]\n\
                 [[signer]]\nid = \"quinn\"\nkeys = [\"{second}\"]\n"
            );
            check(&Files { authority: text.into_bytes(), ..files() }).unwrap().authority
        };
        let spare =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHR7nRVAqqtfh639vh+KqM+z9yOzwLoP2SwANiyMA1y9";
        let one = Tally::of(std::slice::from_ref(&by_pia), Some(&authority(spare)));
        assert!(!one.is_enough());
        assert!(one.words().ends_with("1 of 2 signers missing: quinn"), "{}", one.words());
        let stranger = Tally::of(&[by_pia.clone(), by_sam.clone()], Some(&authority(spare)));
        assert_eq!(stranger.strangers(), [by_sam.public_key().fingerprint()]);
        assert!(!stranger.is_enough());
        let both = Tally::of(&[by_sam, by_pia.clone()], Some(&authority(&other)));
        assert!(both.is_enough(), "{}", both.words());
        let unknown = Tally::of(&[by_pia], None);
        assert!(unknown.is_enough() && unknown.words().contains("has not seen"));
    }
}
