//! `audit verify` as the real program: every verdict with its exit code, and its JSON.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Command;

use breakglass_ledger::entry::Reconciled;
use breakglass_ledger::testing::{Export, House};
use serde_json::Value;

struct Told {
    code: i32,
    json: Value,
}

fn write(house: &House, export: &Export, dir: &Path) {
    let bundle = dir.join("bundle");
    fs::create_dir_all(bundle.join("blobs")).unwrap();
    fs::write(bundle.join("entries.jsonl"), &export.entries).unwrap();
    fs::write(bundle.join("checkpoint"), &export.checkpoint).unwrap();
    fs::write(bundle.join("openings.jsonl"), &export.openings).unwrap();
    for (digest, content) in &export.blobs {
        fs::write(bundle.join("blobs").join(digest.to_string()), content).unwrap();
    }
    fs::write(dir.join("trust.toml"), house.trust().to_toml().unwrap()).unwrap();
}

fn run(dir: &Path, arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.env_clear().env("HOME", dir).current_dir(dir).args(["-o", "json", "audit", "verify"]);
    let output = command.args(arguments).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let json = serde_json::from_str(&out)
        .unwrap_or_else(|_| panic!("{out} {}", String::from_utf8_lossy(&output.stderr)));
    Told { code: output.status.code().unwrap(), json }
}

fn verified(export: &Export) -> Told {
    let (house, dir) = (House::eventful(), tempfile::tempdir().unwrap());
    write(&house, export, dir.path());
    run(dir.path(), &["bundle", "--trust", "trust.toml"])
}

#[track_caller]
fn is(told: &Told, code: i32, verdict: &str, first: Option<&str>) {
    assert_eq!((told.code, told.json["verdict"].as_str()), (code, Some(verdict)), "{}", told.json);
    let found = told.json["findings"].as_array().unwrap();
    assert_eq!(found.first().map(|one| one["code"].as_str().unwrap()), first);
    // The schema: these keys, of these types, and no others.
    let keys: Vec<_> = told.json.as_object().unwrap().keys().map(String::as_str).collect();
    let all = [
        "entries", "extent", "findings", "grants", "issued", "redacted", "root", "texts", "verdict",
    ];
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, all);
    assert_eq!(told.json["extent"], "ledger");
    for number in ["entries", "grants", "issued", "redacted", "texts"] {
        assert!(told.json[number].is_u64(), "{number}");
    }
    assert_eq!(told.json["root"].as_str().unwrap().len(), 64);
    for one in found {
        let mut keys: Vec<_> = one.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "detail", "entry", "meaning"]);
        assert!(one["entry"].is_u64() || one["entry"].is_null());
    }
}

#[test]
fn every_verdict_ends_the_program_with_its_own_code() {
    let house = House::eventful();
    let honest = house.export();
    is(&verified(&honest), 0, "verified", None);
    let mut cut = honest.clone();
    let mut lines = cut.lines();
    lines.truncate(8);
    cut.set_lines(&lines);
    is(&verified(&cut), 10, "tampered", Some("E_SIZE_MISMATCH"));
    let garbage = Export { entries: b"\x00\xff{\n".to_vec(), ..honest.clone() };
    is(&verified(&garbage), 11, "malformed", Some("E_ENTRY_NOT_CANONICAL"));
    let empty = Export { entries: Vec::new(), ..honest.clone() };
    is(&verified(&empty), 11, "malformed", Some("E_BUNDLE_EMPTY"));
    let silent = Export { openings: Vec::new(), ..honest };
    is(&verified(&silent), 12, "unproven", Some("E_OPENING_MISSING"));
    let mut house = House::eventful();
    let target = "db1".parse().unwrap();
    house.record(Reconciled { signed: None, target, matched: 3, unlogged: vec![4711] });
    is(&verified(&house.export()), 13, "suspect", Some("F_UNLOGGED_CREDENTIAL"));
}

/// Without anything from outside, nothing is proven, however whole it looks.
#[test]
fn without_a_trust_file_nothing_is_verified() {
    let (house, dir) = (House::eventful(), tempfile::tempdir().unwrap());
    write(&house, &house.export(), dir.path());
    let told = run(dir.path(), &["bundle"]);
    assert_eq!((told.code, told.json["verdict"].as_str()), (12, Some("unproven")));
    assert_eq!(told.json["findings"][0]["code"], "E_ORIGIN_UNTRUSTED");
}
