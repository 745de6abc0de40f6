//! What is known when a command is decided: gathered inside the transaction that records it.

use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{Origin, ScopeId};
use breakglass_ledger::statement::{Act, Ask, Kind, Lane, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_ledger::tree;
use breakglass_rules::eligibility::Rules;
use breakglass_rules::{Facts, History, Landing, Request, SeenVerdict, World};

use super::DeskError;
use super::batch::Batch;

/// A deadline this much overdue means that the sweep is not working, whatever it says of itself:
/// nothing is granted then. Six times the sweep's longest nap.
const SWEEP_LATE_SECONDS: u64 = 30;

/// The facts, owned.
pub(super) struct Known {
    now: Timestamp,
    head_time: Timestamp,
    log: Origin,
    policy: Arc<Policy>,
    rules: Arc<Rules>,
    policy_at_request: Option<Arc<Policy>>,
    pub(super) request: Option<Request>,
    live_in_scope: u32,
    open_duplicate: Option<RequestId>,
    id_taken: bool,
    subject_used: bool,
    recorded: Option<u64>,
    seen_ok: SeenVerdict,
    world: Arc<World>,
    pub(super) history: History,
    pub(super) landing: Landing,
    can_revoke: bool,
    mints: Vec<Kind>,
}

impl Known {
    /// Whether the policy in force has rules of its own.
    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_none()
    }

    /// The facts as the rules take them.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            head_time: self.head_time,
            log: &self.log,
            policy: &self.policy,
            rules: &self.rules,
            policy_at_request: self.policy_at_request.as_deref(),
            request: self.request.as_ref(),
            live_in_scope: self.live_in_scope,
            open_duplicate: self.open_duplicate,
            id_taken: self.id_taken,
            subject_used: self.subject_used,
            recorded: self.recorded,
            seen_ok: self.seen_ok,
            world: &self.world,
            history: &self.history,
            landing: &self.landing,
            can_revoke: self.can_revoke,
            mints: &self.mints,
        }
    }
}

impl Batch<'_, '_> {
    /// What there is to know about a statement.
    pub(super) fn known(&mut self, statement: &Statement) -> Result<Known, DeskError> {
        let request = match statement.about() {
            Some(digest) => self.request_by_digest(digest)?,
            None => match self.locked_grant(statement) {
                Some(id) => self.memory.request(&*self.tx, id)?.cloned(),
                None => None,
            },
        };
        if let Some(known) = self.known_of_report(statement.act())? {
            return self.known_of_statement(known, statement);
        }
        let mut known = self.known_of(request)?;
        if let Act::Request(ask) = statement.act() {
            self.learn_of_others(&mut known, ask)?;
        }
        self.remember(&mut known, statement.act())?;
        self.known_of_statement(known, statement)
    }

    /// The same, with what there is to know about the statement as such.
    fn known_of_statement(
        &self,
        mut known: Known,
        statement: &Statement,
    ) -> Result<Known, DeskError> {
        if let Some(expires) = statement.expires() {
            known.recorded = self.tx.statement_seq(statement.digest(), expires)?;
        }
        known.seen_ok = self.seen(statement)?;
        if let Act::Collect(collect) = statement.act() {
            // By its own kind: the others have other keys.
            known.can_revoke &= self.mint.can_sign(collect.kind);
        }
        Ok(known)
    }

    /// What there is to know about a request when the clock or the policy asks.
    pub(super) fn known_of(&mut self, request: Option<Request>) -> Result<Known, DeskError> {
        let (mut live_in_scope, mut drilled, mut policy_at_request) = (0, None, None);
        if let Some(request) = &request {
            let asked = request.asked();
            (live_in_scope, drilled) = self.use_of(&asked.ask.scope)?;
            policy_at_request = match self.memory.policy(&*self.tx, asked.policy) {
                Ok(policy) => Some(policy),
                Err(DeskError::Store(error)) => return Err(DeskError::Store(error)),
                // Indeterminate is never "no approval needed": the rules take `None` as a no.
                Err(error) => {
                    crate::report::fault("reading the policy of a request", &error);
                    None
                }
            };
        }
        let drill_age = drilled.map(|at| self.second().since(at));
        Ok(Known {
            now: self.now.second(),
            head_time: self.tx.time().second(),
            log: self.log().clone(),
            policy: Arc::clone(self.memory.in_force()),
            rules: Arc::clone(self.memory.rules()),
            policy_at_request,
            request,
            live_in_scope,
            open_duplicate: None,
            id_taken: false,
            subject_used: false,
            recorded: None,
            seen_ok: SeenVerdict::Ours,
            world: Arc::clone(self.memory.world()),
            history: History { drill_age, ..History::NONE },
            landing: Landing::NONE,
            can_revoke: self.can_revoke && !self.sweep_is_late()?,
            mints: self.mint.public().kinds(),
        })
    }

    fn learn_of_others(&mut self, known: &mut Known, ask: &Ask) -> Result<(), DeskError> {
        self.learn_of_use(known, &ask.scope)?;
        for id in self.tx.open_of(&ask.by, &ask.scope)? {
            self.learn_of_open(known, ask, id)?;
        }
        known.id_taken = self.tx.request(ask.id)?.is_some();
        if let Some(key) = &ask.key {
            known.subject_used = self.tx.in_progress_by_subject(key.digest())?.is_some();
        }
        Ok(())
    }

    fn learn_of_use(&self, known: &mut Known, scope: &ScopeId) -> Result<(), DeskError> {
        let (live, drilled) = self.use_of(scope)?;
        known.live_in_scope = live;
        known.history.drill_age = drilled.map(|at| self.second().since(at));
        Ok(())
    }

    /// How many grants of `scope` are alive, and when its newest passed drill was. A database that
    /// says less than we know makes no room.
    fn use_of(&self, scope: &ScopeId) -> Result<(u32, Option<Timestamp>), DeskError> {
        let (live, drilled) = self.tx.use_of(scope)?;
        Ok((live.max(self.memory.live.of(scope)), drilled))
    }

    /// Another request of the same person for the same scope waits: either this one repeats it, or
    /// it is what an emergency needs.
    fn learn_of_open(
        &mut self,
        known: &mut Known,
        ask: &Ask,
        id: RequestId,
    ) -> Result<(), DeskError> {
        if ask.lane == Lane::Emergency
            && let Some(open) = self.memory.request(&*self.tx, id)?
            && matches!(open.asked().ask.lane, Lane::Normal | Lane::Outage)
        {
            known.history.waiting = Some(open.clone());
        } else {
            known.open_duplicate = known.open_duplicate.or(Some(id));
        }
        Ok(())
    }

    /// The second that what is decided now will be dated.
    pub(super) fn second(&self) -> Timestamp {
        self.now.max(self.tx.time()).second()
    }

    fn request_by_digest(&mut self, digest: Digest) -> Result<Option<Request>, DeskError> {
        let Some(id) = self.tx.request_by_digest(digest)? else { return Ok(None) };
        Ok(self.memory.request(&*self.tx, id)?.cloned())
    }

    fn sweep_is_late(&self) -> Result<bool, DeskError> {
        let due = self.next_due()?;
        Ok(due.is_some_and(|due| self.now.second().since(due) > SWEEP_LATE_SECONDS))
    }

    /// Compares the head that the signer saw with this ledger.
    fn seen(&self, statement: &Statement) -> Result<SeenVerdict, DeskError> {
        let Some(seen) = statement.seen() else { return Ok(SeenVerdict::Ours) };
        let Some(root) = seen.root else { return Ok(SeenVerdict::Ours) };
        if seen.size > self.tx.size() {
            return Ok(SeenVerdict::Future);
        }
        let ours = match self.memory.root_at(seen.size) {
            Some(root) => root,
            None => tree::root_at(self.tx, seen.size)?,
        };
        Ok(if ours == root { SeenVerdict::Ours } else { SeenVerdict::Mismatch })
    }
}
