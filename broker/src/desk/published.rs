//! Which lists were published, so that what hosts report can be compared.

use std::collections::BTreeMap;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::List;

use crate::crl::Digests;

/// Lists remembered of each kind: an hour of one a second. A host that reports an older one is told
/// to fetch the newest, which holds the same and more.
const REMEMBERED_MAX: usize = 4096;

/// Signatures remembered of one version: a list for TLS servers is signed anew every few minutes though
/// nothing changed, and a host may report what it took some hours ago.
const SIGNED_MAX: usize = 64;

/// The digests of the lists published since the start, and of those that lay there then.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<List, BTreeMap<u64, Vec<Digests>>>);

impl Lists {
    /// A list is published under this version.
    pub(super) fn note(&mut self, list: List, version: u64, digests: Digests) {
        let versions = self.0.entry(list).or_default();
        let signed = versions.entry(version).or_default();
        if signed.contains(&digests) {
            return;
        }
        if signed.len() >= SIGNED_MAX {
            signed.remove(0);
        }
        signed.push(digests);
        while versions.len() > REMEMBERED_MAX {
            versions.pop_first();
        }
    }

    /// The newest version of `list`.
    pub(super) fn newest(&self, list: List) -> Option<u64> {
        self.0.get(&list)?.last_key_value().map(|(version, _)| *version)
    }

    /// What was published of `list` under `version`: what a host `said` it was, if it ever was that,
    /// else the newest.
    pub(super) fn digest(&self, list: List, version: u64, said: Digest) -> Option<Digest> {
        let signed = self.0.get(&list)?.get(&version)?;
        let mut all = signed.iter().flat_map(Digests::all);
        let newest = || signed.iter().rev().find_map(|digests| digests.all().last());
        all.find(|one| **one == said).or_else(newest).copied()
    }
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::time::Timestamp;

    use super::*;
    use crate::crl::{Number, SignedCrl, to_pem};

    #[test]
    fn the_newest_are_remembered_and_kinds_kept_apart() {
        let of = |version: u64| Digest::of(&version.to_be_bytes());
        let mut lists = Lists::default();
        assert_eq!(lists.newest(List::Krl), None);
        for version in 1..=u64::try_from(REMEMBERED_MAX).expect("small") + 1 {
            lists.note(List::Krl, version, Digests::of(&version.to_be_bytes()));
        }
        assert_eq!(lists.newest(List::Krl), Some(4097));
        assert_eq!(lists.digest(List::Krl, 1, of(1)), None);
        assert_eq!(lists.digest(List::Krl, 2, of(1)), Some(of(2)));
        assert_eq!(lists.digest(List::Crl, 2, of(2)), None);
    }

    #[test]
    fn of_two_authorities_either_list_and_both_together_are_known() {
        let now = Timestamp::from_unix_seconds(1_795_348_800);
        let crl = SignedCrl::new(Number::new(7, now), now, vec![1], vec![vec![2]]);
        let mut lists = Lists::default();
        lists.note(List::Crl, 7, crl.digests().clone());
        let (one, other, both) = (to_pem(&[1]), to_pem(&[2]), crl.pem());
        for known in [&*one, &*other, both] {
            let digest = Digest::of(known.as_bytes());
            assert_eq!(lists.digest(List::Crl, 7, digest), Some(digest));
        }
        let swapped = Digest::of(format!("{other}{one}").as_bytes());
        assert_ne!(lists.digest(List::Crl, 7, swapped), Some(swapped));
    }

    #[test]
    fn a_list_signed_anew_is_known_by_each_of_its_signatures() {
        let mut lists = Lists::default();
        let all: Vec<Vec<u8>> =
            (0..=u8::try_from(SIGNED_MAX).expect("small")).map(|n| vec![n]).collect();
        all.iter().for_each(|bytes| lists.note(List::Crl, 7, Digests::of(bytes)));
        // Noted again, and nobody is forgotten for it.
        lists.note(List::Crl, 7, Digests::of(all.last().expect("some")));
        let known = |bytes: &[u8]| lists.digest(List::Crl, 7, Digest::of(bytes));
        assert_eq!(known(&[1]), Some(Digest::of(&[1])));
        let newest = all.last().map(|bytes| Digest::of(bytes));
        assert_eq!(known(&[0]), newest, "the oldest is forgotten");
        assert_eq!(known(b"another"), newest);
    }
}
