//! A directory that holds the four files of a policy.

use std::fmt;
use std::path::Path;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::{Fault, File, Files, Policy, check};
use breakglass_ledger::statement::{Act, STATEMENT_MAX, Statement};
use breakglass_rules::eligibility::Rules;

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

/// One fault, as `scopes.toml:12: [quorum-zero] …` or `rules.cedar:3:7: [rule] …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The file.
    pub file: File,
    /// The line, from 1, where it can be known.
    pub line: Option<u32>,
    /// The column in characters, from 1; known of rules alone.
    pub column: Option<u32>,
    /// The fault's name.
    pub name: &'static str,
    /// What happened, and what to do.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, "{number}:")?;
        }
        write!(f, " [{}] {}", self.name, self.what)
    }
}

/// Every fault of the four files, by file and place. Names in rules are looked up once the other
/// files are readable; before that, rules are checked for themselves.
#[must_use]
pub fn faults(files: &Files) -> Vec<Wrong> {
    let (told, rules) = match check(files) {
        Ok(checked) => (Vec::new(), Rules::faults(&checked)),
        Err(told) => {
            let text = std::str::from_utf8(&files.rules).unwrap_or_default();
            (told, Rules::compile(text).err().unwrap_or_default())
        }
    };
    let rules = rules.into_iter().map(|fault| Wrong {
        file: File::Rules,
        line: Some(fault.line),
        column: Some(fault.column),
        name: RULE,
        what: fault.what,
    });
    let mut all: Vec<Wrong> = told.iter().map(Wrong::of).chain(rules).collect();
    all.sort_by_key(|wrong| (wrong.file, wrong.line, wrong.column));
    all
}

impl Wrong {
    fn of(fault: &Fault) -> Self {
        let (file, line, what) = (fault.file, fault.line, fault.kind.to_string());
        Self { file, line, column: None, name: fault.kind.name(), what }
    }
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
    let wrong = faults(&files);
    let policy = supposed(&files, version).map_err(|_| faulty(&wrong, dir))?;
    if wrong.is_empty() { Ok(policy) } else { Err(faulty(&wrong, dir)) }
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
pub fn faulty(faults: &[Wrong], dir: &Path) -> Failure {
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

/// What a fault of a rule is called; the Cedar library says what it is.
const RULE: &str = "rule";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::cases::tests::files;

    fn told(rules: &str) -> Vec<String> {
        let files = Files { rules: rules.as_bytes().to_vec(), ..files() };
        faults(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_fault_of_a_rule_is_told_with_line_and_column() {
        assert_eq!(told("// no rules\n"), Vec::<String>::new());
        let syntax = told("@id(\"a\")\npermit (principal, action resource);\n");
        assert!(syntax[0].starts_with("rules.cedar:2:"), "{syntax:?}");
        let meaning = told(
            "@id(\"a\")\npermit (principal, action, resource)\nwhen { context.colour == \"red\" };\n",
        );
        assert!(meaning[0].starts_with("rules.cedar:"), "{meaning:?}");
        let stranger =
            told("@id(\"a\")\npermit (principal in Group::\"nobody\", action, resource);\n");
        assert!(stranger.iter().any(|told| told.contains("nobody")), "{stranger:?}");
    }

    /// One fault does not hide those of another file.
    #[test]
    fn faults_of_rules_and_of_files_are_told_together() {
        let rules = b"permit (principal, action, resource);\n".to_vec();
        let mut all = Files { rules, ..files() };
        all.scopes.extend_from_slice(b"\nlives = 2\n");
        let told: Vec<File> = faults(&all).iter().map(|wrong| wrong.file).collect();
        assert!(told.contains(&File::Rules) && told.contains(&File::Scopes), "{told:?}");
    }
}
