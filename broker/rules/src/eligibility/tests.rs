use breakglass_ledger::audit::{Answer, Circumstances};
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Files, check, sample};
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};

use super::*;

mod faults;
mod meaning;

/// A public key of that name.
fn key(name: &str) -> PublicKey {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    let seed = Digest::of(name.as_bytes());
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).unwrap();
    let mut wire = Vec::new();
    for part in [&b"ssh-ed25519"[..], pair.public_key().as_ref()] {
        wire.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        wire.extend(part);
    }
    PublicKey::from_wire(&wire).unwrap()
}

/// The sample files for five people, with these rules.
fn files(rules: &str) -> Files {
    let keys = ["pia", "sam", "ada", "bob", "eve"].map(|name| (name, key(name)));
    let files = sample(&keys.each_ref().map(|(name, key)| (*name, key)));
    Files { rules: rules.into(), ..files }
}

/// The sample policy with these rules: sam and eve ask, ada leads, bob and eve are security.
fn policy(rules: &str) -> Policy {
    check(&files(rules)).unwrap().into_policy(1, Digest::ZERO)
}

/// The rules of the sample policy with this text.
fn rules(text: &str) -> Rules {
    Rules::of(&policy(text)).unwrap()
}

/// A question about a request of sam for `root-on-host` for 30 minutes, on a Sunday at 10:15 UTC.
struct Asking {
    principal: PrincipalId,
    requester: PrincipalId,
    scope: Option<ScopeId>,
    stage: breakglass_ledger::principal::StageId,
    action: Action,
    lane: Lane,
    outage: Option<u64>,
    incident: bool,
    live: u64,
    drill_age: Option<u64>,
}

impl Asking {
    fn of(who: &str, action: Action) -> Self {
        let is_about_ledger = matches!(action, Action::Declare | Action::Export);
        Self {
            principal: who.parse().unwrap(),
            requester: "sam".parse().unwrap(),
            scope: (!is_about_ledger).then(|| "root-on-host".parse().unwrap()),
            stage: "security".parse().unwrap(),
            action,
            lane: Lane::Normal,
            outage: None,
            incident: false,
            live: 0,
            drill_age: None,
        }
    }

    fn put(&self, rules: &Rules) -> Answer {
        let at = Timestamp::from_unix_seconds(1_795_342_500);
        let circumstances = Circumstances {
            at,
            lane: Some(self.lane),
            outage_since: self.outage.map(|seconds| at.minus(seconds)),
            ttl: Ttl::from_seconds(1_800),
            incident: self.incident,
            depth: 0,
            requester: Some(&self.requester),
            stage: Some(&self.stage),
            live: self.live,
            budget: 0,
            drill_age: self.drill_age,
        };
        let (principal, action, scope) = (&self.principal, self.action, self.scope.as_ref());
        rules.judge(&Question { principal, action, scope, circumstances })
    }

    fn may(&self, rules: &Rules) -> bool {
        matches!(self.put(rules), Answer::Permitted { .. })
    }
}

fn permitted(ids: &[&str]) -> Answer {
    Answer::Permitted { rules: ids.iter().map(ToString::to_string).collect() }
}

fn forbidden(ids: &[&str]) -> Answer {
    Answer::Forbidden { rules: ids.iter().map(ToString::to_string).collect() }
}
