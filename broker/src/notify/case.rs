//! What telling needs to know of one request, folded from its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Entry, Requested};
use breakglass_ledger::policy::{Policy, Scope, Stage};
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::statement::{Act, Lane, Statement};
use breakglass_ledger::time::Timestamp;

use super::notice::{About, Asked};
use super::recipients::approvers;

/// Length of the beginning of a fingerprint that people compare: `SHA256:` and 72 bits.
const FINGERPRINT_CHARS: usize = 19;

/// One request.
pub(super) struct Case {
    /// `seq` of its first entry.
    pub(super) seq: u64,
    /// When it was asked.
    pub(super) at: Timestamp,
    /// What it asks, as notices say it.
    pub(super) about: Arc<About>,
    /// The same.
    pub(super) asked: Asked,
    /// Digest of the policy when it was asked.
    pub(super) policy: Digest,
    /// Whether no answer is wanted any more.
    pub(super) settled: bool,
    /// The newest reminder so far; 0 before the first.
    pub(super) reminded: u32,
    /// What became of its notices is on record for these.
    pub(super) told: BTreeSet<Salt>,
    given: BTreeMap<StageId, BTreeSet<PrincipalId>>,
    escalated: BTreeSet<StageId>,
}

impl Case {
    /// The request that `entry` begins; `None` if it does not read as one.
    pub(super) fn begin(entry: &Entry, body: &Requested, policy: &Policy) -> Option<Self> {
        let statement = Statement::parse(body.signed.statement.as_bytes()).ok()?;
        let Act::Request(ask) = statement.act() else { return None };
        let title = policy.scope(&ask.scope).map(|scope| scope.title.clone());
        let key = ask.key.as_ref().map(|key| key.fingerprint().to_string());
        let asked = Asked {
            id: ask.id,
            by: ask.by.clone(),
            scope: ask.scope.clone(),
            title: title.unwrap_or_default(),
            lane: ask.lane,
            ttl: ask.ttl,
            incident: ask.incident.clone(),
            fingerprint: key.map(|key| key.chars().take(FINGERPRINT_CHARS).collect()),
            lapses: body.lapses,
        };
        Some(Self {
            seq: entry.seq,
            at: entry.time.second(),
            about: Arc::new(About::Request(asked.clone())),
            asked,
            policy: body.decision.policy,
            settled: false,
            reminded: 0,
            told: BTreeSet::new(),
            given: BTreeMap::new(),
            escalated: BTreeSet::new(),
        })
    }

    /// Somebody approved in `stage`; `missing` approvals are still to come.
    pub(super) fn approved(&mut self, stage: &StageId, by: Option<PrincipalId>, missing: u64) {
        self.given.entry(stage.clone()).or_default().extend(by);
        self.settled |= missing == 0;
    }

    /// `stage` was passed on.
    pub(super) fn escalate(&mut self, stage: &StageId) {
        self.escalated.insert(stage.clone());
    }

    /// Those who could still answer: approvers of stages without their quorum who have not answered.
    /// Nobody's answer is needed in the emergency lane.
    pub(super) fn unanswered(&self, policy: &Policy, scope: &Scope) -> BTreeSet<PrincipalId> {
        if self.settled || self.asked.lane == Lane::Emergency {
            return BTreeSet::new();
        }
        let answered: BTreeSet<_> = self.given.values().flatten().collect();
        let is_open = |stage: &&Stage| {
            let given = self.given.get(&stage.name).map_or(0, BTreeSet::len);
            u32::try_from(given).is_ok_and(|given| given < stage.quorum)
        };
        let open = scope.stages().iter().filter(is_open);
        let of = |stage: &Stage| {
            let escalated = self.escalated.contains(&stage.name);
            approvers(policy, stage, escalated, &self.asked.by)
        };
        open.flat_map(of).filter(|id| !answered.contains(id)).collect()
    }
}
