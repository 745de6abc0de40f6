//! The published vectors, as files, against this crate and against Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::testing::{CaseExport, vectors};

/// Root of the golden bundle, as `vectors/check.py` computed it before this crate did.
const GOLDEN_ROOT: &str = "z7bJcSqAkuHBU8jPkmePx6FyT3UqYd0C/MyjnbSrFHk=";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The bundle in `path`; blobs that are not there are those of the honest ones.
fn on_disk(path: &Path) -> Export {
    let honest = [directory().join("bundle"), directory().join("lanes")];
    let blobs = honest.into_iter().chain([path.to_owned()]).flat_map(|bundle| {
        let files = fs::read_dir(bundle.join("blobs")).into_iter().flatten();
        files.map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name.parse().unwrap(), fs::read(file.path()).unwrap())
        })
    });
    Export {
        entries: fs::read(path.join("entries.jsonl")).unwrap(),
        checkpoint: fs::read_to_string(path.join("checkpoint")).unwrap(),
        openings: fs::read(path.join("openings.jsonl")).unwrap(),
        blobs: blobs.collect(),
    }
}

fn case_on_disk(path: &Path) -> CaseExport {
    CaseExport { files: on_disk(path), proofs: fs::read(path.join("proofs.jsonl")).unwrap() }
}

fn trust() -> TrustFile {
    let text = fs::read_to_string(directory().join("bundle/trust.toml")).unwrap();
    TrustFile::parse(&text).unwrap()
}

/// What `check.py` prints about a bundle, if it finds nothing wrong.
fn by_python(bundle: &Path) -> Option<String> {
    let output = Command::new("python3").arg(directory().join("check.py")).arg(bundle).output();
    let output = output.expect("this test needs python3");
    let printed = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| printed.trim_end().to_owned())
}

fn tampered(what: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory().join(what)).unwrap();
    let entry = |entry: io::Result<fs::DirEntry>| entry.unwrap();
    entries.map(entry).map(|e| (e.file_name().into_string().unwrap(), e.path())).collect()
}

/// The same steps give the same bytes, on every machine: a change of format cannot go unseen.
#[test]
fn the_files_are_what_the_stories_write() {
    for (path, content) in vectors() {
        let path = directory().join(path);
        assert_eq!(fs::read(&path).ok().as_deref(), Some(&*content), "{}", path.display());
    }
}

#[test]
fn the_golden_bundle_is_verified_and_a_second_program_agrees_on_its_root() {
    let path = directory().join("bundle");
    let report = on_disk(&path).verify(&trust(), None);
    assert_eq!((report.verdict, report.findings), (Verdict::Verified, Vec::new()));
    assert_eq!(report.root.to_base64(), GOLDEN_ROOT);
    assert_eq!(by_python(&path), Some(format!("{} {GOLDEN_ROOT}", report.entries)));
}

/// Every lane, and all that surrounds a grant.
#[test]
fn the_bundle_with_every_lane_is_verified_and_a_second_program_agrees_on_its_root() {
    let path = directory().join("lanes");
    let report = on_disk(&path).verify(&trust(), None);
    assert_eq!((report.verdict, report.findings), (Verdict::Verified, Vec::new()));
    let root = report.root.to_base64();
    assert_eq!(by_python(&path), Some(format!("{} {root}", report.entries)));
}

/// What a verifier with Cedar makes of them is told by the crate that has it.
#[test]
fn bundles_with_rules_are_unproven_without_cedar() {
    let mut paths = vec![directory().join("ruled")];
    paths.extend(tampered("ruled-tampered").into_iter().map(|(_, path)| path));
    assert_eq!(paths.len(), 3);
    for path in paths {
        let report = on_disk(&path).verify(&trust(), None);
        let (code, _, verdict) = first(&report);
        let unjudged = (Code::RulesUnjudged, Verdict::Unproven);
        assert_eq!((code, verdict), unjudged, "{}", path.display());
        assert!(by_python(&path).is_some());
    }
}

#[test]
fn every_tampered_bundle_is_found_out_by_its_code() {
    let all = tampered("tampered");
    assert!(all.len() >= 33, "{}", all.len());
    for (code, path) in all {
        let report = on_disk(&path).verify(&trust(), None);
        assert_eq!(first(&report).0.name(), code);
        assert!(report.verdict >= Verdict::Malformed, "{code}: {}", report.verdict);
    }
}

#[test]
fn the_golden_case_is_verified_and_a_second_program_agrees() {
    let path = directory().join("case");
    let report = case_on_disk(&path).verify(&trust(), None);
    assert_eq!((report.verdict, report.findings), (Verdict::Verified, Vec::new()));
    assert_eq!(by_python(&path), Some(format!("{} {GOLDEN_ROOT}", report.entries)));
}

/// The second program checks the proofs; what a grant needs is beyond it.
#[test]
fn every_tampered_case_is_found_out_by_its_code() {
    let all = tampered("case-tampered");
    assert!(all.len() >= 8, "{}", all.len());
    for (code, path) in all {
        let report = case_on_disk(&path).verify(&trust(), None);
        assert_eq!(report.findings.first().unwrap().code.name(), code);
        assert!(report.verdict >= Verdict::Unproven, "{code}: {}", report.verdict);
        let is_of_proofs =
            matches!(code.as_str(), "E_INCLUSION" | "E_SEQ_GAP" | "E_UNCOMMITTED_TAIL");
        assert_eq!(by_python(&path).is_none(), is_of_proofs, "{code}");
    }
}

/// What is a matter of chain and tree alone, the second program finds as well; what is a matter of
/// authority, no chain can show.
#[test]
fn the_second_program_finds_what_chain_and_tree_can_show() {
    for (code, path) in tampered("tampered") {
        let is_of_chain = matches!(
            code.as_str(),
            "E_BUNDLE_EMPTY"
                | "E_CHAIN_BROKEN"
                | "E_CHECKPOINT_SIG"
                | "E_ENTRY_NOT_CANONICAL"
                | "E_ROOT_MISMATCH"
                | "E_SCHEMA"
                | "E_SEQ_GAP"
                | "E_SIZE_MISMATCH"
                | "E_TIME_REGRESSION"
        );
        let note_is_torn = code == "E_CHECKPOINT_MALFORMED";
        assert!(note_is_torn || by_python(&path).is_none() == is_of_chain, "{code}");
    }
}

/// The published page names everything that can be found in a ledger, or about it.
#[test]
fn the_published_format_names_every_code_and_type() {
    let format = fs::read_to_string(directory().join("../FORMAT.md")).unwrap();
    for code in Code::ALL {
        let row = format!("| `{code}` |");
        assert!(format.contains(&row) && format.contains(code.text()), "{code}");
    }
    for kind in crate::entry::Body::TYPES {
        assert!(format.contains(&format!("| `{kind}` |")), "{kind}");
    }
}
