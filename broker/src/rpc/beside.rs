//! What was done with a request's scope before: what a decision about it would count now, for whoever
//! wants to know what stands in the way.

use breakglass_ledger::policy::Policy;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use breakglass_rules::used;

use crate::store::{Reader, RequestRow, StoreError};

/// As the store has it `now`; a scope that left the policy counts nothing.
///
/// # Errors
///
/// [`StoreError`] if a row holds what it cannot hold.
pub(super) fn beside(
    reader: &Reader,
    policy: &Policy,
    row: &RequestRow,
    now: Timestamp,
) -> Result<v1::Beside, StoreError> {
    let Some(scope) = policy.scope(&row.scope) else { return Ok(v1::Beside::default()) };
    let seconds = |at: Option<Timestamp>| at.map_or(0, Timestamp::unix_seconds);
    let (live, drilled) = reader.use_of(&scope.id)?;
    let mut beside = v1::Beside { live, drilled_at: seconds(drilled), ..v1::Beside::default() };
    if let Some(budget) = scope.budget {
        let begin = now.minus(u64::from(budget.window));
        beside.budget_used = used(reader.held(&scope.id, &row.by, begin)?, now, budget.window);
    }
    if scope.cooldown.is_some() {
        beside.last_end_at = seconds(reader.last_end(&scope.id, &row.by)?);
    }
    let unreviewed = |lane| -> Result<String, StoreError> {
        let found = reader.unreviewed(&scope.id, lane)?;
        Ok(found.map(|id| id.to_string()).unwrap_or_default())
    };
    if scope.review_gate {
        beside.unreviewed = unreviewed(None)?;
    }
    beside.unreviewed_emergency = unreviewed(Some(Lane::Emergency))?;
    Ok(beside)
}
