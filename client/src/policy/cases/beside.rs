//! Cases about what is no act on a request: locks, outages, the whole record.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::statement::Target;

use super::read::{Raw, terms};
use crate::policy::aside::{Aside, Deed};
use crate::policy::question::{Action, Question};

/// What the case asks: `name` is one of [`Deed::NAMES`].
pub(super) fn aside(
    raw: Raw,
    name: &str,
    policy: &Policy,
    wrong: &mut dyn FnMut(String),
) -> Option<Aside> {
    let deed = deed(&raw, name, policy, wrong)?;
    check_fit(&raw, &deed, wrong);
    let is_grant = matches!(&deed, Deed::Lock(Target::Grant(_)) | Deed::Unlock(Target::Grant(_)));
    let asked = raw.requester.clone().zip(raw.scope.clone());
    if is_grant && asked.is_none() {
        wrong(format!("{name} of a grant is about somebody's request; add requester and scope"));
        return None;
    }
    let (who, outage) = (raw.who.clone(), raw.outage.map(|length| length.0));
    let (declared, locked) = (raw.declared.clone(), raw.locked.clone());
    let mut terms = terms(raw, wrong)?;
    let at = terms.at;
    let grant = asked.filter(|_| is_grant).map(|(who, scope)| {
        terms.locked.clear();
        Question { who, action: Action::Request, scope, terms }
    });
    Some(Aside { who, deed, at, outage, declared, locked, grant })
}

fn deed(raw: &Raw, name: &str, policy: &Policy, wrong: &mut dyn FnMut(String)) -> Option<Deed> {
    if name == "export" {
        return Some(Deed::Export);
    }
    let is_lock = matches!(name, "lock" | "unlock");
    if is_lock {
        let Some(text) = &raw.target else {
            wrong(format!("{name} is about a target; add target = …"));
            return None;
        };
        let target = target(text, raw, policy, wrong)?;
        return Some(if name == "lock" { Deed::Lock(target) } else { Deed::Unlock(target) });
    }
    let Some(dependency) = raw.dependency.clone() else {
        wrong(format!("{name} is about an outage; add dependency = …"));
        return None;
    };
    let is_known = policy.scopes.iter().any(|scope| scope.outage.as_ref() == Some(&dependency));
    if !is_known && raw.refusal.as_deref() != Some("dependency-unknown") {
        wrong(format!("no scope names {dependency}; correct the name"));
    }
    Some(if name == "declare" { Deed::Declare(dependency) } else { Deed::Resolve(dependency) })
}

/// What is locked; a name that nobody has would make the case pass for the wrong reason.
fn target(text: &str, raw: &Raw, policy: &Policy, wrong: &mut dyn FnMut(String)) -> Option<Target> {
    if text == "grant" {
        return Some(Target::Grant(RequestId::new(0, [0; 10])));
    }
    let Ok(target) = text.parse::<Target>() else {
        wrong(format!(
            "target is {text}; write principal:NAME, key:SHA256:…, scope:NAME, host:NAME or grant"
        ));
        return None;
    };
    let is_known = match &target {
        Target::Principal(id) => policy.principal(id).is_some(),
        Target::Scope(id) => {
            policy.scope(id).is_some() || raw.refusal.as_deref() == Some("scope-unknown")
        }
        Target::Host(id) => {
            let on = |scope: &Scope| scope.ssh.as_ref().is_some_and(|ssh| ssh.hosts.contains(id));
            policy.scopes.iter().any(on)
        }
        // Of keys that nobody has, too, somebody may say that they are stolen.
        Target::Key(_) => true,
        Target::Grant(_) => {
            wrong("no grant has a number here; write target = \"grant\"".to_owned());
            return None;
        }
    };
    if !is_known {
        wrong(format!("{target} is not in the policy; correct the name"));
    }
    Some(target)
}

/// Fields that say something about a request where there is none would be obeyed in part.
fn check_fit(raw: &Raw, deed: &Deed, wrong: &mut dyn FnMut(String)) {
    let is_lock = matches!(deed, Deed::Lock(_) | Deed::Unlock(_));
    let is_outage = matches!(deed, Deed::Declare(_) | Deed::Resolve(_));
    let is_grant = matches!(deed, Deed::Lock(Target::Grant(_)) | Deed::Unlock(Target::Grant(_)));
    let about_request = raw.scope.is_some() || raw.requester.is_some();
    if about_request && !is_grant {
        wrong(format!("{deed} is about no request; leave scope and requester out"));
    }
    if raw.stage.is_some() || !raw.approvals.is_empty() {
        wrong(format!("{deed} is no approval; leave stage and approvals out"));
    }
    if raw.target.is_some() && !is_lock {
        wrong(format!("{deed} has no target; leave it out"));
    }
    if (raw.dependency.is_some() || !raw.declared.is_empty()) && !is_outage {
        wrong(format!("{deed} is about no outage; leave dependency and declared out"));
    }
}
