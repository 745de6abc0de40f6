//! Who may read what (R34). Ids give nothing (R13): every look asks here.

use std::sync::Arc;

use breakglass_ledger::entry::Body;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Act, Ask, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::World;
use breakglass_rules::eligibility::{self, Rules};

use super::session::Who;
use crate::desk::Desk;
use crate::store::{Reader, RequestRow, StoreError};

/// What looks are judged by: the scopes' data, and the policy's own rules if it has any.
#[derive(Clone)]
pub(super) struct Access {
    policy: Arc<Policy>,
    rules: Arc<Rules>,
    world: Arc<World>,
    now: Timestamp,
}

impl Access {
    /// As things are now.
    pub(super) fn of(desk: &Desk) -> Self {
        // The rules first: whoever looks while a policy comes into force is judged by its people.
        let (rules, policy) = (desk.rules(), desk.policy());
        Self { policy, rules, world: desk.world(), now: desk.now() }
    }

    /// The policy in force.
    pub(super) const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Whether the policy has rules of its own, which have to be asked about each request.
    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_none()
    }

    /// Whether `who` may read the request of `row`: its subject key; and its requester, and the
    /// approvers and owners of its scope in the policy in force, if the rules permit them `read`.
    pub(super) fn may_read(
        &self,
        reader: &Reader,
        who: &Who,
        row: &RequestRow,
    ) -> Result<bool, StoreError> {
        if !self.concerns(who, row) {
            return Ok(false);
        }
        let Who::Principal(principal) = who else { return Ok(true) };
        if !self.has_rules() {
            return Ok(true);
        }
        Ok(self.permits(principal, Some(&asked(reader, row)?)))
    }

    /// Whether the data alone lets `who` read the request of `row`.
    pub(super) fn concerns(&self, who: &Who, row: &RequestRow) -> bool {
        match who {
            Who::Subject(request) => *request == row.id,
            Who::Signer(_) => false,
            Who::Principal(reader) => {
                eligibility::concerns(&self.policy, reader, &row.by, &row.scope)
            }
        }
    }

    /// Whether `who` may export the whole ledger: every enrolled person, if the rules permit them
    /// `export`, and every signer of the policy.
    pub(super) fn may_export_all(&self, who: &Who) -> bool {
        match who {
            Who::Principal(reader) => {
                eligibility::exports(&self.policy, reader) && self.permits(reader, None)
            }
            Who::Signer(_) => true,
            Who::Subject(_) => false,
        }
    }

    fn permits(&self, who: &PrincipalId, ask: Option<&Ask>) -> bool {
        eligibility::may_read(&self.rules, &self.policy, &self.world, self.now, who, ask)
    }
}

/// What was asked, from the entry that the row is derived from.
fn asked(reader: &Reader, row: &RequestRow) -> Result<Ask, StoreError> {
    let damaged = || StoreError::Damaged { what: "the entry of a request" };
    let record = reader.entry(row.seq)?.ok_or_else(damaged)?;
    let Body::Requested(requested) = record.parse()?.body else { return Err(damaged()) };
    let statement =
        Statement::parse(requested.signed.statement.as_bytes()).map_err(|_| damaged())?;
    let Act::Request(ask) = statement.act() else { return Err(damaged()) };
    Ok(ask.clone())
}

/// Whether `who` may read the policy in force: everybody in it. A subject key reads one request.
pub(super) fn may_read_policy(who: &Who) -> bool {
    match who {
        Who::Principal(_) | Who::Signer(_) => true,
        Who::Subject(_) => false,
    }
}
