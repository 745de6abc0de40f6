//! What became of grants that were issued: time used, reviews owed, drills passed.

use std::collections::{HashMap, VecDeque};

use super::grant::{Grant, State};
use crate::bytes::Digest;
use crate::id::RequestId;
use crate::policy::BUDGET_WINDOW_MAX_SECONDS;
use crate::principal::{PrincipalId, ScopeId};
use crate::statement::{Lane, ReviewVerdict};
use crate::time::{Timestamp, Ttl};

#[derive(Default)]
pub(super) struct History {
    spans: HashMap<(ScopeId, PrincipalId), VecDeque<Span>>,
    /// Grants whose credential was taken back.
    pub(super) past: HashMap<RequestId, Past>,
    owed: HashMap<ScopeId, Owed>,
    /// When a drill of the scope was last passed.
    pub(super) drills: HashMap<ScopeId, Timestamp>,
}

/// One credential's time.
struct Span {
    request: RequestId,
    issued: Timestamp,
    valid_before: Timestamp,
    ended: Option<Timestamp>,
}

/// A grant that ended, as far as its review needs it.
pub(super) struct Past {
    pub(super) scope: ScopeId,
    pub(super) by: PrincipalId,
    pub(super) behind: Box<[PrincipalId]>,
    pub(super) approvers: Box<[PrincipalId]>,
    pub(super) statement: Digest,
    pub(super) lane: Lane,
    pub(super) ttl: Ttl,
    pub(super) incident: bool,
    pub(super) reviewed: Option<ReviewVerdict>,
}

/// Grants of a scope that ended and were not reviewed.
#[derive(Clone, Copy, Default)]
struct Owed {
    all: u64,
    emergencies: u64,
}

/// Seconds used of a budget: a span that ended late counts to its end or to when that was written.
#[derive(Clone, Copy)]
pub(super) struct Used {
    pub(super) least: u64,
    pub(super) most: u64,
}

impl History {
    /// A credential is out.
    pub(super) fn issued(&mut self, grant: &Grant, issued: Timestamp, valid_before: Timestamp) {
        if grant.ask.lane == Lane::Drill {
            return;
        }
        let key = (grant.ask.scope.clone(), grant.ask.by.clone());
        let spans = self.spans.entry(key).or_default();
        // What is older than any window has no bearing on anything.
        let horizon = issued.minus(BUDGET_WINDOW_MAX_SECONDS.into());
        while spans.front().is_some_and(|old| old.ended.is_some_and(|end| end < horizon)) {
            spans.pop_front();
        }
        spans.push_back(Span { request: grant.ask.id, issued, valid_before, ended: None });
    }

    /// A credential was taken back at `at`.
    pub(super) fn ended(&mut self, grant: &Grant, at: Timestamp) {
        let key = (grant.ask.scope.clone(), grant.ask.by.clone());
        let spans = self.spans.get_mut(&key);
        let span = spans
            .and_then(|spans| spans.iter_mut().rev().find(|span| span.request == grant.ask.id));
        if let Some(span) = span {
            span.ended = Some(at);
        }
        let approvers = grant.approvals.iter().map(|given| given.by.clone());
        let past = Past {
            scope: grant.ask.scope.clone(),
            by: grant.ask.by.clone(),
            behind: grant.ask.on_behalf_of.clone().into(),
            approvers: approvers.collect(),
            statement: grant.statement,
            lane: grant.ask.lane,
            ttl: grant.ask.ttl,
            incident: grant.ask.incident.is_some(),
            reviewed: None,
        };
        self.owe(&past, true);
        self.past.insert(grant.ask.id, past);
    }

    /// A grant was reviewed.
    pub(super) fn reviewed(&mut self, id: RequestId, verdict: ReviewVerdict) {
        let Some(mut past) = self.past.remove(&id) else { return };
        if past.reviewed.replace(verdict).is_none() {
            self.owe(&past, false);
        }
        self.past.insert(id, past);
    }

    fn owe(&mut self, past: &Past, comes: bool) {
        if past.lane == Lane::Drill {
            return;
        }
        let owed = self.owed.entry(past.scope.clone()).or_default();
        let change =
            |count: u64| if comes { count.saturating_add(1) } else { count.saturating_sub(1) };
        owed.all = change(owed.all);
        if past.lane == Lane::Emergency {
            owed.emergencies = change(owed.emergencies);
        }
    }

    /// Whether a review of the scope is missing; `gated` if every grant's has to be there.
    pub(super) fn owes_review(&self, scope: &ScopeId, gated: bool) -> bool {
        let owed = self.owed.get(scope).copied().unwrap_or_default();
        if gated { owed.all > 0 } else { owed.emergencies > 0 }
    }

    /// When the last grant of the scope to `by` ended.
    pub(super) fn last_end(&self, scope: &ScopeId, by: &PrincipalId) -> Option<Timestamp> {
        let spans = self.spans.get(&(scope.clone(), by.clone()))?;
        spans.iter().filter_map(|span| span.ended).max()
    }

    /// Seconds that `by` had of the scope since `from`, to come included.
    pub(super) fn used(&self, scope: &ScopeId, by: &PrincipalId, from: Timestamp) -> Used {
        let mut used = Used { least: 0, most: 0 };
        let Some(spans) = self.spans.get(&(scope.clone(), by.clone())) else { return used };
        for span in spans {
            let begin = span.issued.max(from);
            let late = span.ended.unwrap_or(span.valid_before);
            let early = late.min(span.valid_before);
            used.least = used.least.saturating_add(early.since(begin));
            used.most = used.most.saturating_add(late.since(begin));
        }
        used
    }

    /// Seconds since `from` that a live grant itself has, to come included.
    pub(super) fn own(&self, grant: &Grant, from: Timestamp) -> u64 {
        let spans = self.spans.get(&(grant.ask.scope.clone(), grant.ask.by.clone()));
        let is_it = |span: &&Span| span.request == grant.ask.id && span.ended.is_none();
        let own = spans.and_then(|spans| spans.iter().rev().find(is_it));
        own.map_or(0, |span| span.valid_before.since(span.issued.max(from)))
    }
}

impl Past {
    /// Whether `who` asked, stands behind who asked, or agreed.
    pub(super) fn has_part(&self, who: &PrincipalId) -> bool {
        self.by == *who || self.behind.contains(who) || self.approvers.contains(who)
    }
}

/// Whether a credential is out.
pub(super) const fn is_live(grant: &Grant) -> bool {
    matches!(grant.state, State::Live(_))
}
