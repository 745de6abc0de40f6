//! What the documents point at is there: files, headings, and the tests that are said to hold a rule.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAPERS: [&str; 9] = [
    "README.md",
    "CHANGELOG.md",
    "broker/ARCHITECTURE.md",
    "runbooks/README.md",
    "runbooks/break-glass.md",
    "runbooks/kubernetes.md",
    "runbooks/approve-at-3am.md",
    "runbooks/outage.md",
    "runbooks/verify-the-ledger.md",
];

#[test]
fn every_link_leads_somewhere() {
    for paper in PAPERS {
        let path = root().join(paper);
        for link in links(&read(&path)) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let target = target.components().fold(PathBuf::new(), |path, part| path.join(part));
            assert!(target.exists(), "{paper} links to {link}");
            if !heading.is_empty() {
                assert!(anchors(&read(&target)).contains(heading), "{paper} links to {link}");
            }
        }
    }
}

/// A rule that no test holds any more would go on being promised.
#[test]
fn every_test_that_a_paper_names_exists() {
    let mut sources = String::new();
    for crate_ in ["broker", "client", "integration-tests", "proto"] {
        collect(&root().join(crate_), &mut sources);
    }
    let page = read(&root().join("broker/ARCHITECTURE.md"));
    let is_test = |word: &&str| word.matches('_').count() > 1 && !word.contains(['/', ' ', '.']);
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

/// Where the links of a paper lead that are not on the web.
fn links(text: &str) -> Vec<String> {
    let after = text.split("](").skip(1);
    let links = after.filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned());
    links.filter(|link| !link.contains("://")).collect()
}

/// The script that kills the mutants takes minutes and is run by hand; that each is listed and still
/// changes what it is about is looked at here.
#[test]
fn every_mutant_of_the_rules_is_listed_and_still_applies() {
    let rules = root().join("broker/rules");
    let list = read(&rules.join("MUTANTS.md"));
    let mut count = 0;
    for entry in std::fs::read_dir(rules.join("mutants")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "patch") {
            continue;
        }
        count += 1;
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(list.contains(&format!("| `{name}` |")), "{name} is not in MUTANTS.md");
        let tried = Command::new("patch")
            .args(["--dry-run", "--quiet", "--fuzz=0", "-p1", "-i"])
            .arg(&path)
            .current_dir(&rules)
            .output()
            .unwrap();
        assert!(tried.status.success(), "{name}: {}", String::from_utf8_lossy(&tried.stdout));
    }
    assert!(list.contains(&format!("Each of the {count} patches ")), "{count} mutants");
}

/// The anchors of a paper's headings, as they are made from them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept: String =
            kept.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c)).collect();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

fn collect(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&read(&path));
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}
