//! Deadlines beyond those that the store keeps with each request: in memory, in the order in which
//! they come, gathered from the ledger at the start and after every change of policy.
//!
//! An agenda only says when to look. Whether anything is to be done is judged by the rules, so one
//! that names too much costs a look, and is never wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::ScopeId;
use breakglass_ledger::statement::{Lane, List};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Asked, Request};

use super::DeskError;
use super::memory::Memory;
use crate::store::{Anchored, PAGE_ROWS_MAX, StoreError};

/// What is to be looked at when its time has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A stage of this request has waited `within`.
    Escalate(RequestId),
    /// The revocation of this entry, which is on this list, should be in force at every target that
    /// goes by the list by now.
    Landing(List, u64),
}

/// What is to be looked at, and when.
#[derive(Debug, Default)]
pub(super) struct Agenda(BTreeSet<(Timestamp, Task)>);

impl Agenda {
    /// Looks at `task` at `at`, once however often this is said.
    pub(super) fn add(&mut self, at: Timestamp, task: Task) {
        self.0.insert((at, task));
    }

    /// Looks at the landing of entry `seq` by `list`, instead of an earlier one that is looked at in that
    /// second: what was revoked in the same second before it is on the same lists.
    pub(super) fn expect_landing(&mut self, at: Timestamp, list: List, seq: u64) {
        let is_of_list = |(when, what): &&(Timestamp, Task)| {
            *when == at && matches!(what, Task::Landing(other, _) if *other == list)
        };
        if let Some(before) = self.0.iter().rev().find(is_of_list).cloned() {
            self.0.remove(&before);
        }
        self.add(at, Task::Landing(list, seq));
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the first task whose time has come at `now`.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Task> {
        let (at, _) = self.0.first()?;
        (*at <= now).then(|| self.0.pop_first()).flatten().map(|(_, task)| task)
    }

    /// Looks at each stage of a request when its time to answer is over.
    pub(super) fn expect_answers(&mut self, policy: &Policy, asked: &Asked) {
        let ask = &asked.ask;
        let Some(scope) = policy.scope(&ask.scope).filter(|_| ask.lane != Lane::Emergency) else {
            return;
        };
        for within in scope.stages().iter().filter_map(|stage| stage.within) {
            self.add(asked.at.plus(u64::from(within)), Task::Escalate(ask.id));
        }
    }
}

impl Memory {
    /// The next deadline that the store does not keep.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let world = self.outage_due().into_iter().chain(self.world().next_unlock());
        world.chain(self.agenda.next()).min()
    }

    /// Makes the agenda anew from what is open: at the start, and under a new policy.
    pub(super) fn plan(&mut self, store: &impl Anchored) -> Result<(), DeskError> {
        self.agenda = Agenda::default();
        self.plan_drains(store)?;
        self.plan_landing(store)?;
        let policy = Arc::clone(self.in_force());
        let hurries = |scope: &ScopeId| {
            let stages = policy.scope(scope).map_or(&[][..], |scope| scope.stages());
            stages.iter().any(|stage| stage.within.is_some())
        };
        let mut after = None;
        loop {
            let page = store.read().open_requests(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            for row in page.iter().filter(|row| hurries(&row.scope)) {
                match self.request(store, row.id) {
                    Ok(Some(Request::Pending(pending))) => {
                        let asked = pending.asked.clone();
                        self.agenda.expect_answers(&policy, &asked);
                    }
                    Ok(_) => {}
                    Err(error @ DeskError::Store(StoreError::Database(_))) => return Err(error),
                    // It keeps nobody else waiting; its own end will tell again.
                    Err(error) => crate::report::fault("reading an open request", &error),
                }
            }
        }
    }
}
