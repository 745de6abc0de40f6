//! What hosts report: which lists are in force where, and which credentials they saw used.

use std::collections::{BTreeMap, HashMap};

use super::Case;
use crate::audit::{Code, Findings};
use crate::entry::{Body, Reconciled};
use crate::policy::Policy;
use crate::principal::{PrincipalId, PrincipalKind, TargetId};
use crate::statement::{Act, Canary, List};
use crate::time::Timestamp;

/// What hosts reported, and the credentials that they can report.
#[derive(Default)]
pub(super) struct Landing {
    /// What each target last reported of each list.
    lists: BTreeMap<(TargetId, List), (u64, Canary)>,
    /// When each credential that was ever issued was taken back; `None` while it was not.
    credentials: HashMap<u64, Option<Timestamp>>,
}

impl Landing {
    /// Learns of credentials that come and go.
    pub(super) fn note(&mut self, case: &Case<'_>) {
        if let Body::Issued(body) = &case.entry.body {
            self.credentials.insert(body.serial, None);
        }
        if let Body::Revoked(body) = &case.entry.body {
            for serial in body.serials() {
                self.credentials.insert(serial, Some(case.at()));
            }
        }
    }

    /// Hears that a list is in force at a target.
    pub(super) fn applied(&mut self, case: &Case<'_>, out: &mut Findings) {
        is_its_own(case, out);
        let Some(Act::Applied(applied)) = case.spoken.map(|spoken| spoken.statement.act()) else {
            return;
        };
        // A list's version is the ledger's size when it was made.
        if applied.version > case.entry.seq {
            let detail = format!("version {} did not exist yet", applied.version);
            case.find(out, Code::ReportInvalid, detail);
        }
        let key = (applied.target.clone(), applied.list);
        let (version, canary) = (applied.version, applied.canary);
        let before = self.lists.insert(key, (version, canary));
        let is_news = before
            .is_none_or(|(reported, tried)| (version, rank(canary)) > (reported, rank(tried)));
        if !is_news {
            let detail = format!("version {version} of {} says nothing new", applied.list);
            case.find(out, Code::ReportInvalid, detail);
        }
    }

    /// Hears of a use that no open grant took, or of a whole comparison.
    pub(super) fn reconciled(&self, case: &Case<'_>, body: &Reconciled, out: &mut Findings) {
        let unlogged = |out: &mut Findings| {
            let detail = format!("{} reports serials {:?}", body.target, body.unlogged);
            case.find(out, Code::UnloggedCredential, detail);
        };
        let Some(spoken) = case.spoken else {
            if !body.unlogged.is_empty() {
                unlogged(out);
            }
            return;
        };
        is_its_own(case, out);
        let Act::Use(used) = spoken.statement.act() else { return };
        let known = self.credentials.get(&used.serial.0);
        if body.target != used.target || body.matched != u64::from(known.is_some()) {
            case.find(out, Code::ReportInvalid, "the entry says other than the host's report");
        }
        match known {
            None => {
                let detail = format!("{} saw serial {}", used.target, used.serial.0);
                case.find(out, Code::UnloggedCredential, detail);
            }
            Some(Some(revoked)) if used.at > *revoked => {
                let detail = format!("used at {}, revoked at {revoked}", used.at);
                case.find(out, Code::UseAfterRevoke, detail);
            }
            Some(_) => {}
        }
    }
}

/// A report is by a service, about a target of its own.
pub(super) fn is_its_own(case: &Case<'_>, out: &mut Findings) {
    let Some(spoken) = case.spoken else { return };
    let act = spoken.statement.act();
    let (by, target) = if let Act::Applied(applied) = act {
        (&applied.by, &applied.target)
    } else if let Act::Use(used) = act {
        (&used.by, &used.target)
    } else {
        return;
    };
    let is_service =
        case.policy.principal(by).is_some_and(|one| one.kind == PrincipalKind::Service);
    if !is_service || !is_of(case.policy, by, target) {
        case.find(out, Code::ReportInvalid, format!("{by} reports of {target}"));
    }
}

/// A host reports of the target that has its name, and of those below it that are not another's.
fn is_of(policy: &Policy, by: &PrincipalId, target: &TargetId) -> bool {
    let (by, target) = (by.as_str(), target.as_str());
    if by == target {
        return true;
    }
    let is_below = target.strip_prefix(by).is_some_and(|rest| rest.starts_with('.'));
    let is_anothers = target.parse().is_ok_and(|id| policy.principal(&id).is_some());
    is_below && !is_anothers
}

/// What is worse comes later: of one list, only worse or better known news is news.
const fn rank(canary: Canary) -> u8 {
    match canary {
        Canary::Untried => 0,
        Canary::Refused => 1,
        Canary::Accepted => 2,
    }
}
