//! One request in a view: put together from its entries and the policy, nothing looked up.

use std::collections::BTreeSet;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Cause, Entry, Outcome, Signed};
use breakglass_ledger::policy::{Approval, Members, Policy, Stage};
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Ask, Lane, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;

use super::limits::MAY_APPROVE_MAX;
use super::next;
use crate::store::{Opening, Record, StoreError};

/// What the entries of one request tell.
pub(super) struct Story {
    ask: Ask,
    reason: Option<Digest>,
    comments: Vec<Digest>,
    approvals: Vec<Approved>,
    missing: Option<u64>,
    escalated: Vec<StageId>,
    ended: Option<Timestamp>,
    view: v1::RequestView,
}

/// One approval.
struct Approved {
    stage: StageId,
    by: PrincipalId,
    given: v1::GivenView,
}

/// When the view is made.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// Time of the newest entry of the ledger.
    pub(super) head: Timestamp,
    /// The broker's clock.
    pub(super) now: Timestamp,
}

impl Story {
    /// Reads the entries of one request, in order; `None` if there are none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if an entry does not read back as part of a request.
    pub(super) fn read(records: &[Record]) -> Result<Option<Self>, StoreError> {
        let mut story: Option<Self> = None;
        for record in records {
            let entry = record.parse()?;
            match &mut story {
                Some(story) => story.go_on(record.seq, &entry)?,
                None => story = Some(Self::begin(record.seq, &entry)?),
            }
        }
        if let Some(story) = &mut story {
            story.view.entries = records.iter().map(|record| record.bytes.clone()).collect();
        }
        Ok(story)
    }

    /// The commitments of every text that belongs to the story.
    pub(super) fn commitments(&self) -> Vec<Digest> {
        self.reason.iter().chain(&self.comments).copied().collect()
    }

    /// The view, with those of `texts` that belong to it.
    pub(super) fn view(
        self,
        policy: &Policy,
        texts: Vec<Opening>,
        times: Times,
    ) -> v1::RequestView {
        let stages = self.stages(policy);
        let complete = self.is_complete(policy, times.now);
        let (ask, ended, mut view) = (self.ask, self.ended, self.view);
        let asked_at = Timestamp::from_unix_seconds(view.asked_at);
        view.opens_at = next::opens_at(policy, &ask, asked_at).map_or(0, Timestamp::unix_seconds);
        if let (Some(ended), Some(scope)) = (ended, policy.scope(&ask.scope)) {
            next::aftermath(scope, &ask, ended, &mut view);
        }
        if complete && view.state() == v1::State::Pending {
            view.set_state(v1::State::Approved);
        }
        for text in texts {
            if self.reason == Some(text.digest) {
                view.reason_text = text.text;
                view.reason_salt = text.salt.to_vec();
            } else {
                view.comments.push(opening(text));
            }
        }
        view.stages = stages;
        view.policy_digest = policy.digest.to_string();
        view.head_at = times.head.unix_seconds();
        view.answered_at = times.now.unix_seconds();
        view
    }

    fn begin(seq: u64, entry: &Entry) -> Result<Self, StoreError> {
        let rule = "the first entry of a request asks for something";
        let Body::Requested(body) = &entry.body else {
            return Err(StoreError::Corrupt { seq, rule });
        };
        let statement = parse(seq, &body.signed)?;
        let Act::Request(ask) = statement.act() else {
            return Err(StoreError::Corrupt { seq, rule });
        };
        let view = v1::RequestView {
            id: ask.id.to_string(),
            state: v1::State::Pending.into(),
            statement: body.signed.statement.clone().into_bytes(),
            signature: body.signed.signature.clone(),
            asked_at: entry.time.second().unix_seconds(),
            lapses_at: body.lapses.unix_seconds(),
            ..v1::RequestView::default()
        };
        let (ask, reason) = (ask.clone(), ask.reason);
        let (comments, approvals) = (Vec::new(), Vec::new());
        let (missing, escalated, ended) = (None, Vec::new(), None);
        Ok(Self { ask, reason, comments, approvals, missing, escalated, ended, view })
    }

    fn go_on(&mut self, seq: u64, entry: &Entry) -> Result<(), StoreError> {
        let mut by = None;
        if let Some(signed) = entry.body.signed() {
            let statement = parse(seq, signed)?;
            self.comments.extend(statement.act().text());
            by = statement.by().cloned();
        }
        match &entry.body {
            Body::Approved(body) => {
                self.missing = Some(body.missing);
                let at = entry.time.second();
                self.approvals.push(approved(seq, at, &body.signed, body.stage.clone(), by)?);
            }
            Body::Denied(_) => self.end(Outcome::Denied, by),
            Body::Withdrawn(_) => self.end(Outcome::Withdrawn, by),
            Body::Lapsed(body) => {
                if let Some(rules) = body.decision.after_policy() {
                    self.view.cause = Cause::PolicyChanged.name().to_owned();
                    self.view.ended_rule = rules.join(", ");
                }
                self.end(Outcome::Lapsed, None);
            }
            Body::Issued(body) => {
                self.view.set_state(v1::State::Live);
                self.view.expires_at = body.grant_ends().unix_seconds();
                // The first stands for the grant; further ones are told by their own entries.
                if self.view.serial == 0 {
                    self.view.serial = body.serial;
                    self.view.certificate = body.certificate.clone().unwrap_or_default();
                }
            }
            Body::Revoked(body) => {
                self.view.cause = body.cause.name().to_owned();
                if body.cause == Cause::PolicyChanged {
                    self.view.ended_rule = body.decision.rules.join(", ");
                }
                self.ended = Some(entry.time.second());
                self.end(Outcome::Revoked, by);
            }
            Body::Closed(body) => {
                self.view.outcome = body.outcome.name().to_owned();
                self.view.set_state(v1::State::Closed);
            }
            Body::Escalated(body) => self.escalated.push(body.stage.clone()),
            Body::PickedUp(_) | Body::Used(_) => {}
            // No part of a request's chain: the store does not file them under one.
            Body::Genesis(_)
            | Body::Policy(_)
            | Body::Requested(_)
            | Body::Applied(_)
            | Body::Refused(_)
            | Body::Locked(_)
            | Body::Unlocked(_)
            | Body::OutageBegan(_)
            | Body::OutageEnded(_)
            | Body::Reviewed(_)
            | Body::Drill(_)
            | Body::Anchor(_)
            | Body::Keys(_)
            | Body::Reconciled(_)
            | Body::Config(_) => {
                return Err(StoreError::Corrupt { seq, rule: "it belongs to a request's chain" });
            }
        }
        Ok(())
    }

    fn end(&mut self, outcome: Outcome, by: Option<PrincipalId>) {
        self.view.set_state(v1::State::Ended);
        self.view.outcome = outcome.name().to_owned();
        self.view.ended_by = by.map(|by| by.to_string()).unwrap_or_default();
    }

    /// Whether nothing but collecting is left to do.
    fn is_complete(&self, policy: &Policy, now: Timestamp) -> bool {
        let scope = policy.scope(&self.ask.scope);
        if self.ask.lane == Lane::Emergency {
            let asked_at = Timestamp::from_unix_seconds(self.view.asked_at);
            let opens_at = next::opens_at(policy, &self.ask, asked_at);
            return opens_at.is_some_and(|opens_at| opens_at <= now);
        }
        self.missing == Some(0) || scope.is_some_and(|scope| scope.approval == Approval::None)
    }

    fn stages(&self, policy: &Policy) -> Vec<v1::StageView> {
        let asks = self.ask.lane != Lane::Emergency;
        let scope = policy.scope(&self.ask.scope).filter(|_| asks);
        let stages = scope.map_or(&[][..], |scope| scope.stages());
        stages.iter().map(|stage| self.stage(policy, stage)).collect()
    }

    fn stage(&self, policy: &Policy, stage: &Stage) -> v1::StageView {
        let here = |approval: &&Approved| approval.stage == stage.name;
        let given = self.approvals.iter().filter(here).map(|one| one.given.clone()).collect();
        let waits = self.view.state() == v1::State::Pending;
        let escalated = self.escalated.contains(&stage.name);
        let able = |members: &[Members]| -> BTreeSet<String> {
            let all = policy.people.all_of(members).into_iter();
            let able = all.filter(|id| waits && self.may_approve(policy, id));
            able.take(MAY_APPROVE_MAX).map(ToString::to_string).collect()
        };
        let (mut may_approve, mut escalates_to) = (able(&stage.approvers), able(&stage.escalate));
        if escalated {
            may_approve.append(&mut escalates_to);
        }
        let asked_at = Timestamp::from_unix_seconds(self.view.asked_at);
        let escalates_at = next::escalates_at(stage, &self.escalated, asked_at);
        v1::StageView {
            name: stage.name.to_string(),
            quorum: stage.quorum,
            given,
            may_approve: may_approve.into_iter().take(MAY_APPROVE_MAX).collect(),
            escalates_at: escalates_at.filter(|_| waits).map_or(0, Timestamp::unix_seconds),
            escalated,
            escalates_to: escalates_to.into_iter().collect(),
        }
    }

    /// Whether `id` can still sign and count: a person with a key, not one of those who ask, and not
    /// counted yet (a person counts once, in one stage).
    fn may_approve(&self, policy: &Policy, id: &PrincipalId) -> bool {
        *id != self.ask.by
            && !self.ask.on_behalf_of.contains(id)
            && self.approvals.iter().all(|approval| approval.by != *id)
            && policy.principal(id).is_some_and(|principal| principal.can_approve())
    }
}

/// The same view as a line of a list: without what only one who looks closer needs.
pub(super) fn in_list(view: v1::RequestView) -> v1::RequestView {
    let (entries, comments) = (Vec::new(), Vec::new());
    v1::RequestView { entries, comments, certificate: String::new(), ..view }
}

/// Whether two views of one request say the same, but for when they were made.
pub(super) fn is_same(one: &v1::RequestView, other: &v1::RequestView) -> bool {
    let timeless =
        |view: &v1::RequestView| v1::RequestView { head_at: 0, answered_at: 0, ..view.clone() };
    timeless(one) == timeless(other)
}

/// A stored text on the wire.
pub(super) fn opening(text: Opening) -> v1::Opening {
    let Opening { digest, salt, text, .. } = text;
    v1::Opening { digest: digest.as_bytes().to_vec(), salt: salt.to_vec(), text }
}

fn approved(
    seq: u64,
    at: Timestamp,
    signed: &Signed,
    stage: StageId,
    by: Option<PrincipalId>,
) -> Result<Approved, StoreError> {
    let signature = SshSig::parse(&signed.signature)
        .map_err(|_| StoreError::Corrupt { seq, rule: "its signature has the form of one" })?;
    let by = by.ok_or(StoreError::Corrupt { seq, rule: "its statement says who speaks" })?;
    let given = v1::GivenView {
        by: by.to_string(),
        at: at.unix_seconds(),
        key_fingerprint: signature.public_key().fingerprint().to_string(),
        seq,
    };
    Ok(Approved { stage, by, given })
}

fn parse(seq: u64, signed: &Signed) -> Result<Statement, StoreError> {
    Statement::parse(signed.statement.as_bytes())
        .map_err(|_| StoreError::Corrupt { seq, rule: "its statement has the form of one" })
}
