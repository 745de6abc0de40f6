//! Do the key files and the ledger agree? The ledger decides which key is the current one.

use std::path::PathBuf;

use breakglass_ledger::entry::{Body, Genesis, KeyRole};
use breakglass_ledger::key::PublicKey;

use crate::mint::{MintError, OtherKey, PublicParts, Stage, key_named};
use crate::store::{Anchored, StoreError};

/// The key files are not those that the ledger names. Nothing was opened, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    /// The current key of a role is not the one in force.
    #[error(
        "{} is not the key that entry {seq} of the ledger names for {}; {}",
        path.display(), role.name(),
        "restore the keys of the same backup as the ledger, or the newer of both"
    )]
    Current {
        /// Which key.
        role: KeyRole,
        /// Its file.
        path: PathBuf,
        /// The entry that names another.
        seq: u64,
    },
    /// The ledger names a key, and there is none.
    #[error(
        "the ledger names a key for {} and there is none; restore the directory of keys whole",
        role.name()
    )]
    Missing {
        /// Which key.
        role: KeyRole,
    },
    /// There is a key, and the ledger names none: what it would sign nobody could verify.
    #[error(
        "there is a key for {} and the ledger names none; move it out of the directory of keys, then \
         make one with `breakglassd rotate prepare` and `rotate switch`",
        role.name()
    )]
    Unnamed {
        /// Which key.
        role: KeyRole,
    },
    /// An old key is not the one that was in force until its entry.
    #[error(
        "the old key for {} that should end at entry {until} is not the one that was in force there",
        role.name()
    )]
    Old {
        /// Which key.
        role: KeyRole,
        /// The entry in its file's name.
        until: u64,
    },
    /// The ledger cannot be read.
    #[error("the ledger's entries about keys cannot be read")]
    Store(#[from] StoreError),
    /// The ledger does not begin with `genesis`.
    #[error("the ledger does not begin with its genesis")]
    NoGenesis,
    /// A key of ours cannot be said in the ledger's form.
    #[error("a key cannot be named")]
    Mint(#[from] MintError),
}

/// What the ledger says about keys: of each role, from which entry on which.
pub(crate) struct Named(Vec<(u64, KeyRole, String)>);

impl Named {
    /// Reads genesis and every `keys`, each proved against the signed head.
    pub(crate) fn read(store: &impl Anchored) -> Result<Self, Disagreement> {
        let mut named = Vec::new();
        for record in store.read().key_entries()? {
            store.read().prove(&record, &store.head())?;
            let entry = record.parse()?;
            if let Body::Keys(keys) = entry.body {
                named.push((entry.seq, keys.role, keys.key));
            } else if let Body::Genesis(genesis) = entry.body {
                named.extend(first(genesis));
            } else {
                return Err(Disagreement::NoGenesis);
            }
        }
        Ok(Self(named))
    }

    /// Every key that was ever named and that has a form of its own: what is not to be used again.
    pub(crate) fn keys(&self) -> Vec<PublicKey> {
        self.0.iter().filter_map(|(_, role, name)| key_named(*role, name)).collect()
    }

    /// What is named for `role`, oldest first.
    fn of(&self, role: KeyRole) -> impl DoubleEndedIterator<Item = (u64, &str)> {
        self.0
            .iter()
            .filter(move |(_, named, _)| *named == role)
            .map(|(seq, _, key)| (*seq, &**key))
    }

    /// The change of keys that the ledger knows and the files do not: the next key of a role is in force
    /// already, from this entry on.
    pub(crate) fn unfinished(
        &self,
        public: &PublicParts,
    ) -> Result<Option<(KeyRole, u64)>, Disagreement> {
        for role in KeyRole::ALL {
            let Some((seq, key)) = self.of(role).next_back() else { continue };
            let current = public.current(role).map(|current| current.named()).transpose()?;
            if current.as_deref() == Some(key) {
                continue;
            }
            for other in public.others_of(role) {
                let is_next = matches!(other.stage, Stage::Next { .. });
                if is_next && other.key.named()? == key {
                    return Ok(Some((role, seq)));
                }
            }
        }
        Ok(None)
    }

    /// Compares every key with what the ledger names.
    pub(crate) fn check(&self, public: &PublicParts, keys: PathBuf) -> Result<(), Disagreement> {
        for role in KeyRole::ALL {
            let current = public.current(role).map(|current| current.named()).transpose()?;
            match (self.of(role).next_back(), current) {
                (None, None) => {}
                (Some((_, key)), Some(current)) if key == current => {}
                (Some((seq, _)), Some(_)) => {
                    return Err(Disagreement::Current { role, path: keys.join(role.name()), seq });
                }
                (Some(_), None) => return Err(Disagreement::Missing { role }),
                (None, Some(_)) => return Err(Disagreement::Unnamed { role }),
            }
            for other in public.others_of(role) {
                self.check_old(role, other)?;
            }
        }
        Ok(())
    }

    /// An old key is known by the entry that ended it: what it revokes is found by that.
    fn check_old(&self, role: KeyRole, other: &OtherKey) -> Result<(), Disagreement> {
        let Stage::Old { until } = other.stage else { return Ok(()) };
        let before = self.of(role).take_while(|(seq, _)| *seq < until).last();
        let is_end = self.of(role).any(|(seq, _)| seq == until);
        let name = other.key.named()?;
        let is_it = is_end && before.is_some_and(|(_, key)| key == name);
        if is_it { Ok(()) } else { Err(Disagreement::Old { role, until }) }
    }
}

/// What `genesis` names.
fn first(genesis: Genesis) -> Vec<(u64, KeyRole, String)> {
    let of_each = [
        (KeyRole::SshCa, Some(genesis.ssh_ca)),
        (KeyRole::Lists, Some(genesis.lists_key)),
        (KeyRole::TlsCa, Some(genesis.tls_ca.to_string())),
        (KeyRole::X509Ca, genesis.x509_ca),
        (KeyRole::JwtKey, genesis.jwt_key),
    ];
    of_each.into_iter().filter_map(|(role, key)| Some((0, role, key?))).collect()
}
