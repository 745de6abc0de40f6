//! The stories behind the published vectors: one honest ledger, and harm done to it.

use super::{CaseExport, Export, House};
use crate::bundle::{Proof, write_entry};
use crate::bytes::Digest;
use crate::entry::{
    Anchor, Cause, Closed, Config, ConfigChange, Entry, Numbered, Outcome, Refused,
};
use crate::note::SignedCheckpoint;
use crate::statement::{Act, ActKind};

impl House {
    /// The case of the grant that was requested first.
    #[must_use]
    pub fn first_case(&self) -> CaseExport {
        let grants = self.entries.iter().filter_map(|bytes| {
            Entry::parse(bytes).expect("our own entry").grant().map(|link| link.grant)
        });
        self.case(grants.into_iter().next().expect("a grant"))
    }

    /// An honest ledger in which everything happened once.
    #[must_use]
    pub fn eventful() -> Self {
        let mut house = Self::new();
        let id = house.emergency();
        house.pass(60);
        let denied = house.request("sam", "quick", 600);
        house.deny(denied, "bob");
        let withdrawn = house.request("ann", "quick", 600);
        house.withdraw(withdrawn, "ann");
        house.record(house.anchor());
        house.drop_grant(id, "sam");
        let solo = house.request("sam", "solo", 300);
        house.collect(solo);
        house.expire(solo);
        house.close(solo, Outcome::Revoked);
        let lapsing = house.request("ann", "root-on-host", 60);
        let eve = house.said("eve", Act::Approve(house.yes(lapsing, "eve", "app-owner")));
        house.record(Refused {
            signed: eve,
            decision: house.decision("refused"),
            by: Some("eve".parse().expect("a name")),
            act: ActKind::Approve,
            refusal: Numbered { name: "approver-not-entitled".to_owned(), number: 1 },
            request: None,
        });
        house.pass(900);
        house.lapse(lapsing);
        house.close(id, Outcome::Revoked);
        house
    }

    /// The newest checkpoint as an entry.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        let signed = SignedCheckpoint::parse(&self.checkpoint()).expect("our own note");
        let (checkpoint, cosignatures) = signed.to_parts();
        Anchor { checkpoint, cosignatures }
    }
}

impl Export {
    /// The lines of `entries.jsonl`.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let content = self.entries.strip_suffix(b"\n").unwrap_or_default();
        content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    /// Replaces `entries.jsonl`.
    pub fn set_lines(&mut self, lines: &[Vec<u8>]) {
        self.entries.clear();
        for line in lines {
            write_entry(&mut self.entries, line).expect("memory");
        }
    }
}

/// Numbers and links every line again, as a forger with the database would.
pub fn relink(lines: &mut [Vec<u8>]) {
    let mut prev = Digest::ZERO;
    for (seq, line) in (0..).zip(lines) {
        let mut entry = Entry::parse(line).expect("an entry");
        (entry.seq, entry.prev) = (seq, prev);
        *line = entry.to_bytes().expect("an entry");
        prev = Digest::of(line);
    }
}

/// Harm done to the files of [`House::eventful`], by the code that is found first.
#[must_use]
pub fn harmed_files() -> Vec<(&'static str, Export)> {
    let swap = |seq: usize, from: &'static str, to: &'static str| {
        move |lines: &mut Vec<Vec<u8>>| {
            if let Some(line) = lines.get_mut(seq) {
                let text = String::from_utf8_lossy(line).replacen(from, to, 1);
                *line = text.into_bytes();
            }
        }
    };
    let with = |harm: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut export = House::eventful().export();
        let mut lines = export.lines();
        harm(&mut lines);
        export.set_lines(&lines);
        export
    };
    let opened = |from: &str, to: &str| {
        let mut export = House::eventful().export();
        let text = String::from_utf8_lossy(&export.openings).replacen(from, to, 1);
        export.openings = text.into_bytes();
        export
    };
    let noted = |from: &str, to: &str| {
        let export = House::eventful().export();
        Export { checkpoint: export.checkpoint.replacen(from, to, 1), ..export }
    };
    vec![
        ("E_BUNDLE_EMPTY", Export { entries: Vec::new(), ..House::eventful().export() }),
        ("E_CHECKPOINT_MALFORMED", noted("\n\n", "\n")),
        ("E_CHECKPOINT_SIG", noted("\n24\n", "\n23\n")),
        ("E_ENTRY_NOT_CANONICAL", with(&swap(3, "\"seq\":3", "\"seq\": 3"))),
        ("E_SCHEMA", with(&swap(3, "\"type\":\"approved\"", "\"type\":\"accepted\""))),
        ("E_SEQ_GAP", with(&|lines| drop(lines.remove(6)))),
        ("E_CHAIN_BROKEN", with(&swap(4, "ttl-max: 1800", "ttl-max: 1801"))),
        ("E_SIZE_MISMATCH", with(&|lines| lines.truncate(8))),
        (
            "E_ROOT_MISMATCH",
            with(&|lines| {
                swap(7, "quick", "solo")(lines);
                relink(lines);
            }),
        ),
        ("E_OPENING_MISMATCH", opened("must repair", "must improve")),
    ]
}

/// Lines of a file.
type Lines = Vec<Vec<u8>>;

/// Harm done to the case of the emergency in [`House::eventful`], by the code that is found first.
#[must_use]
pub fn harmed_cases() -> Vec<(&'static str, CaseExport)> {
    let with = |harm: &dyn Fn(&mut Lines, &mut Lines)| {
        let mut case = House::eventful().first_case();
        let (mut entries, mut proofs) = case.lines();
        harm(&mut entries, &mut proofs);
        case.set_lines(&entries, &proofs);
        case
    };
    let without = |place: usize| {
        with(&|entries, proofs| {
            entries.remove(place);
            proofs.remove(place);
        })
    };
    let mut strange = House::eventful().first_case();
    strange.files.checkpoint = House::new().checkpoint();
    vec![
        ("E_SEQ_GAP", without(0)),
        ("E_POLICY_UNAUTHORIZED", without(1)),
        ("E_GRANT_ORPHAN", without(2)),
        ("E_THRESHOLD", without(3)),
        ("E_GRANT_CHAIN", without(6)),
        ("E_CASE_INCOMPLETE", without(8)),
        ("E_UNCOMMITTED_TAIL", strange),
        (
            "E_INCLUSION",
            with(&|_, proofs| {
                for line in proofs.iter_mut().take(1) {
                    let mut proof = Proof::parse(line).expect("a proof");
                    proof.hashes.reverse();
                    *line = proof.to_line();
                }
            }),
        ),
    ]
}

/// A code, and what a broker does that is found under it.
type Story = (&'static str, fn(&mut House));

/// What a broker that breaks its own rules writes, by the code that is found first. Chain, root and
/// checkpoint are good.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a list of stories, nothing else")]
pub fn harmed_rules() -> Vec<(&'static str, Export)> {
    let stories: [Story; 12] = [
        ("E_TIME_REGRESSION", |house| {
            house.now = house.now.minus(1);
            house.record(software());
        }),
        ("E_POLICY_UNAUTHORIZED", |house| {
            let files = super::files_of(&house.keys, &["pia", "sam", "ada", "eve"]);
            house.enact(&files, "eve");
        }),
        ("E_NAMESPACE", |house| {
            let id = house.request("sam", "root-on-host", 1800);
            let act = Act::Approve(house.yes(id, "ada", "app-owner"));
            let signed = house.said_in("deny.v1@breakglass", "ada", act);
            house.record(house.approval(id, "app-owner", signed));
        }),
        ("E_APPROVAL_REPLAY", |house| {
            let id = house.request("sam", "root-on-host", 1800);
            let signed = house.said("ada", Act::Approve(house.yes(id, "ada", "app-owner")));
            house.record(house.approval(id, "app-owner", signed.clone()));
            house.record(house.approval(id, "app-owner", signed));
        }),
        ("E_APPROVAL_REQUEST_MISMATCH", |house| {
            let other = house.request("sam", "root-on-host", 1800);
            let signed = house.said("ada", Act::Approve(house.yes(other, "ada", "app-owner")));
            let id = house.request("sam", "root-on-host", 1800);
            house.record(house.approval(id, "app-owner", signed));
        }),
        ("E_APPROVAL_EXPIRED", |house| {
            let id = house.request("sam", "root-on-host", 1800);
            house.pass(900);
            house.approve(id, "ada", "app-owner");
        }),
        ("E_SELF_APPROVAL", |house| {
            let id = house.request("ada", "quick", 60);
            house.approve(id, "ada", "second-person");
        }),
        ("E_THRESHOLD", |house| {
            let id = house.request("sam", "root-on-host", 1800);
            house.approve(id, "ada", "app-owner");
            house.collect(id);
        }),
        ("E_TTL_EXCEEDED", |house| {
            let id = house.request("sam", "solo", 60);
            let mut parts = house.certificate(id);
            parts.valid_before = parts.valid_before.plus(1);
            house.record(house.issuing(id, &parts));
        }),
        ("E_SCOPE_EXCEEDED", |house| {
            let id = house.request("sam", "solo", 60);
            let mut parts = house.certificate(id);
            parts.principals.push("root".to_owned());
            house.record(house.issuing(id, &parts));
        }),
        ("E_CRED_MISMATCH", |house| {
            let id = house.request("sam", "solo", 60);
            let mut parts = house.certificate(id);
            parts.subject = house.keys.public("mallory");
            house.record(house.issuing(id, &parts));
        }),
        ("E_GRANT_ORDER", |house| {
            let id = house.request("sam", "solo", 60);
            house.collect(id);
            house.record(house.revoking(id, Cause::Expired, None));
            house.record(Closed { link: house.link(id), outcome: Outcome::Revoked });
        }),
    ];
    let play = |(code, story): Story| {
        let mut house = House::new();
        story(&mut house);
        (code, house.export())
    };
    stories.into_iter().map(play).collect()
}

fn software() -> Config {
    Config { what: ConfigChange::Software { version: "0.0.0".to_owned() } }
}
