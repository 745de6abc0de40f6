//! Whether four files are a policy: everything that is wrong with them, at once.

use super::enrol;
use super::fault::{Fault, Faults};
use super::read::{self, Document};
use super::satisfy;
use super::{authority, register};
use crate::bytes::Digest;
use crate::policy::{Authority, File, Files, People, Policy, Scopes};

/// Four files that are a policy, not yet in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Who signs the next version.
    pub authority: Authority,
    /// Who is who.
    pub people: People,
    /// What can be asked for.
    pub scopes: Scopes,
    /// The text of `rules.cedar`. Nothing here reads Cedar: whoever decides by these rules compiles
    /// them first, and refuses a policy whose rules cannot be.
    pub rules: String,
}

impl Checked {
    /// The policy that these files are, once their manifest is known and judged.
    #[must_use]
    pub fn into_policy(self, version: u64, digest: Digest) -> Policy {
        let Self { authority, people, scopes, rules } = self;
        Policy { version, digest, authority, people, scopes, rules }
    }
}

/// Reads and checks the four files.
///
/// # Errors
///
/// Every fault, by file and line, up to [`FAULTS_MAX`](super::FAULTS_MAX). A file that is no TOML
/// at all is told as that; what it would have defined is then not missed in the others.
pub fn check(files: &Files) -> Result<Checked, Vec<Fault>> {
    let mut faults = Faults::default();
    let authority = Document::parse(File::Authority, &files.authority, &mut faults)
        .map(|document| authority::read(&document, &mut faults));
    let people = Document::parse(File::People, &files.people, &mut faults)
        .map(|document| enrol::read(&document, &mut faults));
    let rules = read::text_of(File::Rules, &files.rules, &mut faults).map(str::to_owned);
    let register = Document::parse(File::Scopes, &files.scopes, &mut faults)
        .map(|document| register::read(&document, &mut faults));
    if let (Some(people), Some(register)) = (&people, &register) {
        people.resolve(File::Scopes, &register.references, &mut faults);
        for draft in register.drafts.iter().filter(|draft| draft.is_judgeable) {
            satisfy::judge(draft, people, &mut faults);
        }
    }
    let scopes = register.map(|register| {
        let scopes = register.drafts.into_iter().map(|draft| draft.scope);
        Scopes(scopes.map(|scope| (scope.id.clone(), scope)).collect())
    });
    let (Some(authority), Some(people), Some(scopes), Some(rules)) =
        (authority, people, scopes, rules)
    else {
        // Each `None` above came with its fault, so there is at least one to answer with.
        return Err(faults.into_sorted());
    };
    faults.or(Checked { authority, people, scopes, rules })
}
