//! Policies that are right, wrong in one way each, and wrong in every way.

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

mod activation;
mod faults_of_form;
mod faults_of_lanes;
mod faults_of_people;
mod faults_of_scopes;
mod membership;
mod random_edits;
mod sample;
mod satisfiable;

/// The key pair of a name, the same in every run.
pub(super) fn pair(name: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(Digest::of(name.as_bytes()).as_bytes()).unwrap()
}

/// The public key of a name.
pub(super) fn public(name: &str) -> PublicKey {
    let mut wire = Vec::new();
    for part in [&b"ssh-ed25519"[..], pair(name).public_key().as_ref()] {
        wire.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        wire.extend(part);
    }
    PublicKey::from_wire(&wire).unwrap()
}

/// The sample policy for five people.
pub(super) fn five() -> Files {
    let names = ["pia", "sam", "ada", "bob", "eve"];
    let keys = names.map(|name| (name, public(name)));
    sample(&keys.each_ref().map(|(name, key)| (*name, key)))
}

/// The sample with `from` in `file` replaced by `to`, every time it stands there.
pub(super) fn changed(file: File, from: &str, to: &str) -> Files {
    change(five(), file, from, to)
}

/// `files` with `from` in `file` replaced by `to`, every time it stands there.
pub(super) fn change(mut files: Files, file: File, from: &str, to: &str) -> Files {
    let content = match file {
        File::Authority => &mut files.authority,
        File::People => &mut files.people,
        File::Rules => &mut files.rules,
        File::Scopes => &mut files.scopes,
    };
    let text = String::from_utf8(content.clone()).unwrap();
    assert!(text.contains(from), "{file} does not hold {from:?}");
    *content = text.replace(from, to).into_bytes();
    files
}

/// The sample with `more` after the end of `file`.
pub(super) fn extended(file: File, more: &str) -> Files {
    let all = String::from_utf8(five().content(file).to_vec()).unwrap();
    changed(file, &all, &format!("{all}\n{more}"))
}

/// What is wrong, as `people.toml:3 unknown-field`, one line each.
pub(super) fn told(files: &Files) -> String {
    let Err(faults) = check(files) else { return String::new() };
    let short = |fault: &Fault| {
        let line = fault.line.map_or_else(|| "?".to_owned(), |line| line.to_string());
        format!("{}:{line} {}", fault.file, fault.kind.name())
    };
    faults.iter().map(short).collect::<Vec<_>>().join("\n")
}

/// The names alone, without file and line, each once.
pub(super) fn kinds(files: &Files) -> Vec<&'static str> {
    let faults = check(files).err().unwrap_or_default();
    let mut names: Vec<_> = faults.iter().map(|fault| fault.kind.name()).collect();
    names.dedup();
    names
}
