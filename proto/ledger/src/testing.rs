//! A small honest ledger for tests, and the means to make it dishonest.
//!
//! [`House`] plays a broker that follows every rule, with all keys in hand, a clock that is set and
//! no randomness: the same steps give the same bytes. Each step has a half that only builds the
//! body (`approval`, `issuing`, …), so that a test can spoil it before it is recorded.

#![expect(clippy::expect_used, reason = "a test helper; a panic fails the test that made it")]

mod certificate;
mod export;
mod hosts;
mod keys;
mod kinds;
mod lanes;
mod special;
mod steps;
mod story;
mod vectors;

pub use certificate::CertificateParts;
pub use export::{CaseExport, Export};
pub use keys::Keys;
pub use kinds::{SCOPE_OF_KINDS, X509Parts};
pub use special::{harmed_rulings, harmed_surroundings};
pub use steps::subject_name;
pub use story::{harmed_cases, harmed_files, harmed_rules, relink};
pub use vectors::{config_examples, examples, vectors};

use std::collections::BTreeMap;

use crate::bundle::Opening;
use crate::bytes::{Digest, Salt};
use crate::entry::{
    Body, Context, Decision, Entry, Genesis, OutageState, Policy as PolicyBody, Signed,
};
use crate::id::RequestId;
use crate::note::{Checkpoint, SignedCheckpoint};
use crate::policy::{Files, Policy, activate, sample};
use crate::principal::PrincipalKind;
use crate::statement::{Act, ActKind, Ask, Lane, Seen, Statement, commitment};
use crate::time::{Moment, Timestamp};
use crate::tree::{Frontier, leaf_hash};

/// When the first entry is written: 2026-11-22T10:00:00Z.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_795_341_600);
/// Everybody in the sample policy, by the names of their keys.
pub const PEOPLE: [&str; 6] = ["pia", "sam", "ann", "ada", "bob", "eve"];

/// The sample policy for these people; sam and bob have a second key each (`sam-2`, `bob-2`).
#[must_use]
pub fn files_of(keys: &Keys, people: &[&str]) -> Files {
    let seconds = ["sam", "bob"].into_iter().filter(|name| people.contains(name));
    let seconds = seconds.map(|name| (name, keys.public(&format!("{name}-2"))));
    let all: Vec<_> = people.iter().map(|name| (*name, keys.public(name))).chain(seconds).collect();
    sample(&all.iter().map(|(name, key)| (*name, key)).collect::<Vec<_>>())
}

/// A broker in a box.
#[derive(Clone)]
pub struct House {
    /// All keys there are.
    pub keys: Keys,
    /// The clock.
    pub now: Timestamp,
    /// The policy in force.
    pub policy: Policy,
    /// The entries' bytes.
    pub entries: Vec<Vec<u8>>,
    /// The openings, in order of their statements.
    pub openings: Vec<Opening>,
    /// Since when the watched dependency is down, as decisions say it.
    pub outage: Option<Timestamp>,
    /// The rules that decisions name.
    pub rules: Vec<String>,
    /// The policy files.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
    grants: BTreeMap<RequestId, Kept>,
    tree: Frontier,
}

/// What the house remembers of a grant.
#[derive(Clone)]
struct Kept {
    ask: Ask,
    statement: Digest,
    gseq: u64,
    last: Digest,
    approvals: Vec<u64>,
    /// Serial, hash of the `issued` entry, end.
    issued: Option<(u64, Digest, Timestamp)>,
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}

impl House {
    /// A house with its genesis and the sample policy: two entries.
    #[must_use]
    pub fn new() -> Self {
        let keys = Keys::new();
        let files = files_of(&keys, &PEOPLE);
        let manifest = Act::Policy(files.manifest(1, Digest::ZERO));
        let (statement, signature) =
            keys.say("pia", None, manifest, None, Salt::from_bytes([1; 16]));
        let policy =
            activate(&statement, std::slice::from_ref(&signature), &files, &keys.origin(), None)
                .expect("the sample is a policy");
        let mut house = Self {
            now: START,
            policy,
            entries: Vec::new(),
            openings: Vec::new(),
            outage: None,
            rules: Vec::new(),
            blobs: BTreeMap::new(),
            grants: BTreeMap::new(),
            tree: Frontier::new(),
            keys,
        };
        house.record(house.genesis());
        house.keep_blobs(&files);
        let armored = signature.armored().to_owned();
        let digest = statement.digest();
        house.record(PolicyBody {
            version: 1,
            digest,
            statement: statement.text().to_owned(),
            signatures: vec![armored],
        });
        house
    }

    fn genesis(&self) -> Genesis {
        Genesis {
            deployment: self.keys.origin().deployment().to_owned(),
            log_key: self.keys.log_key().to_string(),
            ssh_ca: self.keys.public("ssh-ca").to_openssh(),
            lists_key: self.keys.public("lists").to_openssh(),
            tls_ca: Digest::of(b"no TLS here"),
            x509_ca: None,
            jwt_key: None,
            software: "breakglass-ledger testing".to_owned(),
        }
    }

    fn keep_blobs(&mut self, files: &Files) {
        for name in Files::NAMES {
            let content = files.get(name).unwrap_or_default().to_vec();
            self.blobs.insert(Digest::of(&content), content);
        }
    }

    /// Puts new files in force, signed by `signer`, the only one of the authority.
    pub fn enact(&mut self, files: &Files, signer: &str) -> u64 {
        let version = self.policy.version.saturating_add(1);
        let manifest = Act::Policy(files.manifest(version, self.policy.digest));
        let (statement, signature) = self.keys.say(signer, None, manifest, None, self.salt());
        self.keep_blobs(files);
        let signatures = std::slice::from_ref(&signature);
        let enacted =
            activate(&statement, signatures, files, &self.keys.origin(), Some(&self.policy));
        if let Ok(policy) = enacted {
            self.policy = policy;
        }
        self.record(PolicyBody {
            version,
            digest: statement.digest(),
            statement: statement.text().to_owned(),
            signatures: vec![signature.armored().to_owned()],
        })
    }

    /// Lets time pass.
    pub const fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(seconds);
    }

    /// Writes an entry, whatever it says, and gives its `seq`.
    pub fn record(&mut self, body: impl Into<Body>) -> u64 {
        let seq = self.size();
        let prev = self.entries.last().map_or(Digest::ZERO, |bytes| Digest::of(bytes));
        let entry = Entry {
            seq,
            time: Moment::from_unix_millis(self.now.unix_seconds().saturating_mul(1000)),
            prev,
            salt: self.salt(),
            log: self.keys.origin(),
            body: body.into(),
        };
        let bytes = entry.to_bytes().expect("an entry of printable text");
        self.remember(&entry, Digest::of(&bytes));
        self.tree.push(leaf_hash(&bytes));
        self.entries.push(bytes);
        seq
    }

    fn remember(&mut self, entry: &Entry, hash: Digest) {
        let Some(link) = entry.grant() else { return };
        if let Some(signed) = entry.body.signed()
            && let Ok(statement) = Statement::parse(signed.statement.as_bytes())
            && let Act::Request(ask) = statement.act()
        {
            let (ask, statement) = (ask.clone(), statement.digest());
            let kept =
                Kept { ask, statement, gseq: 0, last: hash, approvals: Vec::new(), issued: None };
            self.grants.insert(link.grant, kept);
        }
        let Some(kept) = self.grants.get_mut(&link.grant) else { return };
        kept.gseq = link.gseq;
        kept.last = hash;
        if let Body::Approved(_) = &entry.body {
            kept.approvals.push(entry.seq);
        }
        if let Body::Issued(issued) = &entry.body {
            kept.issued = Some((issued.serial, hash, issued.valid_before));
        }
    }

    /// How many entries there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The newest checkpoint as a client would have seen it.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { size: self.size(), root: Some(self.tree.root()) }
    }

    /// The newest checkpoint, signed with the log's key.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        let origin = self.keys.origin();
        let checkpoint = Checkpoint { origin, size: self.size(), root: self.tree.root() };
        let signature = self.keys.sign("log", checkpoint.body().as_bytes());
        SignedCheckpoint::assemble(&checkpoint, &self.keys.log_key(), &signature)
    }

    /// `act`, signed now with the key `signer`, good for ten minutes.
    #[must_use]
    pub fn said(&self, signer: &str, act: Act) -> Signed {
        let namespace = act.kind().namespace();
        self.said_in(&namespace, signer, act)
    }

    /// As [`House::said`], but signed in a namespace of choice.
    #[must_use]
    pub fn said_in(&self, namespace: &str, signer: &str, act: Act) -> Signed {
        let is_bare = matches!(act.kind(), ActKind::Policy | ActKind::Session);
        let seen = (!is_bare).then(|| self.seen());
        let expires = (act.kind() != ActKind::Policy).then(|| self.now.plus(600));
        let origin = self.keys.origin();
        let statement =
            Statement::compose(&origin, seen, act, expires, self.salt()).expect("a good statement");
        self.signed_in(namespace, signer, statement.text())
    }

    /// `statement`, whatever it says, signed with the key `signer` in `namespace`.
    #[must_use]
    pub fn signed_in(&self, namespace: &str, signer: &str, statement: &str) -> Signed {
        let signature = self.keys.sshsig(signer, namespace, statement.as_bytes());
        Signed { statement: statement.to_owned(), signature: signature.armored().to_owned() }
    }

    /// A commitment to `text`, whose opening goes into the export.
    pub fn commit(&mut self, text: &str) -> Digest {
        let count = u64::try_from(self.openings.len()).unwrap_or(u64::MAX);
        let salt = *Digest::of_parts(&[b"text", &count.to_be_bytes()]).as_bytes();
        self.openings.push(Opening::new(&salt, text));
        commitment(&salt, text)
    }

    /// A decision as of now, under the policy in force.
    #[must_use]
    pub fn decision(&self, outcome: &str) -> Decision {
        Decision {
            policy: self.policy.digest,
            rules: self.rules.clone(),
            context: Context {
                lane: Some(Lane::Normal),
                outage: OutageState::None,
                outage_since: None,
                stage: None,
                live: None,
                budget: None,
                drill_age: None,
                time: self.now,
                kind: Some(PrincipalKind::Human),
                delegation: Vec::new(),
            },
            outcome: outcome.to_owned(),
        }
    }

    /// Random enough, and the same each time.
    fn salt(&self) -> Salt {
        let digest = Digest::of_parts(&[b"salt", &self.size().to_be_bytes()]);
        let mut salt = [0; 16];
        salt.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        Salt::from_bytes(salt)
    }
}
