//! Which grants are alive, by scope: known from having appended what made and what ended them, so that
//! nobody who can write the database makes room under a `live-max` while we run.

use std::collections::HashMap;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::ScopeId;

use crate::store::{Anchored, PAGE_ROWS_MAX, StoreError};

/// The grants that are alive.
#[derive(Default)]
pub(super) struct Live {
    scopes: HashMap<RequestId, ScopeId>,
    counts: HashMap<ScopeId, u32>,
}

impl Live {
    /// Those that the derived rows say are alive: at a start, after which the rows are compared with
    /// the entries of a longer time than any grant lives.
    pub(super) fn load(store: &impl Anchored) -> Result<Self, StoreError> {
        let (mut live, mut after) = (Self::default(), None);
        loop {
            let page = store.read().live_grants(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(live) };
            after = last.cursor();
            for row in page {
                live.began(row.id, row.scope);
            }
        }
    }

    /// A credential was issued for `id`.
    pub(super) fn began(&mut self, id: RequestId, scope: ScopeId) {
        if self.scopes.insert(id, scope.clone()).is_none() {
            let count = self.counts.entry(scope).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// The credential of `id` was revoked.
    pub(super) fn ended(&mut self, id: RequestId) {
        let Some(scope) = self.scopes.remove(&id) else { return };
        if let Some(count) = self.counts.get_mut(&scope) {
            *count = count.saturating_sub(1);
        }
    }

    /// How many of `scope` are alive.
    pub(super) fn of(&self, scope: &ScopeId) -> u32 {
        self.counts.get(scope).copied().unwrap_or_default()
    }
}
