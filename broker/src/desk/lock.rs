//! What is locked ends what it covers, in the same transaction; and what is locked for a while is
//! unlocked by the clock.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::{Act, Statement, Target};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Command, Verdict, decide};

use super::batch::{Batch, UNSIGNED};
use super::{DeskError, record};
use crate::store::PAGE_ROWS_MAX;

/// Locks lifted in one pass, so that people never wait long behind the clock.
const UNLOCKS_MAX: usize = 256;

impl Batch<'_, '_> {
    /// The grant that a statement about a lock needs to be judged by.
    pub(super) fn locked_grant(&self, statement: &Statement) -> Option<RequestId> {
        let target = if let Act::Lock(lock) = statement.act() {
            &lock.target
        } else if let Act::Unlock(unlock) = statement.act() {
            &self.memory.world().locks.get(&unlock.lock)?.target
        } else {
            return None;
        };
        if let Target::Grant(id) = target { Some(*id) } else { None }
    }

    /// Ends every live grant that a lock covers. All of them are looked at: who stands behind a
    /// grant and which keys it has is in its entries alone.
    pub(super) fn enforce_locks(&mut self) -> Result<(), DeskError> {
        let mut after = None;
        loop {
            let page = self.tx.live_grants(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            for row in &page {
                let known = self.known_to_end(row.id)?;
                self.end(&known, &Command::Enforce)?;
            }
        }
    }

    /// Writes off locks that are over. Answers how many.
    pub(super) fn locks_over(&mut self, now: Timestamp) -> Result<usize, DeskError> {
        let mut met = 0_usize;
        while met < UNLOCKS_MAX && self.memory.world().next_unlock().is_some_and(|at| at <= now) {
            let known = self.known_of(None)?;
            let Ok(Verdict::Change(change, decision)) = decide(&known.facts(), &Command::Unlock)
            else {
                return Err(DeskError::Ledger { what: "a lock that is over was judged to stand" });
            };
            let body = record::change(change, decision, None, None);
            self.changed(body.ok_or(UNSIGNED)?, None)?;
            met = met.saturating_add(1);
        }
        Ok(met)
    }
}
