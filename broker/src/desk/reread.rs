//! What the sequencer remembers, read from the ledger again: every row is proven before it counts.

use std::collections::HashMap;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Body;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Files, Policy};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_rules::eligibility::Rules;
use breakglass_rules::{Request, World};

use super::DeskError;
use crate::store::Anchored;

/// Compiles the rules of a policy in force.
///
/// They compiled when it came into force. If they do not any more, whatever they judge is refused
/// until a policy that can be read is pushed; what ends by itself still ends.
pub(super) fn compile(policy: &Policy) -> Rules {
    Rules::of(policy).unwrap_or_else(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        tracing::error!(fault = first, "the rules of the policy in force do not compile");
        Rules::unreadable()
    })
}

/// Folds what is locked and what is down from the entries that are still of importance.
pub(super) fn read_world(store: &impl Anchored) -> Result<World, DeskError> {
    let mut world = World::default();
    for record in store.read().standing_entries()? {
        store.read().prove(&record, &store.head())?;
        world.apply(&record.parse()?).map_err(unreadable)?;
    }
    Ok(world)
}

/// Folds a request from its entries.
pub(super) fn fold(store: &impl Anchored, id: RequestId) -> Result<Option<Request>, DeskError> {
    let mut request: Option<Request> = None;
    for record in store.read().grant_entries(id)? {
        store.read().prove(&record, &store.head())?;
        let entry = record.parse()?;
        request = Some(match request {
            None => Request::begin(&entry).map_err(unreadable)?,
            Some(request) => request.apply(&entry).map_err(unreadable)?,
        });
    }
    Ok(request)
}

/// Reads the policy of this `digest`, which has been in force in the ledger `log`. Its signatures were
/// judged when it was activated and are judged again by every verifier; here only its digests are
/// checked.
///
/// # Errors
///
/// [`DeskError::Ledger`] or [`DeskError::Policy`] if the ledger does not hold it whole;
/// [`DeskError::Store`].
pub fn read_policy(
    store: &impl Anchored,
    log: &Origin,
    digest: Digest,
) -> Result<Policy, DeskError> {
    let (store, head) = (store.read(), store.head());
    let broken = |what| DeskError::Ledger { what };
    let missing = broken("a policy that entries name is missing");
    let row = store.policy_of(digest)?.ok_or(missing)?;
    let record = store.entry(row.seq)?.ok_or(broken("a policy entry is missing"))?;
    store.prove(&record, &head)?;
    let Body::Policy(body) = record.parse()?.body else {
        return Err(broken("a policy entry is of another type"));
    };
    let manifest = Statement::parse(body.statement.as_bytes())
        .map_err(|_| broken("a policy manifest does not parse"))?;
    let Act::Policy(listed) = manifest.act() else {
        return Err(broken("a policy manifest is of another act"));
    };
    let mut content = HashMap::new();
    for (name, digest) in &listed.files {
        let bytes = store.blob(*digest)?.ok_or(broken("a policy file is missing"))?;
        content.insert(name.clone(), bytes);
    }
    let files = Files::gather(|name| content.remove(name))
        .map_err(|_| broken("a policy lacks one of its files"))?;
    breakglass_ledger::policy::reopen(&manifest, &files, log).map_err(DeskError::Policy)
}

pub(super) fn unreadable(error: breakglass_rules::FoldError) -> DeskError {
    crate::report::fault("fold", &error);
    DeskError::Ledger { what: "entries do not follow each other" }
}
