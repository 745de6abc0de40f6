//! Who may import whom: read from the sources, because nothing else keeps a wall standing.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each outside crate and the only room that may name it.
const CONFINED: &[(&str, &str)] = &[
    ("tonic", "broker"),
    ("tokio", "aws broker child"),
    ("rustix", "child host state"),
    ("prost", "broker"),
    ("rcgen", "aws broker credential host"),
    ("x509_parser", "aws credential doctor host"),
    ("reqwest", "aws"),
    ("roxmltree", "aws"),
    ("jiff", "broker output policy screen verbs watch"),
    ("ratatui", "watch"),
    ("clap_complete", "cli verbs"),
];

/// Crates of ours that the client must never see.
const NEVER: &[&str] = &["breakglass_broker"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The first part of the path below `src`: `broker/connect.rs` and `broker.rs` are one room.
fn room(path: &Path, src: &Path) -> String {
    let below = path.strip_prefix(src).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn names(text: &str, outside: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut code = code.filter(|line| line.contains(&format!("{outside}::")));
    code.any(|line| {
        let before = line.split(&format!("{outside}::")).next().unwrap();
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn every_outside_crate_stays_in_its_room() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&src, &mut found);
    assert!(found.len() > 30, "the sources were not found");
    for path in found {
        let (text, room) = (fs::read_to_string(&path).unwrap(), room(&path, &src));
        for (outside, rooms) in CONFINED {
            let may = rooms.split(' ').any(|may| may == room);
            assert!(may || !names(&text, outside), "{room} imports {outside}");
        }
        for never in NEVER {
            assert!(!names(&text, never), "{room} imports {never}");
        }
    }
}
