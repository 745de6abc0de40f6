//! Whether four files are a policy: everything that is wrong with them, at once.

use super::enrol;
use super::fault::{Fault, Faults};
use super::read::{self, Document};
use super::satisfy;
use super::{authority, later, register};
use crate::policy::{Authority, File, Files, People, Scopes};

/// Four files that are a policy, not yet in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Who signs the next version.
    pub authority: Authority,
    /// Who is who.
    pub people: People,
    /// What can be asked for.
    pub scopes: Scopes,
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
    if let Some(rules) = read::text_of(File::Rules, &files.rules, &mut faults) {
        later::refuse_rules(rules, &mut faults);
    }
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
    let (Some(authority), Some(people), Some(scopes)) = (authority, people, scopes) else {
        // Each `None` above came with its fault, so there is at least one to answer with.
        return Err(faults.into_sorted());
    };
    faults.or(Checked { authority, people, scopes })
}
