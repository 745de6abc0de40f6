//! A directory that holds the four files of a policy.

use std::path::Path;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::{Fault, File, Files, Policy, check};
use breakglass_ledger::statement::{Act, STATEMENT_MAX, Statement};

use crate::failure::{Exit, Failure};
use crate::state::read_bounded;

/// Reads the four files in `dir`, each up to its limit.
///
/// # Errors
///
/// [`Failure`] naming the file that is missing or cannot be read.
pub fn files(dir: &Path) -> Result<Files, Failure> {
    let mut wrong = None;
    let gathered = Files::gather(|name| {
        let file = File::ALL.into_iter().find(|file| file.name() == name)?;
        // One byte more than is allowed is read, so that `check` can say that it is too large.
        let limit = u64::try_from(file.size_limit_bytes()).unwrap_or(u64::MAX).saturating_add(1);
        match read_bounded(&dir.join(name), limit) {
            Ok(content) => content,
            Err(error) => {
                wrong = Some(error.to_string());
                None
            }
        }
    });
    gathered.map_err(|name| {
        unreadable(&dir.join(name), &wrong.unwrap_or_else(|| "there is no such file".to_owned()))
    })
}

/// Every fault of the four files, by file and line.
#[must_use]
pub fn faults(files: &Files) -> Vec<Fault> {
    check(files).err().unwrap_or_default()
}

/// The policy in `dir` as it would be in force, whether or not anybody signed it.
///
/// # Errors
///
/// [`Failure`] if it cannot be read or has faults.
pub fn policy(dir: &Path) -> Result<Policy, Failure> {
    let files = files(dir)?;
    let version = match manifest(dir)?.as_ref().map(Statement::act) {
        Some(Act::Policy(listed)) => listed.version,
        Some(_) | None => 0,
    };
    supposed(&files, version).map_err(|faults| faulty(&faults, dir))
}

/// `files` as they would be in force.
///
/// # Errors
///
/// Their faults.
pub fn supposed(files: &Files, version: u64) -> Result<Policy, Vec<Fault>> {
    let checked = check(files)?;
    let digests = File::ALL.map(|file| *Digest::of(files.content(file)).as_bytes());
    let digest = Digest::of(&digests.concat());
    Ok(checked.into_policy(version, digest))
}

/// That a policy has faults, so that nothing can be done with it.
#[must_use]
pub fn faulty(faults: &[Fault], dir: &Path) -> Failure {
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    Failure::new(
        Exit::Refused,
        format!("the policy has {} faults, the first: {first}", faults.len()),
        "it cannot come into force, so it says nothing about anybody",
        format!("see all with: breakglass policy check {}", dir.display()),
    )
}

/// The manifest in `dir`, if there is one.
///
/// # Errors
///
/// [`Failure`] if it cannot be read as a statement.
pub fn manifest(dir: &Path) -> Result<Option<Statement>, Failure> {
    let path = dir.join(MANIFEST);
    let limit = u64::try_from(STATEMENT_MAX).unwrap_or(u64::MAX);
    let Some(bytes) = read_bounded(&path, limit)? else { return Ok(None) };
    let manifest = Statement::parse(&bytes);
    manifest.map(Some).map_err(|error| unreadable(&path, &error.to_string()))
}

/// That `path` cannot be used.
#[must_use]
pub fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::usage(format!("{}: {why}", path.display()), "correct it and try again")
}

/// The statement that the authority signs.
pub const MANIFEST: &str = "manifest";

/// Where its signatures are collected.
pub const SIGNATURES: &str = "signatures";
