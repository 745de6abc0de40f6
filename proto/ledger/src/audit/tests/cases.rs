//! A case: what it shows, what harm to it is found, and what it never claims.

use super::*;
use crate::bundle::Proof;
use crate::id::RequestId;
use crate::testing::{CaseExport, PEOPLE};

/// An eventful ledger under two policies, its emergency, and another grant.
fn told() -> (House, RequestId, RequestId) {
    let mut house = House::new();
    let other = house.request("ann", "quick", 600);
    let id = house.emergency();
    let mut files = files_of(&house.keys, &PEOPLE);
    files.rules = b"// Another policy.\n".to_vec();
    house.enact(&files, "pia");
    house.deny(other, "bob");
    house.expire(id);
    house.close(id, crate::entry::Outcome::Revoked);
    house.record(Config { what: ConfigChange::Software { version: "x".to_owned() } });
    (house, id, other)
}

type Lines = Vec<Vec<u8>>;

/// What is found first after harm to the lines of entries and proofs.
fn found(harm: impl FnOnce(&mut Lines, &mut Lines)) -> (Code, Option<u64>, Verdict) {
    let (house, id, _) = told();
    let mut case = house.case(id);
    let (mut entries, mut proofs) = case.lines();
    harm(&mut entries, &mut proofs);
    case.set_lines(&entries, &proofs);
    assert_ne!(case, house.case(id), "the harm changed something");
    first_of(&case.verify(&house.trust(), None))
}

fn first_of(report: &CaseReport) -> (Code, Option<u64>, Verdict) {
    let finding = report.findings.first().expect("something is found");
    (finding.code, finding.entry, report.verdict)
}

fn tampered(code: Code, entry: u64) -> (Code, Option<u64>, Verdict) {
    (code, Some(entry), Verdict::Tampered)
}

#[test]
fn an_honest_case_is_verified_and_says_what_it_cannot_show() {
    let (house, id, _) = told();
    let report = house.case(id).verify(&house.trust(), None);
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!((report.request, report.issued, report.texts), (Some(id), 1, 1));
    assert_eq!(report.entries + 4, house.size(), "two of the other grant, its end, and a config");
    let names: Vec<_> = report.unknown.iter().map(|unknown| unknown.name()).collect();
    assert_eq!(names, ["rest", "policies", "live-max", "surroundings", "elsewhere"]);
    assert!(report.unknown.contains(&Unknown::Rest { entries: Some(4) }));
}

/// Whoever ends a case early could hide what came then.
#[test]
fn a_grant_that_is_not_closed_is_never_verified() {
    let (house, id, _) = told();
    let mut case = house.case(id);
    let (mut entries, mut proofs) = case.lines();
    for _ in 0..2 {
        entries.pop();
        proofs.pop();
        case.set_lines(&entries, &proofs);
        let report = case.verify(&house.trust(), None);
        assert_eq!(first_of(&report), (Code::CaseIncomplete, None, Verdict::Unproven));
        assert!(report.unknown.contains(&Unknown::End));
    }
}

/// seq: 0 genesis, 1 policy, 3 requested, 4 and 5 approved, 6 issued, 7 picked up, 8 policy,
/// 11 revoked, 12 closed.
#[test]
fn every_entry_that_is_left_out_is_missed() {
    let without = |seq: u64| {
        found(|entries, proofs| {
            let place = entries.iter().position(|line| Entry::parse(line).unwrap().seq == seq);
            entries.remove(place.unwrap());
            proofs.remove(place.unwrap());
        })
    };
    assert_eq!(without(0), tampered(Code::SeqGap, 1));
    assert_eq!(without(1), tampered(Code::PolicyUnauthorized, 3));
    assert_eq!(without(3), tampered(Code::GrantOrphan, 4));
    assert_eq!(without(4), tampered(Code::Threshold, 6));
    assert_eq!(without(5), tampered(Code::Threshold, 6));
    assert_eq!(without(6), tampered(Code::GrantChain, 7));
    assert_eq!(without(7), tampered(Code::GrantChain, 11));
    assert_eq!(without(8), tampered(Code::PolicyMismatch, 11));
    assert_eq!(without(11), tampered(Code::GrantChain, 12));
}

#[test]
fn every_entry_that_was_edited_is_caught_by_its_proof() {
    let (house, id, _) = told();
    let count = house.case(id).lines().0.len();
    for place in 0..count {
        let at = found(|entries, _| {
            let line = &mut entries[place];
            let salt = line.windows(8).position(|window| window == b"\"salt\":\"").unwrap() + 8;
            line[salt] = if line[salt] == b'0' { b'1' } else { b'0' };
        });
        // A neighbour in the ledger notices before the proof does.
        assert!(matches!(at.0, Code::Inclusion | Code::ChainBroken), "{place}: {at:?}");
        assert_eq!(at.2, Verdict::Tampered);
    }
    let at = found(|entries, _| replaced(&mut entries[2], "ttl: 1800", "ttl: 3600"));
    assert_eq!(at.0, Code::ChainBroken);
    let at = found(|entries, _| {
        replaced(entries.last_mut().unwrap(), "\"outcome\":\"revoked\"", "\"outcome\":\"lapsed\"")
    });
    assert_eq!(at.0, Code::Inclusion);
}

#[test]
fn an_entry_that_was_moved_or_doubled_is_out_of_order() {
    assert_eq!(found(|entries, _| entries.swap(3, 4)).0, Code::SeqGap);
    let both = found(|entries, proofs| {
        entries.swap(3, 4);
        proofs.swap(3, 4);
    });
    assert_eq!(both.0, Code::SeqGap);
    assert_eq!(found(|entries, _| entries.insert(4, entries[3].clone())).0, Code::SeqGap);
}

#[test]
fn every_bit_of_a_proof_counts() {
    let (house, id, _) = told();
    let proofs = house.case(id).lines().1;
    for (place, line) in proofs.iter().enumerate() {
        for at in (0..line.len()).step_by(7) {
            let at = found(|_, proofs| proofs[place][at] ^= 1);
            assert!(matches!(at.0, Code::Inclusion), "{place}: {at:?}");
        }
        for bend in [
            |proof: &mut Proof| proof.hashes.truncate(proof.hashes.len() - 1),
            |proof: &mut Proof| proof.hashes.push(Digest::ZERO),
            |proof: &mut Proof| proof.hashes.reverse(),
            |proof: &mut Proof| proof.seq += 1,
        ] {
            let mut proof = Proof::parse(line).unwrap();
            bend(&mut proof);
            let at = found(|_, proofs| proofs[place] = proof.to_line());
            assert_eq!(at.0, Code::Inclusion, "{place}: {at:?}");
        }
    }
}

#[test]
fn proofs_and_entries_come_in_pairs() {
    let missing = found(|_, proofs| drop(proofs.pop()));
    assert_eq!(missing, tampered(Code::Inclusion, 12));
    let more = found(|_, proofs| proofs.push(proofs[0].clone()));
    assert_eq!(more, (Code::Inclusion, None, Verdict::Tampered));
    let swapped = found(|_, proofs| proofs.swap(3, 4));
    assert_eq!(swapped, tampered(Code::Inclusion, 4));
    let (house, id, _) = told();
    let case = CaseExport { proofs: Vec::new(), ..house.case(id) };
    assert_eq!(first_of(&case.verify(&house.trust(), None)), tampered(Code::Inclusion, 0));
}

/// A genuine checkpoint, but not the one that the proofs are made for.
#[test]
fn a_checkpoint_of_another_size() {
    let (mut house, id, _) = told();
    let case = house.case(id);
    house.record(Config { what: ConfigChange::Software { version: "y".to_owned() } });
    let mut newer = case.clone();
    newer.files.checkpoint = house.checkpoint();
    let at = first_of(&newer.verify(&house.trust(), None));
    assert_eq!((at.0, at.2), (Code::Inclusion, Verdict::Tampered));
    let mut small = House::new();
    small.emergency();
    let mut older = case;
    older.files.checkpoint = small.checkpoint();
    let at = first_of(&older.verify(&house.trust(), None));
    assert_eq!(at, tampered(Code::UncommittedTail, 7));
}

#[test]
fn an_entry_of_another_ledger_or_of_another_history_of_this_one() {
    let (house, id, _) = told();
    let other = Keys::of("other").origin();
    let at = found(|entries, _| {
        let ours = house.keys.origin().to_string();
        for line in entries.iter_mut() {
            replaced(line, &format!("\"log\":\"{ours}\""), &format!("\"log\":\"{other}\""));
        }
    });
    assert_eq!(at, tampered(Code::LogIdMismatch, 0));
    // The same log key, another history: this entry was never in the tree of this checkpoint.
    let mut fork = House::new();
    fork.pass(1);
    let forked = fork.emergency();
    fork.expire(forked);
    fork.close(forked, crate::entry::Outcome::Revoked);
    let mut case = fork.case(forked);
    case.files.checkpoint = house.checkpoint();
    let report = case.verify(&house.trust(), None);
    assert_eq!(first_of(&report).0, Code::Inclusion, "{:?}", house.case(id).proofs.len());
}

#[test]
fn an_entry_of_another_grant_or_of_no_use_does_not_belong() {
    let (house, id, other) = told();
    let mut case = house.case(id);
    let (mut entries, mut proofs) = case.lines();
    let (strange, its_proofs) = house.case(other).lines();
    entries.splice(2..2, strange[2..3].iter().cloned());
    proofs.splice(2..2, its_proofs[2..3].iter().cloned());
    case.set_lines(&entries, &proofs);
    let report = case.verify(&house.trust(), None);
    assert_eq!(first_of(&report).0, Code::GrantOrphan, "the first grant is the case's");
    assert_ne!(report.request, Some(id));
    let no_grant: Vec<_> = [0, 1].map(|place| entries[place].clone()).to_vec();
    case.set_lines(&no_grant, &proofs[..2]);
    case.files.openings.clear();
    let at = first_of(&case.verify(&house.trust(), None));
    assert_eq!(at, (Code::BundleEmpty, None, Verdict::Malformed));
    case.set_lines(&[], &[]);
    assert_eq!(first_of(&case.verify(&house.trust(), None)).0, Code::BundleEmpty);
}

/// The decisions of the one grant are judged as in the whole ledger.
#[test]
fn a_grant_that_broke_a_rule_is_found_out_in_its_case() {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    house.approve(id, "ada", "app-owner");
    house.collect(id);
    let report = house.case(id).verify(&house.trust(), None);
    assert_eq!(first_of(&report), tampered(Code::Threshold, 4));
    let mut house = House::new();
    let id = house.request("sam", "solo", 60);
    let mut parts = house.certificate(id);
    parts.valid_before = parts.valid_before.plus(1);
    house.record(house.issuing(id, &parts));
    assert_eq!(first_of(&house.case(id).verify(&house.trust(), None)).0, Code::TtlExceeded);
}

/// What a proof shows of the history before is compared with what signers and the reviewer saw.
#[test]
fn another_history_than_signers_or_the_reviewer_saw() {
    let (house, id, _) = told();
    let case = house.case(id);
    let mut trust = house.trust();
    let at_six = crate::tree::root_of(
        &house.entries[..6].iter().map(|bytes| crate::tree::leaf_hash(bytes)).collect::<Vec<_>>(),
    );
    trust.seen = vec![Seen { size: 6, root: Some(at_six) }, house.seen()];
    assert_eq!(case.verify(&trust, None).findings, []);
    trust.seen = vec![Seen { size: 6, root: Some(Digest::ZERO) }];
    assert!(case.verify(&trust, None).findings.iter().any(|found| found.code == Code::Fork));
    trust.seen = vec![Seen { root: Some(Digest::ZERO), ..house.seen() }];
    assert!(case.verify(&trust, None).findings.iter().any(|found| found.code == Code::Fork));
    trust.seen = vec![Seen { size: house.size() + 1, root: Some(Digest::ZERO) }];
    assert_eq!(first_of(&case.verify(&trust, None)).0, Code::Rollback);
    // A size that no proof of this case reaches: not shown, so not fine.
    trust.seen = vec![Seen { size: 10, root: Some(Digest::ZERO) }];
    let at = first_of(&case.verify(&trust, None));
    assert_eq!(at, (Code::CaseIncomplete, None, Verdict::Unproven));
    trust.seen.clear();
    trust.freshness = Some(60);
    assert_eq!(case.verify(&trust, Some(house.now)).findings, []);
    let late = case.verify(&trust, Some(house.now.plus(61)));
    assert_eq!(first_of(&late), (Code::Stale, None, Verdict::Unproven));
}

#[test]
fn a_rewritten_past_contradicts_what_the_signers_of_the_case_saw() {
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
    let report = rewritten.case(id).verify(&rewritten.trust(), None);
    assert_eq!(first_of(&report), tampered(Code::SeenMismatch, 3));
}

#[test]
fn a_text_that_was_erased_is_redacted_if_the_case_says_so() {
    let (mut house, id, _) = told();
    let reason = house.case(id).files.openings;
    let line = reason.strip_suffix(b"\n").unwrap();
    let text = Opening::parse(line).unwrap().digest();
    house.openings.retain(|opening| opening.digest() != text);
    let missing = house.case(id).verify(&house.trust(), None);
    assert_eq!(first_of(&missing).0, Code::OpeningMissing);
    house.record(Config { what: ConfigChange::Erased { text } });
    let report = house.case(id).verify(&house.trust(), None);
    assert_eq!((report.verdict, report.redacted), (Verdict::Verified, 1));
}

#[test]
fn an_endless_case_is_given_up() {
    use std::io::{BufReader, Read as _, repeat};
    let house = House::new();
    let endless = || BufReader::new(repeat(b'x').take(1 << 40));
    let bundle = CaseBundle {
        entries: &mut endless(),
        proofs: &mut endless(),
        checkpoint: &house.checkpoint(),
        openings: &mut endless(),
        blobs: &|_| None,
    };
    let report = verify_case(bundle, &house.trust(), None, None).unwrap();
    assert_eq!(first_of(&report), (Code::EntryTooLarge, None, Verdict::Malformed));
}
