//! Policies that this machine has seen, kept whole: what a later one is judged by.
//!
//! ```text
//! policies/<version, 8 digits>-<digest>/   manifest and the four files, as they were signed
//! ```

use std::fs;
use std::path::PathBuf;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::{File, Files, Policy, reopen};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, STATEMENT_MAX, Statement};

use crate::failure::Failure;
use crate::state::{State, private_dir, read_bounded, write_private};

/// Keeps a policy that was believed, and forgets the oldest of too many.
pub(super) fn keep(state: &State, manifest: &Statement, files: &Files) -> Result<(), Failure> {
    let Act::Policy(listed) = manifest.act() else { return Ok(()) };
    let name = format!("{:08}-{}", listed.version, manifest.digest());
    let dir = place(state).join(&name);
    if dir.join(MANIFEST).exists() {
        return Ok(());
    }
    private_dir(&dir)?;
    for file in File::ALL {
        write_private(&dir.join(file.name()), files.content(file))?;
    }
    // Last, so that a directory with a manifest is whole.
    write_private(&dir.join(MANIFEST), manifest.text().as_bytes())?;
    let mut names = names(state);
    names.sort();
    let old = names.len().saturating_sub(KEPT_POLICIES_MAX);
    for name in names.iter().take(old) {
        // One too many does no harm; the next time it is tried again.
        let _ = fs::remove_dir_all(place(state).join(name));
    }
    Ok(())
}

/// The policy of this digest, if it was kept. What was kept is digested again.
pub(super) fn find(state: &State, log: &Origin, digest: Digest) -> Result<Option<Policy>, Failure> {
    let wanted = format!("-{digest}");
    let Some(name) = names(state).into_iter().find(|name| name.ends_with(&wanted)) else {
        return Ok(None);
    };
    let dir = place(state).join(name);
    let limit = u64::try_from(STATEMENT_MAX).unwrap_or(u64::MAX);
    let Some(manifest) = read_bounded(&dir.join(MANIFEST), limit)? else { return Ok(None) };
    let Ok(manifest) = Statement::parse(&manifest) else { return Ok(None) };
    if manifest.digest() != digest {
        return Ok(None);
    }
    let files = Files::gather(|name| {
        let file = File::ALL.into_iter().find(|file| file.name() == name)?;
        let limit = u64::try_from(file.size_limit_bytes()).unwrap_or(u64::MAX);
        read_bounded(&dir.join(name), limit).ok().flatten()
    });
    Ok(files.ok().and_then(|files| reopen(&manifest, &files, log).ok()))
}

fn names(state: &State) -> Vec<String> {
    let Ok(listed) = fs::read_dir(place(state)) else { return Vec::new() };
    let names = listed.filter_map(Result::ok).map(|entry| entry.file_name());
    names.filter_map(|name| name.into_string().ok()).collect()
}

fn place(state: &State) -> PathBuf {
    state.dir().join("policies")
}

const MANIFEST: &str = "manifest";

/// Requests are minutes old and policies weeks: the last few are all that is ever asked for. Each
/// takes up to 1 MiB.
const KEPT_POLICIES_MAX: usize = 8;
