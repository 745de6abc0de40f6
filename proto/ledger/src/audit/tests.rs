//! What a verifier must not be fooled by: harm done to a bundle, and what is found.

use super::*;
use crate::bundle::Opening;
use crate::entry::{Anchor, Config, ConfigChange, Entry, Numbered, Reconciled, Refused};
use crate::statement::{Act, Canary, Seen};
use crate::testing::{Export, House, Keys, files_of, relink};

mod cases;
mod histories;
mod mutations;
mod policies;
mod statements;
mod vectors;

fn eventful() -> House {
    House::eventful()
}

/// The first finding over the eventful ledger after harm was done to its export.
fn found(harm: impl FnOnce(&mut Vec<Vec<u8>>, &mut Export)) -> (Code, Option<u64>, Verdict) {
    let house = eventful();
    let mut export = house.export();
    let mut all = export.lines();
    harm(&mut all, &mut export);
    if export.entries == house.export().entries {
        export.set_lines(&all);
    }
    assert_ne!(export, house.export(), "the harm changed something");
    first(&export.verify(&house.trust(), None))
}

fn first(report: &Report) -> (Code, Option<u64>, Verdict) {
    let finding = report.findings.first().expect("something is found");
    (finding.code, finding.entry, report.verdict)
}

fn replaced(line: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(line.clone()).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    *line = text.replacen(from, to, 1).into_bytes();
}

#[test]
fn an_honest_ledger_is_verified() {
    let report = eventful().verify();
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!((report.grants, report.issued, report.texts), (5, 2, 5));
}

#[test]
fn a_digit_flipped_in_the_middle() {
    let at = found(|lines, _| replaced(&mut lines[4], "ttl-max: 1800", "ttl-max: 1801"));
    assert_eq!(at, (Code::ChainBroken, Some(5), Verdict::Tampered));
}

/// R01: the altered approval is also named where it stands.
#[test]
fn an_altered_statement_is_named_besides_the_broken_chain() {
    let house = eventful();
    let mut export = house.export();
    let mut all = export.lines();
    replaced(&mut all[2], "ttl: 1800", "ttl: 3600");
    export.set_lines(&all);
    let report = export.verify(&house.trust(), None);
    let bad = report.findings.iter().find(|finding| finding.code == Code::SshsigBad).unwrap();
    assert_eq!(bad.entry, Some(2));
}

#[test]
fn the_last_entry_changed() {
    let at = found(|lines, _| {
        let last = lines.last_mut().unwrap();
        let at = last.windows(8).position(|window| window == b"\"salt\":\"").unwrap() + 8;
        last[at] = if last[at] == b'0' { b'1' } else { b'0' };
    });
    assert_eq!(at, (Code::RootMismatch, None, Verdict::Tampered));
}

#[test]
fn an_entry_deleted_swapped_or_doubled() {
    let gap = |entry| (Code::SeqGap, Some(entry), Verdict::Tampered);
    assert_eq!(found(|lines, _| drop(lines.remove(6))), gap(6));
    assert_eq!(found(|lines, _| lines.swap(6, 7)), gap(6));
    assert_eq!(found(|lines, _| lines.insert(6, lines[5].clone())), gap(6));
}

#[test]
fn the_first_entries_dropped() {
    let at = found(|lines, _| drop(lines.drain(..2)));
    assert_eq!(at, (Code::SeqGap, Some(0), Verdict::Tampered), "never seeded from the first row");
}

/// R37: the chain is repaired all along, but nobody can repair the signed root.
#[test]
fn an_entry_deleted_and_everything_after_it_linked_again() {
    let at = found(|lines, _| {
        lines.remove(6);
        relink(lines);
    });
    assert_eq!(at.0, Code::SizeMismatch);
    let at = found(|lines, _| {
        replaced(&mut lines[7], "quick", "solo");
        relink(lines);
    });
    assert_eq!(at.0, Code::RootMismatch);
}

/// R37
#[test]
fn the_tail_dropped_under_the_same_checkpoint() {
    let at = found(|lines, _| lines.truncate(8));
    assert_eq!(at, (Code::SizeMismatch, None, Verdict::Tampered));
}

/// R37: consistent in itself, so only what the reviewer knows from elsewhere can tell.
#[test]
fn the_tail_dropped_and_an_older_genuine_checkpoint_served() {
    let mut house = House::new();
    house.emergency();
    let old = house.export();
    house.pass(10_000);
    let seen = house.seen();
    let mut trust = house.trust();
    assert_eq!(old.verify(&trust, None).verdict, Verdict::Verified, "it was true once");
    trust.seen = vec![Seen { size: seen.size + 1, ..seen }];
    assert_eq!(first(&old.verify(&trust, None)).0, Code::Rollback);
    trust.seen.clear();
    trust.freshness = Some(3600);
    let stale = (Code::Stale, None, Verdict::Unproven);
    assert_eq!(first(&old.verify(&trust, Some(house.now))), stale);
    assert_eq!(first(&old.verify(&trust, None)), stale, "an unknown age is not a small one");
    assert_eq!(old.verify(&trust, Some(house.now.minus(9000))).verdict, Verdict::Verified);
}

#[test]
fn an_entry_that_the_checkpoint_does_not_cover() {
    let mut house = eventful();
    let checkpoint = house.checkpoint();
    let size = house.size();
    house.record(Config { what: ConfigChange::Software { version: "x".to_owned() } });
    let export = Export { checkpoint, ..house.export() };
    let at = first(&export.verify(&house.trust(), None));
    assert_eq!(at, (Code::UncommittedTail, Some(size), Verdict::Tampered));
}

#[test]
fn an_empty_bundle() {
    let at = found(|_, export| export.entries = Vec::new());
    assert_eq!(at, (Code::BundleEmpty, None, Verdict::Malformed));
    let nothing = Export {
        entries: Vec::new(),
        checkpoint: String::new(),
        openings: Vec::new(),
        blobs: std::collections::BTreeMap::new(),
    };
    let report = nothing.verify(&House::new().trust(), None);
    assert_eq!(first(&report).0, Code::BundleEmpty);
    assert_eq!(report.verdict, Verdict::Malformed);
}

/// R37: rewritten from somewhere on with the real log key, to the same length.
#[test]
fn the_suffix_rewritten_and_signed_again() {
    let mut house = House::new();
    house.emergency();
    let mut other = house.clone();
    other.record(Config { what: ConfigChange::Software { version: "rewritten".to_owned() } });
    house.record(Config { what: ConfigChange::Software { version: "original".to_owned() } });
    let mut trust = house.trust();
    trust.seen = vec![house.seen()];
    assert_eq!(house.export().verify(&trust, None).verdict, Verdict::Verified);
    let at = first(&other.export().verify(&trust, None));
    assert_eq!(at, (Code::Fork, None, Verdict::Tampered), "two checkpoints of one size");
    other.record(Config { what: ConfigChange::Software { version: "longer".to_owned() } });
    assert_eq!(first(&other.export().verify(&trust, None)).0, Code::Fork);
}

/// R37: every client is a weak witness. The statements that follow the rewriting pin what was.
#[test]
fn a_rewritten_past_contradicts_what_later_signers_saw() {
    let mut house = House::new();
    let mut rewritten = house.clone();
    let mark = |text: &str| Config { what: ConfigChange::Software { version: text.to_owned() } };
    house.record(mark("original"));
    rewritten.record(mark("rewritten"));
    let ask = house.ask("sam", "solo", 60);
    let id = ask.id;
    let signed = house.said("sam", Act::Request(ask));
    rewritten.openings = house.openings.clone();
    rewritten.record(rewritten.requesting(id, "solo", signed));
    let at = first(&rewritten.verify());
    assert_eq!(at, (Code::SeenMismatch, Some(3), Verdict::Tampered));
}

#[test]
fn entries_not_in_form() {
    let malformed = |code| (code, Some(3), Verdict::Malformed);
    for (from, to) in [
        ("\"seq\":3", "\"seq\":3,\"seq\":3"),
        ("\"seq\":3", "\"seq\": 3"),
        ("\"seq\":3", "\"seq\":3.0"),
        ("\"outcome\":\"", "\"outcome\":\"\u{7f}"),
        ("\"outcome\":\"", "\"outcome\":\"\\u0061"),
        ("\"v\":1}", "\"v\":1} "),
        ("\"v\":1}", "\"v\":1}\r"),
    ] {
        let at = found(|lines, _| replaced(&mut lines[3], from, to));
        assert_eq!(at, malformed(Code::EntryNotCanonical), "{to:?}");
    }
    for (from, to) in [
        ("\"type\":\"approved\"", "\"type\":\"accepted\""),
        ("\"v\":1", "\"v\":2"),
        ("\"missing\":", "\"mist\":"),
    ] {
        let at = found(|lines, _| replaced(&mut lines[3], from, to));
        assert_eq!(at, malformed(Code::Schema), "{to:?}");
    }
    let at = found(|lines, _| lines.insert(3, Vec::new()));
    assert_eq!(at, malformed(Code::EntryNotCanonical), "an empty line");
    let at = found(|lines, _| lines.insert(3, vec![b'x'; 65_536]));
    assert_eq!(at, malformed(Code::EntryTooLarge));
    let torn = found(|_, export| export.entries.truncate(export.entries.len() - 1));
    assert_eq!((torn.0, torn.2), (Code::EntryNotCanonical, Verdict::Malformed));
}

#[test]
fn time_going_backwards() {
    let mut house = House::new();
    house.now = house.now.minus(1);
    house.record(Config { what: ConfigChange::Software { version: "x".to_owned() } });
    assert_eq!(first(&house.verify()), (Code::TimeRegression, Some(2), Verdict::Tampered));
}

#[test]
fn a_genesis_that_is_not_first_or_names_another_log() {
    let mut house = House::new();
    let genesis = Entry::parse(&house.entries[0]).unwrap().body;
    house.record(genesis);
    assert_eq!(first(&house.verify()), (Code::Schema, Some(2), Verdict::Malformed));
}

/// A bundle that brings its own trust file is no better than one without.
#[test]
fn a_bundle_of_another_ledger_that_is_honest_in_itself() {
    let house = eventful();
    let mut trust = house.trust();
    let other = Keys::of("other");
    (trust.log, trust.key) = (other.origin(), other.log_key());
    let report = house.export().verify(&trust, None);
    assert_eq!(first(&report).0, Code::OriginUntrusted);
    assert_ne!(report.verdict, Verdict::Verified);
}

#[test]
fn a_checkpoint_that_is_forged_or_torn() {
    let house = eventful();
    let other = eventful();
    let sign_as = |name: &str| {
        let text = house.checkpoint().split_once("\n\n").unwrap().0.to_owned() + "\n";
        let checkpoint = Checkpoint::parse_body(&text).unwrap();
        let signature = other.keys.sign(name, text.as_bytes());
        SignedCheckpoint::assemble(&checkpoint, &house.keys.log_key(), &signature)
    };
    let with = |checkpoint: String| {
        let export = Export { checkpoint, ..house.export() };
        first(&export.verify(&house.trust(), None)).0
    };
    assert_eq!(with(sign_as("eve")), Code::CheckpointSig);
    assert_eq!(with(house.checkpoint().replace("test/", "text/")), Code::OriginUntrusted);
    assert_eq!(with(house.checkpoint().trim_end().to_owned()), Code::CheckpointMalformed);
    assert_eq!(with(String::new()), Code::CheckpointMalformed);
}

#[test]
fn an_anchor_of_another_history_or_by_another_key() {
    let mut house = eventful();
    let mut other = House::new();
    other.record(Config { what: ConfigChange::Software { version: "x".to_owned() } });
    let seq = house.record(other.anchor());
    assert_eq!(first(&house.verify()), (Code::Fork, Some(seq), Verdict::Tampered));
    let mut house = eventful();
    let mut forged = house.anchor();
    let checkpoint = Checkpoint::parse_body(&forged.checkpoint).unwrap();
    let signature = house.keys.sign("eve", forged.checkpoint.as_bytes());
    let note = SignedCheckpoint::assemble(&checkpoint, &house.keys.log_key(), &signature);
    forged.cosignatures = SignedCheckpoint::parse(&note).unwrap().to_parts().1;
    house.record(forged);
    assert_eq!(first(&house.verify()).0, Code::CheckpointSig);
    let mut house = eventful();
    house.record(Anchor { cosignatures: Vec::new(), ..house.anchor() });
    assert_eq!(first(&house.verify()).0, Code::CheckpointMalformed);
}

/// Every single-bit flip in every file of an export is caught.
#[test]
fn every_single_bit_flip_is_caught() {
    let mut house = House::new();
    let text = house.commit("a text");
    let mut lock = house.about_nothing("sam", text);
    lock.until = None;
    let signed = house.said("sam", Act::Lock(lock));
    house.record(crate::entry::Locked { signed, decision: house.decision("locked") });
    let (export, trust) = (house.export(), house.trust());
    assert_eq!(export.verify(&trust, None).verdict, Verdict::Verified);
    let caught = |export: &Export, what: &str| {
        assert_ne!(export.verify(&trust, None).verdict, Verdict::Verified, "{what}");
    };
    let mut bad = export.clone();
    // One bit of each byte of the long file, another one each time; all bits of the short ones.
    for at in 0..export.entries.len() {
        bad.entries[at] ^= 1 << (at % 8);
        caught(&bad, &format!("entries, byte {at}"));
        bad.entries[at] = export.entries[at];
    }
    for bit in 0..export.checkpoint.len() * 8 {
        let mut bytes = export.checkpoint.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(checkpoint) = String::from_utf8(bytes) {
            caught(&Export { checkpoint, ..export.clone() }, &format!("checkpoint, bit {bit}"));
        }
    }
    for bit in 0..export.openings.len() * 8 {
        bad.openings[bit / 8] ^= 1 << (bit % 8);
        caught(&bad, &format!("openings, bit {bit}"));
        bad.openings[bit / 8] = export.openings[bit / 8];
    }
    for (digest, content) in &export.blobs {
        for at in (0..content.len()).step_by(61) {
            bad.blobs.get_mut(digest).unwrap()[at] ^= 1 << (at % 8);
            caught(&bad, &format!("blob {digest}, byte {at}"));
            bad.blobs.get_mut(digest).unwrap()[at] = content[at];
        }
    }
}

#[test]
fn a_text_that_is_missing_is_unproven_and_an_erased_one_is_redacted() {
    let mut house = House::new();
    let id = house.request("sam", "solo", 60);
    house.withdraw(id, "sam");
    let opening = house.openings.pop().unwrap();
    assert_eq!(first(&house.verify()), (Code::OpeningMissing, Some(2), Verdict::Unproven));
    let text = opening.digest();
    house.record(Config { what: ConfigChange::Erased { text } });
    let report = house.verify();
    assert_eq!((report.verdict, report.texts, report.redacted), (Verdict::Verified, 0, 1));
    house.openings.push(opening);
    assert_eq!(first(&house.verify()).0, Code::OpeningMismatch, "erased, and yet there");
}

#[test]
fn a_text_that_opens_nothing_here() {
    let mut house = eventful();
    house.openings.push(Opening::new(&[3; 32], "of another ledger"));
    assert_eq!(first(&house.verify()), (Code::OpeningMismatch, None, Verdict::Tampered));
    house.openings.pop();
    house.openings.push(house.openings[0].clone());
    assert_eq!(first(&house.verify()).0, Code::OpeningMismatch, "opened twice");
    house.openings.pop();
    let mut export = house.export();
    export.openings = String::from_utf8(export.openings)
        .unwrap()
        .replacen("must repair", "must improve", 1)
        .into_bytes();
    assert_eq!(first(&export.verify(&house.trust(), None)).0, Code::OpeningMismatch);
}

/// Gigabytes on one line: given up at the limit, not read into memory.
#[test]
fn an_endless_bundle_is_given_up() {
    use std::io::{BufReader, Read as _, repeat};
    let house = House::new();
    let bundle = Bundle {
        entries: &mut BufReader::new(repeat(b'x').take(1 << 40)),
        checkpoint: &house.checkpoint(),
        openings: &mut BufReader::new(repeat(b'x').take(1 << 40)),
        blobs: &|_| None,
    };
    let report = verify(bundle, &house.trust(), None, None).unwrap();
    assert!(report.findings.iter().any(|finding| finding.code == Code::EntryTooLarge));
    assert_eq!(report.verdict, Verdict::Malformed);
}

#[test]
fn a_credential_that_only_a_target_knows_makes_the_ledger_suspect() {
    let mut house = eventful();
    let target = "db1".parse().unwrap();
    let seq = house.record(Reconciled { signed: None, target, matched: 3, unlogged: vec![4711] });
    assert_eq!(first(&house.verify()), (Code::UnloggedCredential, Some(seq), Verdict::Suspect));
}

#[test]
fn a_reading_error_is_no_verdict() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let house = House::new();
    let bundle = Bundle {
        entries: &mut io::BufReader::new(Broken),
        checkpoint: &house.checkpoint(),
        openings: &mut io::empty(),
        blobs: &|_| None,
    };
    assert!(verify(bundle, &house.trust(), None, None).is_err());
}
