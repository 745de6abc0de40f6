//! `authority.toml`: who signs the policy, and how many of them it takes.

use std::collections::BTreeMap;

use super::fault::{FaultKind, Faults};
use super::lookalike::Ids;
use super::people::KEYS_MAX;
use super::read::{Document, Table};
use super::values;
use crate::key::{Fingerprint, PublicKey};
use crate::policy::File;
use crate::principal::PrincipalId;

/// Most signers: a quorum of more people than this cannot be brought together in an emergency.
pub const SIGNERS_MAX: usize = 64;

/// [`SIGNERS_MAX`] as the largest quorum.
const QUORUM_MAX: u32 = 64;

/// Who signs the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    quorum: u32,
    signers: Vec<Signer>,
    holders: BTreeMap<PublicKey, PrincipalId>,
}

/// One member of the authority. However many keys they sign with, they count once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Who.
    pub id: PrincipalId,
    /// Their keys, 1 to [`KEYS_MAX`].
    pub keys: Vec<PublicKey>,
}

impl Authority {
    /// How many different signers a policy needs: 1 up to the number of signers.
    #[must_use]
    pub const fn quorum(&self) -> u32 {
        self.quorum
    }

    /// The signers, as the file lists them.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The signer who holds `key`.
    #[must_use]
    pub fn holder_of(&self, key: &PublicKey) -> Option<&PrincipalId> {
        self.holders.get(key)
    }

    /// The fingerprints of all keys, ascending: what a reviewer pins.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let mut fingerprints: Vec<_> = self.holders.keys().map(PublicKey::fingerprint).collect();
        fingerprints.sort_unstable();
        fingerprints
    }
}

/// Reads the file; what it returns after adding a fault is a placeholder.
pub(super) fn read(document: &Document<'_>, faults: &mut Faults) -> Authority {
    let mut file = document.table();
    let quorum_at = file.need("quorum", faults);
    let mut ids = Ids::of("signer", File::Authority);
    let mut holders = BTreeMap::new();
    let mut signers = Vec::new();
    let before = faults.count();
    for mut table in file.tables("signer", SIGNERS_MAX, faults) {
        signers.extend(signer(&mut table, &mut ids, &mut holders, faults));
        table.finish(faults);
    }
    // Signers that could not be read are not missed a second time.
    let are_all = faults.count() == before;
    let count = signers.len();
    let quorum = quorum_at.and_then(|value| {
        let quorum = value.number(0, QUORUM_MAX, faults)?;
        if quorum == 0 {
            value.fault(FaultKind::QuorumZero { of: "the authority".to_owned() }, faults);
        } else if are_all && usize::try_from(quorum).is_ok_and(|quorum| quorum > count) {
            value.fault(FaultKind::AuthorityQuorum { quorum, signers: count }, faults);
        }
        Some(quorum)
    });
    file.finish(faults);
    // Out of reach, should a placeholder ever be judged by.
    Authority { quorum: quorum.unwrap_or(u32::MAX), signers, holders }
}

fn signer(
    table: &mut Table<'_>,
    ids: &mut Ids,
    holders: &mut BTreeMap<PublicKey, PrincipalId>,
    faults: &mut Faults,
) -> Option<Signer> {
    let line = table.line();
    let id = table.need("id", faults).and_then(|id| values::name::<PrincipalId>(&id, faults));
    let keys = table
        .need("keys", faults)
        .and_then(|keys| values::set(&keys, KEYS_MAX, faults, values::key));
    let id = id?;
    ids.meet(id.as_str(), line, faults);
    let keys = keys.unwrap_or_default();
    for key in &keys {
        if let Some(other) = holders.insert(key.clone(), id.clone())
            && other != id
        {
            table.fault(key_of_two(key, &id, &other), faults);
        }
    }
    Some(Signer { id, keys })
}

/// The fault of a key that two hold (R23).
pub(super) fn key_of_two(key: &PublicKey, holder: &PrincipalId, other: &PrincipalId) -> FaultKind {
    let (holder, other) = (holder.to_string(), other.to_string());
    FaultKind::KeyOfTwo { key: key.fingerprint(), holder, other }
}
