//! Escalations: a stage that nobody answers is passed on to others.

use std::sync::Arc;

use super::grant::Grant;
use super::{Case, Judge, end};
use crate::audit::{Code, Findings};
use crate::entry::Escalated;
use crate::policy::Stage;

/// Hears that a stage was passed on.
pub(super) fn escalated(
    judge: &Judge<'_>,
    case: &Case<'_>,
    grant: &mut Grant,
    body: &Escalated,
    out: &mut Findings,
) {
    grant.must_be_pending(case, out);
    grant.must_be_about(case, out);
    // The statement does not count, which was found already.
    if body.signed.is_some() && case.spoken.is_none() {
        return;
    }
    let scope = grant.scope(case.policy);
    let open: Vec<&Stage> = scope
        .map(crate::policy::Scope::stages)
        .unwrap_or_default()
        .iter()
        .filter(|stage| !stage.escalate.is_empty() && !grant.escalated.contains_key(&stage.name))
        .filter(|stage| !judge.is_complete(case, grant, stage))
        .collect();
    let mut wrong = |detail: String| case.find(out, Code::EscalationInvalid, detail);
    let Some(stage) = open.iter().find(|stage| stage.name == body.stage) else {
        return wrong(format!("stage {} waits for nobody it could be passed on to", body.stage));
    };
    match case.spoken.and_then(|spoken| spoken.statement.by()) {
        Some(by) => {
            if open.first().is_some_and(|first| first.name != body.stage) {
                wrong(format!("stage {} is not the first that waits", body.stage));
            }
            let may = *by == grant.ask.by
                || end::approves(case.policy, grant, by)
                || end::owns(case.policy, grant, by);
            if !may {
                case.find(out, Code::ScopeExceeded, format!("{by} may not pass it on"));
            }
        }
        None => {
            let from = grant.asked_at.plus(stage.within.unwrap_or(u32::MAX).into());
            if case.at() < from {
                wrong(format!("stage {} is passed on at {from}, not before", stage.name));
            }
        }
    }
    grant.escalated.insert(body.stage.clone(), Arc::clone(case.policy));
}
