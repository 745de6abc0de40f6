//! `FORMAT.md` says what the code does.

use std::fs;
use std::path::Path;

use breakglass_ledger::statement::{ActKind, commitment};

use crate::vectors::valid_statements;

fn format() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap()
}

/// The published lines of an act, from the table in 2.2.
fn published_lines(act: ActKind) -> Vec<String> {
    let format = format();
    let row = format.lines().find(|line| line.starts_with(&format!("| `{act}` | log ")));
    let lines = row.unwrap().split('|').nth(2).unwrap();
    lines.split_whitespace().map(ToOwned::to_owned).collect()
}

#[test]
fn the_published_order_of_lines_is_the_one_of_the_vectors() {
    for (name, statement) in valid_statements() {
        let mut keys: Vec<&str> =
            statement.text().lines().skip(1).map(|line| line.split_once(": ").unwrap().0).collect();
        keys.dedup();
        let mut published = published_lines(statement.act().kind());
        let is_there = |key: &str| keys.contains(&key.trim_matches(['[', ']']));
        published.retain(|key| !key.starts_with('[') || is_there(key));
        let published: Vec<&str> =
            published.iter().map(|key| key.trim_matches(['[', ']', '…'])).collect();
        assert_eq!(keys, published, "{name}");
    }
}

#[test]
fn the_published_example_is_a_vector() {
    let (_, request) = valid_statements().into_iter().find(|(name, _)| name == "request").unwrap();
    let indented: String = request.text().lines().map(|line| format!("    {line}\n")).collect();
    assert!(format().contains(&indented));
}

#[test]
fn the_published_commitment_is_the_one_we_compute() {
    let digest = commitment(&[7; 32], "database is down");
    assert!(format().contains(&format!("`sha256:{digest}`")));
}
