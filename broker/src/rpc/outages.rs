//! The watched dependencies, and which of them are down.

use std::collections::BTreeSet;

use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::DependencyId;
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use breakglass_rules::{Outage, World};

use super::access::may_read_policy;
use super::service::Service;
use super::status::CallError;

/// What is down, for everybody whom the policy knows.
pub(super) async fn outages(
    service: &Service,
    request: v1::ListOutagesRequest,
) -> Result<v1::ListOutagesAnswer, CallError> {
    let session = service.reader(request.session).await?;
    if !may_read_policy(&session.who) {
        return Err(CallError::NotEntitled(
            "a subject key reads its own request only; look at outages with an enrolled key",
        ));
    }
    let (desk, now) = (&service.desk, service.desk.now());
    Ok(answer(&desk.policy(), &desk.world(), now))
}

fn answer(policy: &Policy, world: &World, now: Timestamp) -> v1::ListOutagesAnswer {
    let named = policy.scopes.iter().filter_map(|scope| scope.outage.as_ref());
    let dependencies: BTreeSet<&DependencyId> = named.chain(world.outages.keys()).collect();
    let outages = dependencies.into_iter().map(|dependency| {
        let known = world.outages.get(dependency).cloned().unwrap_or_default();
        outage(dependency, &known, now)
    });
    v1::ListOutagesAnswer { outages: outages.collect(), answered_at: now.unix_seconds() }
}

fn outage(dependency: &DependencyId, known: &Outage, now: Timestamp) -> v1::OutageView {
    let seconds = |at: Option<Timestamp>| at.map_or(0, Timestamp::unix_seconds);
    let declared = known.standing(now).map(|declared| v1::DeclarationView {
        by: declared.by.to_string(),
        at: declared.at.unix_seconds(),
        until: declared.until.unix_seconds(),
        seq: declared.seq,
    });
    v1::OutageView {
        dependency: dependency.to_string(),
        down_since: seconds(known.active(now)),
        measured_since: seconds(known.measured),
        declared: declared.collect(),
        ended_at: seconds(known.ended),
    }
}
