//! Policies for tests, in force without anybody's signature.

use super::{Fault, Files, Policy, check, sample};
use crate::bytes::Digest;
use crate::key::PublicKey;

/// The [`sample`] policy for these people, in force as version 1.
///
/// # Errors
///
/// What [`check`] finds wrong.
pub fn policy(people: &[(&str, &PublicKey)]) -> Result<Policy, Vec<Fault>> {
    in_force(&sample(people), 1)
}

/// These files in force as `version`, signed by nobody.
///
/// The digest is that of the files and the version; it is no manifest's.
///
/// # Errors
///
/// What [`check`] finds wrong.
pub fn in_force(files: &Files, version: u64) -> Result<Policy, Vec<Fault>> {
    let checked = check(files)?;
    let parts = [&files.authority[..], &files.people, &files.rules, &files.scopes];
    let of_files = parts.map(|part| *Digest::of(part).as_bytes()).concat();
    let digest = Digest::of_parts(&[&version.to_be_bytes(), &of_files]);
    Ok(checked.into_policy(version, digest))
}
