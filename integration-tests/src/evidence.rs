//! What a reviewer gets out of a house, and what the verifier makes of it.

use std::collections::BTreeMap;

use breakglass_ledger::audit::{Eligibility, Report, TrustFile, verify};
use breakglass_ledger::bundle::{Bundle, Opening, write_entry};
use breakglass_ledger::bytes::Digest;
use breakglass_rules::eligibility::CedarJudge;

use crate::desk::House;
use crate::people::Person;

/// An export in memory.
#[derive(Clone, Default)]
pub struct Evidence {
    /// The entries' bytes, in order.
    pub entries: Vec<Vec<u8>>,
    /// The signed note over exactly these entries.
    pub checkpoint: String,
    /// The texts that are there.
    pub openings: Vec<Opening>,
    /// The policy files.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Evidence {
    /// Everything that `house` has written down.
    #[must_use]
    pub fn of(house: &House) -> Self {
        let mut evidence = Self::default();
        evidence.follow(house);
        evidence
    }

    /// Takes in what `house` has written down since, from one snapshot.
    pub fn follow(&mut self, house: &House) {
        let reader = house.desk().reader().expect("a reader");
        loop {
            let from = u64::try_from(self.entries.len()).expect("small");
            let page = reader.entries(from, usize::MAX).expect("entries");
            if page.is_empty() {
                break;
            }
            self.entries.extend(page.into_iter().map(|record| record.bytes));
        }
        self.checkpoint = reader.newest_checkpoint().expect("a checkpoint").to_owned();
        let texts = reader.texts(0, usize::MAX).expect("texts");
        self.openings = texts.iter().map(|one| Opening::new(&one.salt, &one.text)).collect();
        for digest in reader.blobs(None).expect("blobs") {
            let read = || reader.blob(digest).expect("readable").expect("there");
            self.blobs.entry(digest).or_insert_with(read);
        }
    }

    /// What the verifier says, with a judge of Cedar rules.
    #[must_use]
    pub fn verify(&self, trust: &TrustFile) -> Report {
        self.judged(trust, Some(&CedarJudge::default()))
    }

    /// What a verifier says who knows no Cedar.
    #[must_use]
    pub fn verify_without_rules(&self, trust: &TrustFile) -> Report {
        self.judged(trust, None)
    }

    fn judged(&self, trust: &TrustFile, rules: Option<&dyn Eligibility>) -> Report {
        let (mut entries, mut openings) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            write_entry(&mut entries, entry).expect("memory");
        }
        for opening in &self.openings {
            openings.extend(opening.to_line().expect("a line"));
            openings.push(b'\n');
        }
        let bundle = Bundle {
            entries: &mut entries.as_slice(),
            checkpoint: &self.checkpoint,
            openings: &mut openings.as_slice(),
            blobs: &|digest| self.blobs.get(&digest).cloned(),
        };
        verify(bundle, trust, None, rules).expect("memory can be read")
    }
}

/// What a reviewer of `house` knows from elsewhere: its log key, and pia's.
#[must_use]
pub fn trust(house: &House) -> TrustFile {
    let public = house.desk().public();
    TrustFile {
        log: public.origin.clone(),
        key: public.log.clone(),
        authority: vec![Person::named("pia").key().fingerprint()],
        freshness: None,
        seen: Vec::new(),
    }
}
