//! The walls of the house: who may import whom, read from the source text.
//!
//! Crude on purpose. It fails with "sweep imports mint", which is all the explanation needed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A crate of ours, the crates of ours it may name, and the outside crates that only some of its
/// rooms may name.
struct House {
    source: &'static str,
    may_name: &'static [&'static str],
    /// Room, and the rooms of this crate it may import. Empty: the crate has no inner walls.
    rooms: &'static [(&'static str, &'static [&'static str])],
    /// Outside crate, and the only rooms that may name it. An empty list: nobody.
    confined: &'static [(&'static str, &'static [&'static str])],
}

const OURS: &[&str] = &[
    "breakglass_ledger",
    "breakglass_proto",
    "breakglass_rules",
    "breakglass_broker",
    "breakglass_client",
];

const HOUSES: &[House] = &[
    House {
        source: "proto/ledger/src",
        may_name: &[],
        rooms: &[],
        confined: &[
            ("tokio", &[]),
            ("tonic", &[]),
            ("rusqlite", &[]),
            ("cedar_policy", &[]),
            ("std::fs", &[]),
            ("std::time", &[]),
        ],
    },
    House {
        source: "proto/src",
        may_name: &[],
        rooms: &[],
        confined: &[("tokio", &[]), ("rusqlite", &[])],
    },
    House {
        source: "broker/rules/src",
        may_name: &["breakglass_ledger"],
        rooms: &[],
        confined: &[
            ("tokio", &[]),
            ("tonic", &[]),
            ("rusqlite", &[]),
            ("ring", &[]),
            ("cedar_policy", &["eligibility"]),
            ("std::fs", &[]),
            ("std::time", &[]),
        ],
    },
    House {
        source: "broker/src",
        may_name: &["breakglass_ledger", "breakglass_proto", "breakglass_rules"],
        rooms: &[
            ("clock", &[]),
            ("entropy", &[]),
            ("sshwire", &[]),
            ("crowd", &[]),
            ("alarm", &[]),
            ("crl", &[]),
            ("ocsp", &["crl"]),
            ("deny", &[]),
            ("krl", &["crl", "deny", "sshwire"]),
            ("jwt", &["sshwire"]),
            ("publish", &["crl", "deny", "jwt", "krl"]),
            ("store", &["crl", "deny"]),
            ("mint", &["crl", "deny", "entropy", "jwt", "krl", "ocsp", "sshwire"]),
            ("desk", &["clock", "crl", "deny", "entropy", "jwt", "mint", "store", "krl", "ocsp"]),
            ("sweep", &["clock", "desk"]),
            ("notify", &["alarm", "clock", "desk", "entropy", "store"]),
            ("probe", &["clock", "desk", "entropy"]),
            ("rpc", &["alarm", "desk", "store", "crowd", "notify"]),
            ("http", &["crowd"]),
            ("web", &["desk", "crl", "jwt", "krl", "ocsp", "crowd", "http"]),
            ("api", &["desk", "crowd", "entropy", "http", "jwt"]),
        ],
        confined: &[
            ("cedar_policy", &[]),
            ("rusqlite", &["store"]),
            ("tonic", &["rpc"]),
            ("breakglass_proto", &["rpc"]),
            ("axum", &["api", "http", "web"]),
            ("hyper", &["http"]),
            ("governor", &["crowd"]),
            ("rcgen", &["mint"]),
            ("x509_cert", &["crl", "mint", "ocsp"]),
            ("x509_parser", &["crl", "mint"]),
            ("der", &["crl", "mint", "ocsp"]),
            ("pkcs8", &["mint"]),
            ("cryptoki", &["mint"]),
            ("rustix", &["mint"]),
            ("reqwest", &["notify", "probe"]),
            ("lettre", &["notify"]),
            ("tokio", &["rpc", "api", "http", "web", "sweep", "probe", "serve", "notify"]),
        ],
    },
    House {
        source: "client/src",
        may_name: &["breakglass_ledger", "breakglass_proto", "breakglass_rules"],
        rooms: &[],
        confined: &[
            ("cedar_policy", &[]),
            ("rusqlite", &[]),
            ("tonic", &["broker", "rpc"]),
            ("ratatui", &["watch"]),
            ("breakglass_broker", &[]),
        ],
    },
];

#[test]
fn no_room_imports_what_it_must_not_see() {
    let offences: Vec<String> = HOUSES.iter().flat_map(offences).collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_walled_room_exists() {
    for house in HOUSES {
        let rooms: BTreeSet<String> = sources(house).into_iter().map(|(room, _)| room).collect();
        assert!(!rooms.is_empty(), "{} has no sources", house.source);
        for (room, _) in house.rooms {
            assert!(rooms.contains(*room), "{} has no room {room}", house.source);
        }
    }
}

#[test]
fn the_architecture_page_says_the_same() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../broker/ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    let quoted = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "–".to_owned() } else { names.join(", ") }
    };
    for (room, may) in HOUSES.iter().flat_map(|house| house.rooms) {
        let row = format!("| `{room}` | {} |", quoted(may));
        assert!(page.contains(&row), "broker/ARCHITECTURE.md has no row {row}");
    }
    let rows = page.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).count();
    let rooms: usize = HOUSES.iter().map(|house| house.rooms.len()).sum();
    assert_eq!(rows, rooms, "rows without a room");
    let broker = HOUSES.iter().find(|house| house.source == "broker/src").unwrap();
    for (name, _) in broker.confined {
        assert!(page.contains(&format!("`{name}`")), "broker/ARCHITECTURE.md is silent on {name}");
    }
}

#[test]
fn a_planted_offence_is_seen() {
    let names = names_in("use crate::mint::Mint;\nfn f() { tonic::Status::ok(\"\"); }\n");
    assert!(names.contains("crate::mint"));
    assert!(names.contains("tonic"));
    assert!(names_in("use crate::{clock::Clock, mint};").contains("crate::mint"));
}

fn offences(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for (room, text) in sources(house) {
        let names = names_in(&text);
        let forbidden = OURS.iter().filter(|name| !house.may_name.contains(name));
        for name in forbidden.filter(|name| names.contains(**name)) {
            // A binary names its own library.
            if !(room == "main" && house.source.starts_with(own_folder(name))) {
                found.push(format!("{}: {room} names {name}", house.source));
            }
        }
        for (name, rooms) in house.confined {
            if names.contains(*name) && !rooms.contains(&room.as_str()) {
                found.push(format!("{}: {room} names {name}", house.source));
            }
        }
        if let Some((_, may)) = house.rooms.iter().find(|(walled, _)| *walled == room) {
            for other in house.rooms.iter().map(|(other, _)| *other) {
                let imports = names.contains(&format!("crate::{other}"));
                if imports && other != room && !may.contains(&other) {
                    found.push(format!("{}: {room} imports {other}", house.source));
                }
            }
        }
    }
    found
}

fn own_folder(name: &str) -> &'static str {
    match name {
        "breakglass_broker" => "broker/src",
        "breakglass_client" => "client/src",
        _ => "-",
    }
}

/// Every production source of the house with the room it belongs to: its first path component.
fn sources(house: &House) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(house.source);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .filter(|file| !is_test(file))
        .map(|file| {
            let inside = file.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
            let text = std::fs::read_to_string(&file).unwrap();
            (first.trim_end_matches(".rs").to_owned(), production(&text))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part == "tests" || part == "tests.rs" || part == "testing.rs" || part == "testing"
    })
}

/// The text before its unit tests, without comments.
fn production(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Paths named in `text`: every identifier before `::`, `crate::room`, and both parts of `std::x`.
fn names_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let flat = text.replace(char::is_whitespace, " ");
    for (at, _) in flat.match_indices("::") {
        let (before, after) = flat.split_at(at);
        let before = before.trim_end();
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        if before.strip_suffix(name).unwrap().ends_with("::") {
            continue;
        }
        names.insert(name.to_owned());
        if name == "crate" || name == "std" {
            let rest = after.strip_prefix("::").unwrap().trim_start();
            names.extend(first_words(rest).into_iter().map(|word| format!("{name}::{word}")));
        }
    }
    names
}

/// The first word of a path, or of each path in a group.
fn first_words(path: &str) -> Vec<String> {
    let parts = match path.strip_prefix('{') {
        Some(group) => group.split(['}', ';']).next().unwrap().split(',').collect(),
        None => vec![path],
    };
    let word =
        |part: &str| part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    parts.into_iter().map(word).collect()
}
