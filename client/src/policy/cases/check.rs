//! Cases that could not mean what they say.

use breakglass_ledger::policy::Policy;
use breakglass_ledger::statement::{Lane, Target};
use breakglass_rules::Refusal;

use super::read::{Expect, Raw};
use crate::policy::question::Action;

/// A name that nobody has would make many a case pass for the wrong reason.
pub(super) fn check_names(raw: &Raw, policy: &Policy, wrong: &mut dyn FnMut(String)) {
    let approvers = raw.approvals.values().flatten();
    let people = [Some(&raw.who), raw.requester.as_ref()].into_iter().flatten();
    let locked = raw.locked.iter().filter_map(|target| match target {
        Target::Principal(who) => Some(who),
        Target::Key(_) | Target::Scope(_) | Target::Host(_) | Target::Grant(_) => None,
    });
    for who in people.chain(&raw.on_behalf_of).chain(&raw.declared).chain(approvers).chain(locked) {
        if policy.principal(who).is_none() {
            wrong(format!("{who} is not in people.toml; correct the name"));
        }
    }
    let Some(id) = &raw.scope else { return };
    let Some(scope) = policy.scope(id) else {
        if raw.refusal.as_deref() != Some("scope-unknown") {
            wrong(format!("{id} is not in scopes.toml; correct the name"));
        }
        return;
    };
    for stage in raw.approvals.keys().chain(&raw.stage) {
        if scope.stage(stage).is_none() && raw.refusal.as_deref() != Some("stage-unknown") {
            wrong(format!("{id} has no stage {stage}; correct the name"));
        }
    }
}

/// An outcome that cannot be.
pub(super) fn check_expected(raw: &Raw, wrong: &mut dyn FnMut(String)) {
    if raw.name.trim().is_empty() {
        wrong("the name is empty; say what the case is about".to_owned());
    }
    if raw.expect == Expect::Allow && raw.refusal.is_some() {
        wrong("what is allowed is not refused; leave refusal out".to_owned());
    }
    if raw.expect == Expect::Refuse && raw.missing.is_some() {
        wrong("what is refused counts nothing; leave missing out".to_owned());
    }
    if let Some(name) = &raw.refusal
        && !Refusal::ALL.iter().any(|(_, known)| known == name)
    {
        wrong(format!("there is no refusal {name}; correct the name"));
    }
}

/// Fields that do not go together would be obeyed in part.
pub(super) fn check_fit(raw: &Raw, action: Action, wrong: &mut dyn FnMut(String)) {
    if raw.requester.is_none() && !action.is_the_requesters() {
        wrong(format!("{action} is about somebody's request; add requester = …"));
    }
    if action == Action::Request && raw.requester.is_some() {
        wrong("who asks is the requester; leave requester out".to_owned());
    }
    if action != Action::Approve && raw.stage.is_some() {
        wrong("only an approval has a stage; leave it out".to_owned());
    }
    if action == Action::Request && !raw.approvals.is_empty() {
        wrong("nobody has approved before it is asked; leave approvals out".to_owned());
    }
    if action != Action::Review && raw.reviewed.is_some() {
        wrong("only a review looks at the last one; leave reviewed out".to_owned());
    }
    if raw.target.is_some() || raw.dependency.is_some() || !raw.declared.is_empty() {
        wrong(format!("{action} is about a scope; leave target, dependency and declared out"));
    }
    if raw.unanswered.is_some() && raw.lane != Lane::Emergency {
        wrong(
            "only lane emergency follows a request that nobody answers; leave unanswered out"
                .to_owned(),
        );
    }
    if raw.at.is_some() && (raw.weekday.is_some() || raw.hour.is_some()) {
        wrong("at says day and hour already; leave weekday and hour out".to_owned());
    }
}
