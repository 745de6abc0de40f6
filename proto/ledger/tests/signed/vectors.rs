//! Runs over every file in `vectors/statements`; `FORMAT.md` section 2 describes them.
//!
//! They were composed by a second program (Python) and signed by `ssh-keygen`; the signatures of
//! security keys were made in software by that program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::{SshSig, SshSigError};
use breakglass_ledger::statement::{ActKind, Statement};

/// The files under `vectors/statements/<folder>`, with this extension, sorted.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/statements").join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let below = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            found.extend(files(&below, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every valid statement with its name.
pub(crate) fn valid_statements() -> Vec<(String, Statement)> {
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let read = |path: &Path| Statement::parse(&fs::read(path).unwrap()).unwrap();
    files("valid", "txt").iter().map(|path| (name(path), read(path))).collect()
}

fn folder(path: &Path) -> &str {
    path.parent().unwrap().file_name().unwrap().to_str().unwrap()
}

const fn code(error: &SshSigError) -> &'static str {
    match error {
        SshSigError::Malformed { .. } => "E_SSHSIG_MALFORMED",
        SshSigError::KeyType(_) => "E_KEY_TYPE",
        SshSigError::Weak => "E_KEY_WEAK",
        SshSigError::Namespace { .. } => "E_NAMESPACE",
        SshSigError::Bad => "E_SSHSIG_BAD",
        SshSigError::UserPresence => "E_SK_FLAGS",
    }
}

#[test]
fn every_valid_statement_is_read_and_its_signature_verifies() {
    let mut acts = BTreeSet::new();
    for path in files("valid", "txt") {
        let bytes = fs::read(&path).unwrap();
        let statement = Statement::parse(&bytes).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(statement.text().as_bytes(), bytes);
        assert_eq!(statement.digest(), Digest::of(&bytes));
        acts.insert(statement.act().kind());
        let signature = fs::read_to_string(path.with_extension("sig")).unwrap();
        let signature = SshSig::parse(&signature).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let line = fs::read_to_string(path.with_extension("pub")).unwrap();
        assert_eq!(PublicKey::from_openssh(line.trim_end()).as_ref(), Ok(signature.public_key()));
        let namespace = statement.act().kind().namespace();
        let verified = signature.verify(&namespace, &bytes);
        let verified = verified.unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let expected = path.to_str().unwrap().contains("user-verified");
        assert_eq!(verified.user_verified, expected, "{path:?}");
    }
    assert_eq!(acts, ActKind::ALL.iter().copied().collect(), "an act without a vector");
}

#[test]
fn every_invalid_statement_is_refused_for_the_field_of_its_folder() {
    let paths = files("invalid", "txt");
    assert!(paths.len() > 200);
    for path in paths {
        let error = Statement::parse(&fs::read(&path).unwrap()).expect_err(path.to_str().unwrap());
        assert_eq!(error.field, folder(&path), "{path:?}: {error}");
    }
}

#[test]
fn every_invalid_signature_is_refused_with_the_code_of_its_folder() {
    let signed = files("signatures", "txt");
    let message = fs::read(&signed[0]).unwrap();
    let mut codes = BTreeSet::new();
    for path in files("signatures", "sig") {
        let armored = fs::read_to_string(&path).unwrap();
        let verdict = SshSig::parse(&armored)
            .and_then(|signature| signature.verify("request.v1@breakglass", &message));
        let error = verdict.expect_err(path.to_str().unwrap());
        assert_eq!(code(&error), folder(&path), "{path:?}: {error}");
        codes.insert(code(&error));
    }
    assert_eq!(codes.len(), 6, "a code without a vector");
}
