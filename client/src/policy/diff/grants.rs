//! Live grants under a policy to come: what the broker's rejudging would end.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::{Ask, Kind, Lane};
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_rules::{Asked, Issued, Live};
use serde::Deserialize;

use crate::failure::{Exit, Failure};
use crate::policy::hearing::{Hearing, Said};
use crate::policy::question::Terms;

/// A live grant as `breakglass grants -o json` prints it; fields that nothing here needs are let by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// The request.
    pub id: RequestId,
    /// Who holds it.
    pub who: PrincipalId,
    /// What it opens.
    pub scope: ScopeId,
    /// The lane it was asked in.
    pub lane: Lane,
    /// How long it was asked for.
    pub ttl_seconds: u32,
    /// The serial of its credential.
    pub serial: u64,
    /// First second at which it is over by itself, since the Unix epoch.
    pub expires_at: u64,
    /// The key that signed the request.
    #[serde(default)]
    pub signed_with: Option<Fingerprint>,
    /// The principals behind an agent, outermost first.
    #[serde(default)]
    pub on_behalf_of: Option<Vec<PrincipalId>>,
}

/// What would become of a live grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub grant: Grant,
    /// The rule that would end it; `None` if it goes on.
    pub ends: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    requests: Vec<Grant>,
}

/// The grants in the output of `breakglass grants -o json`.
///
/// # Errors
///
/// [`Failure`] if it is something else.
pub fn grants_of(text: &str) -> Result<Vec<Grant>, Failure> {
    let listed: Listed = serde_json::from_str(text).map_err(|error| {
        Failure::new(
            Exit::Malformed,
            format!("the list of grants cannot be read: {error}"),
            "nothing is said about live grants",
            "make it with: breakglass grants -o json > FILE",
        )
    })?;
    Ok(listed.requests)
}

/// What the rules would do to each of `grants`, made under `old`, once `new` is in force.
///
/// # Errors
///
/// [`Failure`] if the rules cannot be asked.
pub fn standing(
    old: &Policy,
    new: &Policy,
    grants: Vec<Grant>,
    now: Timestamp,
) -> Result<Vec<Standing>, Failure> {
    let mut standings = Vec::new();
    for grant in grants {
        let ttl = Ttl::from_seconds(grant.ttl_seconds).unwrap_or(Ttl::MAX);
        let log = breakglass_ledger::principal::Origin::new("what-if", &[0; 32]);
        let log = log.map_err(|error| Failure::usage(error.to_string(), ""))?;
        let hearing = Hearing::about(new, Some(old), log)?;
        // What its lane needed is not what is asked here: an outage that goes on ends nothing.
        let outage = (grant.lane == Lane::Outage).then_some(0);
        let terms = Terms { at: now, lane: grant.lane, outage, ..Terms::ORDINARY };
        let live = live(&hearing, old, &grant, ttl);
        let ends = match hearing.rejudge(live, &terms) {
            Said::Yes(yes) => Some(yes.rules.join(", ")),
            Said::No(_) | Said::Before { .. } | Said::Hidden(_) => None,
        };
        standings.push(Standing { grant, ends });
    }
    Ok(standings)
}

fn live(hearing: &Hearing<'_>, old: &Policy, grant: &Grant, ttl: Ttl) -> Live {
    let ask = Ask {
        id: grant.id,
        by: grant.who.clone(),
        scope: grant.scope.clone(),
        kinds: vec![Kind::Ssh],
        lane: grant.lane,
        ttl,
        incident: None,
        reason: None,
        key: Some(hearing.subject().clone()),
        on_behalf_of: grant.on_behalf_of.clone().unwrap_or_default(),
    };
    let ends = Timestamp::from_unix_seconds(grant.expires_at);
    let began = ends.minus(u64::from(ttl.seconds()));
    let first = old.principal(&grant.who).and_then(|one| one.keys.first());
    let first = first.unwrap_or_else(|| hearing.subject()).fingerprint();
    let key = grant.signed_with.unwrap_or(first);
    let asked = Asked::supposed(ask, Digest::ZERO, key, old.digest, began, ends);
    let issued = Issued {
        seq: grant.serial,
        entry: Digest::ZERO,
        kind: Kind::Ssh,
        serial: grant.serial,
        valid_after: began,
        valid_before: ends,
        policy: old.digest,
        ends,
        picked_up: None,
    };
    Live { asked, given: Vec::new(), escalated: Vec::new(), issued, further: Vec::new() }
}
