//! What a question supposes: a request that was never made, and what is true besides.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Outcome;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Scope, Stage};
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::statement::{Act, Ask, Kind, Lane, Target, commitment};
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::{
    Asked, Ended, Given, History, Issued, Live, Lock, Outage, Pending, Request, World,
};

use super::Hearing;
use crate::failure::Failure;
use crate::policy::question::{Question, Terms};

/// What is true besides the request.
#[derive(Clone, Debug, Default)]
pub struct Beyond {
    /// What is locked, and what is down.
    pub world: World,
    /// What was done with the scope before.
    pub history: History,
    /// Grants of the scope that are alive.
    pub live: u32,
}

impl Hearing<'_> {
    /// What is known to be true besides `ask`, or what `terms` say is.
    pub(super) fn beyond(&self, terms: &Terms, ask: &Ask) -> Beyond {
        self.known.clone().unwrap_or_else(|| self.supposed(terms, ask))
    }

    /// What `terms` say is true besides `ask`, whatever is known.
    #[must_use]
    pub fn supposed(&self, terms: &Terms, ask: &Ask) -> Beyond {
        let (world, history) = (self.world(terms, ask), self.history(terms, ask));
        Beyond { world, history, live: terms.live }
    }

    /// Whether the dependency of the scope is measured down, and since when; and what is locked.
    fn world(&self, terms: &Terms, ask: &Ask) -> World {
        let mut world = World::default();
        let dependency = self.policy.scope(&ask.scope).and_then(|scope| scope.outage.clone());
        if let (Some(dependency), Some(seconds)) = (dependency, terms.outage) {
            let measured = Some(terms.at.minus(seconds));
            world.outages.insert(dependency, Outage { measured, ..Outage::default() });
        }
        for target in &terms.locked {
            let lock = lock_on(target, &ask.by);
            world.locks.insert(lock.statement, lock);
        }
        world
    }

    /// What the requester, and others, did with the scope before.
    fn history(&self, terms: &Terms, ask: &Ask) -> History {
        let waiting = terms.unanswered.filter(|_| ask.lane == Lane::Emergency);
        let waiting = waiting.map(|seconds| {
            let (at, ordinary) =
                (terms.at.minus(seconds), Ask { lane: Lane::Normal, ..ask.clone() });
            let waits = self.policy.scope(&ask.scope).map_or(0, |scope| scope.pending_max);
            let (key, lapses) = (self.key_of(&ask.by).fingerprint(), at.plus(u64::from(waits)));
            let policy = self.policy.digest;
            let asked = Asked::supposed(ordinary, Digest::ZERO, key, policy, at, lapses);
            Request::Pending(Pending { asked, given: Vec::new(), escalated: Vec::new() })
        });
        History {
            budget_used: terms.budget_used,
            last_end: terms.rested.map(|seconds| terms.at.minus(seconds)),
            unreviewed: terms.is_unreviewed.then(|| RequestId::new(0, [1; 10])),
            drill_age: terms.drill_age,
            waiting,
            reviewed: terms.reviewed,
            ..History::NONE
        }
    }

    /// The request of the question, made `at` by `requester`, waiting, with no approvals yet.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be written as a statement.
    pub fn pending(
        &self,
        requester: &PrincipalId,
        question: &Question,
        at: Timestamp,
    ) -> Result<Pending, Failure> {
        let ask = self.wish(requester, question);
        let statement = self.statement(Act::Request(ask.clone()), at)?.digest();
        let waits = self.policy.scope(&question.scope).map_or(0, |scope| scope.pending_max);
        let (key, lapses) = (self.key_of(requester).fingerprint(), at.plus(u64::from(waits)));
        let stages = self.policy.scope(&question.scope).map(Scope::stages).unwrap_or_default();
        // The clock escalates what is silent for so long.
        let waited = question.terms.at.since(at);
        let is_over =
            |stage: &&Stage| stage.within.is_some_and(|within| u64::from(within) <= waited);
        let escalated = stages.iter().filter(is_over).map(|stage| stage.name.clone()).collect();
        let asked = Asked::supposed(ask, statement, key, self.policy.digest, at, lapses);
        Ok(Pending { asked, given: Vec::new(), escalated })
    }

    pub(super) fn wish(&self, requester: &PrincipalId, question: &Question) -> Ask {
        let Question { scope, terms, .. } = question;
        Ask {
            id: RequestId::new(0, [0; 10]),
            by: requester.clone(),
            scope: scope.clone(),
            kinds: vec![Kind::Ssh],
            lane: terms.lane,
            ttl: self.ttl(question),
            incident: terms.incident.clone(),
            reason: terms.has_reason.then(|| commitment(&[0; 32], "a reason")),
            key: Some(self.subject.clone()),
            on_behalf_of: terms.on_behalf_of.clone(),
        }
    }

    /// How long the grant of the question shall live.
    #[must_use]
    pub fn ttl(&self, question: &Question) -> Ttl {
        let usual = Ttl::from_seconds(USUAL_TTL_SECONDS).unwrap_or(Ttl::MAX);
        let most = self.policy.scope(&question.scope).map_or(Ttl::MAX, |scope| scope.ttl_max);
        question.terms.ttl.unwrap_or_else(|| usual.min(most))
    }

    /// An approval on record, as if it had been judged.
    #[must_use]
    pub fn given(&self, asked: &Asked, who: &PrincipalId, stage: &StageId) -> Given {
        Given {
            by: who.clone(),
            stage: stage.clone(),
            ttl_max: asked.ask.ttl,
            seq: 0,
            key: self.key_of(who).fingerprint(),
            at: asked.at,
        }
    }
}

/// The grant that such a request would have become.
pub(super) fn live(pending: Pending, at: Timestamp) -> Live {
    let Pending { asked, given, escalated } = pending;
    let issued = Issued {
        seq: 0,
        entry: Digest::ZERO,
        kind: Kind::Ssh,
        serial: 0,
        valid_after: at,
        valid_before: at.plus(u64::from(asked.ask.ttl.seconds())),
        policy: asked.policy,
        ends: at.plus(u64::from(asked.ask.ttl.seconds())),
        picked_up: None,
    };
    Live { asked, given, escalated, issued, further: Vec::new() }
}

/// The same once its time is over.
pub(super) fn over(pending: Pending, at: Timestamp) -> Ended {
    let Live { asked, given, issued, further, .. } = live(pending, at);
    Ended { asked, given, outcome: Outcome::Revoked, issued: Some(issued), further }
}

/// A lock on `target` that stands; who set it is of no importance to the rules.
pub(super) fn lock_on(target: &Target, by: &PrincipalId) -> Lock {
    let statement = Digest::of(target.to_string().as_bytes());
    Lock { statement, seq: 0, by: by.clone(), target: target.clone(), until: None, comment: None }
}

/// What people ask for when they say nothing else: the default of `breakglass request`.
const USUAL_TTL_SECONDS: u32 = 1_800;
