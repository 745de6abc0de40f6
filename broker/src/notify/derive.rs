//! From entries to notices. The same entries make the same notices, whenever they are read.

mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Approved, Body, Cause, ConfigChange, Entry, Revoked};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{PrincipalId, TargetId};
use breakglass_ledger::statement::{Lane, List, Statement};
use breakglass_ledger::time::Timestamp;

use self::tell::{alarmed, notices, outage, requested, requester_and_owners, tell};
use super::case::Case;
use super::notice::{Notice, Topic};
use super::{recipients, reminders};
use crate::desk::DeskError;

/// Requests kept folded; beyond this those that are settled are folded from the ledger again.
const CASES_MAX: usize = 16_384;

/// How long news are told, in seconds, when the channel was down: longer is history, not news. Less
/// than the day that is read again at a start.
const NEWS_SECONDS: u64 = 12 * 3600;

/// What follows from an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody is to be told.
    Tell(Box<Notice>),
    /// Nobody needs to answer this request any more.
    Settled(RequestId),
    /// What became of a notice is on record.
    Known {
        /// Its id.
        notice: Salt,
        /// Whether it was delivered.
        delivered: bool,
        /// How often it was tried.
        attempts: u32,
    },
}

/// Where the ledger is looked up beyond the entry at hand.
pub(super) trait Look {
    /// The policy of this digest.
    fn policy(&mut self, digest: Digest) -> Result<Arc<Policy>, DeskError>;
    /// The policy in force now.
    fn in_force(&self) -> Arc<Policy>;
    /// Whether `target` accepted a revoked credential already by its report of `list` before entry `seq`.
    fn accepted_before(
        &mut self,
        target: &TargetId,
        list: List,
        seq: u64,
    ) -> Result<bool, DeskError>;
    /// The grant that entry `seq` is about, if it is about one.
    fn grant(&mut self, seq: u64) -> Result<Option<RequestId>, DeskError>;
    /// The entries of a request up to `before`, exclusive.
    fn history(&mut self, id: RequestId, before: u64) -> Result<Vec<Entry>, DeskError>;
}

/// Reads entries in order and says who is to be told.
pub(super) struct Deriver {
    cases: BTreeMap<RequestId, Case>,
    /// The cases by the `seq` of their first entry.
    begun: BTreeMap<u64, RequestId>,
    remind_after: u64,
}

impl Deriver {
    pub(super) const fn new(remind_after: u64) -> Self {
        Self { cases: BTreeMap::new(), begun: BTreeMap::new(), remind_after }
    }

    /// What follows from the next `entry`.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if what the entry refers to cannot be looked up; the entry is passed over.
    pub(super) fn take(
        &mut self,
        entry: &Entry,
        look: &mut dyn Look,
    ) -> Result<Vec<Step>, DeskError> {
        match &entry.body {
            Body::Requested(body) => {
                let policy = look.policy(body.decision.policy)?;
                let Some(case) = Case::begin(entry, body, &policy) else { return Ok(Vec::new()) };
                let steps = requested(entry, &case, &policy, look);
                self.keep(case);
                Ok(steps)
            }
            Body::Approved(body) => self.approved(entry, body, look),
            Body::Escalated(body) => {
                let Some(case) = self.case(body.link.grant, entry.seq, look)? else {
                    return Ok(Vec::new());
                };
                case.escalate(&body.stage);
                let topic = Topic::Escalated(body.stage.clone());
                tell(entry, case, body.decision.policy, look, topic, |policy, scope, case| {
                    let stage = scope.stage(&body.stage);
                    let by = &case.asked.by;
                    stage
                        .map(|stage| recipients::approvers(policy, stage, true, by))
                        .unwrap_or_default()
                })
            }
            Body::Denied(body) => {
                self.ended(entry, body.link.grant, body.decision.policy, look, Topic::Denied)
            }
            Body::Lapsed(body) => {
                let forbidden = body.decision.after_policy();
                let topic = forbidden.map_or(Topic::Lapsed, |by| Topic::Disallowed(by.join(", ")));
                self.ended(entry, body.link.grant, body.decision.policy, look, topic)
            }
            Body::Issued(body) => {
                let (id, policy) = (body.link.grant, body.decision.policy);
                self.ended(entry, id, policy, look, Topic::Issued(body.valid_before))
            }
            Body::Withdrawn(body) => Ok(self.settle(body.link.grant)),
            Body::Revoked(body) => self.revoked(entry, body, look),
            Body::Closed(body) => {
                let closed = self.cases.remove(&body.link.grant);
                closed.and_then(|case| self.begun.remove(&case.seq));
                Ok(Vec::new())
            }
            Body::OutageBegan(body) => {
                let (policy, what) = (body.decision.policy, &body.dependency);
                outage(entry, policy, what, look, Topic::OutageBegan)
            }
            Body::OutageEnded(body) => {
                let (policy, what) = (body.decision.policy, &body.dependency);
                outage(entry, policy, what, look, Topic::OutageEnded)
            }
            Body::Config(body) => {
                let mut steps = self.known(&body.what);
                steps.extend(alarmed(entry, look)?);
                Ok(steps)
            }
            Body::Applied(_) | Body::Reconciled(_) => alarmed(entry, look),
            Body::Genesis(_)
            | Body::Policy(_)
            | Body::PickedUp(_)
            | Body::Used(_)
            | Body::Refused(_)
            | Body::Locked(_)
            | Body::Unlocked(_)
            | Body::Reviewed(_)
            | Body::Drill(_)
            | Body::Anchor(_)
            | Body::Keys(_) => Ok(Vec::new()),
        }
    }

    /// The reminders that are due at `now`, the newest of each request.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a policy cannot be looked up.
    pub(super) fn remind(
        &mut self,
        now: Timestamp,
        look: &mut dyn Look,
    ) -> Result<Vec<Step>, DeskError> {
        let mut steps = Vec::new();
        for case in self.cases.values_mut().filter(|case| !case.settled) {
            let number = reminders::newest(case.at, self.remind_after, now);
            if number <= case.reminded || case.asked.lapses <= now {
                continue;
            }
            case.reminded = number;
            let policy = look.policy(case.policy)?;
            let Some(scope) = policy.scope(&case.asked.scope) else { continue };
            let people = case.unanswered(&policy, scope);
            let topic = Topic::Reminder(number);
            let at = (case.seq, case.at, case.asked.lapses);
            let steps_of = notices(at, &case.about, &policy, &look.in_force(), &people, &topic);
            // Those that the ledger knows from before a restart are not told again.
            let is_new = |step: &Step| match step {
                Step::Tell(notice) => !case.told.contains(&notice.id),
                Step::Settled(_) | Step::Known { .. } => true,
            };
            steps.extend(steps_of.into_iter().filter(is_new));
        }
        Ok(steps)
    }

    /// When the next reminder is due, if anything waits for an answer.
    pub(super) fn next_reminder(&self) -> Option<Timestamp> {
        let open = self.cases.values().filter(|case| !case.settled);
        let next = |case: &Case| {
            let at = reminders::due(case.at, self.remind_after, case.reminded.saturating_add(1))?;
            (at < case.asked.lapses).then_some(at)
        };
        open.filter_map(next).min()
    }

    fn approved(
        &mut self,
        entry: &Entry,
        body: &Approved,
        look: &mut dyn Look,
    ) -> Result<Vec<Step>, DeskError> {
        let id = body.link.grant;
        let Some(case) = self.case(id, entry.seq, look)? else { return Ok(Vec::new()) };
        case.approved(&body.stage, speaker(entry), body.missing);
        if body.missing > 0 {
            return Ok(Vec::new());
        }
        let mut steps = vec![Step::Settled(id)];
        let only = |_: &Policy, _: &Scope, case: &Case| BTreeSet::from([case.asked.by.clone()]);
        steps.extend(tell(entry, case, body.decision.policy, look, Topic::Approved, only)?);
        Ok(steps)
    }

    /// The request needs no answer any more; its requester and owners are told so.
    fn ended(
        &mut self,
        entry: &Entry,
        id: RequestId,
        policy: Digest,
        look: &mut dyn Look,
        topic: Topic,
    ) -> Result<Vec<Step>, DeskError> {
        let Some(case) = self.case(id, entry.seq, look)? else { return Ok(Vec::new()) };
        case.settled = true;
        // The new policy need not have the scope any more that it ended a request for.
        let policy = if let Topic::Disallowed(_) = topic { case.policy } else { policy };
        let mut steps = vec![Step::Settled(id)];
        steps.extend(tell(entry, case, policy, look, topic, requester_and_owners)?);
        Ok(steps)
    }

    fn revoked(
        &mut self,
        entry: &Entry,
        body: &Revoked,
        look: &mut dyn Look,
    ) -> Result<Vec<Step>, DeskError> {
        let Some(case) = self.case(body.link.grant, entry.seq, look)? else {
            return Ok(Vec::new());
        };
        let digest = body.decision.policy;
        let policy = look.policy(digest)?;
        let scope = policy.scope(&case.asked.scope);
        let review = scope.is_some_and(|scope| needs_review(scope, case.asked.lane));
        match (body.cause, review) {
            (Cause::Expired, false) => Ok(Vec::new()),
            (Cause::Expired, true) => {
                let owners =
                    |policy: &Policy, scope: &Scope, _: &Case| recipients::owners(policy, scope);
                tell(entry, case, digest, look, Topic::ReviewDue, owners)
            }
            (cause, review) => {
                let topic = Topic::Revoked(cause, review);
                tell(entry, case, digest, look, topic, requester_and_owners)
            }
        }
    }

    fn settle(&mut self, id: RequestId) -> Vec<Step> {
        if let Some(case) = self.cases.get_mut(&id) {
            case.settled = true;
        }
        vec![Step::Settled(id)]
    }

    fn known(&mut self, what: &ConfigChange) -> Vec<Step> {
        let ConfigChange::Notified(known) = what else { return Vec::new() };
        let id = self.begun.get(&known.entry);
        if let Some(case) = id.and_then(|id| self.cases.get_mut(id)) {
            case.told.insert(known.notice);
        }
        let (notice, delivered, attempts) = (known.notice, known.delivered, known.attempts);
        vec![Step::Known { notice, delivered, attempts }]
    }

    /// The request, from memory or from its entries before `seq`.
    fn case(
        &mut self,
        id: RequestId,
        seq: u64,
        look: &mut dyn Look,
    ) -> Result<Option<&mut Case>, DeskError> {
        if !self.cases.contains_key(&id) {
            let Some(case) = fold(&look.history(id, seq)?, look)? else { return Ok(None) };
            self.keep(case);
        }
        Ok(self.cases.get_mut(&id))
    }

    fn keep(&mut self, case: Case) {
        if self.cases.len() >= CASES_MAX {
            self.cases.retain(|_, case| !case.settled);
            self.begun.retain(|_, id| self.cases.contains_key(id));
        }
        self.begun.insert(case.seq, case.asked.id);
        self.cases.insert(case.asked.id, case);
    }
}

fn fold(entries: &[Entry], look: &mut dyn Look) -> Result<Option<Case>, DeskError> {
    let mut case: Option<Case> = None;
    for entry in entries {
        if let Body::Requested(body) = &entry.body {
            case = Case::begin(entry, body, look.policy(body.decision.policy)?.as_ref());
        }
        let Some(case) = &mut case else { continue };
        if let Body::Approved(body) = &entry.body {
            case.approved(&body.stage, speaker(entry), body.missing);
        }
        if let Body::Escalated(body) = &entry.body {
            case.escalate(&body.stage);
        }
        case.settled |= matches!(
            entry.body,
            Body::Denied(_) | Body::Withdrawn(_) | Body::Lapsed(_) | Body::Issued(_)
        );
    }
    Ok(case)
}

/// Whether somebody has to review a grant of `scope` that was made in `lane`.
fn needs_review(scope: &Scope, lane: Lane) -> bool {
    match lane {
        Lane::Emergency => true,
        Lane::Drill => false,
        Lane::Normal | Lane::Outage => scope.review_gate || scope.review_within.is_some(),
    }
}

/// Who said what the entry records.
fn speaker(entry: &Entry) -> Option<PrincipalId> {
    let signed = entry.body.signed()?;
    Statement::parse(signed.statement.as_bytes()).ok()?.by().cloned()
}

#[cfg(test)]
mod tests;
