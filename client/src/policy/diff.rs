//! What a new policy changes: who gains, who loses, which limits move, which live grants would end.
//!
//! Rights are asked of the rules, one person at a time and on the best terms: somebody may ask for a
//! scope if there is a lane in which they would be let. What only the hour decides shows in the
//! texts of the rules that changed.

mod grants;
mod limits;
mod words;

use std::collections::BTreeSet;

use breakglass_ledger::policy::{Members, Policy, Scope};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, ScopeId};
use breakglass_ledger::statement::Lane;

use super::explain::{example, ids, text_of};
use super::hearing::{Hearing, Said};
use super::question::{Action, Question, Terms};
use crate::failure::Failure;

pub use grants::{Grant, Standing, grants_of, standing};
use limits::limits;

/// What changes from one policy to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Each scope in which something changes, by id.
    pub scopes: Vec<ScopeChange>,
    /// Principals who are new, and who are gone.
    pub people: Change,
    /// People whose keys, kind, team or groups differ.
    pub altered: Vec<PrincipalId>,
    /// Signers of the authority who are new, and who are gone.
    pub signers: Change,
    /// The authority's quorum, before and after, where it differs.
    pub quorum: Option<(u32, u32)>,
    /// Rules of `rules.cedar`: new, gone, and of another text.
    pub rules: RuleChange,
}

/// Names that come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Who was not there before.
    pub gains: Vec<PrincipalId>,
    /// Who is no longer there.
    pub loses: Vec<PrincipalId>,
}

/// Rules that come, go and change, by their `@id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// New.
    pub added: Vec<String>,
    /// Gone.
    pub removed: Vec<String>,
    /// Of another text.
    pub changed: Vec<String>,
}

/// What changes in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeChange {
    /// Which.
    pub id: ScopeId,
    /// Whether it is new or gone; neither if it is in both policies.
    pub is_new: bool,
    /// Whether it is gone.
    pub is_gone: bool,
    /// Each right with who gains and who loses it: `request`, `approve <stage>`, `own`, `read`.
    pub rights: Vec<(String, Change)>,
    /// Each field that differs, before and after; `-` where there is none.
    pub limits: Vec<(&'static str, String, String)>,
}

impl Change {
    fn between(old: &BTreeSet<PrincipalId>, new: &BTreeSet<PrincipalId>) -> Self {
        let gains = new.difference(old).cloned().collect();
        Self { gains, loses: old.difference(new).cloned().collect() }
    }

    /// Whether nobody comes and nobody goes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.gains.is_empty() && self.loses.is_empty()
    }
}

impl Difference {
    /// What changes from `old` to `new`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the rules cannot be asked.
    pub fn between(old: &Policy, new: &Policy) -> Result<Self, Failure> {
        let ids: BTreeSet<&ScopeId> =
            old.scopes.iter().chain(new.scopes.iter()).map(|scope| &scope.id).collect();
        let (before, after) = (Hearing::of(old)?, Hearing::of(new)?);
        let mut scopes = Vec::new();
        for id in ids {
            let change = scope_change(&before, &after, id)?;
            let is_something = change.is_new || change.is_gone;
            if is_something || !change.rights.is_empty() || !change.limits.is_empty() {
                scopes.push(change);
            }
        }
        let everybody = |policy: &Policy| policy.people.iter().map(|one| one.id.clone()).collect();
        let signers =
            |policy: &Policy| policy.authority.signers().iter().map(|one| one.id.clone()).collect();
        let altered = new.people.iter().filter(|one| {
            old.principal(&one.id).is_some_and(|before| {
                (&before.keys, before.kind, &before.team, &before.groups, &before.sponsor)
                    != (&one.keys, one.kind, &one.team, &one.groups, &one.sponsor)
            })
        });
        let quorum = (old.authority.quorum(), new.authority.quorum());
        Ok(Self {
            scopes,
            people: Change::between(&everybody(old), &everybody(new)),
            altered: altered.map(|one| one.id.clone()).collect(),
            signers: Change::between(&signers(old), &signers(new)),
            quorum: Some(quorum).filter(|(old, new)| old != new),
            rules: rules(&old.rules, &new.rules),
        })
    }

    /// Whether nothing that matters differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn rules(old: &str, new: &str) -> RuleChange {
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (ids(old).collect(), ids(new).collect());
    let own = |id: &&str| (*id).to_owned();
    let differs = |id: &&&str| text_of(old, id) != text_of(new, id);
    RuleChange {
        added: after.difference(&before).map(own).collect(),
        removed: before.difference(&after).map(own).collect(),
        changed: before.intersection(&after).filter(differs).map(own).collect(),
    }
}

fn scope_change(
    before: &Hearing<'_>,
    after: &Hearing<'_>,
    id: &ScopeId,
) -> Result<ScopeChange, Failure> {
    let (old, new) = (before.policy().scope(id), after.policy().scope(id));
    let stages = |scope: Option<&Scope>| {
        let stages = scope.map(Scope::stages).unwrap_or_default();
        stages.iter().map(|stage| stage.name.clone()).collect::<Vec<_>>()
    };
    let mut names = stages(new);
    names.extend(stages(old).into_iter().filter(|name| stages(new).iter().all(|n| n != name)));
    let mut rights = Vec::new();
    let mut add = |right: String, old: &BTreeSet<PrincipalId>, new: &BTreeSet<PrincipalId>| {
        let change = Change::between(old, new);
        if !change.is_empty() {
            rights.push((right, change));
        }
    };
    let askers = (requesters(before, old)?, requesters(after, new)?);
    add("request".to_owned(), &askers.0, &askers.1);
    for name in names {
        let of = |hearing, scope, askers| approvers(hearing, scope, &name, askers);
        let (old, new) = (of(before, old, &askers.0)?, of(after, new, &askers.1)?);
        add(format!("approve {name}"), &old, &new);
    }
    add("own".to_owned(), &owners(before, old), &owners(after, new));
    let readers = (readers(before, old, &askers.0), readers(after, new, &askers.1));
    add("read".to_owned(), &readers.0, &readers.1);
    let limits = match (old, new) {
        (Some(old), Some(new)) => limits(old, new),
        (_, _) => Vec::new(),
    };
    Ok(ScopeChange {
        id: id.clone(),
        is_new: old.is_none(),
        is_gone: new.is_none(),
        rights,
        limits,
    })
}

/// Who would be let ask, in one lane or another, on the best terms.
fn requesters(
    hearing: &Hearing<'_>,
    scope: Option<&Scope>,
) -> Result<BTreeSet<PrincipalId>, Failure> {
    let mut found = BTreeSet::new();
    let Some(scope) = scope else { return Ok(found) };
    for who in hearing.policy().people.all_of(&scope.requesters) {
        for lane in &scope.lanes {
            let question = best(hearing, scope, who, *lane);
            if matches!(hearing.ask(&question)?, Said::Yes(_)) {
                found.insert(who.clone());
                break;
            }
        }
    }
    Ok(found)
}

/// Who would be let approve in a stage, for one of `askers` or another.
fn approvers(
    hearing: &Hearing<'_>,
    scope: Option<&Scope>,
    stage: &breakglass_ledger::principal::StageId,
    askers: &BTreeSet<PrincipalId>,
) -> Result<BTreeSet<PrincipalId>, Failure> {
    let mut found = BTreeSet::new();
    let Some((scope, stage)) = scope.and_then(|scope| Some((scope, scope.stage(stage)?))) else {
        return Ok(found);
    };
    for who in hearing.policy().people.all_of(&stage.approvers) {
        'asker: for asker in askers.iter().filter(|asker| *asker != who).take(ASKERS_TRIED) {
            for lane in &scope.lanes {
                let mut question = best(hearing, scope, asker, *lane);
                question.who = who.clone();
                question.action = Action::Approve;
                question.terms.requester = Some(asker.clone());
                question.terms.stage = Some(stage.name.clone());
                if matches!(hearing.ask(&question)?, Said::Yes(_)) {
                    found.insert(who.clone());
                    break 'asker;
                }
            }
        }
    }
    Ok(found)
}

/// The question with everything that asking well could add.
fn best(hearing: &Hearing<'_>, scope: &Scope, who: &PrincipalId, lane: Lane) -> Question {
    let principal = hearing.policy().principal(who);
    let sponsor = principal
        .filter(|one| one.kind == PrincipalKind::Agent)
        .and_then(|one| one.sponsor.clone());
    let incident = scope.require_incident.as_ref().map(|pattern| example(pattern.as_str()));
    let terms = Terms {
        lane,
        incident,
        on_behalf_of: sponsor.into_iter().collect(),
        outage: (lane == Lane::Outage).then_some(OUTAGE_SECONDS),
        unanswered: scope.emergency.map(|emergency| u64::from(emergency.after)),
        ..Terms::ORDINARY
    };
    Question { who: who.clone(), action: Action::Request, scope: scope.id.clone(), terms }
}

fn owners(hearing: &Hearing<'_>, scope: Option<&Scope>) -> BTreeSet<PrincipalId> {
    let owned_by: Vec<Members> = scope.into_iter().flat_map(Scope::owned_by).cloned().collect();
    hearing.policy().people.all_of(&owned_by).into_iter().cloned().collect()
}

/// Who may read what others ask for: the scope's approvers and owners, if the rules let them.
fn readers(
    hearing: &Hearing<'_>,
    scope: Option<&Scope>,
    askers: &BTreeSet<PrincipalId>,
) -> BTreeSet<PrincipalId> {
    let Some(scope) = scope else { return BTreeSet::new() };
    let named = scope.stages().iter().flat_map(|stage| &stage.approvers);
    let named: Vec<Members> = named.chain(scope.owned_by()).cloned().collect();
    let may = |who: &&PrincipalId| {
        let mut tried = askers.iter().take(ASKERS_TRIED);
        let asked = |asker| best(hearing, scope, asker, Lane::Normal);
        askers.is_empty() || tried.any(|asker| hearing.may_read(who, asker, &asked(asker)))
    };
    hearing.policy().people.all_of(&named).into_iter().filter(may).cloned().collect()
}

/// Rules that tell requesters apart do so by team or group: among so many, one will do.
const ASKERS_TRIED: usize = 16;

/// A supposed outage: an hour.
const OUTAGE_SECONDS: u64 = 3_600;

#[cfg(test)]
mod tests;
